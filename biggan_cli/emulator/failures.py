"""Failures on demand, for tests of what calls the tools: ``BIGGAN_EMULATOR_FAIL=tool:mode,tool:mode``."""

import os
import resource
import signal
import sys
import time
from typing import FrozenSet

VARIABLE = "BIGGAN_EMULATOR_FAIL"

_RUNNER = dict(
    exit1="does everything well and exits with 1",
    missing="does not write the last tenth of the outputs, at least one",
    truncate="writes half of the last output",
    nan="writes NaN for every float",
    crash="dies of SIGSEGV after half of the files",
    hang="sleeps for ever once the model is loaded",
    fail="says that the execution failed, writes nothing and exits with 0",
)
MODES = dict(
    atc=dict(
        exit1="writes the model, says success and exits with 1",
        silent="writes the model and exits with 0 without a word of success",
        truncate="writes half of the model, says success and exits with 0",
        suffix="writes <output>_linux_x86_64.om, as for a model with operators of its own",
        crash="dies of SIGSEGV after the start line",
        hang="sleeps for ever after the start line",
        inner="fails with E19999",
        **{"no-file": "writes nothing, says success and exits with 0"},
    ),
    msame=_RUNNER,
    ais_bench=_RUNNER,
)
"""Tool → mode → what it does."""


def asked_of(tool: str) -> FrozenSet[str]:
    """The modes asked of ``tool``.

    Raises:
        SystemExit: 2, with a message on stderr: a tool or a mode that does not exist, of whichever tool.
    """
    asked = [item.strip() for item in os.environ.get(VARIABLE, "").split(",") if item.strip()]
    for item in asked:
        name, _, mode = item.partition(":")
        if mode not in MODES.get(name, {}):
            known = ", ".join(f"{name}:{mode}" for name in MODES for mode in MODES[name])
            print(f"emulator: {VARIABLE} has the unknown {item}; known: {known}", file=sys.stderr)
            raise SystemExit(2)
    return frozenset(item.partition(":")[2] for item in asked if item.startswith(f"{tool}:"))


def die(number: int = signal.SIGSEGV) -> None:
    """End this process by a signal, with what it printed but without a core file."""
    sys.stdout.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def hang() -> None:
    """Sleep until killed."""
    sys.stdout.flush()
    while True:
        time.sleep(3600)
