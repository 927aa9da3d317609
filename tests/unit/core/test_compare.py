"""Runs side by side."""

import json

import pytest
from typer.testing import CliRunner

from biggan_cli.cli.app import app
from biggan_cli.core.compare import compare
from biggan_cli.errors import StepFailed, UsageError
from tests.runs import add_records, add_score, make_run


def two(tmp_path, first=range(10, 110, 10), second=range(25, 151, 25), **values):
    a = make_run(tmp_path, "00000-a", "stopped", recorded=first)
    b = make_run(tmp_path, "00001-b", "running", recorded=second, g_lr=5e-4, **values)
    return a, b


def compared(tmp_path, *which, step=None):
    return compare(which or ("0", "1"), tmp_path, step)


def test_at_the_last_step_that_both_have(tmp_path):
    two(tmp_path)
    found = compared(tmp_path)
    assert (found.steps, found.at, found.record_steps) == ([50, 100], 100, [100, 100])
    assert found.values["d_loss"] == [1.0, 1.0] and list(found.course) == [50, 100]
    assert found.values["training_seconds"] == [75.0, 75.0]  # what the last records say
    assert found.differences == dict(g_lr=[0.001, 0.0005]) and found.notes == []
    assert [run["state"] for run in found.runs] == ["stopped", "stopped"]
    assert found.ahead["label"] is None and "losses do not tell" in found.ahead["words"]


def test_at_a_step_of_ones_own(tmp_path):
    two(tmp_path)
    found = compared(tmp_path, step=60)
    assert (found.at, found.record_steps) == (60, [60, 50])
    assert "A at 60, B at 50" in found.notes[0]
    assert compared(tmp_path, step=5000).record_steps == [100, 150]
    assert compared(tmp_path, step=20).record_steps == [20, 25]


def test_runs_without_a_common_step(tmp_path):
    two(tmp_path, (10, 20), (15, 35))
    found = compared(tmp_path)
    assert (found.steps, found.at, found.record_steps) == ([], 20, [20, 15]) and len(found.notes) == 1
    assert found.notes[0].startswith("there is no step that all have a record of")
    assert "A at 20, B at 15" in found.notes[0] and found.course == {}


def test_a_run_that_ends_before_the_other_has_its_first_record(tmp_path):
    """Each at what it has that comes nearest, its scores too."""
    a, b = two(tmp_path, (4, 8), (30, 60), batch=16)
    add_score(a, 8, fid=4.0)
    add_score(b, 30, fid=3.0)
    add_score(b, 60, fid=1.0)
    found = compared(tmp_path)
    assert (found.at, found.record_steps) == (8, [8, 30]) and "A at 8, B at 30" in found.notes[-1]
    assert found.values["training_seconds"] == [6.0, 22.5]
    (row,) = found.scores
    assert row["last"] == [dict(value=4.0, step=8), dict(value=3.0, step=30)]
    assert found.ahead["words"] == "B is ahead in FID at their best: A 4, B 1"


def test_who_is_ahead(tmp_path):
    """By scores measured alike: first at the same step, then the best ones."""
    a, b = two(tmp_path)
    add_score(a, 50, fid=4.0, inception_score=2.0)
    assert compared(tmp_path).ahead["label"] is None
    add_score(b, 50, fid=1.0, count=77)
    assert compared(tmp_path).ahead["label"] is None
    add_score(b, 75, fid=3.0)
    best = compared(tmp_path).ahead
    assert best["label"] == "B" and "FID at their best: A 4, B 3" in best["words"]
    add_score(b, 50, fid=5.0, inception_score=3.0)
    assert compared(tmp_path).ahead["label"] == "B" and compared(tmp_path, step=60).ahead["label"] == "A"
    found = compared(tmp_path, step=60).scores
    (row,) = [row for row in found if row["score"] == "fid" and row["count"] == 100]
    assert row["last"] == [dict(value=4.0, step=50), dict(value=5.0, step=50)]
    assert row["best"] == [dict(value=4.0, step=50), dict(value=3.0, step=75)]
    add_score(a, 100, fid=2.0, emulated=True)
    assert compared(tmp_path).ahead["label"] == "B"


def test_other_presets_and_data_are_said(tmp_path):
    two(tmp_path, batch=16)
    path = tmp_path / "00001-b" / "config.json"
    path.write_text(path.read_text().replace("0" * 64, "1" * 64))
    found = compared(tmp_path)
    assert found.differences["batch"] == [32, 16]
    assert "different data" in found.notes[0] and "not as much work" in found.notes[1]


def test_a_file_of_records_alone(tmp_path):
    a, _ = two(tmp_path)
    (tmp_path / "theirs.jsonl").write_bytes(a.stats.read_bytes())
    found = compared(tmp_path, "1", str(tmp_path / "theirs.jsonl"), str(a.stats))
    assert "B is" in found.notes[0] and [run["label"] for run in found.runs] == ["A", "B", "C"]
    assert found.differences == dict(g_lr=[0.0005, None, 0.001]) and "state" not in found.runs[1]
    assert found.values["d_loss"] == [1.0] * 3


def test_what_cannot_be_compared(tmp_path):
    two(tmp_path, second=())
    with pytest.raises(UsageError, match="one run alone"):
        compared(tmp_path, "0")
    with pytest.raises(StepFailed, match="has no record yet"):
        compared(tmp_path)
    with pytest.raises(UsageError, match="no run 7"):
        compared(tmp_path, "0", "7")
    add_records(make_run(tmp_path, "00002-c"), 10)
    (tmp_path / "00002-c" / "config.json").write_text("{")
    with pytest.raises(StepFailed, match="damaged"):
        compared(tmp_path, "0", "2")


def test_what_is_no_number_is_null_in_json(tmp_path):
    a, b = two(tmp_path)
    add_records(a, 200, d_grad_norm=float("nan"), g_grad_norm=float("inf"))
    add_records(b, 200, d_grad_norm=2.0, g_grad_norm=-float("inf"))
    done = CliRunner().invoke(app, ["compare", "0", "1", "--outdir", str(tmp_path), "--json"])
    told = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert told["values"]["d_grad_norm"] == [None, 2.0] and told["values"]["g_grad_norm"] == [None, None]
    assert told["course"]["200"]["d_grad_norm"] == [None, 2.0]
