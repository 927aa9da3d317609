"""Draw pictures from a run: one PNG each, a labelled grid, and what else is asked for; or all of them into a file."""

import contextlib
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core.drawing import Drawer, Model, model_of, open_drawer
from biggan_cli.core.grids import GRID_COLUMNS
from biggan_cli.core.latents import Latents, choose_latents, classes_text
from biggan_cli.core.neighbours import TrainingSet, listed
from biggan_cli.core.outside import check_free, made_whole
from biggan_cli.core.reporting import Report
from biggan_cli.data import images
from biggan_cli.data.npz_stream import write_npz
from biggan_cli.errors import UsageError
from biggan_cli.files import expanded, sha256, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import LatentsConfig, SampleConfig

GRID_ROWS = 20
FLOATS = "samples.npz"
_NEIGHBOURS = ("neighbours.png", "neighbours-features.png")
_LONGEST_NAME = 200


class SampleResult(NamedTuple):
    """What ``sample`` left; ``copies`` says of each way to compare what the neighbours say."""

    folder: str
    num: int
    step: int
    grid: str
    npz: Optional[str]
    sheets: Optional[str] = None
    neighbours: Optional[str] = None
    copies: Tuple[str, ...] = ()


class ArrayResult(NamedTuple):
    """What ``sample --out`` left; ``file`` None: it went to standard output."""

    file: Optional[str]
    num: int
    step: int


class _Shown(NamedTuple):
    """The pictures that the grid shows: their places among the latents, and they themselves, class by class."""

    places: List[int]
    pictures: np.ndarray


def sample(run: RunDir, settings: SampleConfig, report: Report) -> SampleResult:
    """Draw what the settings ask for into ``sample/<name>/``.

    Raises:
        UsageError: an unknown class, counts that do not add up, latents that do not fit the model.
        StepFailed: a damaged checkpoint.
    """
    latents, model = _latents(run, settings)
    training = TrainingSet(run, settings.neighbours, report) if settings.neighbours else None
    with _opened(run, settings, latents, model, report) as drawer:
        described = configs.asdict(configs.replace(settings, draw=drawer.draw))
        inputs = dict(drawer.inputs)
        if settings.latents.file is not None:
            inputs[settings.latents.file] = sha256(Path(settings.latents.file))
        with run.step("sample", settings.name, described, inputs, packages()) as step:
            grid = _draw(latents, settings.npz, drawer, model, step.path, report)
            index = _index(latents, model)
            copies = _look_for_copies(training, grid.all(), index, step.path, report) if training else ()
            if settings.sheets:
                _write_sheets(step.path, latents, model, settings.sheets)
            write_json(step.path / "index.json", index)
            step.details.update({"copies": list(copies)} if copies else {})
    shown = len(grid.all().places)
    if shown < len(latents.names):
        report("line", text=f"grid.png shows {shown} of them: the first {GRID_COLUMNS} of each class")
    npz = str(step.path / FLOATS) if settings.npz else None
    sheets = str(step.path / "sheets") if settings.sheets else None
    near = str(step.path / _NEIGHBOURS[0]) if training else None
    grid_file = str(step.path / "grid.png")
    return SampleResult(str(step.path), len(latents.names), drawer.step, grid_file, npz, sheets, near, copies)


def sample_arrays(run: RunDir, settings: SampleConfig, stream: Optional[BinaryIO], report: Report) -> ArrayResult:
    """Draw into an .npz file, or into ``stream``: images, labels, seeds and z. Nothing is left in the run.

    Raises:
        UsageError: as :func:`sample`, or the place cannot be written.
        StepFailed: a damaged checkpoint, or a full disk.
    """
    out = expanded(settings.out)
    if stream is None:
        if out.suffix.lower() != ".npz":
            raise UsageError(f"--out {out} does not end in .npz", fix=f"--out {out.stem or 'samples'}.npz")
        check_free(out)
    latents, model = _latents(run, settings)
    with _opened(run, settings, latents, model, report) as drawer, contextlib.ExitStack() as stack:
        if stream is None:
            stream = stack.enter_context(open(str(stack.enter_context(made_whole(out))), "wb"))
        shape = (len(latents.names), model.resolution, model.resolution, 3)
        arrays = dict(labels=latents.y, seeds=np.asarray(latents.names, np.int64), z=latents.z)
        write_npz(stream, "images", shape, _levels(latents, drawer, report), arrays)
    return ArrayResult(str(out) if settings.out != "-" else None, len(latents.names), drawer.step)


def _latents(run: RunDir, settings: SampleConfig) -> Tuple[Latents, Model]:
    model = model_of(run, settings.draw, settings.from_graph)
    asked = _filling(settings.latents, settings.sheets, len(model.class_names))
    return choose_latents(asked, model.z_dim, model.class_names, model.truncation), model


def _filling(asked: LatentsConfig, side: Optional[int], num_classes: int) -> LatentsConfig:
    """So many latents that sheets of this side are full, where nobody says how many."""
    if side is None or asked.file or asked.seeds or asked.num is not None:
        return asked
    if not asked.classes:
        return configs.replace(asked, num=side * side * num_classes)
    return configs.replace(asked, classes=tuple((name, count or side * side) for name, count in asked.classes))


@contextlib.contextmanager
def _opened(run: RunDir, settings: SampleConfig, latents: Latents, model: Model, report: Report) -> Iterator[Drawer]:
    asked = [("pictures", f"{len(latents.names)}, classes {classes_text(latents.y, model.class_names)}")]
    with open_drawer(run, settings.draw, settings.weights, settings.from_graph, asked, report) as drawer:
        yield drawer


def _levels(latents: Latents, drawer: Drawer, report: Report) -> Iterator[np.ndarray]:
    """uint8, batch by batch."""
    done = 0
    for batch in drawer.images(latents.z, latents.y):
        done += len(batch)
        yield images.to_uint8(batch)
        report("advance", what="drawing", done=done, total=len(latents.names))


def _draw(latents: Latents, keep_floats: bool, drawer: Drawer, model: Model, folder: Path, report: Report) -> "_Grid":
    """Write every picture, the grid and, where asked for, the floats."""
    floats: List[np.ndarray] = []
    grid = _Grid(model.class_names)
    done = 0
    for batch in drawer.images(latents.z, latents.y):
        for picture in images.to_uint8(batch):
            images.write_png(folder / f"{latents.names[done]:06d}.png", picture)
            grid.add(done, picture, latents.y[done])
            done += 1
        if keep_floats:
            floats.append(batch)
        report("advance", what="drawing", done=done, total=len(latents.names))
    if keep_floats:
        np.savez(str(folder / FLOATS), images=np.concatenate(floats), z=latents.z, y=latents.y)
    images.write_png(folder / "grid.png", grid.picture())
    return grid


class _Grid:
    """Collects the first pictures of each class, a row for each, in the order in which classes appear."""

    def __init__(self, class_names: Sequence[str]):
        self._names = class_names
        self._rows: Dict[int, List[Tuple[int, np.ndarray]]] = {}

    def add(self, place: int, picture: np.ndarray, label: int) -> None:
        label = int(label)
        if label in self._rows or len(self._rows) < GRID_ROWS:
            row = self._rows.setdefault(label, [])
            if len(row) < GRID_COLUMNS:
                row.append((place, picture))

    def all(self) -> _Shown:
        entries = [entry for row in self._rows.values() for entry in row]
        return _Shown([place for place, _ in entries], np.stack([picture for _, picture in entries]))

    def picture(self) -> np.ndarray:
        rows = [np.stack([picture for _, picture in row]) for row in self._rows.values()]
        return images.labelled_grid(rows, [self._names[label] for label in self._rows])


def _index(latents: Latents, model: Model) -> List[Dict[str, Any]]:
    """Which picture is what: ``seed`` is the number of a row where the latents came from a file."""
    return [
        dict(file=f"{name:06d}.png", seed=int(name), label=int(label), class_name=model.class_names[label])
        for name, label in zip(latents.names, latents.y)
    ]


def _look_for_copies(
    training: TrainingSet, shown: _Shown, index: List[Dict[str, Any]], folder: Path, report: Report
) -> Tuple[str, ...]:
    """A picture of neighbours for each way to compare, and their distances into the index; sentences."""
    found = training.near(shown.pictures, report)
    for row, place in enumerate(shown.places):
        index[place]["neighbours"] = listed(found, row)
    words = [f"{index[place]['seed']} {index[place]['class_name']}" for place in shown.places]
    for entry, name in zip(found, _NEIGHBOURS):
        images.write_png(folder / name, training.picture(shown.pictures, words, entry))
    return tuple(entry.sentence() for entry in found)


def _write_sheets(folder: Path, latents: Latents, model: Model, side: int) -> None:
    """``sheets/<class>.png``, of the pictures that are there already: memory holds one class at a time."""
    (folder / "sheets").mkdir()
    for label in dict.fromkeys(latents.y.tolist()):
        places = np.flatnonzero(latents.y == label)[: side * side]
        pictures = [images.read_png(folder / f"{latents.names[place]:06d}.png") for place in places]
        name, number = model.class_names[label], f"{label:04d}"
        title = f"{name}: {len(places)} of {int(np.sum(latents.y == label))}"
        file = name if len(name.encode()) <= _LONGEST_NAME else number
        sheet = images.titled(images.tiled(np.stack(pictures), min(side, len(places))), title)
        images.write_png(folder / "sheets" / f"{file}.png", sheet)
