"""The labelled grids of a run: of its data, and of its progress."""

import itertools
from pathlib import Path
from typing import List, Mapping, Sequence, Tuple

import numpy as np

from biggan_cli.config import RunRecord
from biggan_cli.data import images
from biggan_cli.data.datasets import Dataset
from biggan_cli.files import whole_file
from biggan_cli.inference.sampler import Sampler
from biggan_cli.inference.weights import folded_generator
from biggan_cli.model.latents import z_of_seeds
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.device import release_memory
from biggan_cli.training import checkpoints

GRID_COLUMNS = 10
GRID_CLASSES = 16


def write_reals(run: RunDir, dataset: Dataset) -> None:
    """``reals.png``: the first pictures of each class, labelled, to see that the labels are right."""
    write_labelled(run.reals, _rows_of_reals(dataset))


def bytes_of_reals(dataset: Dataset) -> int:
    """Bytes of ``reals.png``: what a grid of good pictures takes."""
    rows = _rows_of_reals(dataset)
    return len(images.png(images.labelled_grid([row for _, row in rows], [label for label, _ in rows])))


def _rows_of_reals(dataset: Dataset) -> List[Tuple[str, np.ndarray]]:
    chosen = first_of_each(dataset.class_names, dataset.labels)
    return [(name, dataset.images[indices]) for name, indices in chosen]


def first_of_each(class_names: Sequence[str], labels: np.ndarray) -> List[Tuple[str, np.ndarray]]:
    """The first classes that have pictures, and the indices of the first pictures of each."""
    places = (np.flatnonzero(labels == label)[:GRID_COLUMNS] for label in range(min(len(class_names), GRID_CLASSES)))
    return [(name, found) for name, found in zip(class_names, places) if len(found)]


def write_labelled(path: Path, rows: Sequence[Tuple[str, np.ndarray]]) -> None:
    """A PNG file of (label, pictures uint8 [n, R, R, 3]), a row each."""
    with whole_file(path) as temporary:
        images.write_png(temporary, images.labelled_grid([row for _, row in rows], [label for label, _ in rows]))


class ProgressGrids:
    """The labelled grids of a run's progress: always the same latents, a row for each class."""

    def __init__(self, run: RunDir, record: RunRecord):
        self._run, self._record = run, record
        model = record.config.model
        self._names = record.class_names[:GRID_CLASSES]
        seeds = range(GRID_COLUMNS)
        z = z_of_seeds(seeds, model.z_dim, record.config.train.truncation)
        self._z = np.tile(z, (len(self._names), 1))
        self._y = np.repeat(np.arange(len(self._names), dtype=np.int32), GRID_COLUMNS)

    def __enter__(self) -> "ProgressGrids":
        device = self._record.config.train.device
        self._sampler = Sampler(self._record.config.model, "cpu" if device == "npu" else device)
        return self

    def __exit__(self, *exception) -> None:
        self._sampler.__exit__(*exception)

    def draw(self, step: int, values: Mapping[str, np.ndarray]) -> Path:
        """Draw with the averaged weights among the values of all variables.

        Where there is another picture of this step already, of a run that went back and took another way, the new one
        gets a name of its own: ``step_001000-2.png``.
        """
        config = self._record.config
        values = checkpoints.generator_values(values, "ema")
        self._sampler.load(folded_generator(values, config.model))
        self._sampler.standing_moments(config.train.truncation)
        pictures = images.to_uint8(np.concatenate(list(self._sampler.images(self._z, self._y))))
        rows = np.split(pictures, len(self._names))
        release_memory()
        encoded = images.png(images.labelled_grid(rows, self._names))
        path = first = self._run.sample_grid(step)
        for number in itertools.count(2):
            if not path.exists():
                with whole_file(path) as temporary:
                    temporary.write_bytes(encoded)
            if path.read_bytes() == encoded:
                return path
            path = first.with_name(f"{first.stem}-{number}{first.suffix}")
