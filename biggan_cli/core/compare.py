"""Runs side by side: what differs in their configurations, and where they stand at the same step."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from biggan_cli.config import RunRecord
from biggan_cli.core import run_states
from biggan_cli.core.run_states import SMALLER_IS_BETTER, RunState, Score
from biggan_cli.data import classes
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import RunDir, open_run
from biggan_cli.training.durations import TrainedSeconds

SHOWN = (
    *("d_loss", "g_loss", "real_logit", "fake_logit", "d_grad_norm", "g_grad_norm"),
    *("seconds_per_step", "images_per_second", "training_seconds", "resident_bytes"),
)
"""What is shown of a record; ``training_seconds`` is the time of all starts up to there, as :mod:`durations` has it."""
_NOTHING = "nothing"


class Compared(NamedTuple):
    """One of the runs, or a ``stats.jsonl`` alone, which has no ``record`` and no ``state``."""

    label: str
    path: str
    record: Optional[RunRecord]
    state: Optional[RunState]
    records: Dict[int, Mapping[str, Any]]
    scores: List[Score]

    def at(self, step: int) -> int:
        """The step nearest to it that there is a record of; of two the one before."""
        return min(self.records, key=lambda known: (abs(known - step), known))


class CompareResult(NamedTuple):
    """Runs side by side; every list has an entry for each run, None where it has none.

    Attributes:
        runs: label, path, preset, data, state, step and steps, and the last step with a record.
        notes: what makes the comparison less than one of like with like.
        differences: field of the configuration → its values, where they are not all the same.
        steps: those at which all have a record.
        at: the step that is compared: the asked one, the last common one, or without one the last of the shortest run.
        record_steps: the steps of the records that are compared, those nearest to ``at``.
        values: metric → values at ``at``.
        course: step → metric → values, at all of ``steps``.
        scores: score → for each run its value and step: the last up to ``at``; and its best.
        ahead: by what, which label, and its words; label None: nobody, or nobody can say.
    """

    runs: List[Dict[str, Any]]
    notes: List[str]
    differences: Dict[str, List[Any]]
    steps: List[int]
    at: int
    record_steps: List[int]
    values: Dict[str, List[Optional[float]]]
    course: Dict[int, Dict[str, List[Optional[float]]]]
    scores: List[Dict[str, Any]]
    ahead: Dict[str, Any]


def compare(which: Sequence[str], outdir: Path, step: Optional[int] = None) -> CompareResult:
    """Compare runs, each a path, number or name, or a ``stats.jsonl``.

    Raises:
        UsageError: no such run, or fewer than two.
        StepFailed: a run is damaged, or has no record yet.
    """
    if len(which) < 2:
        raise UsageError("one run alone is not compared", fix="biggan compare RUN RUN")
    found = [_open(name, outdir, label) for name, label in zip(which, _labels(len(which)))]
    common = sorted(set.intersection(*(set(one.records) for one in found)))
    last_of_shortest = min(max(one.records) for one in found)
    at = step if step is not None else common[-1] if common else last_of_shortest
    reached = [one.at(at) for one in found]
    notes = _notes(found)
    if any(one != at for one in reached):
        told = ", ".join(f"{one.label} at {step_of}" for one, step_of in zip(found, reached))
        why = "there is no step that all have a record of" if not common else f"not all have a record of step {at}"
        notes.append(f"{why}: compared are the nearest to step {at}, {told}")
    scores = _scores(found, [max(at, one) for one in reached])
    return CompareResult(
        runs=[_about(one) for one in found],
        notes=notes,
        differences=_differences(found),
        steps=common,
        at=at,
        record_steps=reached,
        values=_values([one.records[step_of] for one, step_of in zip(found, reached)]),
        course={known: _values([one.records[known] for one in found]) for known in common},
        scores=scores,
        ahead=_ahead(found, scores),
    )


def _labels(count: int) -> List[str]:
    """A, B, … Z, 27, 28, …"""
    return [chr(ord("A") + number) if number < 26 else str(number + 1) for number in range(count)]


def _open(which: str, outdir: Path, label: str) -> Compared:
    path = Path(which)
    if path.is_file():
        run = RunDir(path.parent)
        if path.name == run.stats.name and run.config.is_file():
            return _of_run(run, label)
        return Compared(label, str(path), None, None, _records(path), [])
    return _of_run(open_run(which, outdir, trained=False), label)


def _of_run(run: RunDir, label: str) -> Compared:
    record, state = run_states.record_of_run(run), run_states.state_of(run)
    return Compared(label, str(run), record, state, _records(run.stats), run_states.scores_of(run))


def _records(stats: Path) -> Dict[int, Mapping[str, Any]]:
    """Step → its record, with the time of all steps up to it; damaged lines do not count.

    Raises:
        StepFailed: there is none.
    """
    found: Dict[int, Mapping[str, Any]] = {}
    try:
        lines = stats.read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
    trained = TrainedSeconds()
    for record in filter(None, map(run_states.parsed_record, lines)):
        found[record["step"]] = dict(record, training_seconds=trained.add(record))
    if not found:
        raise StepFailed(f"{stats} has no record yet", hint="the first one comes after --log-every steps")
    return found


def _values(records: Sequence[Mapping[str, Any]]) -> Dict[str, List[Optional[float]]]:
    names = [name for name in SHOWN if any(record.get(name) is not None for record in records)]
    return {name: [record.get(name) for record in records] for name in names}


def _about(one: Compared) -> Dict[str, Any]:
    about: Dict[str, Any] = dict(label=one.label, path=one.path, last_record=max(one.records))
    if one.record and one.state:
        about.update(
            preset=one.record.config.preset,
            data=one.record.config.train.data,
            resolution=one.record.config.model.resolution,
            state=one.state.state,
            step=one.state.step,
            steps=one.state.steps,
        )
    return about


def _notes(found: Sequence[Compared]) -> List[str]:
    """What is not alike."""
    records = [one.record for one in found if one.record]
    notes = [f"{one.label} is {one.path} alone: its configuration is not known" for one in found if not one.record]
    if len({record.data_digest for record in records}) > 1:
        notes.append("the runs were trained on different data: their losses do not compare")
    if len({record.config.model.resolution for record in records}) > 1:
        notes.append("the runs have different resolutions: their scores do not compare")
    sizes = {record.config.train.batch * record.config.train.d_steps for record in records}
    if len(sizes) > 1:
        notes.append("a step is not as much work in all: they have different batches or --d-steps")
    return notes


def _differences(found: Sequence[Compared]) -> Dict[str, List[Any]]:
    flat = [_flat(one.record) for one in found]
    names = dict.fromkeys(name for values in flat if values for name in values)
    rows = {name: [values[name] if values else None for values in flat] for name in names}
    known = [number for number, values in enumerate(flat) if values]
    return {name: row for name, row in rows.items() if len({repr(row[number]) for number in known}) > 1}


def _flat(record: Optional[RunRecord]) -> Optional[Dict[str, Any]]:
    if record is None:
        return None
    values = dict(preset=record.config.preset, **asdict(record.config.model), **asdict(record.config.train))
    digest = record.data_digest[:12] if record.data_digest else None
    return dict(values, data_digest=digest, class_names=classes.joined(record.class_names), biggan=record.biggan)


def _scores(found: Sequence[Compared], until: Sequence[int]) -> List[Dict[str, Any]]:
    """For each score and each way to measure it: per run the last up to its step, and the best."""
    kinds: Dict[Tuple[str, tuple], List[List[Score]]] = {}
    for number, one in enumerate(found):
        for score in one.scores:
            if score.emulated or score.step is None:
                continue
            for name in score.values:
                kinds.setdefault((name, score.kind()), [[] for _ in found])[number].append(score)
    rows = []
    for (name, kind), per_run in sorted(kinds.items(), key=lambda item: list(SMALLER_IS_BETTER).index(item[0][0])):
        choose = min if SMALLER_IS_BETTER[name] else max
        best = [choose(scores, key=lambda score: score.values[name], default=None) for scores in per_run]
        reached = [[score for score in scores if score.step <= step] for scores, step in zip(per_run, until)]
        last = [max(scores, key=lambda score: score.step, default=None) for scores in reached]
        extractor, reference, count = kind
        rows.append(
            dict(
                score=name,
                extractor=extractor,
                reference=reference,
                count=count,
                last=[_value_of(score, name) for score in last],
                best=[_value_of(score, name) for score in best],
            )
        )
    return rows


def _value_of(score: Optional[Score], name: str) -> Optional[Dict[str, Any]]:
    return None if score is None else dict(value=score.values[name], step=score.step)


def _ahead(found: Sequence[Compared], scores: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """By the first score that all have, measured alike, at the step; else by the best ones. Losses decide nothing."""
    for which in ("last", "best"):
        for row in scores:
            entries = row[which]
            if None in entries or (which == "last" and len({entry["step"] for entry in entries}) > 1):
                continue
            values = [entry["value"] for entry in entries]
            choose = min if SMALLER_IS_BETTER[row["score"]] else max
            winners = [one.label for one, value in zip(found, values) if value == choose(values)]
            by = f"{row['score'].upper()} " + (f"at step {entries[0]['step']}" if which == "last" else "at their best")
            if len(winners) > 1:
                return dict(by=row["score"], label=None, words=f"{' and '.join(winners)} are equal in {by}")
            numbers = ", ".join(f"{one.label} {value:.4g}" for one, value in zip(found, values))
            return dict(by=row["score"], label=winners[0], words=f"{winners[0]} is ahead in {by}: {numbers}")
    words = "they have no score that is measured alike, and losses do not tell: biggan score RUN --fid of each"
    return dict(by=_NOTHING, label=None, words=words)
