"""Training through the console script: what a run leaves, exact resume, interruption."""

import json
import re
import shutil
import signal
import subprocess

import pytest

from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints
from tests.conftest import BIGGAN, TINY, read_picture


def values_of(run):
    return checkpoints.read(checkpoints.find(RunDir(run)).prefix)


def only_run(outdir):
    (run,) = [path for path in outdir.iterdir() if path.is_dir()]
    return run


def test_what_a_run_leaves(tiny_run):
    assert tiny_run.name == "00000-digits-32-digits"
    config = json.loads((tiny_run / "config.json").read_text())
    assert config["config"]["model"]["base_channels"] == 2
    assert config["class_names"][3] == "three" and len(config["data_digest"]) == 64
    records = [json.loads(line) for line in (tiny_run / "stats.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4]
    assert {"d_loss", "g_loss", "real_logit", "fake_logit", "d_grad_norm", "seconds_per_step"} <= set(records[0])
    log = (tiny_run / "log.txt").read_text()
    assert "step 4/4" in log and "parameters" in log and "three  450" in log
    assert read_picture(tiny_run / "reals.png").shape[1] > 640
    assert read_picture(tiny_run / "samples" / "step_000004.png").shape[0] == 640
    assert list(tiny_run.glob("events.*"))
    names = sorted(path.name for path in (tiny_run / "checkpoints").glob("model-*") if "standing" not in path.name)
    endings = ("data-00000-of-00001", "index", "json")
    assert names == [f"model-{step:06d}.{ending}" for step in (2, 4) for ending in endings]
    record = json.loads((tiny_run / "checkpoints" / "model-000004.json").read_text())
    assert record["run"] == config and record["step"] == 4


def test_train_40_equals_train_20_and_resume_20(biggan, tmp_path):
    """Bit for bit: weights, averages, Adam, power iteration, moving averages, step; and the same records."""
    settings = [*TINY, "--d-steps", 2, "--save-every", 20, "--log-every", 10]
    biggan("train", *settings, "--steps", 40, "--outdir", tmp_path / "whole", check=0)
    biggan("train", *settings, "--steps", 20, "--outdir", tmp_path / "parts", check=0)
    biggan("train", "--resume", "latest", "--steps", 40, "--outdir", tmp_path / "parts", check=0)
    whole, parts = only_run(tmp_path / "whole"), only_run(tmp_path / "parts")
    expected, resumed = values_of(whole), values_of(parts)
    assert set(expected) == set(resumed)
    kinds = ("ema/", "/Adam", "/Adam_1", "sn_u", "moving_mean", "beta2_power", "step")
    assert all(any(kind in name for name in expected) for kind in kinds)
    different = [name for name in expected if expected[name].tobytes() != resumed[name].tobytes()]
    assert different == []

    def records(run):
        timeless = []
        for line in (run / "stats.jsonl").read_text().splitlines():
            record = json.loads(line)
            timeless.append(
                {name: record[name] for name in record if "second" not in name and name != "resident_bytes"}
            )
        return timeless

    assert records(parts) == records(whole)


def test_interrupted_training_saves_and_says_how_to_go_on(biggan, tmp_path):
    """By a scheduler, without a terminal and after SIGUSR1, which only saves; then, when it goes on, by Ctrl-C."""
    arguments = [*TINY, "--save-every", "100000", "--outdir", str(tmp_path)]
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        command = [BIGGAN, "train", *arguments, "--steps", "100000"]
        pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with subprocess.Popen(command, start_new_session=True, **pipes) as process:
            for line in process.stderr:
                if re.match(rb"step \d+/", line) and number == signal.SIGTERM:
                    process.send_signal(signal.SIGUSR1)
                    break
                if re.match(rb"step \d+/", line):
                    process.send_signal(number)
                    break
            saved, ticks = False, 0
            for line in process.stderr if number == signal.SIGTERM else ():
                saved, ticks = saved or line.startswith(b"saved "), ticks + (saved and line.startswith(b"step "))
                if ticks:  # it went on
                    state = json.loads((only_run(tmp_path) / "state.json").read_text())
                    assert state["state"] == "running" and state["pid"] == process.pid
                    assert RunDir(only_run(tmp_path)).is_held().startswith(f"process {process.pid} on ")
                    process.send_signal(number)
                    break
            rest = process.stderr.read().decode()
            assert process.wait(timeout=120) == code
        run = only_run(tmp_path)
        saved = checkpoints.find(RunDir(run))
        assert saved.step >= 2
        assert f"error: interrupted at step {saved.step} of 100000" in rest
        assert f"fix: biggan train --resume {run}" in rest
        state = json.loads((run / "state.json").read_text())
        assert (state["state"], state["step"], state["steps"]) == ("stopped", saved.step, 100000)
        assert RunDir(run).is_held() is None
        arguments = ["--resume", str(run), "--save-every", "100000"]
    biggan("train", "--resume", run, "--steps", saved.step + 2, check=0)
    assert checkpoints.find(RunDir(run)).step == saved.step + 2
    steps = [json.loads(line)["step"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and all(step % 2 == 0 for step in steps[:-1])


def test_a_run_that_was_stopped_before_its_first_checkpoint_starts_again(biggan, tiny_run, tmp_path):
    run = tmp_path / tiny_run.name
    shutil.copytree(str(tiny_run), str(run))
    shutil.rmtree(str(run / "checkpoints"))
    (run / "reals.png").unlink()
    done = biggan("train", "--resume", run, check=0)
    assert "from step 0" in done.stderr and "has records up to step 4 and no checkpoint" in done.stderr
    assert (run / "stats-1.jsonl").read_bytes() == (tiny_run / "stats.jsonl").read_bytes()
    assert (run / "reals.png").read_bytes() == (tiny_run / "reals.png").read_bytes()
    again, before = values_of(run), values_of(tiny_run)
    assert all(again[name].tobytes() == before[name].tobytes() for name in before)
    assert len((run / "stats.jsonl").read_text().splitlines()) == 2


def test_a_run_that_was_killed_after_its_last_step_is_brought_to_its_end(biggan, tiny_run, tmp_path):
    """All is saved, and nobody wrote that it is over; a damaged mark of the best is put aside on the way."""
    run = tmp_path / tiny_run.name
    shutil.copytree(str(tiny_run), str(run))
    state = json.loads((run / "state.json").read_text())
    (run / "state.json").write_text(json.dumps(dict(state, state="running")))
    (run / "checkpoints" / "best-fid.json").write_text("{")
    done = biggan("train", "--resume", run, check=0)
    assert "best-fid.json was damaged, and is kept aside" in done.stderr
    assert json.loads((run / "state.json").read_text())["state"] == "finished"
    assert (run / "stats.jsonl").read_bytes() == (tiny_run / "stats.jsonl").read_bytes()
    assert "is finished" in biggan("train", "--resume", run, check=2).stderr


def test_a_dry_run_shows_the_plan_and_leaves_nothing(biggan, tmp_path):
    done = biggan("train", "--preset", "digits", "--dry-run", "--no-measure", cwd=tmp_path, check=0)
    assert done.stderr == ""
    for words in ("4500 to train, 500 held out", "204,668 parameters", "zero", "batch 32", "truncation 2"):
        assert words in done.stdout
    shown = json.loads(
        biggan("train", "--preset", "digits", "--dry-run", "--no-measure", "--json", cwd=tmp_path, check=0).stdout
    )
    assert shown["plan"]["config"]["train"]["batch"] == 32
    assert list(tmp_path.iterdir()) == []


def test_results_go_to_stdout_and_the_rest_to_stderr(biggan, tmp_path):
    arguments = [*TINY, "--steps", 2, "--outdir", tmp_path, "--json"]
    done = biggan("train", *arguments, check=0)
    result = json.loads(done.stdout)
    assert result["step"] == 2 and result["run"] == str(only_run(tmp_path))
    assert "step 2/2" in done.stderr


def test_data_from_the_environment(biggan, tmp_path):
    done = biggan("train", "--dry-run", "--no-measure", env={"BIGGAN_DATA": "digits"}, cwd=tmp_path, check=0)
    assert "4500 to train" in done.stdout and "10,315,428 parameters" in done.stdout
    done = biggan("train", env={"BIGGAN_DATA": "mnist"}, cwd=tmp_path, check=2)
    assert "error: --data mnist is not a data set" in done.stderr and "is from BIGGAN_DATA" in done.stderr


def test_a_dry_run_of_resuming_leaves_nothing(biggan, tiny_run):
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")}
    assert "from step 4" in biggan("train", "--resume", tiny_run, "--steps", 6, "--dry-run", check=0).stdout
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")} == before


def test_the_latest_run_goes_on_also_without_a_checkpoint(biggan, tiny_run, tmp_path):
    """The one before it has some: to go on with that would leave the run that was just stopped."""
    for name in ("00000-digits-32-digits", "00001-digits-32-digits"):
        shutil.copytree(str(tiny_run), str(tmp_path / "runs" / name))
    shutil.rmtree(str(tmp_path / "runs" / "00001-digits-32-digits" / "checkpoints"))
    done = biggan("train", "--resume", "latest", "--dry-run", "--no-measure", cwd=tmp_path, check=0)
    assert "runs/00001-digits-32-digits, from step 0: it has no checkpoint yet" in " ".join(done.stdout.split())


def test_a_dry_run_refuses_what_training_refuses(biggan, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments, code in ((["--device", "gpu"], 4), (["--outdir", tmp_path / "file" / "runs"], 2)):
        environment = {"CUDA_VISIBLE_DEVICES": "-1"}
        biggan("train", "--preset", "digits", "--dry-run", *arguments, env=environment, cwd=tmp_path, check=code)


def test_training_goes_on_when_nobody_listens(tmp_path):
    """A pipe that closes, as with ``2>&1 | head``, ends the words and nothing else."""
    command = [BIGGAN, "train", *TINY, "--log-every", "1", "--steps", "9", "--outdir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        process.stderr.readline()
        process.stderr.close()
        assert process.wait(timeout=120) == 0
    run = only_run(tmp_path)
    assert checkpoints.find(RunDir(run)).step == 9
    assert "step 9/9" in (run / "log.txt").read_text()


def test_an_interrupt_before_the_first_step_names_the_way_on(biggan, tmp_path):
    command = [BIGGAN, "train", *TINY, "--steps", "2", "--outdir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if line.startswith(b"building"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read().decode()
        assert process.wait(timeout=120) == 130, rest
    run = only_run(tmp_path)
    assert "Traceback" not in rest and f"fix: biggan train --resume {run}" in rest
    assert "error: interrupted" in (run / "log.txt").read_text()
    refused = biggan("sample", "--outdir", tmp_path, check=2).stderr
    assert f"no run in {tmp_path} has a checkpoint" in refused


@pytest.mark.slow
def test_another_resolution(biggan, tmp_path):
    """One step and its grid: both networks, the sampler and the resized data at that size."""
    biggan("train", *TINY, "--base-channels", 8, "--res", 128, "--steps", 1, "--outdir", tmp_path, check=0)
    run = only_run(tmp_path)
    assert run.name == "00000-digits-128-digits"
    assert read_picture(run / "samples" / "step_000001.png").shape[0] == 10 * 128
