"""Records: means, times, and what a resumed run keeps of them."""

import json

import numpy as np
import pytest

from biggan_cli.rundir import RunDir
from biggan_cli.runtime.tf import tf
from biggan_cli.training.monitor import Records, Ticks, status
from biggan_cli.training.precision import COUNTS
from biggan_cli.training.step import METRICS


def record(step):
    ticks = Ticks(METRICS, batch=4, total=10)
    ticks.add_step(np.arange(len(METRICS), dtype=np.float32), 0.5)
    ticks.add_step(np.arange(len(METRICS), dtype=np.float32) + 2, 0.7)
    ticks.add_maintenance(3.0)
    return ticks.record(step)


def test_a_record_holds_means_and_times():
    values = record(2)
    assert values["step"] == 2 and values["steps_in_record"] == 2
    parts = [name for name in METRICS if "_class_" in name]
    assert [values[name] for name in METRICS if name not in parts] == [
        float(i + 1) for i, name in enumerate(METRICS) if name not in parts
    ]
    place = METRICS.index("fake_class_squares")
    assert values["fake_class_variance"] == (place + 1) / (place + 2) and not set(parts) & set(values)
    assert values["seconds_per_step"] == pytest.approx(0.6)
    assert values["images_per_second"] == pytest.approx(4 / 0.6)
    assert values["maintenance_seconds"] == 3.0
    assert values["remaining_seconds"] == pytest.approx(8 * 0.6)
    assert "D  1.000" in status(values) and "0.600 s/step" in status(values)


def test_what_a_scaled_loss_left_out_does_not_count():
    """Where chips have infinities, the step that is left out has them; otherwise nothing is taken away."""
    ticks = Ticks(("d_loss", "g_loss", *COUNTS), batch=4, total=10)
    for values in ((1, 2, 8, 0), (3, np.inf, 4, 1), (5, 4, 4, 1)):
        ticks.add_step(np.array(values, np.float32), 0.5)
    values = ticks.record(3)
    assert (values["d_loss"], values["g_loss"], values["loss_scale"], values["skipped_steps"]) == (3, 3, 4, 1)
    ticks.add_step(np.array((np.nan, np.inf, 2, 2), np.float32), 0.5)
    values = ticks.record(4)
    assert values["d_loss"] is None and values["g_loss"] is None and json.dumps(values)
    assert status(dict(values, real_logit=None, fake_logit=0.0)).startswith("D -  G -  scale 2 skipped 2  real -  fake")
    ticks.add_step(np.array((np.nan, 1, 2, 2), np.float32), 0.5)
    assert np.isnan(ticks.record(5)["d_loss"])  # nothing was left out: the run is lost


def test_a_resumed_run_drops_what_lies_beyond_its_step(tmp_path):
    run = RunDir(tmp_path)
    with Records(run, 0) as records:
        for step in (2, 4, 6):
            records.write(record(step))
    with open(str(run.stats), "a") as stats:
        stats.write('{"step": 8, "d_lo')  # the line that a crash cut off
    with Records(run, 4) as records:
        records.write(record(6))
    assert [json.loads(line)["step"] for line in run.stats.read_text().splitlines()] == [2, 4, 6]


def test_tensorboard_can_read_the_scalars(tmp_path):
    with Records(RunDir(tmp_path), 0) as records:
        records.write(record(2))
    (events,) = tmp_path.glob("events.*")
    found = {
        (event.step, value.tag): value.simple_value
        for event in tf.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    assert found[2, "d_loss"] == 1.0
    assert {tag for _, tag in found} >= {name for name in METRICS if "_class_" not in name} | {"fake_class_variance"}
