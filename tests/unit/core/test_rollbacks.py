"""Where a run goes back to, and what is on record then."""

import functools
import json
import os

import numpy as np
import pytest

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core import rollbacks
from biggan_cli.core.reporting import silent
from biggan_cli.files import write_json
from biggan_cli.rundir import create_run
from biggan_cli.training import checkpoints
from biggan_cli.training.monitor import Records
from biggan_cli.training.monitors import Collapsed


@pytest.fixture
def record():
    config = configs.resolve("digits", dict(data="digits", steps=100, on_collapse="rollback"))
    return RunRecord(config, ("a", "b"), "digest", "0")


@pytest.fixture
def run(tmp_path, record):
    run = create_run(tmp_path, "a")
    write_json(run.config, configs.to_json(record))
    save(run, 0, 2, 4, 6)
    return run


def save(run, *steps):
    for step in steps:
        write = functools.partial(checkpoints.write_arrays, {"w": np.full(3, step, np.float32)})
        checkpoints.save(write, run, step, dict(run={}))
        with open(str(run.stats), "ab") as stats:
            stats.write(json.dumps(dict(step=step)).encode() + b"\n")


def back(run, record, step, last_good):
    went = rollbacks.back(run, record, Collapsed("won", "spoilt", step, last_good), silent)
    return went.record, went.checkpoint.step


def test_a_run_that_comes_no_further_goes_further_back(run, record):
    record, reached = back(run, record, step=7, last_good=5)
    assert reached == 4
    record, reached = back(run, record, step=7, last_good=5)  # no further: 4 itself may be spoilt
    assert reached == 2
    save(run, 4, 6, 8)
    record, reached = back(run, record, step=9, last_good=7)  # further than 7
    assert reached == 6 and record.config.train.rollbacks == 3
    entries = [json.loads(line) for line in run.stats.read_text().splitlines()]
    assert [(entry["step"], entry.get("rollback")) for entry in entries] == [
        *((0, None), (2, None), (2, 2), (4, None), (6, None), (6, 3))
    ]


def test_without_an_older_one_it_goes_back_to_the_same_again(run, record):
    for _ in range(3):
        record, reached = back(run, record, step=1, last_good=0)
        assert reached == 0


def test_records_that_are_damaged_go_aside(run, record):
    damaged = [b"[1]", b'{"step": "3"}', b'{"step": 1, "rollback": "x"}', b"\xff", b'{"step": 2, "roll']
    with open(str(run.stats), "ab") as stats:
        stats.write(b"\n".join(damaged))
    assert back(run, record, step=7, last_good=3)[1] == 2
    assert [json.loads(line)["step"] for line in run.stats.read_text().splitlines()] == [0, 2, 2]
    aside = (run.path / "rolled-back" / "1" / "stats.jsonl").read_bytes()
    assert all(line in aside for line in damaged)


def state_of(run):
    """What a rollback leaves, but for what is aside."""
    found = {path.name: path.read_bytes() for path in run.checkpoints.glob("model-*")}
    return found, run.stats.read_bytes(), run.config.read_bytes(), checkpoints.best(run)


def test_a_kill_at_any_moment_of_it_changes_nothing_of_how_it_ends(tmp_path, record, monkeypatch):
    """Resumed from what is there, the run comes to the same end again, and goes back as if nothing had been."""
    replace = os.replace

    def begun(name):
        run = create_run(tmp_path, name)
        write_json(run.config, configs.to_json(record))
        save(run, 0)
        checkpoints.mark_best(run, "fid", 0, 20.0, {})
        save(run, 2, 4)
        checkpoints.mark_best(run, "fid", 4, 10.0, {})
        save(run, 6)
        return run

    whole = begun("whole")
    back(whole, record, step=7, last_good=3)
    kills = 0
    while True:
        run, calls = begun("killed"), []

        def killed(*paths, calls=calls, most=kills):
            calls.append(paths)
            if len(calls) > most:
                raise KeyboardInterrupt
            replace(*paths)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", killed)
            try:
                back(run, record, step=7, last_good=3)
                break
            except KeyboardInterrupt:
                kills += 1
        if json.loads(run.config.read_text())["config"]["train"]["rollbacks"] == 0:
            checkpoint, faults = checkpoints.newest_sound(run)
            if faults:
                checkpoints.go_back(run, checkpoint)
            Records(run, checkpoint.step)
            for step in range(checkpoint.step + 2, 8, 2):
                save(run, step)
                if step == 4:
                    checkpoints.mark_best(run, "fid", 4, 10.0, {})
            back(run, record, step=7, last_good=3)
        assert state_of(run) == state_of(whole), f"killed at file {kills}"
    assert kills == 3 + 3 + 1 + 2 + 1  # two checkpoints, the mark, two files of records, the configuration
