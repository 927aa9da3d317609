"""TensorBoard's event file of a run: whole records, also where the disk was full for a time.

TensorFlow's own writer stops for ever at the first record that it cannot write, the one of 1.15 together with the
training that waits for it, and leaves half a record, behind which TensorBoard reads nothing.
"""

import platform
import re
import time
from pathlib import Path

from biggan_cli.data.records import framed
from biggan_cli.files import Appended
from biggan_cli.runtime.tf import tf

_NAME = "events.out.tfevents.{:010d}.{}"
_SECONDS = re.compile(r"events\.out\.tfevents\.(\d+)\.")


class Events:
    """A new event file in ``folder``; of older ones, what lies beyond step ``resumed_at`` no longer counts."""

    def __init__(self, folder: Path, resumed_at: int):
        before = [int(match.group(1)) for match in map(_SECONDS.match, _names(folder)) if match]
        # TensorBoard reads the files in the order of their names: also where the clock was set back.
        self._file = Appended(folder / _NAME.format(max([int(time.time()), *(n + 1 for n in before)]), platform.node()))
        self._add(file_version="brain.Event:2")
        if before:
            self._add(step=resumed_at + 1, session_log=tf.SessionLog(status=tf.SessionLog.START))

    def add_summary(self, summary, global_step: int) -> None:
        """Append a ``tf.Summary``."""
        self._add(step=global_step, summary=summary)

    def _add(self, **content) -> None:
        self._file.add(framed(tf.Event(wall_time=time.time(), **content).SerializeToString()))


def _names(folder: Path):
    return [path.name for path in folder.glob("events.*")]
