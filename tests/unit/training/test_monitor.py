"""Records: means, times, and what a resumed run keeps of them."""

import errno
import io
import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from biggan_cli import rundir
from biggan_cli.data import images
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
    assert values["maintenance_seconds_per_step"] == 1.5 and values["elapsed_seconds"] < 60
    assert values["remaining_seconds"] == pytest.approx(8 * (0.6 + 1.5))
    assert abs(values["epoch_seconds"] - time.time()) < 60 and 1e7 < values["resident_bytes"] < 1e12
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


def test_a_record_that_a_checkpoint_cuts_in_two_is_the_same():
    """Bit for bit, also of a run whose steps overflow, and through the checkpoint's JSON."""
    names = (*METRICS, *COUNTS)
    random = np.random.RandomState(0)
    steps = random.standard_normal([6, len(names)]).astype(np.float32)
    steps[:, -1] = (0, 1, 1, 2, 2, 3)
    steps[(1, 3, 5), :3] = np.inf

    def timeless(record):
        return {name: value for name, value in record.items() if "second" not in name and "bytes" not in name}

    for cut in range(1, 6):
        whole = first = Ticks(names, batch=4, total=10)
        for step in steps:
            whole.add_step(step, 0.5)
        expected = timeless(whole.record(6))
        first = Ticks(names, batch=4, total=10)
        for step in steps[:cut]:
            first.add_step(step, 0.5)
        second = Ticks(names, batch=4, total=10, begun=json.loads(json.dumps(first.begun())))
        assert second.lost_steps == first.lost_steps
        for step in steps[cut:]:
            second.add_step(step, 0.5)
        assert timeless(second.record(6)) == expected and expected["steps_in_record"] == 6


def test_a_resumed_run_drops_what_lies_beyond_its_step(tmp_path):
    run = RunDir(tmp_path)
    records = Records(run, 0)
    for step in (2, 4, 6):
        records.write(record(step))
    with open(str(run.stats), "a") as stats:
        stats.write('{"step": 8, "d_lo')  # the line that a crash cut off
    again = Records(run, 4)
    assert again.repaired.endswith("1 line cut off or damaged, left out; 2 kept")
    again.write(record(6))
    assert [json.loads(line)["step"] for line in run.stats.read_text().splitlines()] == [2, 4, 6]


def test_tensorboard_can_read_the_scalars(tmp_path):
    Records(RunDir(tmp_path), 0).write(record(2))
    (events,) = tmp_path.glob("events.*")
    found = {
        (event.step, value.tag): value.simple_value
        for event in tf.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    assert found[2, "d_loss"] == 1.0
    assert {tag for _, tag in found} >= {name for name in METRICS if "_class_" not in name} | {"fake_class_variance"}


@pytest.mark.parametrize("spoilt", ("nonsense\n", "[1]\n", '{"step": "4"}\n', "\udcff\n", "\n"))
def test_a_damaged_line_is_left_out_and_told(tmp_path, spoilt):
    run = RunDir(tmp_path)
    lines = [json.dumps(dict(step=step)) + "\n" for step in (2, 4)]
    run.stats.write_bytes((lines[0] + spoilt + lines[1]).encode("utf-8", "surrogateescape"))
    assert "1 line cut off" in Records(run, 4).repaired
    assert run.stats.read_text() == "".join(lines)
    assert Records(run, 4).repaired is None


def read_events(path):
    return [event for event in tf.train.summary_iterator(str(path)) if event.step]


def test_what_a_full_disk_refuses_is_written_later(tmp_path, monkeypatch):
    """Whole lines and whole events, in order, none twice; also where the disk was full in the middle of one."""
    run = RunDir(tmp_path)
    records = Records(run, 0)
    records.write(record(1))
    write = os.write

    def almost_full(descriptor, content):
        if len(content) <= 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:-10])

    monkeypatch.setattr(rundir.os, "write", almost_full)
    for step in (2, 3):
        records.write(record(step))
    with pytest.raises(OSError):
        records.write_to_disk()
    (events,) = tmp_path.glob("events.*")
    assert len(run.stats.read_text().splitlines()) == 1 and {event.step for event in read_events(events)} == {1}
    monkeypatch.undo()
    records.write(record(4))
    records.write_to_disk()
    assert [json.loads(line)["step"] for line in run.stats.read_text().splitlines()] == [1, 2, 3, 4]
    assert [event.step for event in read_events(events)] == [1, 2, 3, 4]


def test_tensorboard_forgets_what_a_resumed_run_does_again_also_after_the_clock_was_set_back(tmp_path, monkeypatch):
    """It reads the files in the order of their names; a START drops what was told of its step and later ones."""
    run = RunDir(tmp_path)
    for now, resumed_at in ((2e9, 0), (1e9, 0), (1.5e9, 4)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        Records(run, resumed_at).write(record(6))
    files = sorted(tmp_path.glob("events.*"))
    assert len(files) == 3
    starts = [[event.step for event in read_events(path) if event.HasField("session_log")] for path in files]
    assert starts == [[], [1], [5]]


def test_tensorboard_can_read_the_pictures(tmp_path):
    """As JPEG, reduced; one that is gone or damaged is left out, and the records go on."""
    images.write_png(tmp_path / "grid.png", np.full([320, 1280, 3], 7, np.uint8))
    (tmp_path / "half.png").write_bytes((tmp_path / "grid.png").read_bytes()[:60])
    records = Records(RunDir(tmp_path), 0)
    for name in ("grid", "half", "gone"):
        records.add_picture("samples", tmp_path / f"{name}.png", 3)
    records.write(record(4))
    (events,) = tmp_path.glob("events.*")
    found = [
        (event.step, value.image)
        for event in tf.train.summary_iterator(str(events))
        for value in event.summary.value
        if value.tag in ("samples", "d_loss")
    ]
    assert [step for step, _ in found] == [3, 4] and (found[0][1].height, found[0][1].width) == (160, 640)
    decoded = np.asarray(Image.open(io.BytesIO(found[0][1].encoded_image_string)))
    assert decoded.shape == (160, 640, 3) and (decoded == 7).all()
