"""Runs seen from outside through the console script: runs, watch, compare, and the plan of a dry run."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from biggan_cli.rundir import RunDir
from biggan_cli.runtime.tf import tf
from tests.conftest import BIGGAN, TINY
from tests.runs import add_score, make_run, set_state


@pytest.fixture
def runs(tiny_runs, tmp_path):
    """The trained run of four steps, and with it a failed one and a damaged one."""
    shutil.copytree(str(tiny_runs), str(tmp_path / "runs"))
    failed = make_run(tmp_path / "runs", "00007-digits-32-digits", recorded=(2, 4))
    set_state(failed, "failed", step=4, why="a loss or gradient is not finite at step 5")
    (tmp_path / "runs" / "00008-digits-32-digits").mkdir()
    return tmp_path / "runs"


def test_the_table_fits_a_terminal(biggan, runs):
    done = biggan("runs", cwd=runs.parent, check=0)
    lines = done.stdout.splitlines()
    assert len(lines) == 6 and max(map(len, lines)) <= 80
    assert lines[1].split()[:5] == ["0", "digits-32-digits", "digits", "finished", "4/4"]
    assert "failed" in lines[2] and lines[3].strip() == "a loss or gradient is not finite at step 5"
    assert "damaged" in lines[4] and "config.json is missing" in lines[5]
    shown = json.loads(biggan("runs", "--outdir", runs, "--json", check=0).stdout)
    assert [run["state"] for run in shown["runs"]] == ["finished", "failed", "damaged"]
    none = biggan("runs", cwd=runs.parent / "runs" / "00008-digits-32-digits", check=0)
    assert "there is no run in runs" in none.stdout


def test_looking_at_runs_loads_nothing_heavy(runs):
    """Hundreds of runs in a moment: TensorFlow alone takes seconds."""
    code = (
        "import sys, atexit\n"
        f"sys.argv = ['biggan', 'runs', '--outdir', {str(runs)!r}]\n"
        "atexit.register(lambda: print('HEAVY', [m for m in ('tensorflow', 'scipy', 'PIL') if m in sys.modules]))\n"
        "from biggan_cli.cli.app import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert "HEAVY []" in done.stdout.decode(), done.stderr


def test_watching_ends_as_the_run_did(biggan, runs):
    done = biggan("watch", 0, "--outdir", runs, check=0)
    first, last = done.stdout.splitlines()
    assert first.startswith("step 4/4  D ") and last.endswith("finished at step 4 of 4")
    done = biggan("watch", 7, "--outdir", runs, check=1)
    assert "failed at step 4 of 400: a loss or gradient is not finite at step 5" in done.stderr
    view = biggan("watch", 7, "--once", "--outdir", runs, check=0).stdout
    assert "4/400" in view and "D loss" in view
    assert "there is no run 9" in biggan("watch", 9, "--outdir", runs, check=2).stderr


def test_a_watcher_leaves_and_the_run_does_not_notice(runs):
    run = RunDir(runs / "00007-digits-32-digits")
    set_state(run, "running")
    with run.lock():
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            command = [BIGGAN, "watch", str(run)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                assert process.stdout.readline().startswith(b"step 4/400")
                process.send_signal(number)
                stderr = process.stderr.read()
                assert process.wait(timeout=60) == code and b"Traceback" not in stderr
        assert run.is_held()


def test_compared_side_by_side(biggan, runs):
    for step, fid in ((2, 4.0), (4, 3.0)):
        add_score(RunDir(runs / "00007-digits-32-digits"), step, fid=fid)
    add_score(next(map(RunDir, runs.glob("00000-*"))), 4, fid=5.0)
    done = biggan("compare", 0, 7, "--outdir", runs, check=0)
    words = " ".join(done.stdout.split())
    assert "--batch 4 32" in words and "at step 4 A B" in words and "last 5 at 4 3 at 4" in words
    assert "B is ahead in FID at step 4: A 5, B 3" in words
    assert max(map(len, done.stdout.splitlines())) <= 80 + len(str(runs))
    shown = json.loads(biggan("compare", 0, 7, "--step", 3, "--outdir", runs, "--json", check=0).stdout)
    assert shown["record_steps"] == [2, 2] and shown["ahead"]["label"] == "B"
    assert "one run alone" in biggan("compare", 0, "--outdir", runs, check=2).stderr


def test_the_plan_has_what_a_few_steps_take(biggan, tiny_run, tmp_path):
    plan = json.loads(biggan("train", *TINY, "--steps", 400, "--dry-run", "--json", cwd=tmp_path, check=0).stdout)
    measured, disk = plan["measured"], plan["disk"]
    assert len(measured["seconds_of_steps"]) == 3 and 1e8 < measured["memory_bytes"] < 1e11
    steps = 400 * measured["seconds_per_step"] + 200 * measured["checkpoint_seconds"]
    assert plan["predicted_hours"] * 3600 >= steps and plan["flops_per_step"] > 1e7
    # Statistics that a sampler keeps beside a checkpoint are none of it.
    endings = ("data-00000-of-00001", "index", "json")
    sizes = [(tiny_run / "checkpoints" / f"model-000004.{ending}").stat().st_size for ending in endings]
    data, real = sizes[0], sum(sizes)
    assert plan["variables_bytes"]["all"] == data and abs(disk["checkpoint_bytes"] / real - 1) < 0.05
    assert disk["checkpoints"] == 7 and disk["checkpoints_bytes"] == 8 * disk["checkpoint_bytes"]
    assert disk["grids"] == 4 and disk["records"] == 200 and disk["free_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_no_measure_is_for_dry_runs(biggan, tmp_path):
    done = biggan("train", *TINY, "--dry-run", "--no-measure", cwd=tmp_path, check=0)
    assert "not measured: --no-measure" in done.stdout and "GFLOP" not in done.stdout and done.stderr == ""
    assert "--no-measure is for --dry-run" in biggan("train", *TINY, "--no-measure", cwd=tmp_path, check=2).stderr


def test_tensorboard_has_the_grids(tiny_run):
    pictures = {}
    for events in tiny_run.glob("events.*"):
        for event in tf.train.summary_iterator(str(events)):
            for value in event.summary.value:
                if value.HasField("image"):
                    pictures[value.tag, event.step] = value.image
    assert set(pictures) == {("reals", 0), ("samples", 4)}
    for picture in pictures.values():
        assert picture.encoded_image_string[:3] == b"\xff\xd8\xff" and max(picture.width, picture.height) == 640
        assert len(picture.encoded_image_string) < 300000


def test_records_have_times_and_memory(tiny_run):
    for line in (tiny_run / "stats.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert record["epoch_seconds"] > 1.7e9 and 5e7 < record["resident_bytes"] < 1e11
