"""Signals around a training run: noted once, at once or after the step, and left alone under nohup."""

import contextlib
import os
import signal

import numpy as np
import pytest

from biggan_cli.config import TrainConfig
from biggan_cli.errors import StepFailed
from biggan_cli.training import loop
from biggan_cli.training.loop import Signals
from biggan_cli.training.monitor import Ticks
from biggan_cli.training.monitors import Monitors
from biggan_cli.training.precision import COUNTS
from biggan_cli.training.step import METRICS, TrainingGraph


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
def test_before_the_steps_a_signal_interrupts_at_once(number):
    before = signal.getsignal(number)
    with Signals() as signals:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert signals.received == number
        assert signal.getsignal(number) == before  # the second one acts as ever
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
def test_while_steps_are_taken_it_is_only_noted(number):
    with Signals() as signals, signals.waiting_for_a_step():
        os.kill(os.getpid(), number)
        assert signals.received == number


def test_what_c_code_swallowed_ends_it_before_the_first_step():
    with Signals() as signals:
        with contextlib.suppress(KeyboardInterrupt):  # as a callback of a library may
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), signals.waiting_for_a_step():
            raise AssertionError("no step is taken")


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


class Overflowing:
    """A session whose steps are left out, but for each ``sound`` one."""

    def __init__(self, scale, sound=1000):
        self.scale, self.skipped, self.sound, self.done = scale, 0, sound, 0

    def run(self, fetches):
        self.done += 1
        if self.done % self.sound == 0:
            return None, np.array([0.5] * len(METRICS) + [self.scale, self.skipped], np.float32)
        self.skipped += 1
        self.scale = max(1.0, self.scale / 2)
        return None, np.array([np.nan] * len(METRICS) + [self.scale, self.skipped], np.float32)


def silent(*words, **more):
    """A report that nobody reads."""


def watching(graph, train):
    return Monitors(train, graph.names, {}, silent)


def records_of(session, log_every):
    graph = TrainingGraph({}, None, None, None, METRICS + COUNTS)
    records, train = [], TrainConfig(steps=40, log_every=log_every, save_every=100, sample_every=100)
    stream = type("Stream", (), dict(write=staticmethod(records.append)))
    hooks = [lambda step, last: None, lambda step: None, lambda record: None]
    ticks = Ticks(graph.names, train.batch, train.steps)
    with Signals() as signals:
        try:
            end = (signals, silent, watching(graph, train))
            loop.run(session, graph, train, range(1, 41), ticks, stream, *hooks, *end)
        except StepFailed as error:
            return records, error.message
    return records, None


def test_a_run_in_which_every_step_overflows_ends():
    """With the least scale there is nothing left to try. Until then it goes on."""
    records, message = records_of(Overflowing(2.0**15), log_every=10)
    assert message.startswith("the last 20 steps up to 20 overflow")
    assert [(record["step"], record["d_loss"], record["loss_scale"]) for record in records] == [(10, None, 2.0**5)]


def test_single_overflows_end_nothing():
    """Whole records of them neither, with sound steps between."""
    records, message = records_of(Overflowing(1.0, sound=15), log_every=1)
    assert message is None and len(records) == 40
    assert [record["step"] for record in records if record["d_loss"] is not None] == [15, 30]


class Steps:
    """A session whose steps have their number as metrics, and do ``at[number]`` meanwhile."""

    def __init__(self, at):
        self.at, self.done = at, 0

    def run(self, fetches):
        self.done += 1
        self.at.get(self.done, lambda: None)()
        return None, np.full(len(METRICS), self.done, np.float32)


def told_of(at, steps=10, first=1, begun=None, save_every=4):
    """What a run says: (word, step) of records, saves and grids; its records; the signal that ended it; its ticks."""
    graph, train = (
        TrainingGraph({}, None, None, None, METRICS),
        TrainConfig(steps=steps, log_every=3, save_every=save_every, sample_every=5),
    )
    told, records = [], []

    def write(record):
        records.append(record)
        told.append(("record", record["step"]))

    session = Steps(at)
    session.done = first - 1
    ticks = Ticks(graph.names, train.batch, train.steps, begun)
    stream = type("Stream", (), dict(write=staticmethod(write)))
    hooks = [
        lambda step, last: told.append(("save", step)),
        lambda step: told.append(("draw", step)),
        lambda record: None,
    ]
    with Signals() as signals:
        steps = range(first, steps + 1)
        ended = loop.run(session, graph, train, steps, ticks, stream, *hooks, signals, silent, watching(graph, train))
    return told, records, ended, ticks


def test_sigusr1_saves_after_the_step_and_changes_nothing_else():
    usual, records, _, _ = told_of({})
    told, others, ended, _ = told_of({5: lambda: os.kill(os.getpid(), signal.SIGUSR1)})
    assert ended is None
    assert [entry for entry in told if entry != ("save", 5)] == usual and ("save", 5) in told
    assert [(r["step"], r["steps_in_record"], r["d_loss"]) for r in others] == [
        (r["step"], r["steps_in_record"], r["d_loss"]) for r in records
    ]


def test_what_is_saved_has_its_grid_already_but_a_signal_saves_first():
    told, _, _, _ = told_of({7: lambda: os.kill(os.getpid(), signal.SIGTERM)}, save_every=5)
    assert [entry for entry in told if entry[0] != "record"] == [("draw", 5), ("save", 5), ("save", 7), ("draw", 7)]


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_run_that_a_signal_ends_goes_on_with_the_same_records(number):
    _, records, _, _ = told_of({})
    told, before, ended, ticks = told_of({5: lambda: os.kill(os.getpid(), number)})
    assert ended == number and told[-2:] == [("draw", 5), ("save", 5)]
    _, after, _, _ = told_of({}, first=6, begun=ticks.begun())
    assert [(r["step"], r["steps_in_record"], r["d_loss"]) for r in before + after] == [
        (r["step"], r["steps_in_record"], r["d_loss"]) for r in records
    ]


def test_after_the_first_signal_sigusr1_still_kills_nobody():
    with Signals() as signals, signals.waiting_for_a_step():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.received == signal.SIGTERM and signals.save_asked
