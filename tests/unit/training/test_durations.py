"""How long a run was trained and what is left of it: the same for whoever asks."""

import json
import time

import pytest

from biggan_cli.core import watch_words
from biggan_cli.core.compare import compare
from biggan_cli.core.report import report_of
from biggan_cli.core.reporting import silent
from biggan_cli.core.watch import watch
from biggan_cli.settings import ReportConfig
from biggan_cli.training.durations import TrainedSeconds, remaining_seconds, trained_seconds
from biggan_cli.training.monitor import Records, Ticks
from tests.runs import add_records, make_run


def test_starts_are_added_up(tmp_path):
    run = make_run(tmp_path)
    for step, elapsed in ((10, 6.0), (20, 9.0), (30, 2.5), (40, 4.0), (50, 1.0)):  # as versions before counted
        add_records(run, step, elapsed_seconds=elapsed)
    with open(str(run.stats), "a") as stats:
        stats.write('{"rollback": 1, "step": 50}\n[1]\n{"elapsed_seconds": NaN}\n{"elapsed_sec')
    assert trained_seconds(run.stats) == 9.0 + 4.0 + 1.0
    assert trained_seconds(tmp_path / "none.jsonl") is None and TrainedSeconds([dict(step=1)]).seconds is None


def test_a_start_goes_on_where_the_records_end(tmp_path):
    """The time of a start counts from its beginning, the building before the first step too; what was lost does not."""
    run = make_run(tmp_path)
    add_records(run, 10, elapsed_seconds=100.0)
    add_records(run, 20, elapsed_seconds=180.0)
    records = Records(run, resumed_at=10)
    assert records.trained_seconds == 100.0
    ticks = Ticks(("d_loss",), 4, 30, None, time.perf_counter() - 7.0, records.trained_seconds)
    ticks.add_step([1.0], 0.5)
    record = ticks.record(20)
    assert 107.0 <= record["elapsed_seconds"] < 117.0
    records.write(record)
    assert records.trained_seconds == trained_seconds(run.stats) == record["elapsed_seconds"]


def test_what_is_left():
    record = dict(step=100, seconds_per_step=0.5, maintenance_seconds_per_step=0.25, epoch_seconds=1000.0)
    assert remaining_seconds(record, 400) == 225.0
    assert remaining_seconds(record, 400, now=1025.0) == 200.0
    assert remaining_seconds(record, 400, now=900.0) == 225.0  # the clocks do not agree
    assert remaining_seconds(record, 400, now=9000.0) == remaining_seconds(record, 50) == 0.0
    assert remaining_seconds(dict(step=100, seconds_per_step=0.5), 400) == 150.0  # of versions before


@pytest.fixture
def running(tmp_path):
    run = make_run(tmp_path, state="running")
    now = time.time()
    for step, elapsed in ((10, 40.0), (20, 65.0), (30, 17.0)):
        add_records(run, step, elapsed_seconds=elapsed, maintenance_seconds_per_step=0.5, epoch_seconds=now)
    with run.lock():
        yield run


def test_everybody_says_the_same(running):
    """82 s so far, and 370 steps of 1 s: ``watch``, the line of the training, ``report`` and ``compare``."""
    (view,) = watch(running, once=True)
    drawn = "\n".join("".join(words for words, _ in line) for line in watch_words.drawn(view, 80))
    assert "trained for 1:22" in drawn and ("ETA 6:10" in drawn or "ETA 6:09" in drawn)
    assert watch_words.record_line(view.last, 400).endswith("ETA 6:10")
    page = report_of(running, ReportConfig(), silent).report
    with open(page, encoding="utf-8") as file:
        html = file.read()
    assert "1:22 min" in html and any(f"6:{seconds} min" in html for seconds in ("10", "09", "08", "07"))
    found = compare([str(running), str(running)], running.path.parent)
    assert json.loads(json.dumps(found.values["training_seconds"])) == [82.0, 82.0]
