"""A run that is killed again and again, and one whose disk is full for a time."""

import contextlib
import json
import re
import shutil
import subprocess

import pytest

from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints
from tests.conftest import BIGGAN
from tests.torture import harness


@pytest.mark.slow
def test_a_run_that_is_killed_five_times_ends_as_one_that_nobody_touched(tmp_path):
    """With what has a state of its own, or random numbers: LeCam's averages and augmentation. See ``make torture``."""
    kills = harness.run_torture(tmp_path, 5, 30, 0, ["--lecam", "0.1", "--augment", "color,translation"])
    assert len(kills) == 5


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip("no disk can be mounted here: " + (done.stderr.decode().strip() if done else "no mount"))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """Every byte that is free."""
    with contextlib.suppress(OSError), open(str(folder / "filler"), "ab", buffering=0) as filler:
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * size)


def steps_in(run):
    return [json.loads(line)["step"] for line in (run / "stats.jsonl").read_text().splitlines()]


def trained_on_a_full_disk(disk, *arguments, full_saves):
    """The exit code, and what it said, of a training whose disk is full from its start until so many saves failed."""
    said = []
    command = [BIGGAN, "train", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        for line in map(bytes.decode, process.stderr):
            said.append(line)
            if line.startswith("building"):
                fill(disk)
            if line.startswith("warning: checkpoint") and sum("could not be" in words for words in said) == full_saves:
                (disk / "filler").unlink()
        return process.wait(timeout=120), "".join(said)


def test_a_disk_that_is_full_for_a_time_and_one_that_stays_full(biggan, tiny_run, small_disk):
    """Nothing is lost: what could not be written is written when there is room, and the last good one stays."""
    run = small_disk / tiny_run.name
    shutil.copytree(str(tiny_run), str(run))
    intervals = ["--save-every", 4, "--sample-every", 100]
    resume = ["--resume", run, "--steps", 20, *intervals]
    code, said = trained_on_a_full_disk(small_disk, *resume, full_saves=2)
    assert code == 0, said
    warnings = [line for line in said.splitlines() if "could not be written" in line]
    words = r"warning: checkpoint model-000008 could not be written: .*; 0\.0 MB are free there, it needs 0\.\d MB"
    assert len(warnings) == 2 and re.match(words, warnings[0])
    assert "the last of step 4; the next save tries again" in warnings[0]
    assert steps_in(run) == list(range(2, 21, 2))
    checkpoint, faults = checkpoints.newest_sound(RunDir(run))
    assert checkpoint.step == 20 and not faults
    log = (run / "log.txt").read_text()
    assert "model-000008 could not be written" in log and all(f"step {step}/20" in log for step in range(6, 21, 2))

    kept = {path.name: path.read_bytes() for path in (run / "checkpoints").glob("model-*")}
    code, said = trained_on_a_full_disk(small_disk, "--resume", run, "--steps", 28, full_saves=None)
    assert code == 1 and "error: checkpoint model-000028 could not be written" in said
    assert len(re.findall("warning: checkpoint model-000024 could not be written", said)) == 1
    assert f"fix: make room, then biggan train --resume {run}" in said
    done = biggan("train", "--resume", run, "--steps", 32, check=1)
    assert f"error: {run} cannot be written: no space left on device" in done.stderr
    assert {path.name: path.read_bytes() for path in (run / "checkpoints").iterdir()} == kept
    (small_disk / "filler").unlink()

    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for refused in (["train", "--resume", run, "--steps", 48], ["sample", run, "--num", 1]):
        done = biggan(*refused, check=1)
        assert f"error: {run} cannot be written: read-only file system" in done.stderr
        assert len(re.findall("^error: ", done.stderr, re.MULTILINE)) == 1
