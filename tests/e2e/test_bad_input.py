"""Mistakes through the console script: one clear error each, the right exit code, nothing lost."""

import fcntl
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import io

import biggan_cli
from tests.conftest import CIFAR10_BATCHES as BATCHES
from tests.conftest import TINY


def refused(done, *words):
    """One ``error:`` line first, with these words in the whole message, and nothing on stdout."""
    assert done.stdout == ""
    assert len(re.findall("^error: ", done.stderr, re.MULTILINE)) == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def files(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run that a test may spoil."""
    copy = tmp_path / "runs" / tiny_run.name
    shutil.copytree(str(tiny_run), str(copy))
    return copy


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--res", 48], ["--res 48", "32, 64, 128"]),
        (["--batch", 0], ["--batch 0"]),
        (["--batch", "many"], ["--batch", "with a whole number"]),
        (["--preset", "sede"], ["--preset sede", "imagenet64, seed"]),
        (["--device", "tpu"], ["--device tpu", "cpu, gpu"]),
        (["--truncation", "wide"], ["--truncation wide", "--truncation none"]),
        (["--data", "mnist"], ["--data mnist", "cifar10:DIR"]),
        (["--data", "cifar10:nowhere"], ["nowhere is not a directory", "cifar-10-matlab.tar.gz"]),
        (["--bach", 3], ["--bach"]),
        (["--steps", 10**20], ["--steps 1", "2147483647"]),
        (["--outdir", "a[1]"], ["a[1]", "TensorFlow"]),
    ),
)
def test_train_with_a_value_that_cannot_be(biggan, tmp_path, arguments, words):
    refused(biggan("train", "--preset", "digits", *arguments, cwd=tmp_path, check=2), *words)
    assert files(tmp_path) == []


def test_train_without_data(biggan, tmp_path):
    refused(biggan("train", cwd=tmp_path, check=2), "no data", "--preset digits, or --data cifar10:DIR")
    assert files(tmp_path) == []


def test_a_folder_without_data(biggan, tmp_path):
    (tmp_path / "empty").mkdir()
    done = biggan("train", "--data", "cifar10:empty", cwd=tmp_path, check=2)
    refused(done, "lacks 6 of its 6 files", "data_batch_1.mat")


def test_a_cut_off_data_file(biggan, tmp_path):
    for name in BATCHES:
        (tmp_path / name).write_bytes(b"MATLAB 5.0 MAT-file".ljust(128, b"\0"))
    refused(biggan("train", "--data", "cifar10:.", cwd=tmp_path, check=1), "data_batch_1.mat is cut off")


def test_an_outdir_that_cannot_be_written(biggan, tmp_path):
    (tmp_path / "file").write_text("")
    refused(biggan("train", *TINY, "--outdir", tmp_path / "file" / "runs", check=2), "--outdir", "cannot be written")


def test_no_gpu(biggan, tmp_path):
    done = biggan("train", *TINY, "--device", "gpu", "--outdir", tmp_path, env={"CUDA_VISIBLE_DEVICES": "-1"}, check=4)
    refused(done, "--device gpu", "sees no GPU", "--device cpu")
    assert files(tmp_path) == []


@pytest.mark.parametrize("command", (["sample"], ["interpolate", "--from", "one", "--to", "two"]))
def test_a_run_that_does_not_exist(biggan, tmp_path, command):
    refused(biggan(*command, cwd=tmp_path, check=2), "there is no run in runs", "biggan train --preset digits")
    refused(biggan(command[0], "00007-x", *command[1:], cwd=tmp_path, check=2), "there is no run 00007-x")


def test_resume_of_a_run_that_does_not_exist(biggan, tmp_path):
    refused(biggan("train", "--resume", 3, cwd=tmp_path, check=2), "there is no run 3")


def test_resume_of_a_finished_run(biggan, run):
    before = files(run)
    refused(
        biggan("train", "--resume", run, check=2),
        "is finished",
        "at step 4, and --steps 4 asks for no more",
        "--steps 8",
    )
    assert files(run) == before


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--batch", 7], "--batch 7 conflicts with the run's own 4"),
        (["--preset", "seed"], "--preset seed conflicts with the run's own preset digits"),
        (["--g-lr", 0.5], "--g-lr 0.5 conflicts"),
        (["--truncation", "none"], "--truncation none conflicts with the run's own 2"),
    ),
)
def test_resume_with_a_conflicting_flag(biggan, run, arguments, words):
    refused(biggan("train", "--resume", run, "--steps", 6, *arguments, check=2), words)


def test_resume_with_other_data(biggan, run, tmp_path):
    for number, name in enumerate(BATCHES):
        content = dict(data=np.full((10, 3072), number, np.uint8), labels=np.arange(10))
        io.savemat(str(tmp_path / name), content)
    done = biggan("train", "--resume", run, "--steps", 6, "--data", f"cifar10:{tmp_path}", check=2)
    refused(done, "is not what", "its digest is")


def test_two_processes_on_one_run(biggan, run):
    before = files(run)
    with open(str(run / ".lock"), "a+") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        refused(biggan("train", "--resume", run, "--steps", 6, check=1), "is in use by")
    assert files(run) == before


@pytest.mark.parametrize("ending", ("index", "data-00000-of-00001"))
def test_a_checkpoint_with_a_missing_file(biggan, run, ending):
    (run / "checkpoints" / ("model-000004." + ending)).unlink()
    words = ("checkpoint", f"model-000004.{ending} is missing", "--checkpoint 2 takes another one")
    refused(biggan("sample", run, check=1), *words)
    assert "step 2," in biggan("sample", run, "--checkpoint", 2, "--num", 1, check=0).stderr


def test_a_checkpoint_with_a_cut_off_file(biggan, run):
    path = run / "checkpoints" / "model-000004.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-10])
    refused(biggan("sample", run, check=1), path.name, "bytes instead of")


@pytest.mark.parametrize("text", ("[]", "{}", '{"schema": 1, "step": "4", "files": {}, "run": {}}', "{"))
def test_a_spoilt_record_of_a_checkpoint(biggan, run, text):
    """The one before it still draws; an old one that is spoilt is in nobody's way."""
    old, latest = (run / "checkpoints" / f"model-00000{step}.json" for step in (2, 4))
    kept = latest.read_text()
    latest.write_text(text)
    refused(biggan("sample", run, check=1), "model-000004.json is damaged")
    latest.write_text(kept)
    old.write_text(text)
    biggan("sample", run, "--num", 1, check=0)


@pytest.mark.parametrize("ending", ("index", "data-00000-of-00001"))
def test_a_checkpoint_with_changed_bytes(biggan, run, ending):
    path = run / "checkpoints" / ("model-000004." + ending)
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content) // 3 + 40):
        content[place] ^= 0xFF
    path.write_bytes(bytes(content))
    done = biggan("sample", run, check=1)
    refused(done, "model-000004", "--checkpoint 2 takes another one")
    assert "Graph execution error" not in done.stderr


def test_training_goes_on_before_what_is_damaged_and_makes_it_again_the_same(biggan, run, tiny_run):
    """A flipped byte in the checkpoint, a half line in the records, and the note of a process that is gone."""
    data = run / "checkpoints" / "model-000004.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(bytes(content))
    half = (run / "stats.jsonl").read_bytes()[:-20]
    (run / "stats.jsonl").write_bytes(half)
    (run / ".lock").write_text("process 4711 on elsewhere")
    plan = biggan("train", "--resume", run, "--dry-run", check=0)
    assert "from step 2" in plan.stdout and (run / "stats.jsonl").read_bytes() == half and data.exists()
    said = biggan("train", "--resume", run, check=0).stderr
    told = [line for line in said.splitlines() if "unsound" in line]
    assert len(told) == 1 and re.search("warning: model-000004 is unsound, .*data-00000-of-00001 has changed", told[0])
    assert "going on from step 2" in told[0]
    assert "process 4711 on elsewhere had this run, and is gone" in said
    assert len(re.findall("stats.jsonl is repaired: 1 line", said)) == 1
    assert (run / "checkpoints" / "unsound" / data.name).read_bytes() == bytes(content)
    assert data.read_bytes() == (tiny_run / "checkpoints" / data.name).read_bytes()
    assert [json.loads(line)["step"] for line in (run / "stats.jsonl").read_text().splitlines()] == [2, 4]
    grid = Path("samples", "step_000004.png")
    assert (run / grid).read_bytes() == (tiny_run / grid).read_bytes()
    assert json.loads((run / "state.json").read_text())["state"] == "finished"


def test_a_spoilt_configuration(biggan, run):
    text = (run / "config.json").read_text()
    (run / "config.json").write_text(text.replace('"batch": 4', '"batch": 4, "colour": "red"'))
    refused(biggan("train", "--resume", run, "--steps", 6, check=1), "the key colour is unknown")
    (run / "config.json").write_text(text.replace('"biggan": "', '"biggan": "9'))
    words = ("config.json was written by biggan 9", "this is biggan " + biggan_cli.__version__)
    refused(biggan("train", "--resume", run, "--steps", 6, check=1), *words)
    (run / "config.json").write_text(text[:100])
    refused(biggan("sample", run, check=1), "config.json is damaged")


def test_a_disk_that_is_full(biggan, run):
    """A limit on the size of files stands for it: the checkpoint fails, the ones before it stay."""
    import resource
    import subprocess

    from tests.conftest import BIGGAN

    size = (run / "checkpoints" / "model-000004.data-00000-of-00001").stat().st_size
    done = subprocess.run(
        [BIGGAN, "train", "--resume", str(run), "--steps", "6"],
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2)),
    )
    assert done.returncode == 1
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    refused(done, "model-000006 could not be written", "the checkpoints before it are kept, the last of step 4")
    assert "it needs 0." in done.stderr and "make room, then biggan train --resume" in done.stderr
    assert json.loads((run / "state.json").read_text())["state"] == "failed"
    assert not list((run / "checkpoints").glob("*000006*")) and not list((run / "checkpoints").glob(".saving*"))
    biggan("train", "--resume", run, "--steps", 6, check=0)


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--classes", "thre"], ["--classes thre is not a class", "three instead of thre", "zero, one, two"]),
        (["--classes", "three:0"], ["three: 0", "from 1 to"]),
        (["--classes", "three:70", "--num", 64], ["70", "--num"]),
        (["--num", 0], ["--num 0"]),
        (["--seeds", "5-3"], ["--seeds 5-3"]),
        (["--seeds", "0-4294967295"], ["more than 1000000"]),
        (["--classes", "three:²"], ["² is not a count"]),
        (["--classes", "three:4000000000"], ["is not a count"]),
        (["--num", 10**12], ["--num 1000000000000", "1000000"]),
        (["--seeds", "1,1"], ["names a seed twice"]),
        (["--seeds", "0-4", "--num", 3], ["--num 3 does not fit the 5 seeds"]),
        (["--truncation", 0], ["--truncation 0"]),
        (["--weights", "best"], ["--weights best", "ema, raw"]),
        (["--checkpoint", 3], ["--checkpoint 3", "2, 4"]),
        (["--name", "../x"], ["--name ../x"]),
        (["--batch", 0], ["--batch 0"]),
        (["--latents", "nowhere.npz"], ["--latents nowhere.npz is not a file"]),
    ),
)
def test_sample_with_a_value_that_cannot_be(biggan, tiny_runs, tiny_run, arguments, words):
    before = files(tiny_run)
    refused(biggan("sample", *arguments, "--outdir", tiny_runs, check=2), *words)
    assert files(tiny_run) == before


@pytest.mark.parametrize(
    "arrays, words",
    (
        (dict(z=np.zeros((3, 9), np.float32), y=np.zeros(3, int)), ["(3, 9)", "[N, 8]"]),
        (dict(z=np.zeros((3, 8), np.float32), y=np.zeros(2, int)), ["y is"]),
        (dict(z=np.zeros((3, 8), np.float32), y=np.full(3, 10)), ["10", "0 to 9"]),
        (dict(z=np.full((3, 8), 1e300), y=np.zeros(3, int)), ["not finite in float32"]),
        (dict(z=np.full((3, 8), np.nan, np.float32), y=np.zeros(3, int)), ["not finite"]),
        (dict(z=np.zeros((3, 8), np.float32)), ["lacks z or y"]),
    ),
)
def test_latents_that_do_not_fit(biggan, tiny_runs, tmp_path, arrays, words):
    np.savez(str(tmp_path / "l.npz"), **arrays)
    refused(biggan("sample", "--latents", tmp_path / "l.npz", "--outdir", tiny_runs, check=2), "--latents", *words)


def test_latents_that_hold_code_are_not_loaded(biggan, tiny_runs, tmp_path):
    np.savez(str(tmp_path / "l.npz"), z=np.array([{"a": 1}], dtype=object), y=np.zeros(1, int))
    refused(biggan("sample", "--latents", tmp_path / "l.npz", "--outdir", tiny_runs, check=1), "--latents")


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--from", "one", "--to", "elevn"], ["--to elevn is not a class", "zero, one"]),
        (["--from", "one"], ["--to"]),
        (["--from", "one", "--to", "two", "--frames", 1], ["--frames 1"]),
        (["--from", "one", "--to", "two", "--fps", 0.001], ["--fps 0.001"]),
        (["--from", "one", "--to", "1"], ["--from and --to are both one"]),
    ),
)
def test_interpolate_with_a_value_that_cannot_be(biggan, tiny_runs, arguments, words):
    refused(biggan("interpolate", *arguments, "--outdir", tiny_runs, check=2), *words)


def test_a_command_that_does_not_exist(biggan):
    refused(biggan("trian", check=2), "trian", "biggan --help")
