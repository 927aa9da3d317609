"""How long a run has been trained, and how long it will take: for all who say so, the one place where it is computed.

A run is trained for as long as its starts took, one after the other: each from when it began to build its networks to
its last record that the run still has, saving, drawing and scoring included. What was lost, with a process that was
killed or in a rollback, is not in the run, and does not count.
"""

import json
import math
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional


class TrainedSeconds:
    """Adds up the records of a run in their order; ``seconds`` is None before the first one that says."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()):
        self.seconds: Optional[float] = None
        self._before = self._last = 0.0
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> Optional[float]:
        """The seconds up to this record."""
        elapsed = record.get("elapsed_seconds")
        if is_number(elapsed):
            if elapsed < self._last:  # versions before counted every start by itself
                self._before += self._last
            self._last = float(elapsed)
            self.seconds = self._before + self._last
        return self.seconds


def trained_seconds(stats: Path) -> Optional[float]:
    """Of all records of a ``stats.jsonl``; None where there is none that says. Damaged lines do not count."""
    total = TrainedSeconds()
    try:
        lines = stats.read_bytes().splitlines()
    except OSError:
        return None
    for line in lines:
        try:
            record = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            total.add(record)
    return total.seconds


def remaining_seconds(record: Mapping[str, Any], steps: int, now: Optional[float] = None) -> float:
    """What is left of ``steps`` after a record, at its pace: that of its steps, and of what comes between them.

    Args:
        now: seconds since 1970: what went by since the record is taken off, where the clocks agree.
    """
    between = record.get("maintenance_seconds_per_step")
    left = (steps - record["step"]) * (record["seconds_per_step"] + (between if is_number(between) else 0.0))
    made = record.get("epoch_seconds")
    if now is not None and is_number(made) and now >= made:
        left -= now - made
    return max(0.0, left)


def is_number(value: Any) -> bool:
    """Whether it is one, and finite: a file may hold anything."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
