"""The labelled grids of a run: of its data, and of its progress."""

from pathlib import Path
from typing import Mapping

import numpy as np

from biggan_cli.config import RunRecord
from biggan_cli.data import images
from biggan_cli.data.datasets import Dataset
from biggan_cli.inference.sampler import Sampler
from biggan_cli.inference.weights import folded_generator
from biggan_cli.model.latents import z_of_seeds
from biggan_cli.rundir import RunDir, whole_file
from biggan_cli.training import checkpoints

GRID_COLUMNS = 10
GRID_CLASSES = 16


def write_reals(run: RunDir, dataset: Dataset) -> None:
    """``reals.png``: the first pictures of each class, labelled, to see that the labels are right."""
    rows, labels = [], []
    for label, name in list(enumerate(dataset.class_names))[:GRID_CLASSES]:
        chosen = np.flatnonzero(dataset.labels == label)[:GRID_COLUMNS]
        if len(chosen):
            rows.append(dataset.images[chosen])
            labels.append(name)
    with whole_file(run.reals) as temporary:
        images.write_png(temporary, images.labelled_grid(rows, labels))


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
        """Draw with the averaged weights among the values of all variables."""
        config = self._record.config
        values = checkpoints.generator_values(values, "ema")
        self._sampler.load(folded_generator(values, config.model))
        self._sampler.standing_moments(config.train.truncation)
        pictures = images.to_uint8(np.concatenate(list(self._sampler.images(self._z, self._y))))
        rows = np.split(pictures, len(self._names))
        path = self._run.sample_grid(step)
        with whole_file(path) as temporary:
            images.write_png(temporary, images.labelled_grid(rows, self._names))
        return path
