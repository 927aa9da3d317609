"""What the adapter and the device write while a graph runs, and whether it says that the NPU was used.

They write to the descriptors of the process, or, as newer toolkits do, to files of their own.
"""

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Iterator, List

_COMPILED = re.compile(r"The model has been compiled on the Ascend AI processor.*")
_MOST = 64 << 20


@contextlib.contextmanager
def output_of_libraries_in(log: Path) -> Iterator[None]:
    """Descriptors 1 and 2 go to the end of a file: a result and a bar on a terminal stay what they are.

    Who wants to be heard meanwhile has a descriptor of its own.
    """
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with open(str(log), "ab") as handle:
            _flush()
            for number in (1, 2):
                os.dup2(handle.fileno(), number)
        yield
    finally:
        _flush()
        for number, own in zip((1, 2), kept):
            os.dup2(own, number)
            os.close(own)


class CompiledGraphs:
    """The adapter's own words, once for each graph that it compiled for the device: the proof that it was used.

    What ``log`` has before counts for nothing: another process wrote it.
    """

    def __init__(self, log: Path):
        self._log = log
        self._read = {log: log.stat().st_size if log.is_file() else 0}
        """File → how many of its bytes were looked at."""

    def new(self) -> List[str]:
        """Those since the last call, as the adapter wrote them."""
        return [line for path in self.places() for line in self._lines(path)]

    def places(self) -> List[Path]:
        """The files that can have them: the log, and those of this process in the toolkit's folder for logs."""
        work = os.environ.get("ASCEND_WORK_PATH")
        usual = os.path.join(work, "log") if work else os.path.expanduser("~/ascend/log")
        base = Path(os.environ.get("ASCEND_PROCESS_LOG_PATH") or usual)
        name = f"plog-{os.getpid()}_*.log"
        own = [path for pattern in ("", "run/", "debug/") for path in base.glob(f"{pattern}plog/{name}")]
        return [self._log, *sorted(own)]

    def _lines(self, path: Path) -> List[str]:
        """Of the whole lines that were not looked at yet."""
        with contextlib.suppress(OSError), open(str(path), "rb") as handle:
            handle.seek(self._read.get(path, 0))
            whole = handle.read(_MOST).rpartition(b"\n")[0]
            self._read[path] = self._read.get(path, 0) + len(whole)
            return _COMPILED.findall(whole.decode("utf-8", "replace"))
        return []


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
