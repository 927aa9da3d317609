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
    """The adapter's own words, once for each graph that it compiled for the device: the proof that it was used."""

    def __init__(self, log: Path):
        self._log = log
        self._told = 0

    def new(self) -> List[str]:
        """Those since the last call, as the adapter wrote them."""
        lines = [line for path in self.places() for line in _lines(path)]
        found, self._told = lines[self._told :], max(self._told, len(lines))
        return found

    def places(self) -> List[Path]:
        """The files that can have them: the log, and those of this process in the toolkit's folder for logs."""
        base = Path(os.environ.get("ASCEND_PROCESS_LOG_PATH") or os.path.expanduser("~/ascend/log"))
        name = f"plog-{os.getpid()}_*.log"
        own = [path for pattern in ("", "run/", "debug/") for path in base.glob(f"{pattern}plog/{name}")]
        return [self._log, *sorted(own)]


def _lines(path: Path) -> List[str]:
    with contextlib.suppress(OSError), open(str(path), "rb") as handle:
        return _COMPILED.findall(handle.read(_MOST).decode("utf-8", "replace"))
    return []


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
