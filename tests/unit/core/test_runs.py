"""The table of runs: in their order, whatever one of them is."""

import json
import time

import pytest

from biggan_cli.core.runs import runs
from biggan_cli.errors import UsageError
from tests.runs import DIGEST, add_score, make_run, set_state


def test_each_run_is_a_row(tmp_path):
    finished = make_run(tmp_path, "00010-digits-32-digits", "finished")
    set_state(finished, "finished", step=400, updated=time.time() - 90)
    add_score(finished, 400, fid=2.5)
    make_run(tmp_path, "00002-digits-32-digits", "failed")
    (finished.checkpoints / "model-000400.index").write_bytes(b"x" * 1000)
    (tmp_path / "notes").mkdir()
    (tmp_path / "00001-is-a-file").write_text("")
    (tmp_path / ".00005-hidden").mkdir()
    found = runs(tmp_path)
    assert found.outdir == str(tmp_path)
    assert [(row.number, row.state) for row in found.runs] == [(2, "failed"), (10, "finished")]
    row = found.runs[1]
    assert (row.preset, row.resolution, row.data, row.step, row.steps) == ("digits", 32, "digits", 400, 400)
    assert row.best == dict(fid=dict(value=2.5, step=400, extractor="digits"))
    assert 89 < row.age_seconds < 100 and row.checkpoint_bytes == 1000
    json.dumps([entry._asdict() for entry in found.runs])


@pytest.mark.parametrize(
    "text, words",
    (
        (None, "is missing"),
        ("{", "is damaged"),
        ("[1]", "has schema None"),
        ('{"schema": 99}', "has schema 99"),
        (json.dumps(dict(schema=1, data_digest=DIGEST)), "is missing"),
        ("\x00\x00", "is damaged"),
    ),
)
def test_a_damaged_run_is_a_row_too(tmp_path, text, words):
    run = make_run(tmp_path)
    make_run(tmp_path, "00001-digits-32-digits", "stopped")
    run.config.unlink()
    if text is not None:
        run.config.write_text(text)
    damaged, other = runs(tmp_path).runs
    assert damaged.state == "damaged" and words in damaged.why and damaged.step is None
    assert other.state == "stopped"


def test_no_run_is_no_error_and_no_folder_is_one(tmp_path):
    assert runs(tmp_path).runs == [] and runs(tmp_path / "runs").runs == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be read"):
        runs(tmp_path / "file")


def test_a_clock_that_was_set_back(tmp_path):
    run = make_run(tmp_path)
    set_state(run, "stopped", updated=time.time() + 5000)
    assert runs(tmp_path).runs[0].age_seconds == 0.0
