"""Grids of a run's progress: none takes another's place."""

import numpy as np
import pytest

from biggan_cli import config as configs
from biggan_cli.core import grids
from biggan_cli.core.grids import ProgressGrids
from tests.conftest import read_picture
from tests.runs import make_run


class Sampler:
    """Draws pictures of one level."""

    level = 0.0

    def load(self, weights):
        pass

    def standing_moments(self, truncation):
        pass

    def images(self, z, y):
        yield np.full([len(z), 32, 32, 3], self.level, np.float32)


@pytest.fixture
def drawing(tmp_path, monkeypatch):
    """A run, the sampler of its grids, and the grids."""
    monkeypatch.setattr(grids.checkpoints, "generator_values", lambda values, weights: values)
    monkeypatch.setattr(grids, "folded_generator", lambda values, model: values)
    run = make_run(tmp_path)
    run.samples.mkdir()
    made = ProgressGrids(run, configs.from_json(run.read_config(), "config.json"))
    made._sampler = Sampler()
    return run, made._sampler, made


def test_a_run_that_went_back_keeps_the_grids_of_before(drawing):
    run, sampler, made = drawing
    first = made.draw(7, {})
    assert first == run.sample_grid(7) and made.draw(7, {}) == first  # the same again is no other picture
    sampler.level = 1.0
    second = made.draw(7, {})
    assert second.name == "step_000007-2.png" and made.draw(7, {}) == second
    sampler.level = -1.0
    assert made.draw(7, {}).name == "step_000007-3.png"
    assert len(list(run.samples.iterdir())) == 3
    assert read_picture(first)[40, -1, 0] == 128 and read_picture(second)[40, -1, 0] == 255


def test_half_a_grid_is_not_taken_for_one(drawing):
    run, _, made = drawing
    run.sample_grid(7).write_bytes(b"\x89PNG")
    assert made.draw(7, {}).name == "step_000007-2.png" and run.sample_grid(7).read_bytes() == b"\x89PNG"
