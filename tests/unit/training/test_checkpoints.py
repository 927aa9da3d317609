"""Checkpoints: whole or absent, checked when read, the last few kept."""

import functools

import numpy as np
import pytest

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    return run


def saved(run, *steps, keep=9):
    """Checkpoints of three variables, one an average of another, at ``steps``."""
    names = ("generator/a/w", "ema/generator/a/w", "generator/a/sn_u")
    for step in steps:
        values = {name: np.full(300, step + place, np.float32) for place, name in enumerate(names)}
        write = functools.partial(checkpoints.write_arrays, values)
        checkpoint = checkpoints.save(write, run, step, dict(run={"x": 1}), keep)
    return checkpoint


def files(run):
    return sorted(path.name for path in run.checkpoints.iterdir())


def test_save_find_read(run):
    saved(run, 5, 12)
    checkpoint = checkpoints.find(run)
    assert checkpoint.step == 12 and checkpoint.record["run"] == {"x": 1}
    values = checkpoints.read(checkpoint.prefix)
    assert checkpoints.generator_values(values, "raw")["generator/a/w"][0] == 12
    averaged = checkpoints.generator_values(values, "ema")
    assert averaged["generator/a/w"][0] == 13 and averaged["generator/a/sn_u"][0] == 14
    assert checkpoints.find(run, "5").step == 5 and checkpoints.find(run, "000005").step == 5
    assert files(run) == [
        f"model-{step:06d}.{ending}" for step in (5, 12) for ending in ("data-00000-of-00001", "index", "json")
    ]


def test_the_last_ones_are_kept(run):
    saved(run, 1, 2)
    (run.checkpoints / "model-000001.standing-ema-2.npz").write_bytes(b"")
    saved(run, 3, 4, keep=2)
    assert {name.split(".")[0] for name in files(run)} == {"model-000003", "model-000004"}


def test_none_and_none_of_that_step(run):
    with pytest.raises(UsageError) as raised:
        checkpoints.find(run)
    assert "no checkpoint" in raised.value.message
    saved(run, 3)
    with pytest.raises(UsageError) as raised:
        checkpoints.find(run, "4")
    assert "3" in dict(raised.value.details)["hint"]


@pytest.mark.parametrize("ending", ("index", "data-00000-of-00001"))
def test_a_missing_file_is_named(run, ending):
    saved(run, 3)
    (run.checkpoints / ("model-000003." + ending)).unlink()
    with pytest.raises(StepFailed) as raised:
        checkpoints.find(run)
    assert f"model-000003.{ending} is missing" in raised.value.message


def test_a_cut_off_file_is_named(run):
    saved(run, 3)
    data = run.checkpoints / "model-000003.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(StepFailed) as raised:
        checkpoints.find(run)
    assert data.name in raised.value.message and "1000" in raised.value.message


def test_a_changed_byte_is_found(run):
    saved(run, 3)
    data = run.checkpoints / "model-000003.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[700] ^= 1
    data.write_bytes(bytes(content))
    with pytest.raises(StepFailed) as raised:
        checkpoints.read(checkpoints.find(run).prefix)
    assert "damaged" in raised.value.message


def test_a_failed_save_keeps_what_was_there(run, monkeypatch):
    saved(run, 3)
    before = files(run)

    def full_disk(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoints, "flush_to_disk", full_disk)
    with pytest.raises(OSError):
        saved(run, 4)
    assert files(run) == before
    assert checkpoints.find(run).step == 3
