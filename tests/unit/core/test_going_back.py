"""A run that goes back, scored as it trains: exact resume after it, what is on record, and the scores' numbers.

Only that the run is spoilt is made up, at step 6; training, checkpoints, scores and the way back are real.
"""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from biggan_cli import config as configs
from biggan_cli.core import score, train
from biggan_cli.core.reporting import silent
from biggan_cli.rundir import RunDir
from biggan_cli.settings import DrawConfig, NpuConfig, PicturesConfig, ScoreConfig
from biggan_cli.training import checkpoints
from biggan_cli.training.monitors import Collapsed, Monitors

NETWORK = dict(data="digits", base_channels=2, z_dim=8, shared_dim=4, batch=4, d_steps=1, steps=8)
RECORDS = dict(save_every=2, log_every=2, sample_every=3, keep_checkpoints=2)
WATCHING = dict(score_every=4, score_num=100, on_collapse="rollback")


@pytest.fixture(scope="module")
def went_back(tmp_path_factory):
    """``run``, which was spoilt at step 6 and went back; ``killed``, the same as it was at step 5 after that."""
    folder = tmp_path_factory.mktemp("back")
    look = Monitors.look

    def spoilt_once(self, step, *arguments):
        if self._train.rollbacks == 0 and step == 6:
            raise Collapsed("won", "the discriminator has won, at step 6", 6, last_good=3)
        if self._train.rollbacks == 1 and step == 5 and not (folder / "killed").exists():
            (run,) = (folder / "runs").glob("0*")
            shutil.copytree(str(run), str(folder / "killed" / run.name))
        look(self, step, *arguments)

    patch = pytest.MonkeyPatch()
    patch.setattr(Monitors, "look", spoilt_once)
    patch.setenv("BIGGAN_CACHE", str(folder / "cache"))
    config = configs.resolve("digits", dict(NETWORK, **RECORDS, **WATCHING))
    result = train.start(config, NpuConfig(), folder / "runs", False, silent)
    (killed,) = (folder / "killed").iterdir()
    yield SimpleNamespace(run=RunDir(Path(result.run)), killed=RunDir(killed))
    patch.undo()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_goes_on_from_before_the_first_sign(went_back):
    run = went_back.run
    assert [(record["step"], record.get("rollback")) for record in lines(run.stats)] == [
        *((2, None), (2, 1), (4, None), (6, None), (8, None))
    ]
    entry = lines(run.stats)[1]
    assert (entry["from_step"], entry["monitor"]) == (6, "won") and entry["why"].startswith("the discriminator")
    assert (entry["g_lr"], entry["d_lr"]) == (0.5e-3, 1e-3)
    assert json.loads(run.config.read_text())["config"]["train"]["rollbacks"] == 1
    log = run.log.read_text()
    assert "warning: the discriminator has won, at step 6" in log
    assert "rollback 1 of 3: from step 6 back to step 2, with other data and 0.5 of the rates" in log


def test_what_came_after_is_set_aside(went_back):
    folder = went_back.run.path / "rolled-back" / "1"
    assert [record["step"] for record in lines(folder / "stats.jsonl")] == [4]
    assert {path.name for path in (folder / "checkpoints").glob("*.json")} == {"model-000004.json"}
    grids = {path.name for path in went_back.run.samples.iterdir()}  # drawn once more, over nothing
    assert grids == {f"step_{name}.png" for name in ("000003", "000003-2", "000006", "000008")}
    places = (folder / "checkpoints", went_back.run.checkpoints)
    before, after = (checkpoints.read(place / "model-000004") for place in places)
    assert before["generator/conv/w"].tobytes() != after["generator/conv/w"].tobytes()


def test_resuming_after_it_equals_going_on(went_back, tmp_path):
    """From the files that a process leaves which is killed right after the rollback, before the next checkpoint."""
    killed = went_back.killed
    assert checkpoints.find(killed).step == 4
    for path in killed.checkpoints.glob("model-000004*"):
        path.unlink()
    train.resume(str(killed), {}, NpuConfig(), None, None, tmp_path, False, silent)
    expected, resumed = (checkpoints.read(checkpoints.find(run).prefix) for run in (went_back.run, killed))
    assert [name for name in expected if expected[name].tobytes() != resumed[name].tobytes()] == []
    watched = [checkpoints.find(run).record["watch"] for run in (went_back.run, killed)]
    assert watched[0] == watched[1]

    def timeless(run):
        own = ("second", "bytes")
        return [
            {name: record[name] for name in record if not any(word in name for word in own)}
            for record in lines(run.stats)
        ]

    assert timeless(went_back.run) == timeless(killed)
    places = [(record["samples"]["step"], record["training"]["rollbacks"]) for record in lines(killed.score)]
    assert places == [(4, 0), (4, 1), (8, 1)]  # nothing twice: what was scored before the kill is known


def test_a_score_in_training_is_that_of_the_command(went_back):
    run = went_back.run
    kept = lines(run.score)
    assert [(record["samples"]["step"], record["training"]["rollbacks"]) for record in kept] == [(4, 0), (4, 1), (8, 1)]
    for record in kept[1:]:
        draw = DrawConfig(checkpoint=str(record["samples"]["step"]))
        pictures = PicturesConfig(what=str(run), draw=draw, num=100)
        (again,) = score.score(ScoreConfig(pictures=pictures), silent).scores
        assert again["fid"] == record["fid"] and again["inception_score"] == record["inception_score"]
        assert again["reference"] == record["reference"] and again["samples"] == record["samples"]
        assert record["comparable"] is False and again["why_incomparable"] == record["why_incomparable"]


def test_the_best_is_that_of_what_was_not_set_aside(went_back):
    kept = lines(went_back.run.score)[1:3]
    best = checkpoints.best(went_back.run)
    by_fid = min(kept, key=lambda record: record["fid"]["value"])
    assert (best["fid"]["step"], best["fid"]["value"]) == (by_fid["samples"]["step"], by_fid["fid"]["value"])
    by_is = max(kept, key=lambda record: record["inception_score"]["mean"])
    assert (best["is"]["step"], best["is"]["value"]) == (by_is["samples"]["step"], by_is["inception_score"]["mean"])
