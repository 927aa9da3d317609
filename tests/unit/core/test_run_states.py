"""What a run is doing, from what it left; its records and scores, damaged ones too."""

import json
import os

import pytest

from biggan_cli.core import run_states
from biggan_cli.core.run_states import best_of, last_records, scores_of, state_of
from biggan_cli.errors import StepFailed
from tests.runs import add_checkpoint, add_records, add_score, make_run, set_state


def test_the_state_that_was_written_counts(tmp_path):
    run = make_run(tmp_path, state="stopped")
    set_state(run, "failed", step=77, why="a loss is not finite")
    state = state_of(run)
    assert (state.state, state.step, state.steps, state.why) == ("failed", 77, 400, "a loss is not finite")
    assert (state.started, state.updated, state.holder) == (900.0, 1000.0, None)


def test_a_run_whose_process_is_gone_is_stopped(tmp_path):
    run = make_run(tmp_path, state="running")
    with run.lock():
        held = state_of(run)
        assert held.state == "running" and held.holder.startswith(f"process {os.getpid()} on ")
    assert state_of(run)[:4] == ("stopped", 120, 400, "its process is gone")


def test_to_look_does_not_take_the_lock(tmp_path):
    run = make_run(tmp_path, state="running")
    state_of(run)
    with run.lock():
        state_of(run)
        with pytest.raises(StepFailed):
            run.lock().__enter__()


@pytest.mark.parametrize("reached, state", ((None, "stopped"), (399, "stopped"), (400, "finished")))
def test_runs_of_before_had_no_state(tmp_path, reached, state):
    run = make_run(tmp_path)
    for step in (100, reached):
        add_checkpoint(run, step) if reached else None
    found = state_of(run)
    assert (found.state, found.step, found.steps) == (state, reached or 0, 400)
    with run.lock():
        add_records(run, 410)
        assert state_of(run)[:2] == ("running", 410)


def test_what_was_trained_elsewhere(tmp_path):
    run = make_run(tmp_path)
    stored = json.loads(run.config.read_text())
    run.config.write_text(json.dumps(dict(stored, data_digest=None)))
    assert state_of(run).state == "imported"


@pytest.mark.parametrize(
    "text", ("", "{", "[]", '{"state": "asleep"}', '{"state": "failed", "step": null, "steps": 1}')
)
def test_a_damaged_state_is_as_none(tmp_path, text):
    run = make_run(tmp_path)
    (run.path / "state.json").write_text(text)
    add_checkpoint(run, 400)
    assert state_of(run).state == "finished"


def test_the_last_records_without_the_line_that_is_half(tmp_path):
    run = make_run(tmp_path)
    assert last_records(run, 2) == []
    add_records(run, *range(10, 4000, 10))
    with open(str(run.stats), "a") as stats:
        stats.write('garbage\n{"step": 4000, "d_lo')
    assert [record["step"] for record in last_records(run, 3)] == [3980, 3990]
    assert run_states.parsed_record(b'{"step": 3}') is None


def test_the_best_scores_are_those_of_inception(tmp_path):
    """Lower is better of FID, higher of IS; emulated ones and damaged lines do not count."""
    run = make_run(tmp_path)
    assert best_of(run) == {}
    add_score(run, 100, fid=5.0, inception_score=2.0)
    add_score(run, 200, fid=3.0, inception_score=1.0)
    add_score(run, 300, fid=1.0, emulated=True)
    with open(str(run.score), "a") as scores:
        scores.write("half a li\n[]\n" + '{"fid": {"value": NaN}}\n')
    assert len(scores_of(run)) == 3
    assert best_of(run) == dict(fid=(3.0, 200, "digits"), **{"is": (2.0, 100, "digits")})
    add_score(run, 200, extractor="inception", fid=30.0)
    assert best_of(run)["fid"] == (30.0, 200, "inception")
    best = dict(schema=1, step=50, value=20.5, metric="fid", of=dict(extractor="inception", count=100))
    (run.checkpoints / "best-fid.json").write_text(json.dumps(best))
    (run.checkpoints / "best-is.json").write_text("{")
    assert best_of(run)["fid"] == (20.5, 50, "inception") and best_of(run)["is"].value == 2.0


def test_the_best_is_of_scores_that_were_measured_alike(tmp_path):
    """A sweep's IS at half the truncation is no contest, and neither is one of fewer pictures."""
    run = make_run(tmp_path)
    add_score(run, 100, fid=20.0, inception_score=9.0, count=1000)
    add_score(run, 200, fid=27.0, inception_score=8.9, count=1000)
    add_score(run, 200, fid=94.0, inception_score=9.9, count=1000, truncation=0.5)
    assert best_of(run) == dict(fid=(20.0, 100, "digits"), **{"is": (9.0, 100, "digits")})
    add_score(run, 200, fid=23.0, inception_score=9.1, count=5000)
    add_score(run, 200, fid=1.0, count=5000, truncation=None)
    assert best_of(run) == dict(fid=(23.0, 200, "digits"), **{"is": (9.1, 200, "digits")})


def test_scores_of_steps_that_were_gone_back_on_do_not_count(tmp_path):
    run = make_run(tmp_path, rollbacks=1)
    with open(str(run.stats), "a") as stats:
        stats.write(json.dumps(dict(step=30, rollback=1, from_step=47)) + "\n")
    for step, rollbacks, fid in ((20, 0, 50.0), (40, 0, 10.0), (40, 1, 60.0)):
        add_score(run, step, rollbacks=rollbacks, fid=fid)
    add_score(run, 40, fid=55.0)  # somebody's, by hand, of what is there
    assert [(score.step, score.values["fid"]) for score in scores_of(run)] == [(20, 50.0), (40, 60.0), (40, 55.0)]
    assert best_of(run)["fid"] == (50.0, 20, "digits")


@pytest.mark.parametrize("name, value", (("d_loss", float("nan")), ("seconds_per_step", float("inf"))))
def test_a_record_of_no_numbers_is_none(tmp_path, name, value):
    run = make_run(tmp_path, recorded=(10,))
    add_records(run, 20, **{name: value})
    assert [record["step"] for record in last_records(run, 5)] == [10]


@pytest.mark.parametrize("text", ("[" * 100000, '{"state": "running", "step": 1e999, "steps": 2}'))
def test_a_state_that_no_program_of_ours_wrote(tmp_path, text):
    run = make_run(tmp_path)
    run.state.write_text(text)
    assert state_of(run).state == "stopped"
