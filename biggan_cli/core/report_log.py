"""The tables of a run's log, which say what it was trained on and how."""

import re
from typing import Dict, List, Tuple

_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
TRAINING = "training"


def unstamped(line: str) -> str:
    """A line without its time; empty if it has none."""
    stamp = _STAMP.match(line)
    return line[stamp.end() :] if stamp else ""


def tables(log: str) -> Dict[str, List[str]]:
    """Title → lines of each table in a log, the last of a title: what :func:`reporting.plain_text` wrote."""
    found: Dict[str, List[str]] = {}
    title = None
    for line in log.splitlines():
        text = unstamped(line)
        if not text.startswith("  "):
            title = text
            found.pop(title, None)
        elif title:
            found.setdefault(title, []).append(text[2:])
    return found


def row(line: str) -> Tuple[str, str]:
    """A row of a table whose left part has no two spaces in it."""
    left, _, right = line.partition("  ")
    return left.strip(), right.strip()
