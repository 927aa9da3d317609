"""How a run stands and how its training ended: ``state.json``, and the last words of its log."""

import contextlib
import os
import platform
import signal
import time
from typing import Any, Iterator, Tuple

from biggan_cli.core.reporting import Report, log_error
from biggan_cli.errors import Interrupted, is_interrupt
from biggan_cli.files import FULL, READ_ONLY, cannot_be_written, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.training.loop import Signals

SCHEMA = 1


class StateFile:
    """``state.json`` of a run that is trained. Where it cannot be written, training goes on."""

    def __init__(self, run: RunDir, step: int, steps: int):
        self._path = run.state
        self._content = dict(
            schema=SCHEMA,
            state="running",
            step=step,
            steps=steps,
            pid=os.getpid(),
            host=platform.node(),
            started=time.time(),
            updated=time.time(),
            why=None,
        )
        self.write()

    def write(self, **changes: Any) -> None:
        """With these values; the others stay."""
        self._content.update(changes, updated=time.time())
        with contextlib.suppress(OSError):
            write_json(self._path, self._content)


@contextlib.contextmanager
def recorded(run: RunDir, step: int, steps: int, report: Report) -> Iterator[Tuple[Signals, StateFile]]:
    """Around a training from ``step`` to ``steps``: however it ends, its log and ``state.json`` say so.

    ``report`` hears at once of a signal that is to end it.

    Raises:
        Interrupted: by a signal, before the first step too; it names the way on.
        StepFailed: also where the run cannot be written.
    """
    signals = Signals(lambda sentence: report("line", text=sentence))
    state = StateFile(run, step, steps)
    try:
        with signals:
            yield signals, state
            state.write(state="finished")
    except BaseException as error:
        told = error
        if isinstance(error, OSError) and error.errno in (*FULL, *READ_ONLY):  # before the first step: later ones wait
            told = cannot_be_written(run.path, error)
        elif not isinstance(error, Interrupted) and is_interrupt(error):
            told = Interrupted(
                "interrupted; what was saved before is kept",
                signals.received or signal.SIGINT,
                fix=f"biggan train --resume {run}",
            )
        log_error(run.log, told)
        state.write(
            state="stopped" if isinstance(told, Interrupted) else "failed", why=str(told) or type(told).__name__
        )
        if told is error:
            raise
        raise told from error
