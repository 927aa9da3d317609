"""Following a run from outside, and how it is drawn."""

import json
import os

import pytest
from typer.testing import CliRunner

from biggan_cli.cli.app import app
from biggan_cli.core import watch_words
from biggan_cli.core.watch import Follower, watch
from biggan_cli.core.watch_words import PLAIN_BLOCKS, sparkline
from tests.runs import add_records, add_score, make_run, record_of, set_state


def steps(records):
    return [record["step"] for record in records]


def test_records_come_as_they_are_written(tmp_path):
    run = make_run(tmp_path)
    follower = Follower(run)
    assert follower.look() == [] and follower.last is None
    add_records(run, 10, 20)
    assert steps(follower.look()) == [10, 20] and follower.look() == []
    with open(str(run.stats), "a") as stats:
        stats.write('{"step": 30, "d_lo')
    assert follower.look() == []
    with open(str(run.stats), "a") as stats:
        stats.write('ss": broken}\n')
    add_records(run, 40)
    assert steps(follower.look()) == [40]
    assert follower.steps == [10, 20, 40] and follower.curves["d_loss"] == [1.0] * 3 and follower.last["step"] == 40


@pytest.mark.parametrize("in_place", (True, False))
def test_a_resumed_run_goes_back(tmp_path, in_place):
    """The file takes the other's place, or is cut where it stands, and has grown past the old end since."""
    run = make_run(tmp_path)
    follower = Follower(run)
    add_records(run, 10, 20, 30, 40)
    follower.look()
    lines = run.stats.read_bytes().splitlines(keepends=True)[:2]
    if in_place:
        os.truncate(str(run.stats), sum(map(len, lines)))
    else:
        run.stats.with_name("new").write_bytes(b"".join(lines))
        run.stats.with_name("new").replace(run.stats)
    add_records(run, 30, 40, 50, d_loss=2.0)
    assert steps(follower.look()) == [30, 40, 50] and follower.back_to == 20
    assert follower.curves["d_loss"] == [1.0, 1.0, 2.0, 2.0, 2.0]
    add_records(run, 60)
    assert steps(follower.look()) == [60] and follower.back_to is None


def test_a_file_that_was_only_mended_tells_nothing_twice(tmp_path):
    run = make_run(tmp_path)
    follower = Follower(run)
    add_records(run, 10, 20)
    follower.look()
    run.stats.with_name("new").write_bytes(run.stats.read_bytes())
    run.stats.with_name("new").replace(run.stats)
    add_records(run, 30)
    assert steps(follower.look()) == [30] and follower.back_to is None


def test_it_ends_with_the_run(tmp_path):
    """Not while somebody holds it: then it is only about to go on, or to end."""
    run = make_run(tmp_path, state="running")
    lock, seen = run.lock(), []

    def live(seconds):
        count = len(seen)
        if count == 1:
            add_records(run, 10)
            add_score(run, 10, fid=4.0)
        elif count == 2:
            set_state(run, "finished", step=400)
        elif count == 3:
            lock.__exit__(None, None, None)
        assert count < 5

    lock.__enter__()
    for view in watch(run, pause=live):
        seen.append(view)
    assert [(view.state.state, len(view.new), len(view.new_scores)) for view in seen] == [
        ("running", 0, 0),
        ("running", 1, 1),
        ("finished", 0, 0),
        ("finished", 0, 0),
    ]
    assert "no record yet" in text(seen[0]) and "finished" in text(seen[3])
    assert watch_words.told(seen[1]) == [
        "step 10/400  D  1.000  G  0.500  real   0.25  fake  -0.25  0.500 s/step   64.0 img/s  ETA 3:15",
        "scored step 10: fid 4 (digits)",
    ]
    assert [view.ended for view in watch(run, once=True)] == [True]


def text(view, width=100, height=40, blocks=watch_words.BLOCKS):
    lines = watch_words.drawn(view, width, height, blocks)
    return "\n".join("".join(words for words, _ in line) for line in lines)


@pytest.mark.parametrize("width", (40, 80, 120))
def test_a_view_fits(tmp_path, width):
    run = make_run(tmp_path, state="running", recorded=range(10, 3000, 10))
    add_records(run, 3010, d_loss=None, loss_scale=65536.0, skipped_steps=3.0, epoch_seconds=1000.0)
    for step in (10, 20, 30):
        add_score(run, step, fid=step / 7, inception_score=3.0)
    run.log.write_text("".join(f"2026-01-01 00:00:0{n} saved {n} {'x' * 200}\n" for n in range(9)))
    with open(str(run.log), "a") as log:
        log.write("2026-01-01 00:00:00 step 10/400  D  1\n")
    with run.lock():
        (view,) = watch(run, once=True)
    drawn = text(view, width, 20)
    lines = drawn.split("\n")
    assert max(map(len, lines)) <= width and len(lines) <= 20
    assert "saved 8" in drawn and "step 10/400" not in drawn and "running" in lines[0]
    assert text(view, width, 20, PLAIN_BLOCKS).replace("…", "").isascii()
    if width > 40:
        assert "FID 1.429 at step 10 (digits), IS 3" in drawn and "scale 65536 skipped 3" in drawn


def test_sparklines():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, 0, 7, 7], 2) == "▁█" and sparkline([], 9) == ""
    assert sparkline([5, 5], 9) == "▄▄" and sparkline([0, None, 7], 9) == "▁ █"
    assert len(sparkline(list(range(1000)), 30)) == 30


def test_what_remains_is_by_the_pace_of_the_last_record(tmp_path):
    run = make_run(tmp_path, state="running")
    add_records(run, 100, epoch_seconds=5000.0)
    with run.lock():
        (view,) = watch(run, once=True)
    assert "ETA 2:30" in text(view._replace(seen=5000.0)) and "ETA 2:00" in text(view._replace(seen=5030.0))
    assert "ETA 2:30" in text(view._replace(seen=10.0))  # a clock that was set back
    assert "ETA 0:00" in text(view._replace(seen=9999.0))
    assert watch_words.record_line(record_of(400), 400).endswith("ETA 0:00")


def test_the_numbers_of_the_monitors_are_shown_where_they_are(tmp_path):
    run = make_run(tmp_path, state="stopped", recorded=(10,))

    def shown():
        (view,) = watch(run, once=True)
        return [line for line in text(view, 80).splitlines() if line[:7] in ("spread ", "sigma  ", "certain")]

    assert shown() == []
    add_records(run, 20, fake_variance=0.02, real_variance=0.08, g_sigma=2.5, d_sigma=3.25)
    assert shown() == [
        "spread  fakes vary 0.250 times as much as reals",
        "sigma   G 2.5, D 3.25 at most",
    ]
    variances = dict(fake_variance=0.02, real_variance=0.08, fake_class_variance=0.01, real_class_variance=0.1)
    add_records(run, 30, **variances, g_sigma=None, d_sigma=3.25, real_saturated=0.985, fake_saturated=0.5)
    assert shown() == [
        "spread  fakes vary 0.250 and within classes 0.100 times as much as reals",
        "certain D of 98% of reals and 50% of fakes",
    ]
    add_records(run, 40, fake_variance=0.02, real_variance=0.0, fake_class_variance=None, real_class_variance=0.1)
    assert shown() == []


def test_how_it_stands_is_a_record(tmp_path):
    run = make_run(tmp_path, state="running")
    add_records(run, 10, 130, epoch_seconds=1000.0, d_grad_norm=float("nan"))
    add_score(run, 100, fid=4.0)
    with run.lock():
        done = CliRunner().invoke(app, ["watch", str(run.path), "--json"])
    told = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert done.exit_code == 0 and (told["state"], told["step"], told["steps"]) == ("running", 130, 400)
    assert told["trained_seconds"] == 97.5 and told["remaining_seconds"] == 0.0 and told["record_age_seconds"] > 0
    assert told["record"]["d_loss"] == 1.0 and told["record"]["d_grad_norm"] is None
    assert told["best"]["fid"]["value"] == told["score"]["values"]["fid"] == 4.0
    later = json.loads(CliRunner().invoke(app, ["watch", str(run.path), "--json"]).stdout)
    assert (later["state"], later["why"], later["step"]) == ("stopped", "its process is gone", 120)
    assert later["remaining_seconds"] is None
