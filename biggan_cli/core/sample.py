"""Draw pictures from a run: one PNG each, a labelled grid, and optionally the floats."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import RunRecord, SampleConfig
from biggan_cli.core.generators import open_generator, read_record
from biggan_cli.core.reporting import Report
from biggan_cli.data import images
from biggan_cli.data.classes import class_index
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.inference.sampler import Sampler
from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from biggan_cli.rundir import RunDir, sha256, write_json
from biggan_cli.runtime.versions import packages

DEFAULT_NUM = 64
GRID_COLUMNS = 10
GRID_ROWS = 20
FLOATS = "samples.npz"


class SampleResult(NamedTuple):
    """What ``sample`` left."""

    folder: str
    num: int
    step: int
    grid: str
    npz: Optional[str]


class Latents(NamedTuple):
    """What to draw: ``names`` of the pictures, z [N, z_dim] and y [N]."""

    names: Sequence[int]
    z: np.ndarray
    y: np.ndarray


def sample(run: RunDir, settings: SampleConfig, report: Report) -> SampleResult:
    """Draw what the settings ask for into ``sample/<name>/``.

    Raises:
        UsageError: an unknown class, counts that do not add up, latents that do not fit the model.
        StepFailed: a damaged checkpoint.
    """
    record = read_record(run)
    latents = _latents(settings, record)
    asked = [("pictures", f"{len(latents.names)}, classes {_classes_text(latents.y, record)}")]
    with open_generator(run, settings.draw, asked, report) as opened:
        described = configs.asdict(configs.replace(settings, draw=opened.draw))
        inputs = opened.checkpoint.inputs()
        if settings.latents is not None:
            inputs[settings.latents] = sha256(Path(settings.latents))
        with run.step("sample", settings.name, described, inputs, packages()) as step:
            shown = _draw(latents, settings.npz, opened.sampler, record, step.path, report)
    if shown < len(latents.names):
        report("line", text=f"grid.png shows {shown} of them: the first {GRID_COLUMNS} of each class")
    npz = str(step.path / FLOATS) if settings.npz else None
    return SampleResult(str(step.path), len(latents.names), opened.checkpoint.step, str(step.path / "grid.png"), npz)


def _draw(
    latents: Latents, keep_floats: bool, sampler: Sampler, record: RunRecord, folder: Path, report: Report
) -> int:
    """Write every picture, the grid, the index and, where asked for, the floats; how many the grid shows."""
    floats: List[np.ndarray] = []
    grid = _Grid(record.class_names)
    done = 0
    for batch in sampler.images(latents.z, latents.y):
        for picture in images.to_uint8(batch):
            images.write_png(folder / f"{latents.names[done]:06d}.png", picture)
            grid.add(picture, latents.y[done])
            done += 1
        if keep_floats:
            floats.append(batch)
        report("advance", what="drawing", done=done, total=len(latents.names))
    if keep_floats:
        np.savez(str(folder / FLOATS), images=np.concatenate(floats), z=latents.z, y=latents.y)
    images.write_png(folder / "grid.png", grid.picture())
    write_json(folder / "index.json", _index(latents, record))
    return grid.shown()


def _latents(settings: SampleConfig, record: RunRecord) -> Latents:
    model = record.config.model
    if settings.latents is not None:
        return _read_latents(settings, record)
    seeds = settings.seeds
    if settings.classes:
        y = _asked_classes(settings, record)
        seeds = seeds or range(len(y))
    else:
        seeds = seeds or range(settings.num or DEFAULT_NUM)
        if settings.num not in (None, len(seeds)):
            raise _not_fitting(settings)
        y = classes_of_seeds(seeds, model.num_classes)
    truncation = settings.draw.truncation_for(record.config.train.truncation)
    return Latents(list(seeds), z_of_seeds(seeds, model.z_dim, truncation), y)


def _asked_classes(settings: SampleConfig, record: RunRecord) -> np.ndarray:
    """y of ``--classes``: each class in turn; those without a count share what the others leave of the total."""
    indices = [class_index(name, record.class_names, "--classes") for name, _ in settings.classes]
    counts = [count for _, count in settings.classes]
    fixed = sum(count for count in counts if count is not None)
    open_places = [place for place, count in enumerate(counts) if count is None]
    total = len(settings.seeds) if settings.seeds else settings.num
    if settings.seeds and settings.num not in (None, total):
        raise _not_fitting(settings)
    if total is None:
        total = max(DEFAULT_NUM, fixed + len(open_places)) if open_places else fixed
    rest = total - fixed
    if rest < len(open_places) or (rest and not open_places):
        raise UsageError(
            f"--classes asks for {fixed} pictures and {len(open_places)} classes without a count, "
            f"but {'the number of --seeds' if settings.seeds else '--num'} is {total}",
            fix=f"--num {fixed + len(open_places)}",
        )
    for order, place in enumerate(open_places):
        counts[place] = rest // len(open_places) + (order < rest % len(open_places))
    return np.repeat(np.asarray(indices, np.int32), counts)


def _not_fitting(settings: SampleConfig) -> UsageError:
    return UsageError(
        f"--num {settings.num} does not fit the {len(settings.seeds)} seeds of --seeds", fix="leave --num out"
    )


def _read_latents(settings: SampleConfig, record: RunRecord) -> Latents:
    path, model = Path(settings.latents), record.config.model
    if settings.classes or settings.seeds or settings.num is not None:
        raise UsageError("--latents brings its own z and y", fix="leave --classes, --seeds and --num out")
    wanted = f"an .npz with z, float [N, {model.z_dim}], and y, whole numbers [N] from 0 to {model.num_classes - 1}"
    if not path.is_file():
        raise UsageError(f"--latents {path} is not a file", fix=wanted)
    try:
        with np.load(str(path), allow_pickle=False) as archive:
            z, y = archive["z"], archive["y"]
    except KeyError as error:
        raise UsageError(f"--latents {path} lacks z or y", fix=wanted) from error
    except Exception as error:  # NumPy meets a damaged archive with whatever its parser trips over
        raise StepFailed(f"--latents {path} is cut off or not an .npz of arrays", fix=wanted) from error
    count = len(z) if z.ndim else 0
    if z.ndim != 2 or z.shape[1] != model.z_dim or not count or not np.issubdtype(z.dtype, np.floating):
        raise UsageError(f"--latents {path}: z is {z.dtype} {z.shape}", fix=wanted)
    if y.shape not in ((count,), (count, 1)) or not np.issubdtype(y.dtype, np.integer):
        raise UsageError(f"--latents {path}: y is {y.dtype} {y.shape} for {count} z", fix=wanted)
    if y.min() < 0 or y.max() >= model.num_classes:
        raise UsageError(f"--latents {path}: y goes from {y.min()} to {y.max()}", fix=wanted)
    with np.errstate(over="ignore"):
        z = z.astype(np.float32)
    if not np.isfinite(z).all():
        raise UsageError(f"--latents {path}: z has values that are not finite in float32", fix=wanted)
    return Latents(range(count), z, y.reshape(-1).astype(np.int32))


def _classes_text(y: np.ndarray, record: RunRecord) -> str:
    """``three:40, eight:16``, the first few of many."""
    labels, places, counts = np.unique(y, return_index=True, return_counts=True)
    parts = [f"{record.class_names[labels[i]]}:{counts[i]}" for i in np.argsort(places)]
    return ", ".join(parts if len(parts) <= GRID_ROWS else [*parts[:GRID_ROWS], "…"])


class _Grid:
    """Collects the first pictures of each class, a row for each, in the order in which classes appear."""

    def __init__(self, class_names: Sequence[str]):
        self._names = class_names
        self._rows: Dict[int, List[np.ndarray]] = {}

    def add(self, picture: np.ndarray, label: int) -> None:
        label = int(label)
        if label in self._rows or len(self._rows) < GRID_ROWS:
            row = self._rows.setdefault(label, [])
            if len(row) < GRID_COLUMNS:
                row.append(picture)

    def shown(self) -> int:
        return sum(len(row) for row in self._rows.values())

    def picture(self) -> np.ndarray:
        rows = [np.stack(row) for row in self._rows.values()]
        return images.labelled_grid(rows, [self._names[label] for label in self._rows])


def _index(latents: Latents, record: RunRecord) -> List[Dict[str, Any]]:
    """Which picture is what: ``seed`` is the number of a row where the latents came from a file."""
    return [
        dict(file=f"{name:06d}.png", seed=int(name), label=int(label), class_name=record.class_names[label])
        for name, label in zip(latents.names, latents.y)
    ]
