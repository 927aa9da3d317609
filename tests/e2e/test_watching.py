"""Runs that watch themselves, through the console script: what is not finite, a collapse, patience."""

import json
import re

from biggan_cli.rundir import RunDir
from biggan_cli.training import checkpoints
from tests.conftest import TINY
from tests.e2e.test_train import only_run


def test_what_is_not_finite_goes_back_as_often_as_it_may(biggan, tmp_path):
    """Rates that half of is too much as well."""
    rates = ["--g-lr", "1e30", "--d-lr", "1e30", "--log-every", 1]
    rollback = ["--on-collapse", "rollback", "--max-rollbacks", 1]
    done = biggan("train", *TINY, *rates, *rollback, "--save-every", 1, "--steps", 50, "--outdir", tmp_path, check=1)
    run = only_run(tmp_path)
    assert "rollback 1 of 1: from step" in done.stderr and "with other data and 0.5 of the rates" in done.stderr
    error = done.stderr[done.stderr.index("error: ") :]
    assert error.startswith("error: a loss or gradient is not finite at step ")
    assert "the run went back 1 time, and --max-rollbacks is 1" in error
    assert f"fix: biggan train --resume {run} --max-rollbacks 2" in error
    assert f"hint: the last good checkpoint is {run}/checkpoints/model-" in error
    assert json.loads((run / "config.json").read_text())["config"]["train"]["rollbacks"] == 1
    assert error.splitlines()[0].partition("error: ")[2] in (run / "log.txt").read_text()


def test_a_collapse_ends_a_run_that_is_told_so(biggan, tmp_path):
    """A rate of the generator that is a thousand times too large, against a discriminator that is slow."""
    rates = ["--g-lr", 1, "--d-lr", 1e-4, "--on-collapse", "stop", "--save-every", 1, "--keep-checkpoints", 2]
    done = biggan("train", *TINY, *rates, "--steps", 400, "--outdir", tmp_path, check=1)
    run = RunDir(only_run(tmp_path))
    error = done.stderr[done.stderr.index("error: ") :]
    assert error.startswith("error: the generator has collapsed: its pictures of a ")
    since, step = (int(number) for number in re.search(r"less and less since (\d+), at step (\d+)\n", error).groups())
    good = f"{run.checkpoint_prefix(since - 2)}"
    assert 1 < since < step < 200 and f"hint: the last good checkpoint is {good}; a smaller --g-lr" in error
    assert f"fix: biggan train --resume {run} --on-collapse rollback" in error
    kept = checkpoints.steps(run)  # what is good outlives those that may not be
    assert since - 2 in kept and kept[-2:] == [step - 2, step - 1] and len(kept) <= 5


def test_patience_finishes_a_run(biggan, tmp_path):
    """A generator that stands still but for its power iterations, which end: no score is better for long."""
    still = ["--g-lr", "1e-30", "--score-every", 2, "--score-num", 100, "--patience", 1]
    environment = dict(BIGGAN_CACHE=str(tmp_path / "cache"))
    done = biggan("train", *TINY, *still, "--steps", 50, "--outdir", tmp_path / "runs", env=environment, check=0)
    run = RunDir(only_run(tmp_path / "runs"))
    lines = [json.loads(line) for line in run.score.read_text().splitlines()]
    steps, fids = ([line["samples"]["step"] for line in lines], [line["fid"]["value"] for line in lines])
    last = steps[-1]
    assert steps == list(range(2, last + 1, 2)) and last < 50
    assert fids[-1] >= fids[-2] and fids[:-1] == sorted(fids[:-1], reverse=True)
    why = f"1 score without a better FID than {fids[-2]:.3f} of step {last - 2}"
    assert f"finished at step {last}: {why}" in done.stderr and f"finished_by  {why}" in done.stdout
    assert json.loads(run.state.read_text())["why"] == why
    assert f"score at step 2: digit IS {lines[0]['inception_score']['mean']:.3f} ± " in done.stderr
    assert f"digit FID {fids[0]:.3f} (best {fids[0]:.3f} at 2)" in done.stderr
    assert checkpoints.best(run)["fid"]["step"] == last - 2 == checkpoints.find(run, "best-fid").step
    grid = run.sample_grid(last).read_bytes()
    run.sample_grid(last).unlink()  # killed before it was drawn
    again = biggan("train", "--resume", run, env=environment, check=0)
    assert run.sample_grid(last).read_bytes() == grid
    assert f"finished at step {last}: {why}" in again.stderr
    assert len(run.score.read_text().splitlines()) == len(lines)
    biggan("train", "--resume", run, "--patience", 0, "--score-every", 0, "--steps", last + 2, check=0)
    assert checkpoints.find(run).step == last + 2
