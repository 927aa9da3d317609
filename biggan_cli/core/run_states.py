"""What a run is doing: running, stopped, failed or finished, and how far it is."""

import contextlib
import json
import math
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.errors import StepFailed
from biggan_cli.files import read_json
from biggan_cli.rundir import RunDir

RUNNING, STOPPED, FAILED, FINISHED = "running", "stopped", "failed", "finished"
IMPORTED = "imported"
"""Trained elsewhere, and not here yet."""
_STATES = (RUNNING, STOPPED, FAILED, FINISHED)


class RunState(NamedTuple):
    """Times are in seconds since 1970, by the clock of the machine that trained; None: nobody knows.

    ``why`` is a sentence of what ended the run, where there is more to say than its state does. ``holder`` is the
    process that holds the run now.
    """

    state: str
    step: int
    steps: int
    why: Optional[str] = None
    started: Optional[float] = None
    updated: Optional[float] = None
    holder: Optional[str] = None

    @property
    def ended(self) -> bool:
        return self.state != RUNNING


class Score(NamedTuple):
    """A score of a run: name (``fid``, ``is``, ``kid``, ``precision``, ``recall``) → value, and what it is one of.

    Scores compare only where ``extractor``, ``reference`` and ``count`` are the same. ``step`` None: nobody knows.
    """

    step: Optional[int]
    extractor: str
    reference: Optional[str]
    count: Optional[int]
    values: Dict[str, float]
    emulated: bool = False
    as_trained: bool = True
    """By the averaged weights, with the truncation of training."""

    def kind(self) -> tuple:
        return self.extractor, self.reference, self.count


class Best(NamedTuple):
    value: float
    step: Optional[int]
    extractor: str


SMALLER_IS_BETTER = {"fid": True, "is": False, "kid": True, "precision": False, "recall": False}


def record_of_run(run: RunDir) -> RunRecord:
    """What is stored with the run.

    Raises:
        StepFailed: it is missing or damaged.
    """
    return configs.from_json(run.read_config(), str(run.config))


def state_of(run: RunDir) -> RunState:
    """What ``state.json`` says; a run whose process is gone is stopped. Older runs have none: as far as it shows.

    Raises:
        StepFailed: neither it nor the configuration can be read.
    """
    held = run.is_held()
    try:
        stored = read_json(run.state)
        state = _stored(stored, held)
    except (StepFailed, OSError, KeyError, TypeError, ValueError, OverflowError):
        state = _derived(run, held)
    if state.state == RUNNING and held is None:
        return state._replace(state=STOPPED, why="its process is gone")
    return state


def _stored(stored: Dict[str, Any], held: Optional[str]) -> RunState:
    if stored["state"] not in _STATES:
        raise ValueError(stored["state"])
    why = str(stored["why"]) if stored.get("why") else None
    times = [_time(stored.get(name)) for name in ("started", "updated")]
    return RunState(stored["state"], int(stored["step"]), int(stored["steps"]), why, *times, held)


def _time(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _derived(run: RunDir, held: Optional[str]) -> RunState:
    from biggan_cli.training import checkpoints  # NumPy, which only older runs are worth waiting for

    record = record_of_run(run)
    steps, reached = record.config.train.steps, max(checkpoints.steps(run), default=0)
    state = RUNNING if held else FINISHED if reached >= steps else STOPPED
    if record.data_digest is None and not held:
        state = IMPORTED
    if held:
        reached = max([reached, *(entry["step"] for entry in last_records(run, 1))])
    written = [path.stat().st_mtime for path in (run.stats, run.log, run.config) if path.exists()]
    return RunState(state, reached, steps, updated=max(written, default=None), holder=held)


def last_records(run: RunDir, count: int) -> List[Dict[str, Any]]:
    """The last whole records of ``stats.jsonl``, without reading the rest of it."""
    try:
        with open(str(run.stats), "rb") as stats:
            size = stats.seek(0, 2)
            stats.seek(max(0, size - 8192 * count))
            lines = stats.read().split(b"\n")[:-1]
    except OSError:
        return []
    return [record for record in map(parsed_record, lines[-count:]) if record]


def parsed_record(line: bytes) -> Optional[Dict[str, Any]]:
    """A line of ``stats.jsonl``; None where it is damaged."""
    with contextlib.suppress(ValueError, RecursionError):
        record = json.loads(line.decode("utf-8"))
        if isinstance(record, dict) and _is_record(record):
            return record
    return None


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_record(record: Dict[str, Any]) -> bool:
    """What every record has, whichever version wrote it; a mean is None where all of its steps were left out."""
    means = ("d_loss", "g_loss", "real_logit", "fake_logit")
    return (
        isinstance(record.get("step"), int)
        and all(_is_finite(record.get(name)) for name in ("seconds_per_step", "images_per_second"))
        and all(name in record and (record[name] is None or _is_finite(record[name])) for name in means)
    )


def scores_of(run: RunDir) -> List[Score]:
    """The scores that are kept with the run, in their order.

    Damaged lines do not count, and neither do those of steps that a rollback went back before.
    """
    try:
        lines = run.score.read_bytes().splitlines()
    except OSError:
        return []
    found, back_to = [], _rollbacks(run)
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            record = json.loads(line.decode("utf-8"))
            score, before = _score(record), record.get("training", {}).get("rollbacks")
            late = [n for n, step in back_to.items() if before is not None and n > before and (score.step or 0) > step]
            if score.values and not late:
                found.append(score)
    return found


def _rollbacks(run: RunDir) -> Dict[int, int]:
    """Number of a rollback → the step that it went back to."""
    with contextlib.suppress(StepFailed, OSError):
        if record_of_run(run).config.train.rollbacks:
            lines = (line for line in run.stats.read_bytes().splitlines() if b'"rollback"' in line)
            with contextlib.suppress(ValueError, KeyError):
                return {entry["rollback"]: entry["step"] for entry in map(json.loads, lines)}
    return {}


def _score(record: Dict[str, Any]) -> Score:
    values = {}
    for name, place, part in (("fid", "fid", "value"), ("is", "inception_score", "mean"), ("kid", "kid", "mean")):
        if place in record:
            values[name] = record[place][part]
    values.update((name, record[name]) for name in ("precision", "recall") if name in record)
    values = {name: float(value) for name, value in values.items() if math.isfinite(value)}
    samples, reference = record["samples"], record.get("reference") or {}
    return Score(
        samples.get("step"),
        record["extractor"]["name"],
        reference.get("name"),
        samples.get("count"),
        values,
        bool(record.get("emulated")),
        samples.get("weights", "ema") == "ema" and samples.get("truncation") == samples.get("trained_truncation"),
    )


def best_of(run: RunDir) -> Dict[str, Best]:
    """Score → its best in this run: among those kept and those that checkpoints were chosen by.

    What is measured in different ways is no contest. Scores of Inception count, the others only where it has none; of
    them those of the most pictures. What an emulated device drew does not count, nor what was drawn otherwise than the
    run was trained: with another truncation, or without the averaged weights.
    """
    found: Dict[str, List[Tuple[int, Best]]] = {}
    for score in scores_of(run):
        for name, value in score.values.items():
            if score.as_trained and not score.emulated:
                found.setdefault(name, []).append((score.count or 0, Best(value, score.step, score.extractor)))
    for name in ("fid", "is"):
        with contextlib.suppress(StepFailed, OSError, KeyError, TypeError, ValueError):
            entry = read_json(run.best(name))
            of = entry.get("of") or {}
            extractor = of.get("extractor", "")
            extractor = extractor.get("name", "") if isinstance(extractor, dict) else str(extractor)
            marked = Best(float(entry["value"]), int(entry["step"]), extractor)
            found.setdefault(name, []).append((int(of.get("count") or 0), marked))
    best = {}
    for name, all_of_it in found.items():
        contest = [entry for entry in all_of_it if entry[1].extractor == "inception"] or all_of_it
        most = max(count for count, _ in contest)
        choose = min if SMALLER_IS_BETTER[name] else max
        best[name] = choose((entry for count, entry in contest if count == most), key=lambda entry: entry.value)
    return best
