"""What a run has to tell, read from its files into plain values. A damaged file costs what is in it, no more."""

import contextlib
import itertools
import json
import math
import re
import struct
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np
from PIL import Image

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.grids import GRID_CLASSES, GRID_COLUMNS
from biggan_cli.core.report_commands import USUAL, Command, commands
from biggan_cli.core.report_log import TRAINING, row, tables
from biggan_cli.core.report_pictures import Animation, Film, Picture, animation, film, mosaic, still
from biggan_cli.core.reporting import NPU_OPTIONS
from biggan_cli.core.run_states import state_of
from biggan_cli.core.score_words import numbers
from biggan_cli.errors import BigganError, StepFailed
from biggan_cli.files import read_json, sha256
from biggan_cli.rundir import Finished, RunDir, finished_in

T = TypeVar("T")
DAMAGE = (
    *(BigganError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError),
)
"""What reading a file raises that is not what it should be; SyntaxError is Pillow's, of a broken PNG."""
_GRID = re.compile(r"step_(\d+)\.png")
_SHEETS, _MORPHS = 12, 6
"""Pictures of a kind, and interpolations, at most."""


class Grid(NamedTuple):
    """The samples of a step."""

    step: int
    picture: Picture


class Sheet(NamedTuple):
    """A picture of a result, by the result's name, its manifest and its own file's name."""

    result: Finished
    file: str
    picture: Picture


class Drawn(NamedTuple):
    """The latest pictures of a kind, ``drawn``, ``sheets``, ``truncation`` or ``neighbours``; there are ``total``."""

    kind: str
    sheets: List[Sheet]
    total: int


class Morph(NamedTuple):
    """An interpolation: an animation, an MP4, or a film strip."""

    result: Finished
    file: str
    film: Union[Animation, Film, Picture]


class Verified(NamedTuple):
    """What ``verify`` measured, and its picture."""

    result: Finished
    differences: List[Mapping[str, Any]]
    side_by_side: Optional[Picture]


class Standing(NamedTuple):
    """How far a run is: ``state`` in one word, ``why`` if there is more to say."""

    state: str
    step: int
    steps: Optional[int]
    why: Optional[str] = None


class RunData(NamedTuple):
    """All of it. ``problems`` are sentences about what could not be read; ``inputs`` path → sha256 of what was."""

    name: str
    record: Optional[RunRecord]
    standing: Standing
    log: str
    ticks: List[Mapping[str, Any]]
    scores: List[Mapping[str, Any]]
    hero: Optional[Picture]
    reals: Optional[Picture]
    history: List[Grid]
    history_total: int
    drawn: List[Drawn]
    morphs: List[Morph]
    morphs_total: int
    verified: List[Verified]
    results: Dict[str, List[Finished]]
    commands: List[Command]
    problems: List[str]
    inputs: Dict[str, str]


class Reader:
    """Reads files of one run, and remembers which, and what was wrong."""

    def __init__(self, run: RunDir):
        self.run = run
        self.problems: List[str] = []
        self.inputs: Dict[str, str] = {}

    def note(self, problem: str) -> None:
        """Remember what could not be read, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def attempt(self, path: Path, read: Callable[[Path], T], otherwise: T) -> T:
        """What ``read`` makes of a file; where it cannot, ``otherwise``, and a sentence. Nothing is said of none."""
        if not path.exists():
            return otherwise
        name = path.relative_to(self.run.path).as_posix()
        try:
            found = read(path)
            self.inputs[name] = sha256(path)
            return found
        except DAMAGE as error:
            said = getattr(error, "message", None) or str(error) or type(error).__name__
            said = said.replace(f"{self.run.path}/", "")
            self.note(said if name in said else f"{name} cannot be shown: {said}")
            return otherwise

    def lines(self, path: Path) -> List[Mapping[str, Any]]:
        """The records of a file with one JSON object a line; the others are counted."""

        def read(path: Path) -> List[Mapping[str, Any]]:
            records, bad = [], 0
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if isinstance(record, dict):
                    records.append(record)
                else:
                    bad += bool(line.strip())
            if bad:
                self.note(f"{path.relative_to(self.run.path)}: {bad} of its lines cannot be read")
            return records

        return self.attempt(path, read, [])

    def results(self, command: str) -> List[Finished]:
        """What a command finished, the latest last."""
        paths = self.run.manifests(command)
        found = [self.attempt(path, finished_in, None) for path in sorted(paths)]
        whole = [entry for entry in found if entry is not None]
        return sorted(whole, key=lambda entry: (entry.manifest["finished"], entry.name))


def gather(run: RunDir, most_grids: int) -> RunData:
    """Read everything that a report shows.

    Args:
        most_grids: so many grids of samples at most, evenly chosen, the first and the last among them.
    """
    reader = Reader(run)
    record = reader.attempt(run.config, lambda path: configs.from_json(read_json(path), path.name), None)
    if record is None and not run.config.exists():
        reader.note("config.json is missing")
    lines = reader.lines(run.stats)
    ticks = [tick for tick in lines if _is_number(tick.get("step")) and "rollback" not in tick]
    results = {command: reader.results(command) for command in USUAL}
    latest, origin = _checkpoints(reader)
    grids = sorted((int(match.group(1)), path) for path, match in _matching(run.samples, _GRID))
    history = [
        Grid(step, picture)
        for step, picture in ((step, reader.attempt(path, still, None)) for step, path in evenly(grids, most_grids))
        if picture
    ]
    drawn = _drawn(reader, record, results["sample"])
    morphs, morphs_total = _morphs(reader, results["interpolate"])
    scores = _scores(reader)
    log = reader.attempt(run.log, lambda path: path.read_text(encoding="utf-8", errors="replace"), "")
    return RunData(
        name=run.path.resolve().name,
        record=record,
        standing=_standing(reader, record, latest, ticks),
        log=log,
        ticks=ticks,
        scores=scores,
        hero=_hero(reader, record, history, drawn),
        reals=reader.attempt(run.reals, still, None),
        history=history,
        history_total=len(grids),
        drawn=drawn,
        morphs=morphs,
        morphs_total=morphs_total,
        verified=_verified(reader, results["verify"]),
        results=results,
        commands=_commands(reader, record, origin, latest, results, scores, log),
        problems=reader.problems,
        inputs=reader.inputs,
    )


def evenly(entries: Sequence[T], most: int) -> List[T]:
    """``most`` of them at most, the first and the last among them."""
    if len(entries) <= most:
        return list(entries)
    if most == 1:
        return [entries[-1]]
    return [entries[round(place)] for place in np.linspace(0, len(entries) - 1, most)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _matching(folder: Path, pattern) -> List[Tuple[Path, Any]]:
    if not folder.is_dir():
        return []
    found = ((path, pattern.fullmatch(path.name)) for path in folder.iterdir())
    return [(path, match) for path, match in found if match]


def _checkpoints(reader: Reader) -> Tuple[Optional[int], Optional[Mapping[str, Any]]]:
    """The step of the latest checkpoint, and what an import left of its source."""
    found = _matching(reader.run.checkpoints, re.compile(r"model-(\d+)\.json"))
    steps = sorted((int(match.group(1)), path) for path, match in found)
    for _, path in steps[:1]:
        described = reader.attempt(path, read_json, {})
        origin = described.get("source") if isinstance(described, dict) else None
        return steps[-1][0], origin if isinstance(origin, dict) else None
    return None, None


def _standing(reader: Reader, record: Optional[RunRecord], latest: Optional[int], ticks) -> Standing:
    """What ``state.json`` says, if its process is there; of a run of before, what its checkpoints and records say."""
    if isinstance(reader.attempt(reader.run.state, read_json, None), dict):
        with contextlib.suppress(StepFailed):
            found = state_of(reader.run)
            return Standing(found.state, found.step, found.steps, found.why)
    step = max([latest or 0, *(int(tick["step"]) for tick in ticks[-1:])])
    steps = record.config.train.steps if record else None
    if record and record.data_digest is None:
        return Standing("imported", step, None)
    if steps is not None and step >= steps:
        return Standing("finished", step, steps)
    return Standing("begun" if not step else "not finished", step, steps)


def _scores(reader: Reader) -> List[Mapping[str, Any]]:
    """Those whose parts are what they should be, in the order of time."""
    wanted = dict(time=str, source=str, label=str, sentence=str, samples=dict)
    scores, records = [], reader.lines(reader.run.score)
    for score in records:
        try:
            numbers(score)
        except DAMAGE:
            continue
        if all(isinstance(score.get(key), kind) for key, kind in wanted.items()):
            scores.append(score)
    if len(scores) < len(records):
        reader.note(f"score/score.jsonl: {len(records) - len(scores)} of its records are none of a score")
    return scores


def _commands(reader: Reader, record: Optional[RunRecord], origin, latest, results, scores, log: str) -> List[Command]:
    if record is None:
        return []
    try:
        return commands(record, origin, latest, results, scores, npu_words(log))
    except DAMAGE as error:
        reader.note(f"the commands cannot be told from the manifests: {error}")
        return []


def npu_words(log: str) -> str:
    """What was asked of an NPU when the run, or its latest part, began: options, as a command takes them."""
    return dict(map(row, tables(log).get(TRAINING, []))).get(NPU_OPTIONS, "")


def _hero(reader: Reader, record: Optional[RunRecord], history: Sequence[Grid], drawn: Sequence[Drawn]):
    """The last grid of samples that is sound, cut; else the latest drawn sheet."""
    if history and record:
        size, classes = record.config.model.resolution, min(len(record.class_names), GRID_CLASSES)
        path = reader.run.sample_grid(history[-1].step)
        found = reader.attempt(path, lambda path: mosaic(path, size, GRID_COLUMNS, classes), None)
        if found:
            return found
    return drawn[0].sheets[0].picture if drawn else None


def _drawn(reader: Reader, record: Optional[RunRecord], results: Sequence[Finished]) -> List[Drawn]:
    """The grids and other overviews that ``sample`` drew, kind by kind, the latest first; not single pictures."""
    names = record.class_names if record else ()
    order = {name: place for place, name in enumerate(names)}
    found: Dict[str, List[Tuple[Finished, str]]] = {}
    for entry in reversed(results):
        files = [name for name in entry.manifest["outputs"] if re.search(r"\.(png|jpe?g|webp|gif)$", name, re.I)]
        files = [name for name in files if not re.match(r"\d", name) and "*" not in name and "/" not in name]
        for name in sorted(files, key=lambda name: (name != "grid.png", name)):
            kind = "truncation" if entry.manifest["config"].get("truncations") else "drawn"
            found.setdefault("neighbours" if name.startswith("neighbours") else kind, []).append((entry, name))
        sheets = sorted(
            (entry.folder / "sheets").glob("*.png"), key=lambda path: (order.get(path.stem, len(order)), path.name)
        )
        for path in sheets:
            found.setdefault("sheets", []).append((entry, f"sheets/{path.name}"))
    drawn = []
    for kind, files in found.items():
        total, files = len(files), files[: 2 * _SHEETS]
        tried = (Sheet(entry, name, reader.attempt(entry.folder / name, still, None)) for entry, name in files)
        shown = list(itertools.islice((sheet for sheet in tried if sheet.picture), _SHEETS))
        drawn += [Drawn(kind, shown, total)] if shown else []
    return drawn


def _morphs(reader: Reader, results: Sequence[Finished]) -> Tuple[List[Morph], int]:
    found = [
        (entry, name)
        for entry in reversed(results)
        for name in sorted(entry.manifest["outputs"])
        if re.search(r"\.(gif|webp|png|mp4)$", name, re.I) and "*" not in name and "/" not in name
    ]
    morphs = []
    for entry, name in found[:_MORPHS]:
        read = {".mp4": film, ".png": still}.get(Path(name).suffix.lower(), animation)
        drawn = reader.attempt(entry.folder / name, read, None)
        if drawn:
            morphs.append(Morph(entry, name, drawn))
    return morphs, len(found)


def _verified(reader: Reader, results: Sequence[Finished]) -> List[Verified]:
    """The latest, which compares all that ran."""

    def read(path: Path) -> List[Mapping[str, Any]]:
        listed = read_json(path)["differences"]
        for entry in listed:
            for key in ("images", "max_abs", "mean_abs", "changed"):
                float(entry[key])
            str(entry["step"]), str(entry["before"])
        return listed

    for entry in results[-1:]:
        differences = reader.attempt(entry.folder / "verify.json", read, [])
        picture = reader.attempt(entry.folder / "side_by_side.png", still, None)
        return [Verified(entry, differences, picture)]
    return []
