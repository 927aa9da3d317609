"""External programs: a list of arguments, never a shell; followed line by line; ended with all that they started."""

import contextlib
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from biggan_cli.errors import Interrupted, NotReady, ToolError

_GRACE = 5.0
"""Seconds that a program has to end after it was told to, and its output to end after it has."""
_LAST_WORDS = 5
"""Lines of a program that failed, in an error."""


class Ended(NamedTuple):
    """How a program ended: its exit code (negative: the signal that killed it), seconds, and all of its lines."""

    code: int
    seconds: float
    lines: List[str]

    def how(self) -> str:
        if self.code < 0:
            return f"was killed by {signal.Signals(-self.code).name}"
        return f"ended with exit code {self.code}"


def quoted(argv: Sequence[str]) -> str:
    """The command as it can be pasted into a shell."""
    return " ".join(shlex.quote(part) for part in argv)


def run_tool(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    time_limit: float,
    on_line: Callable[[str], None] = lambda line: None,
    name: Optional[str] = None,
    append: bool = False,
) -> Ended:
    """Run a program to its end, with its output and errors, line by line, in ``log`` and told to ``on_line``.

    The program gets a process group of its own. Whatever ends this function (Ctrl-C, SIGTERM, the time limit) ends the
    whole group first.

    Args:
        time_limit: seconds.
        name: what errors call it; None: as its file is called.
        append: the log goes on after what is in it.

    Raises:
        NotReady: it cannot be started.
        ToolError: it did not end in time.
        Interrupted: this process was told to stop.
    """
    name, started = name or Path(argv[0]).name, time.monotonic()
    with open(
        str(log), "a" if append else "w", encoding="utf-8", errors="backslashreplace"
    ) as handle, _signals_raise():
        handle.write(f"$ {quoted(argv)}\n")
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=str(cwd),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise NotReady(f"{argv[0]} cannot be started: {error.strerror}", looked_for=str(argv[0])) from error
        lines: List[str] = []
        try:
            for line in _lines_of(process, started + time_limit):
                lines.append(line)
                handle.write(line + "\n")
                handle.flush()
                on_line(line)
            if process.poll() is None:
                raise ToolError(
                    f"{name} did not end within {time_limit:g} seconds and was stopped",
                    log=str(log),
                    fix="--time-limit with more seconds, if it only is slow",
                )
        finally:
            _end_group(process)
            seconds = time.monotonic() - started
            handle.write(f"# exit code {process.returncode} after {seconds:.1f} s\n")
    return Ended(process.returncode, seconds, lines)


@contextlib.contextmanager
def fed(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, name: str, time_limit: float = 600.0
) -> Iterator[BinaryIO]:
    """A program that reads what the block writes to its standard input; what it says goes to ``log``.

    Whatever ends the block ends the program too.

    Args:
        time_limit: seconds that it has to end after its input has.

    Raises:
        NotReady: it cannot be started.
        ToolError: it failed, or ended before it had read everything; with the last of its words.
        Interrupted: this process was told to stop.
    """
    with open(str(log), "wb") as handle, _signals_raise():
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=str(cwd),
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise NotReady(f"{argv[0]} cannot be started: {error.strerror}", looked_for=str(argv[0])) from error
        read_all = False
        try:
            with contextlib.suppress(BrokenPipeError):  # it ended: its exit code and its words tell why
                yield process.stdin
                process.stdin.close()
                read_all = True
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(time_limit)
            code = process.poll()
        finally:
            _end_group(process)
            with contextlib.suppress(OSError):
                process.stdin.close()
    if code != 0 or not read_all:
        lines = log.read_text(encoding="utf-8", errors="backslashreplace").splitlines()[-_LAST_WORDS:]
        how = f"did not end within {time_limit:g} seconds" if code is None else Ended(code, 0.0, []).how()
        raise ToolError(f"{name} {how}", hint="; ".join(lines) or f"it said nothing: {quoted(argv)}")


def environment_after(script: Path, env: Mapping[str, str]) -> Dict[str, str]:
    """The environment that a shell script leaves when it is sourced.

    Raises:
        NotReady: it cannot be sourced.
    """
    command = ["bash", "-c", '[ -r "$0" ] || exit; . "$0" >/dev/null 2>&1; env -0', str(script)]
    try:
        done = subprocess.run(command, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotReady(f"{script} cannot be sourced: {error}", fix="source it yourself, then try again") from error
    pairs = (entry.partition("=") for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry)
    found = {name: value for name, _, value in pairs}
    if done.returncode or not found:
        raise NotReady(
            f"{script} cannot be sourced: exit code {done.returncode}", fix="source it yourself, then try again"
        )
    return found


def output_of(argv: Sequence[str], env: Mapping[str, str], time_limit: float = 60.0) -> Ended:
    """How a short program ended that is started in /, where no file is by chance; its errors are among its lines.

    Raises:
        NotReady: it cannot be started, or takes longer than ``time_limit`` seconds.
    """
    started = time.monotonic()
    try:
        done = subprocess.run(
            list(argv),
            cwd="/",
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=time_limit,
        )
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"{argv[0]} did not end within {time_limit:g} seconds") from error
    except OSError as error:
        raise NotReady(f"{argv[0]} cannot be started: {error.strerror}", looked_for=str(argv[0])) from error
    lines = done.stdout.decode("utf-8", "backslashreplace").splitlines()
    return Ended(done.returncode, time.monotonic() - started, lines)


def can_import(python: str, module: str, env: Mapping[str, str]) -> bool:
    """Whether a Python has a module, and not just the current folder one of its name."""
    command = [python, "-c", f"import {module}; print('imported')"]
    try:
        done = subprocess.run(
            command, cwd="/", env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.rstrip().endswith(b"imported")


def _lines_of(process, deadline: float) -> Iterator[str]:
    """Its lines until its output ends, it has ended, or time is up."""
    arrived: queue.Queue[Optional[str]] = queue.Queue()

    def read() -> None:
        with process.stdout:
            for raw in process.stdout:
                arrived.put(raw.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        arrived.put(None)

    threading.Thread(target=read, daemon=True).start()
    ended = None
    while True:
        now = time.monotonic()
        if ended is None and process.poll() is not None:
            ended = now
        if now > deadline or (ended is not None and now > ended + _GRACE):  # a child of its may hold the pipe
            return
        with contextlib.suppress(queue.Empty):
            line = arrived.get(timeout=0.1)
            if line is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
                return
            yield line


def _end_group(process) -> None:
    """End what is left of its process group, and leave no zombie."""

    def tell(number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)

    try:
        tell(signal.SIGTERM)
    finally:  # a second Ctrl-C may come in between
        tell(signal.SIGKILL)


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end Python without a word, and would leave the program running: raise them instead."""

    def stop(number, frame) -> None:
        raise Interrupted(f"stopped by {signal.Signals(number).name}", number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
