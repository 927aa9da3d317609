"""What can go wrong, each kind with its exit code.

::

    BigganError             1
    ├── StepFailed          1    a damaged file, a full disk, a run that another process holds
    ├── UsageError          2    a flag, a name or a combination that cannot be
    ├── ToolError           3    an external program failed
    ├── NotReady            4    the environment lacks something: a device, a library, a toolkit
    └── Interrupted       130    Ctrl-C (143: SIGTERM); what was done is kept
"""

from typing import List, Optional, Tuple


class BigganError(Exception):
    """One sentence of fact with numbers, and what helps: each keyword becomes an indented line below it."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        looked_for: Optional[str] = None,
        needed_by: Optional[str] = None,
        log: Optional[str] = None,
        fix: Optional[str] = None,
        hint: Optional[str] = None,
    ):
        super().__init__(message)
        self.message = message
        self.details: List[Tuple[str, str]] = [
            (label, text)
            for label, text in (
                ("looked for", looked_for),
                ("needed by", needed_by),
                ("log", log),
                ("fix", fix),
                ("hint", hint),
            )
            if text
        ]


class StepFailed(BigganError):
    exit_code = 1


class UsageError(BigganError):
    exit_code = 2


class ToolError(BigganError):
    exit_code = 3


class NotReady(BigganError):
    exit_code = 4


class Interrupted(BigganError):
    """Carries the number of the signal: 130 for Ctrl-C, 143 for SIGTERM, as shells have it."""

    def __init__(self, message: str, signal_number: int, *, fix: Optional[str] = None):
        super().__init__(message, fix=fix)
        self.exit_code = 128 + signal_number
