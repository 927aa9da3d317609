"""Jobs through the console script, against a stand-in for moxing: in, train, out, and whatever fails on the way."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import biggan_cli
from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints
from tests.conftest import BIGGAN, TINY, run_biggan, small_cifar10

ROOT = Path(biggan_cli.__file__).parent.parent
FAKES = Path(__file__).parent.parent / "fakes"
SIZES = TINY[2:]
RUNS = "obs://bucket/runs"
PLATFORM = ("MA_JOB_DIR", "RANK_SIZE", "RANK_TABLE_FILE", "CM_WORKER_SIZE", "MA_NUM_HOSTS")


class Job:
    """A machine with moxing: its storage, its scratch disk, and the console script there."""

    def __init__(self, place):
        self.storage, self.cache, self.place = place / "obs", place / "cache", place
        self.storage.mkdir()

    def environment(self, **more):
        path = os.pathsep.join(filter(None, [str(FAKES), str(ROOT), os.environ.get("PYTHONPATH")]))
        return dict(PYTHONPATH=path, FAKE_OBS=str(self.storage), BIGGAN_MODELARTS_CACHE=str(self.cache), **more)

    def __call__(self, *arguments, check=0, **environment):
        return run_biggan("train", *arguments, cwd=self.place, env=self.environment(**environment), check=check)

    def stored(self, name):
        return self.storage / "bucket" / "runs" / name

    def local(self):
        """The one folder of runs on the scratch disk, with one run."""
        (run,) = [path for path in self.cache.glob("runs-*/*") if (path / "config.json").is_file()]
        return run


@pytest.fixture
def job(tmp_path, monkeypatch):
    for name in PLATFORM:
        monkeypatch.delenv(name, raising=False)
    return Job(tmp_path)


def same_files(local, stored):
    """Everything but locks, and nothing more."""
    files = [
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (local, stored)
    ]
    files[0].pop(".lock", None)
    return files[0] == files[1]


def test_a_job_with_the_arguments_of_the_platform(job):
    """--data_url and --train_url, what is not ours reported in one line, and the data under their own name."""
    small_cifar10(job.storage / "data")
    arguments = [*SIZES, "--steps", 2, "--data_url=obs://data", "--train_url", RUNS + "/"]
    foreign = ["--init_method", "tcp://10.0.0.1:6666", "--rank", "-1", "--num_gpus=8", "--enable"]
    done = job(*arguments, *foreign, "--json")
    result = json.loads(done.stdout)
    assert result["run"] == f"{RUNS}/00000-cifar10-32-seed"
    assert result["checkpoint"] == f"{RUNS}/00000-cifar10-32-seed/checkpoints/model-000002"
    reported = [line for line in done.stderr.splitlines() if "ignored" in line]
    assert len(reported) == 1
    assert reported[0].endswith("--init_method tcp://10.0.0.1:6666, --rank -1, --num_gpus=8, --enable")
    stored = job.stored("00000-cifar10-32-seed")
    config = json.loads((stored / "config.json").read_text())
    assert config["config"]["train"]["data"] == "cifar10:obs://data"
    assert same_files(job.local(), stored)
    assert [path.name.partition("-")[0] for path in job.cache.iterdir()] == ["runs"]
    again = job("--resume", "latest", "--steps", 4, "--train_url", RUNS, "--dry-run", "--no-measure")
    assert f"{RUNS}/00000-cifar10-32-seed, from step 2" in again.stdout


def test_unknown_arguments_are_errors_elsewhere(job):
    for extra in (["--rank", "0"], ["--num_gpus=8"]):
        assert "is no option of biggan train" in job(*TINY, "--dry-run", "--no-measure", *extra, check=2).stderr
    on_platform = job(
        *TINY, "--dry-run", "--no-measure", "--num_gpus=8", MA_JOB_DIR="/home/ma-user/modelarts/user-job-dir"
    )
    assert "ignored: --num_gpus=8" in on_platform.stdout
    for stray in (["word"], ["--rank=0", "word"], ["-x"]):
        done = job(*TINY, "--dry-run", "--no-measure", "--train_url", RUNS, *stray, check=2)
        assert f"{stray[-1]} is one argument more than biggan train takes" in done.stderr
    done = job("--bach=3", "--batch", "many", "--train_url", RUNS, check=2)
    assert "--batch" in done.stderr


def test_own_arguments_come_first(job):
    urls = ["--data_url", "obs://data", "--train_url", "elsewhere"]
    done = job(*TINY, "--data", "digits", "--outdir", RUNS, "--dry-run", "--no-measure", *urls)
    assert "--data_url obs://data is not used: --data digits is" in done.stdout
    assert "--train_url elsewhere is not used: --outdir " + RUNS in done.stdout
    assert f"a new run in {RUNS}" in done.stdout and "4500 to train" in done.stdout
    assert not job.stored("").exists() and list(job.cache.iterdir()) == []


def test_local_folders_of_the_platform(job):
    """Newer jobs find their inputs on the disk, and leave their outputs there."""
    data = small_cifar10(job.place / "data_url_0")
    job(*SIZES, "--steps", 1, "--data_url", data, "--train_url", job.place / "train_url_0")
    assert (job.place / "train_url_0" / "00000-cifar10-32-seed" / "config.json").is_file()
    assert not job.cache.exists() and not (job.storage / "calls.txt").exists()


def test_runs_are_numbered_after_those_of_the_storage_and_resumed_from_there(job):
    """Also by s3://; a pruned checkpoint goes from the storage too; only what is new or changed is copied."""
    (job.stored("00006-other") / "checkpoints").mkdir(parents=True)
    arguments = [*TINY, "--steps", 4, "--keep-checkpoints", 1]
    job(*arguments, "--outdir", RUNS)
    stored = job.stored("00007-digits-32-digits")
    assert sorted(path.name for path in (stored / "checkpoints").glob("*.json")) == ["model-000004.json"]
    assert same_files(job.local(), stored)
    shutil.rmtree(str(job.cache))
    shutil.rmtree(str(stored / "samples"))
    (job.storage / "calls.txt").unlink()
    job("--resume", "s3://bucket/runs/00007-digits-32-digits", "--steps", 8)
    assert same_files(job.local(), stored)
    calls = (job.storage / "calls.txt").read_text().splitlines()
    assert not [call for call in calls if "reals.png" in call or ("000004" in call and call.startswith("copy "))]
    out = [call.split()[-1].rpartition("/")[2] for call in calls if call.startswith(("copy ", "remove "))]
    last = len(out) - 1 - out[::-1].index("model-000008.json")
    first = out.index("model-000008.index")
    assert first < last and out.index("model-000004.json") < out.index("model-000004.index")


def test_a_dry_run_of_resuming_from_the_storage_leaves_nothing(job, tiny_run):
    shutil.copytree(str(tiny_run), str(job.stored("00003-x")))
    done = job("--resume", "3", "--outdir", RUNS, "--steps", 6, "--dry-run", "--no-measure")
    assert f"{RUNS}/00003-x, from step 4" in done.stdout
    assert list(job.cache.iterdir()) == []
    done = job("--resume", f"{RUNS}/00003-x", "--steps", 2, check=2)
    assert f"error: {RUNS}/00003-x is finished" in done.stderr and f"--resume {RUNS}/00003-x" in done.stderr
    assert list(job.cache.iterdir()) == []


@pytest.mark.parametrize(
    "which, words",
    (
        ("7", "there is no run 7 in obs://bucket/runs"),
        ("latest", "there is no run latest"),
        ("obs://bucket/none", "there is no run obs://bucket/none"),
        ("obs://bucket", "is a bucket, not a run"),
        ("00001-x", "there is no run obs://bucket/runs/00001-x"),
    ),
)
def test_no_such_run_in_the_storage(job, which, words):
    assert words in job("--resume", which, "--outdir", RUNS, check=2).stderr


def test_a_local_run_goes_on_where_it_is_and_is_copied_under_a_free_name(job, tiny_run):
    """The first copy fails, and the next makes up for it."""
    local = job.place / tiny_run.name
    shutil.copytree(str(tiny_run), str(local))
    job.stored(tiny_run.name).mkdir(parents=True)
    done = job("--resume", local, "--steps", 6, "--train_url", RUNS, FAKE_MOXING_FAIL="out#1")
    assert done.stderr.count("warning: not copied") == 1
    assert checkpoints.find(RunDir(local)).step == 6
    assert list(job.stored(tiny_run.name).iterdir()) == []
    assert same_files(local, job.stored("00001-digits-32-digits"))


def test_every_copy_out_fails(job):
    """Training goes on; each failure is a warning that names the run; at the end the command fails."""
    done = job(*TINY, "--steps", 4, "--outdir", RUNS, FAKE_MOXING_FAIL="out", check=1)
    local = job.local()
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: not copied")]
    assert len(warnings) == 3 and all(str(local) in line and "AccessDenied" in line for line in warnings)
    assert "error: training is done, and its last copy failed" in done.stderr and done.stdout == ""
    assert f"hint: the whole run is in {local}" in done.stderr and f"copy_parallel('{local}', '{RUNS}/" in done.stderr
    assert checkpoints.find(RunDir(local)).step == 4
    assert "warning: not copied" in (local / "log.txt").read_text()


def test_what_a_killed_job_leaves_is_the_checkpoint_before(job):
    """The record of a checkpoint comes last: without its files there is none."""
    failing = "out:model-000004.index"
    done = job(*TINY, "--steps", 4, "--outdir", RUNS, FAKE_MOXING_FAIL=failing, check=1)
    assert "model-000004.index" in done.stderr
    assert checkpoints.find(RunDir(job.stored("00000-digits-32-digits"))).step == 2


def test_training_that_fails_is_copied_out_and_its_error_stays(job):
    arguments = [*TINY, "--log-every", 1, "--g-lr", "1e30", "--d-lr", "1e30", "--steps", 50, "--outdir", RUNS]
    done = job(*arguments, check=1)
    assert "error: a loss or gradient is not finite" in done.stderr
    stored = job.stored("00000-digits-32-digits")
    assert "error: a loss or gradient is not finite" in (stored / "log.txt").read_text()
    assert same_files(job.local(), stored)


@pytest.mark.parametrize("failing", ("", "out"))
def test_an_interrupted_job_is_copied_out(job, failing):
    command = [BIGGAN, "train", *TINY, "--save-every", "100000", "--steps", "100000", "--outdir", RUNS]
    environment = dict(os.environ, **job.environment(FAKE_MOXING_FAIL=failing))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        for line in process.stderr:
            if line.startswith(b"step 4/"):
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read().decode()
        assert process.wait(timeout=120) == 143, rest
    assert re.findall("^error: (.*) at step", rest, re.MULTILINE) == ["interrupted"]
    if failing:
        assert f"the whole run is in {job.local()}" in rest and f"fix: biggan train --resume {job.local()}" in rest
        return
    stored = job.stored("00000-digits-32-digits")
    assert f"fix: biggan train --resume {RUNS}/00000-digits-32-digits" in rest
    assert checkpoints.find(RunDir(stored)).step >= 4 and same_files(job.local(), stored)


@pytest.fixture
def stored_data(job):
    """CIFAR-10 in the storage with files missing, and with a damaged one."""
    part, damaged = job.storage / "data" / "part", job.storage / "data" / "damaged"
    damaged.parent.mkdir()
    small_cifar10(damaged)
    part.mkdir()
    shutil.copy(str(damaged / "test_batch.mat"), str(part))
    (damaged / "data_batch_1.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(128, b"\0"))


@pytest.mark.usefixtures("stored_data")
@pytest.mark.parametrize(
    "arguments, code, words",
    (
        (["--data", "obs://data/none"], 2, ["obs://data/none is not there"]),
        (["--data", "cifar10:obs://"], 2, ["--data obs:// names no bucket"]),
        (["--data", "obs://data/part"], 2, ["--data cifar10:obs://data/part lacks 5 of its 6 files"]),
        (["--data", "obs://data/damaged"], 1, ["obs://data/damaged/data_batch_1.mat is cut off"]),
        (["--data", "digits", "--outdir", "obs:/bucket/x"], 2, ["--outdir obs:/bucket/x names no bucket"]),
    ),
)
def test_places_that_cannot_be(job, arguments, code, words):
    done = job(*arguments, check=code)
    assert "error: " in done.stderr and done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert not job.cache.exists() or list(job.cache.iterdir()) == []


def test_without_moxing_or_a_scratch_disk(job, biggan):
    environment = job.environment()
    without = dict(environment, PYTHONPATH=str(ROOT))
    for arguments in (["--data", "obs://data"], [*TINY, "--outdir", RUNS], ["--resume", RUNS + "/00000-x"]):
        done = biggan("train", *arguments, env=without, cwd=job.place, check=4)
        assert "obs:// and s3:// need moxing" in done.stderr and "fix: run it on ModelArts" in done.stderr
    assert not job.cache.exists()
    if not os.path.isdir("/cache"):
        del environment["BIGGAN_MODELARTS_CACHE"]
        done = biggan("train", *TINY, "--outdir", RUNS, env=environment, cwd=job.place, check=4)
        assert "error: /cache" in done.stderr and "set BIGGAN_MODELARTS_CACHE" in done.stderr


def test_the_rank_table_of_a_job(job):
    on = dict(MA_JOB_DIR="/home/ma-user/modelarts/user-job-dir")
    device = dict(device_id="0", device_ip="192.1.13.195")
    instance = dict(pod_name="job-0", server_id="192.168.0.25", devices=[device])
    table = dict(status="completed", group_count="1", group_list=[dict(group_name="job", instance_list=[instance])])
    path = job.place / "table.json"

    def tried(check, **environment):
        path.write_text(json.dumps(table))
        return job(*TINY, "--dry-run", "--no-measure", check=check, **on, **environment).stderr

    tried(0, RANK_TABLE_FILE=str(path), RANK_SIZE="1")
    assert "RANK_SIZE=8, and there is no rank table: biggan trains on one device" in tried(2, RANK_SIZE="8")
    instance["devices"].append(device)
    assert f"the rank table {path} has 2 devices: biggan" in tried(2, RANK_TABLE_FILE=str(path))
    del instance["devices"]
    assert f"the rank table {path} is malformed: devices of group_list[0]" in tried(2, RANK_TABLE_FILE=str(path))
