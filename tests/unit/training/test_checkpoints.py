"""Checkpoints: whole or absent, checked when read, the last few kept."""

import errno
import functools
import os

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
        checkpoint = checkpoints.save(write, run, step, dict(run={"x": 1}))
        checkpoints.remove_old(run, keep)
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
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(checkpoints, "flush_to_disk", full_disk)
    with pytest.raises(OSError):
        saved(run, 4)
    assert files(run) == before
    assert checkpoints.find(run).step == 3


def test_what_a_killed_save_left_goes_in_time(run):
    saved(run, 1, 2, keep=1)
    for name in ("model-000003.data-00000-of-00001", ".saving-1/model-000003.index"):
        (run.checkpoints / name).parent.mkdir(exist_ok=True)
        (run.checkpoints / name).write_bytes(b"half")
    assert checkpoints.newest_sound(run)[0].step == 2
    saved(run, 4, 5, keep=1)
    assert {name.split(".")[0] for name in files(run)} == {"model-000005"}


def test_the_best_stay(run):
    saved(run, 1, 2)
    checkpoints.mark_best(run, "fid", 1, 20.5, dict(num=100))
    checkpoints.mark_best(run, "is", 2, 3.5, dict(num=100))
    saved(run, 3, 4, keep=1)
    assert checkpoints.steps(run) == [1, 2, 4]
    for which, step in (("best-fid", 1), ("best-is", 2), ("best", 1), ("latest", 4)):
        assert checkpoints.find(run, which).step == step
    assert checkpoints.best(run)["is"] == dict(schema=1, step=2, value=3.5, metric="is", of=dict(num=100))
    checkpoints.mark_best(run, "fid", 4, 10.0, {})
    saved(run, 5, 6, 7, keep=1)
    assert checkpoints.steps(run) == [2, 4, 7]


def test_what_was_the_best_outlives_what_may_not_be(run):
    """A run that goes back to 2 goes on with the best of then, whatever was better after it."""
    saved(run, 1)
    checkpoints.mark_best(run, "fid", 1, 20.0, {})
    saved(run, 2, 3)
    checkpoints.mark_best(run, "fid", 3, 10.0, {})
    saved(run, 4, 5)
    checkpoints.remove_old(run, 1, spare=[2])
    assert checkpoints.steps(run) == [1, 2, 3, 5]
    checkpoints.go_back(run, checkpoints.newest_sound(run, not_after=2)[0])
    assert checkpoints.best(run)["fid"]["step"] == 1 and checkpoints.find(run, "best").step == 1


def test_no_best_one(run):
    saved(run, 1)
    with pytest.raises(UsageError) as raised:
        checkpoints.find(run, "best-fid")
    assert raised.value.message.startswith("--checkpoint best-fid")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGES = {
    "a flipped byte": ("data-00000-of-00001", flip, "has changed: its sha256 is"),
    "a flipped byte of the index": ("index", flip, "has changed"),
    "a cut off index": ("index", lambda path: path.write_bytes(path.read_bytes()[:-7]), "bytes instead of"),
    "a missing file": ("data-00000-of-00001", lambda path: path.unlink(), "is missing"),
    "a half record": ("json", lambda path: path.write_text('{"schema": 1'), "is damaged"),
    "an empty record": ("json", lambda path: path.write_text("{}"), "is no record"),
    "another record": ("json", lambda path: path.write_text(path.read_text().replace('"x"', '"y"')), "not what was"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_training_goes_on_from_the_newest_sound_one_and_keeps_the_others(run, damage):
    saved(run, 1, 2, 3)
    ending, spoil, words = DAMAGES[damage]
    path = run.checkpoints / ("model-000003." + ending)
    spoil(path)
    before = {child.name: child.read_bytes() for child in run.checkpoints.glob("model-000003.*")}
    checkpoint, faults = checkpoints.newest_sound(run)
    assert checkpoint.step == 2 and list(faults) == [3] and words in faults[3]
    assert {child.name: child.read_bytes() for child in run.checkpoints.glob("model-000003.*")} == before
    checkpoints.go_back(run, checkpoint)
    assert checkpoints.steps(run) == [1, 2]
    assert {child.name: child.read_bytes() for child in run.unsound.iterdir()} == before
    saved(run, 3)
    checkpoints.go_back(run, checkpoint)  # a second one of that step has a name of its own
    assert len(list(run.unsound.iterdir())) == len(before) + 3
    assert (run.unsound / "model-000003-2.json").exists()


@pytest.mark.parametrize("moved", range(3))
def test_what_is_put_aside_by_half_follows_later(run, monkeypatch, moved):
    """A kill between two files: the next start goes back as this one did, and nothing is written over."""
    saved(run, 1, 2, 3)
    flip(run.checkpoints / "model-000003.index")
    before = {child.name: child.read_bytes() for child in run.checkpoints.glob("model-000003.*")}
    replace, calls = os.replace, []

    def killed(*paths):
        calls.append(paths)
        if len(calls) > moved:
            raise KeyboardInterrupt
        replace(*paths)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        checkpoints.go_back(run, checkpoints.newest_sound(run)[0])
    checkpoint, faults = checkpoints.newest_sound(run)
    assert checkpoint.step == 2 and list(faults) == [3]
    checkpoints.go_back(run, checkpoint)
    assert {child.name: child.read_bytes() for child in run.unsound.iterdir()} == before


def test_without_a_sound_one_nothing_is_moved(run):
    assert checkpoints.newest_sound(run) == (None, {})
    saved(run, 1, 2)
    for path in run.checkpoints.glob("*.index"):
        flip(path)
    before = files(run)
    with pytest.raises(StepFailed) as raised:
        checkpoints.newest_sound(run)
    assert "model-000002.index has changed" in raised.value.message
    assert files(run) == before


def test_going_back_takes_back_later_scores(run):
    saved(run, 1)
    checkpoints.mark_best(run, "fid", 1, 20.0, {})
    saved(run, 2, 3)
    checkpoints.mark_best(run, "fid", 3, 10.0, {})
    checkpoints.mark_best(run, "is", 3, 4.0, {})
    saved(run, 4)
    assert checkpoints.newest_sound(run, not_after=3)[0].step == 3
    checkpoints.go_back(run, checkpoints.newest_sound(run, not_after=3)[0])
    assert checkpoints.best(run)["fid"]["step"] == 3
    checkpoints.go_back(run, checkpoints.newest_sound(run, not_after=2)[0])
    assert {metric: entry["step"] for metric, entry in checkpoints.best(run).items()} == {"fid": 1}


def test_a_mark_that_is_damaged_costs_no_save_and_no_checkpoint(run):
    """Nothing is removed that it could name; a run that goes on has the mark of its checkpoint again."""
    saved(run, 1)
    checkpoints.mark_best(run, "fid", 1, 20.0, {})
    saved(run, 2)
    run.best("fid").write_text('{"step"')
    checkpoint = saved(run, 3, 4, keep=1)
    assert checkpoints.steps(run) == [1, 2, 3, 4] and checkpoint.record["best"] == {}
    with pytest.raises(StepFailed, match="is damaged"):
        checkpoints.best(run)
    (told,) = checkpoints.mend_marks(run, checkpoints.find(run, "2"))
    assert "best-fid.json was damaged" in told and (run.unsound / "best-fid.json").read_text() == '{"step"'
    assert checkpoints.best(run)["fid"]["step"] == 1 and checkpoints.mend_marks(run, checkpoint) == []
    saved(run, 5, keep=1)
    assert checkpoints.steps(run) == [1, 5]
