"""Processes that work side by side, for what holds Python's lock."""

import collections
import concurrent.futures
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Deque, Iterable, Iterator

from biggan_cli.errors import StepFailed

_AHEAD = 3
"""Jobs for each process that are given out and not taken back yet: what that takes of the memory."""
_LOOK_SECONDS = 0.5


def in_order(function: Callable[[Any], Any], jobs: Iterable[Any], processes: int) -> Iterator[Any]:
    """``function(job)`` of each job, in the order of the jobs; a few jobs ahead are taken from ``jobs``, not all.

    The processes begin from nothing, with the module of the function and no more: one that imports TensorFlow would
    have it in each. One process is this one.

    Raises:
        StepFailed: a process was ended, as by the kernel where there is no memory left.
    """
    if processes == 1:
        yield from map(function, jobs)
        return
    waiting: Deque[concurrent.futures.Future] = collections.deque()
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        for job in jobs:
            waiting.append(pool.submit(function, job))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StepFailed(
            f"one of {processes} worker processes was ended from outside", fix="--workers with fewer, if memory ran out"
        ) from error
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown()


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)`` in a process of its own, which begins from nothing and ends with it.

    Raises:
        StepFailed: the process was ended, as by the kernel where there is no memory left.
    """
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=(os.getpid(),)) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise StepFailed(
                "the process that measures was ended from outside", hint="memory may have run out"
            ) from error


def _begin(parent: int) -> None:
    """Ctrl-C is for the parent, which ends its workers; they see by themselves when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
