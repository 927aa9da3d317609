"""What ``doctor`` says about one thing."""

from typing import Any, Dict, NamedTuple, Optional

from biggan_cli.errors import BigganError

OK, MISSING, WRONG = "ok", "missing", "wrong"


class Check(NamedTuple):
    """One thing that was looked at: ``found`` is a line of words, ``details`` are its numbers and paths.

    ``needed``: the chosen device does not work without it. ``fix`` is there where ``state`` is not ok.
    """

    name: str
    state: str
    found: str
    fix: Optional[str] = None
    needed: bool = False
    details: Dict[str, Any] = {}  # noqa: RUF012 (nobody writes to it)


def from_error(name: str, error: BigganError, state: str, needed: bool = False) -> Check:
    """The check that an error of ours stands for."""
    details = {label.replace(" ", "_"): text for label, text in error.details}
    return Check(name, state, error.message, details.pop("fix", None) or details.get("hint"), needed, details)


def unreadable(name: str, error: OSError, needed: bool = False) -> Check:
    """The check of what this user may not look at."""
    found = f"{error.filename or name}: {(error.strerror or str(error)).lower()}"
    return Check(name, WRONG, found, "the right to read it, or HOME with a folder of this user", needed)


def first_line(error: BaseException) -> str:
    """Enough of anybody's error to know what to look for."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
