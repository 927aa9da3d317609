"""Draw pictures from a run: one PNG each, a labelled grid, and optionally the floats."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.generators import open_generator, read_record
from biggan_cli.core.grids import GRID_COLUMNS
from biggan_cli.core.latents import Latents, choose_latents, classes_text
from biggan_cli.core.reporting import Report
from biggan_cli.data import images
from biggan_cli.inference.sampler import Sampler
from biggan_cli.rundir import RunDir, sha256, write_json
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import SampleConfig

GRID_ROWS = 20
FLOATS = "samples.npz"


class SampleResult(NamedTuple):
    """What ``sample`` left."""

    folder: str
    num: int
    step: int
    grid: str
    npz: Optional[str]


def sample(run: RunDir, settings: SampleConfig, report: Report) -> SampleResult:
    """Draw what the settings ask for into ``sample/<name>/``.

    Raises:
        UsageError: an unknown class, counts that do not add up, latents that do not fit the model.
        StepFailed: a damaged checkpoint.
    """
    record = read_record(run)
    truncation = settings.draw.truncation_for(record.config.train.truncation)
    latents = choose_latents(settings.latents, record.config.model.z_dim, record.class_names, truncation)
    asked = [("pictures", f"{len(latents.names)}, classes {classes_text(latents.y, record.class_names)}")]
    with open_generator(run, settings.draw, asked, report) as opened:
        described = configs.asdict(configs.replace(settings, draw=opened.draw))
        inputs = opened.checkpoint.inputs()
        if settings.latents.file is not None:
            inputs[settings.latents.file] = sha256(Path(settings.latents.file))
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
