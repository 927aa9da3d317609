"""What a training is going to take, where no step is needed to know it."""

import shutil

import numpy as np
import pytest

from biggan_cli import config as configs
from biggan_cli.core import foresight
from biggan_cli.core.foresight import checkpoint_bytes, foresee, variables_bytes
from biggan_cli.data import datasets
from biggan_cli.model.architecture import discriminator_weights, generator_weights, parameter_count
from biggan_cli.settings import DryRun
from biggan_cli.training.state import state_shapes
from tests.runs import make_run

MODEL = configs.ModelConfig(base_channels=8)


def test_bytes_of_all_variables_by_kind():
    found = variables_bytes(MODEL)
    weights = [parameter_count(weights_of(MODEL)) for weights_of in (generator_weights, discriminator_weights)]
    assert found["weights"] == 4 * sum(weights) and found["averages"] == 4 * weights[0]
    assert found["adam"] == 8 * sum(weights) + 16  # two moments, and two powers of each network
    assert found["all"] == sum(4 * np.prod(shape, dtype=int) for shape in state_shapes(MODEL).values())
    assert found["all"] < checkpoint_bytes(MODEL) < 1.1 * found["all"]


@pytest.fixture
def record(tmp_path):
    return configs.from_json(make_run(tmp_path).read_config(), "config.json")


def seen(record, place, reached=0):
    events = []
    plan = foresee(
        *(record, datasets.load("digits", 32), {}, reached, place, DryRun(measure=False)),
        lambda event, **fields: events.append((event, fields)),
    )
    return plan, events


def test_disk_for_the_steps_that_are_left(record, tmp_path):
    whole, events = seen(record, tmp_path / "runs" / "deep")
    assert whole.disk["checkpoints"] == 4 + 2 and whole.disk["grids"] == 4 and whole.disk["records"] == 40
    assert [event for event, _ in events] == ["table"]
    rest, _ = seen(record, tmp_path, 350)
    assert (rest.disk["checkpoints"], rest.disk["grids"], rest.disk["records"]) == (1 + 2, 1, 5)
    assert rest.measured is None and rest.flops_per_step is None and not (tmp_path / "runs").exists()
    parts = ("checkpoints_bytes", "grids_bytes", "records_bytes")
    assert whole.disk["total_bytes"] == sum(whole.disk[name] for name in parts)


def test_a_disk_that_is_too_small_is_said(record, tmp_path, monkeypatch):
    usage = shutil.disk_usage(str(tmp_path))._replace(free=1000000)
    monkeypatch.setattr(foresight.shutil, "disk_usage", lambda path: usage)
    _, events = seen(record, tmp_path)
    (warning,) = [fields["text"] for event, fields in events if event == "warning"]
    assert "MB are more than the 1.0 MB free" in warning and "--keep-checkpoints" in warning
