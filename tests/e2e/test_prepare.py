"""From a folder of pictures to a run in two commands, and everything that may happen on the way."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from biggan_cli.data.cifar10_archive import ARCHIVES, PAGE
from tests.conftest import BIGGAN, TINY
from tests.data_sets import class_folders
from tests.e2e.test_bad_input import files, refused

SIZES = TINY[2:]


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Pictures of several sizes in three class folders; tests must not change them."""
    folder = tmp_path_factory.mktemp("pictures") / "pets"
    class_folders(folder, (("cat", 12), ("dog", 9), ("eel", 9)))
    return folder


@pytest.mark.slow
def test_two_commands(biggan, tmp_path, pets):
    """The second reads the pictures from disk, stops, and goes on to the bit as one that has them in memory."""
    shutil.copytree(str(pets), str(tmp_path / "pets"))
    prepare = ["prepare", "pets", "--res", 32, "--out", "prepared", "--shard-size", 8]
    done = biggan(*prepare, cwd=tmp_path, check=0)
    shown = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert (shown["num"], shown["classes"], shown["shards"], shown["skipped"]) == ("30", "3", "4", "0")
    assert "3: cat, dog, eel" in done.stderr
    train, resume = ["train", *SIZES, "--data"], ["train", "--resume", "latest", "--steps"]
    done = biggan(*train, "prepared", "--steps", 2, cwd=tmp_path, check=0)
    assert "3 classes" in done.stderr and re.search(r"cat +12\n +dog +9\n +eel +9", done.stderr)
    (run,) = (tmp_path / "runs").glob("0*")
    config = json.loads((run / "config.json").read_text())
    assert run.name == "00000-pets-32-seed" and config["class_names"] == ["cat", "dog", "eel"]
    assert config["data_digest"] == shown["digest"]
    assert config["config"]["train"]["data"] == f"prepared:{tmp_path}/prepared"
    biggan(*resume, 4, cwd=tmp_path, check=0)
    biggan(*train, "pets", "--steps", 4, "--outdir", "memory", cwd=tmp_path, check=0)
    streamed, kept = (next(tmp_path.glob(f"{out}/0*/checkpoints/model-000004.data*")) for out in ("runs", "memory"))
    assert streamed.read_bytes() == kept.read_bytes()
    # the data change between save and resume
    shutil.rmtree(str(tmp_path / "prepared"))
    (tmp_path / "pets" / "cat" / "003.png").unlink()
    after = json.loads(biggan(*prepare, "--json", cwd=tmp_path, check=0).stdout)["digest"]
    done = biggan(*resume, 6, cwd=tmp_path, check=2)
    refused(done, "is not what", shown["digest"][:12], after[:12], "--data with the data of that run")
    shard = tmp_path / "prepared" / "train-00002.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-7] + b"changed")
    refused(biggan(*resume, 6, cwd=tmp_path, check=1), f"{shard.name} has changed", "biggan prepare")


def test_train_takes_the_resolution_of_prepared_data(biggan, tmp_path, pets):
    biggan("prepare", pets, "--res", 64, "--out", "prepared", cwd=tmp_path, check=0)
    plan = ["train", *SIZES, "--base-channels", 8, "--data", "prepared", "--dry-run", "--no-measure", "--json"]
    done = biggan(*plan, cwd=tmp_path, check=0)
    assert json.loads(done.stdout)["plan"]["config"]["model"]["resolution"] == 64
    refused(biggan(*plan, "--res", 32, cwd=tmp_path, check=2), "was prepared at 64 px, and --res is 32")


def start(*arguments, cwd):
    return subprocess.Popen(
        [BIGGAN, *map(str, arguments)], cwd=str(cwd), stderr=subprocess.PIPE, start_new_session=True
    )


def stopped(number, arguments, tmp_path, shards):
    """What the command says when it is sent a signal after so many shards."""
    process = start(*arguments, cwd=tmp_path)
    with process:
        deadline = time.time() + 60
        while len(list((tmp_path / "prepared").glob("*.tfrecord"))) < shards and time.time() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, number) if number == signal.SIGINT else process.kill()
        words = process.stderr.read().decode()  # to the end: the workers hold it too
    assert process.returncode == (130 if number == signal.SIGINT else -number), words
    return words


def test_stopped_in_the_middle(biggan, tmp_path):
    """Killed, and by Ctrl-C, which all processes get: nothing is left running, and the same command goes on."""
    class_folders(tmp_path / "pets", (("cat", 1), ("dog", 1)), side=400)
    for index in range(1, 100):
        for name in ("cat", "dog"):
            os.link(str(tmp_path / "pets" / name / "000.png"), str(tmp_path / "pets" / name / f"{index:03d}.png"))
    prepare = ["prepare", "pets", "--res", 64, "--out", "prepared", "--shard-size", 20, "--workers", 2]
    stopped(signal.SIGKILL, prepare, tmp_path, 1)
    done = biggan("train", *SIZES, "--data", "prepared", cwd=tmp_path, check=2)
    refused(done, "was not finished", "it goes on")
    words = stopped(signal.SIGINT, prepare, tmp_path, 4)
    assert re.search(r"error: interrupted; \d of 10 shards are finished\n  fix: the same command again goes on", words)
    assert "Traceback" not in words
    done = biggan(*prepare, cwd=tmp_path, check=0)
    assert re.search(r"going on: \d shards are there", done.stderr)
    made = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert int(made["made"]) <= 140 < 200 == int(made["num"])
    assert len(list((tmp_path / "prepared").glob("*.tfrecord"))) == 10


def test_a_second_process_is_refused(biggan, tmp_path, pets):
    fifo = tmp_path / "pets"
    shutil.copytree(str(pets), str(fifo))
    os.unlink(str(fifo / "cat" / "000.png"))
    os.mkfifo(str(fifo / "cat" / "000.png"))  # it is no file: an error, and no waiting for somebody who writes
    refused(biggan("prepare", fifo, "--res", 32, "--out", tmp_path / "out", check=1), "000.png is not a file")
    holder = "import sys, time; from pathlib import Path; from biggan_cli.rundir import locked\n"
    holder += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    python = os.path.join(os.path.dirname(BIGGAN), "python")
    pipe = subprocess.PIPE
    with subprocess.Popen([python, "-c", holder, str(tmp_path / "out")], stdin=pipe, stdout=pipe) as other:
        assert other.stdout.readline() == b"held\n"
        done = biggan("prepare", pets, "--res", 32, "--out", tmp_path / "out", check=1)
        refused(done, f"is in use by process {other.pid}", "wait until it ends")
        other.stdin.close()


@pytest.mark.parametrize(
    "arguments, words",
    (
        (["--res", 48, "--out", "o"], ["--res 48 is not one of 32, 64, 128"]),
        (["--res", 32], ["--out is not given"]),
        (["--out", "o"], ["pictures of 20x20 px to 77x77 px", "--res 32"]),
        (["--res", 32, "--out", "o", "--workers", 0], ["--workers 0"]),
        (["--res", 32, "--out", "o", "--shard-size", 0], ["--shard-size 0"]),
        (["--res", 32, "--out", "o", "--download"], ["--download is for cifar10, not for"]),
        (["--res", 32, "--out", "o", "--kind", "zip"], ["--kind zip is not one of python, matlab"]),
    ),
)
def test_options_that_cannot_be(biggan, tmp_path, pets, arguments, words):
    refused(biggan("prepare", pets, *arguments, cwd=tmp_path, check=2), *words)
    assert files(tmp_path) == []


def test_a_source_that_is_none_names_what_would_be_one(biggan, tmp_path):
    done = biggan("prepare", "nowhere", "--res", 32, "--out", "o", cwd=tmp_path, check=2)
    refused(done, "error: nowhere is not a data set", "fix: digits, cifar10:DIR")
    class_folders(tmp_path / "x" / "train")
    done = biggan("prepare", "x", "--res", 32, "--out", "o", cwd=tmp_path, check=2)
    refused(done, "folder:x is a folder of folders of folders", "fix: x/train, if its folders are the classes")


def test_download_without_a_network(biggan, tmp_path):
    """A proxy where nobody listens; what to do by hand is said, and is right."""
    environment = dict(https_proxy="http://127.0.0.1:9", BIGGAN_CACHE=str(tmp_path / "cache"))
    for kind, archive in ARCHIVES.items():
        done = biggan("prepare", "cifar10", "--download", "--kind", kind, env=environment, check=4)
        by_hand = f"get {PAGE + archive.file} (md5 {archive.md5}) on another machine and put it at {tmp_path}/cache/"
        refused(done, f"{PAGE + archive.file} cannot be fetched: Connection refused", by_hand)
    done = biggan("prepare", "cifar10", "--download", "--dry-run", "--json", env=environment, check=0)
    assert json.loads(done.stdout)["there"] is False
    done = biggan("train", "--data", "cifar10", "--outdir", tmp_path / "runs", env=environment, check=2)
    refused(done, "--data cifar10 is not in the cache", "fix: biggan prepare cifar10 --download")


def test_what_broken_pictures_are_said_to_be(biggan, tmp_path, pets):
    shutil.copytree(str(pets), str(tmp_path / "pets"))
    (tmp_path / "pets" / "dog" / "004.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    prepare = ["prepare", "pets", "--res", 32, "--out", "o"]
    done = biggan(*prepare, cwd=tmp_path, check=1)
    refused(done, "pets/dog/004.png is cut off", "or --skip-broken")
    done = biggan(*prepare, "--skip-broken", "--json", cwd=tmp_path, check=0)
    assert "warning: skipped: pets/dog/004.png is cut off" in done.stderr
    result = json.loads(done.stdout)
    assert (result["num"], result["skipped"]) == (29, 1)
