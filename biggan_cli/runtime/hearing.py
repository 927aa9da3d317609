"""Hears of signals at once. Python calls its own handlers only between two of its instructions: not while TensorFlow
takes a step, which may be a minute."""

import contextlib
import os
import signal
import threading
from typing import Callable


class Hearing:
    """Calls ``heard(number)``, from a thread, the moment that a signal comes which has a handler in Python.

    To be entered and left in the main thread; left, everything that came before has been told.
    """

    def __init__(self, heard: Callable[[int], None]):
        self._heard = heard

    def __enter__(self) -> "Hearing":
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        self._before = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._mouth)
        self._thread.join()
        os.close(self._ear)

    def _listen(self) -> None:
        while True:
            numbers = os.read(self._ear, 64)
            if not numbers:
                return
            for number in numbers:
                with contextlib.suppress(OSError, ValueError):  # there may be nobody left to tell
                    self._heard(number)
