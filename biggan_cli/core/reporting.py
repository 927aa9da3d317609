"""What a step says while it works: events, and their plain words for logs and pipes.

A step gets ``report(event, **fields)``. The events:

===========  =====================================================================================
``table``    ``title``, ``rows`` [(left, right)]
``line``     ``text``, a sentence
``warning``  ``text``, a sentence
``tick``     ``step``, ``total``, ``status``, ``remaining_seconds``: worth a line in a log
``advance``  ``done``, ``total``, ``what``: only for a live bar; ``total`` None where nobody knows;
             ``per_second``, images, where that is worth telling
===========  =====================================================================================
"""

import time
from pathlib import Path
from typing import Callable, Optional

from biggan_cli.files import Appended

Report = Callable[..., None]
NPU_OPTIONS = "npu options"
"""The row of the table ``training`` that no configuration has, and that a report reads."""


def silent(event: str, **fields) -> None:
    """A report that nobody reads."""


def plain_text(event: str, **fields) -> str:
    """The event as plain text; empty where only a live display has use for it."""
    if event == "table":
        width = max(len(left) for left, _ in fields["rows"])
        lines = [f"  {left.ljust(width)}  {right}" for left, right in fields["rows"]]
        return "\n".join([fields["title"], *lines])
    if event == "line":
        return fields["text"]
    if event == "warning":
        return "warning: " + fields["text"]
    if event == "tick":
        remaining = duration(fields["remaining_seconds"])
        return f"step {fields['step']}/{fields['total']}  {fields['status']}  ETA {remaining}"
    return ""


def progress(what: str, done: int, total: Optional[int], **fields) -> str:
    """How far it is: ``drawing 16/64``; of what has no end that is known, how much of it is done, if anything."""
    if total is None:
        return f"{what} {done}" if done else what
    return f"{what} {done}/{total}"


def pace(done: int, total: Optional[int], per_second: Optional[float] = None, **fields) -> str:
    """How fast, and what remains, to end a line with; empty where nobody told."""
    if not per_second or not total:
        return ""
    return f", {per_second:.1f} images/s, ETA {duration((total - done) / per_second)}"


def without_tables(report: Report) -> Report:
    """``report`` for a part of a step that says in a table of its own what this part does."""
    return lambda event, **fields: None if event == "table" else report(event, **fields)


def logged(report: Report, log: Path) -> Report:
    """``report``, with every event that has words first appended to ``log`` under its time.

    What a full disk refuses waits in memory for the next event.
    """
    lines = Appended(log)

    def report_and_log(event: str, **fields) -> None:
        text = plain_text(event, **fields)
        if text:
            lines.add(_stamped(text))
        report(event, **fields)

    return report_and_log


def log_error(log: Path, error: BaseException) -> None:
    """Append what ends a run; a log that cannot be written must not hide it."""
    details = [f"  {label}: {text}" for label, text in getattr(error, "details", [])]
    Appended(log).add(_stamped("\n".join([f"error: {error or type(error).__name__}", *details])))


def _stamped(text: str) -> bytes:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S ")
    return "".join(stamp + line + "\n" for line in text.splitlines()).encode("utf-8", "backslashreplace")


def duration(seconds: float) -> str:
    """1:02:03, or 2:03 under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
