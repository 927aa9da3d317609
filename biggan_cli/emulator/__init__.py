"""Stand-ins on the CPU for CANN's ``atc`` and for ``msame`` and ``ais_bench``, as processes of their own.

They follow the public contract of the real tools (flags, messages, exit codes, files, CANN 6.x to 8.1) and the
rounding of an Ascend310, so that everything around those tools can be run and tested without a device. What they
write has its own format: no device loads it. How close the numbers come is said in :mod:`.arithmetic`.
"""

import signal
import sys
from pathlib import Path
from typing import Callable, List

BIN = Path(__file__).parent / "bin"
"""The executables ``atc`` and ``msame``; environment variable ``BIGGAN_PYTHON``: the interpreter that they run."""

VERSION = "emulated CANN 8.1"


def as_process(main: Callable[[List[str]], int]) -> None:
    """Run ``main`` and exit with its code, as a C++ program does: lines appear at once, and Ctrl-C or a closed pipe
    ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
