"""Signals around a training run: noted once, at once or after the step, and left alone under nohup."""

import contextlib
import os
import signal

import pytest

from biggan_cli.training.loop import Signals


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
