"""Signals are heard at once, also where Python's own handlers have to wait."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from biggan_cli.runtime.hearing import Hearing
from biggan_cli.training.loop import Signals

WAITING = """
from biggan_cli.training import loop
loop._GRACE = 0.5
signals = loop.Signals(lambda sentence: print(sentence, flush=True))

def never_return():
    # A lock of C that is taken twice: no signal gets Python out of it, as none does out of a long step.
    import ctypes
    locked, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    library.pthread_mutex_lock(locked)
    print("waiting", flush=True)
    library.pthread_mutex_lock(locked)

with signals, signals.waiting_for_a_step():
    never_return()
    print("the step ended", flush=True)
"""


def test_what_came_is_told_before_it_is_left():
    heard, done = [], []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: done.append(number))
    try:
        with Hearing(heard.append):
            os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert heard == [signal.SIGUSR2] and done == [signal.SIGUSR2] * 2
        with Hearing(heard.append):
            assert threading.active_count() >= 2
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert heard == [signal.SIGUSR2] and signal.set_wakeup_fd(-1) == -1


def test_one_who_cannot_be_told_ends_nothing():
    def deaf(number):
        raise OSError("nobody there")

    before = signal.signal(signal.SIGUSR2, lambda number, frame: None)
    try:
        with Hearing(deaf):
            os.kill(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_signal_is_told_at_once_and_a_second_one_ends_what_does_not_return(number):
    """Both while C code is at work, which never ends."""
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"waiting\n"
            time.sleep(0.2)
            process.send_signal(number)
            assert process.stdout.readline() == b"stopping after this step; once more stops at once\n"
            process.send_signal(number)
            assert process.wait(15) == 128 + number
        finally:
            process.kill()


def test_before_the_first_step_it_stops_there_and_then():
    told = []
    with pytest.raises(KeyboardInterrupt), Signals(told.append):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert told == ["stopping"]


def test_to_save_is_not_to_stop():
    told = []
    with Signals(told.append) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
    assert signals.save_asked and told == []
