"""The loop around the training graph: steps, ticks, grids, checkpoints, and a clean end."""

import contextlib
import os
import signal
import threading
import time
from typing import Callable, Iterator, Mapping, Optional

from biggan_cli.config import TrainConfig
from biggan_cli.runtime.hearing import Hearing
from biggan_cli.training.monitor import Records, Ticks, status
from biggan_cli.training.monitors import Collapsed, Monitors
from biggan_cli.training.step import TrainingGraph

_GRACE = 3.0
"""Seconds that the second signal leaves Python to end by itself, with words and a terminal as it was."""
_MOST_LOST = 20
"""Steps in a row that may overflow at the least scale of the loss: after it nothing is left to try."""


def run(
    session,
    graph: TrainingGraph,
    train: TrainConfig,
    steps: range,
    ticks: Ticks,
    records: Records,
    save: Callable[[int, bool], None],
    sample: Callable[[int], None],
    watch: Callable[[Optional[Mapping]], None],
    signals: "Signals",
    report: Callable,
    monitors: Monitors,
) -> Optional[int]:
    """The steps, with ``save(step, last)`` and ``sample(step)`` at their intervals, and at the end of all.

    Ctrl-C, SIGTERM and SIGHUP end it after the step in progress, saved; a second one ends it at once. SIGUSR1 saves
    after the step in progress, and nothing else changes: a save that has no place in the intervals makes no record.

    Args:
        graph: its ``train_op`` does all steps of ``steps.step``.
        steps: numbers of the last step of each run: ``range(1, 401)``, or in loops of 10 ``range(10, 401, 10)``.
        ticks: holds what the run was in the middle of when it was saved.
        watch: called after the first run, and with each record.
        monitors: look at every run of steps, and may end it.

    Returns:
        The number of the signal that ended it, or None.

    Raises:
        Collapsed: a monitor found that the run is spoilt, or a scaled loss overflows in every step.
    """
    with signals.waiting_for_a_step():
        report("advance", what="taking the first step, which is the longest", done=0, total=None)
        for step in steps:
            began = time.perf_counter()
            _, metrics = session.run([graph.train_op, graph.metrics])
            overflowed = ticks.add_step(metrics, (time.perf_counter() - began) / steps.step, steps.step)
            monitors.look(step, metrics, steps.step, overflowed)
            if step == steps[0]:
                watch(None)
            report("advance", what="training", done=step, total=train.steps)
            last = step == steps[-1] or signals.received is not None
            saving = step == steps[-1] or step % train.save_every == 0 or train.scores_at(step)
            recording, keeping = saving or step % train.log_every == 0, saving or last or signals.save_asked
            if recording:
                record = ticks.record(step)
                if ticks.lost_steps >= _MOST_LOST and record["loss_scale"] <= 1.0:
                    what = f"the last {ticks.lost_steps} steps up to {step} overflow, with the loss at its least scale"
                    raise Collapsed("overflow", what, step, step - ticks.lost_steps, fix="--precision fp32")
                records.write(record)
                watch(record)
                report(
                    "tick",
                    step=step,
                    total=train.steps,
                    status=status(record),
                    remaining_seconds=record["remaining_seconds"],
                )
            began = time.perf_counter()
            drawing = step == train.steps or step % train.sample_every == 0
            if drawing:  # before it is saved: a run that is killed in between goes on from before its grid
                sample(step)
            if keeping:
                signals.save_asked = False
                save(step, last)
            finished = step == train.steps or monitors.finished is not None
            if not drawing and (finished or signals.received is not None):
                sample(step)
            ticks.add_maintenance(time.perf_counter() - began)
            if last or finished or (keeping and signals.received is not None):
                return None if finished else signals.received
    return None


class Signals:
    """Notes the first Ctrl-C, SIGTERM or SIGHUP; a second one acts as if nothing caught it. And each SIGUSR1.

    Each interrupts at once, except while steps are taken: then the loop ends after the step. What is noted is
    not lost where C code drops a KeyboardInterrupt. Under ``nohup``, which ignores SIGHUP, it stays ignored.

    Args:
        told: hears in a sentence, from a thread, what a signal will do, the moment that it comes. With it a second one
            ends the process also where C code keeps Python from hearing of it, :data:`_GRACE` later.
    """

    def __init__(self, told: Optional[Callable[[str], None]] = None):
        self.received: Optional[int] = None
        self.save_asked = False
        self._at_once = True
        self._told, self._heard, self._left = told, 0, threading.Event()
        self._hearing = Hearing(self._hear)

    @contextlib.contextmanager
    def waiting_for_a_step(self) -> Iterator[None]:
        self._at_once = False
        if self.received is not None:
            raise KeyboardInterrupt
        try:
            yield
        finally:
            self._at_once = True

    def __enter__(self) -> "Signals":
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        self._usr1_before = signal.signal(signal.SIGUSR1, self._ask_to_save)
        if self._told:
            self._hearing.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._left.set()
        if self._told:
            self._hearing.__exit__(*exception)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.signal(signal.SIGUSR1, self._usr1_before)

    def _hear(self, number: int) -> None:
        if number not in self._before:
            return
        self._heard += 1
        if self._heard == 1:
            self._told("stopping" if self._at_once else "stopping after this step; once more stops at once")
            return
        self._told("stopping at once")
        if not self._left.wait(_GRACE):
            if os.isatty(2):
                os.write(2, b"\x1b[?25h\n")  # a live display hides the cursor, and stands in the middle of a line
            os._exit(128 + number)

    def _ask_to_save(self, number, frame) -> None:
        self.save_asked = True

    def _note(self, number, frame) -> None:
        self.received = number
        for other, handler in self._before.items():
            signal.signal(other, handler)
        if self._at_once:
            raise KeyboardInterrupt
