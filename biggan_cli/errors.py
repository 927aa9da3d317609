"""What can go wrong, each kind with its exit code.

::

    BigganError             1
    ├── StepFailed          1    a damaged file, a full disk, a run that another process holds
    ├── UsageError          2    a flag, a name or a combination that cannot be
    ├── ToolError           3    an external program failed
    ├── NotReady            4    the environment lacks something: a device, a library, a toolkit
    └── Interrupted       130    Ctrl-C (143: SIGTERM, 129: SIGHUP); what was done is kept
"""

import re
from typing import List, Optional, Tuple

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that move the cursor, colour, or turn the direction of writing."""


def visible(words: str) -> str:
    """Words for a terminal or a log, whatever a file in them is called: controls as Python writes them, ``\\x1b``."""
    return _CONTROLS.sub(lambda found: repr(found.group())[1:-1], words)


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
        self.message = visible(message)
        super().__init__(self.message)
        self.hint = hint
        self.details: List[Tuple[str, str]] = [
            (label, visible(text))
            for label, text in (
                ("looked for", looked_for),
                ("needed by", needed_by),
                ("log", log),
                ("fix", fix),
                ("hint", hint),
            )
            if text
        ]

    def replace_detail(self, label: str, text: str) -> None:
        """Put ``text`` in the place of the line ``label``, or add it."""
        self.details = [(known, old) for known, old in self.details if known != label] + [(label, text)]

    def rename(self, old: str, new: str) -> None:
        """Say ``new`` wherever a place is called ``old``: by a name that the user knows."""
        old, new = visible(old), visible(new)
        self.message = self.message.replace(old, new)
        self.args = (self.message,)
        self.details = [(label, text.replace(old, new)) for label, text in self.details]


def is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: C code may turn a KeyboardInterrupt into something of its own."""
    seen: Optional[BaseException] = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


class StepFailed(BigganError):
    exit_code = 1


class UsageError(BigganError):
    exit_code = 2


class ToolError(BigganError):
    exit_code = 3


class NotReady(BigganError):
    exit_code = 4


class Interrupted(BigganError):
    """Carries the number of the signal, and exits with 128 more, as shells have it."""

    def __init__(self, message: str, signal_number: int, *, fix: Optional[str] = None):
        super().__init__(message, fix=fix)
        self.exit_code = 128 + signal_number
