"""What people see: results on stdout, everything else on stderr. The only user of rich."""

import contextlib
import json
import os
import sys
import time
from typing import Any, Iterator, Mapping, Optional, Sequence, TextIO, Tuple

from biggan_cli.errors import BigganError, visible

PIPE_SECONDS = 10.0


def error(problem: BigganError) -> None:
    """``error:`` and one sentence, then what helps."""
    from rich.text import Text

    stderr = _console()
    with contextlib.suppress(OSError):  # nobody may be there to read it; the exit code still tells
        stderr.print(Text.assemble(("error: ", "bold red"), problem.message), soft_wrap=True, highlight=False)
        for label, text in problem.details:
            stderr.print(Text.assemble((f"  {label}: ", "bold"), text), soft_wrap=True, highlight=False)


def result(values: Mapping[str, Any], as_json: bool) -> None:
    """The result of a command on stdout: JSON, or one value a line without those that there are none of."""
    if as_json:
        print(json.dumps(values))
        return
    values = {name: value for name, value in values.items() if value not in (None, (), [])}
    width = max(len(name) for name in values)
    for name, value in values.items():
        print(f"{name.ljust(width)}  {_shown(value)}")


def rows(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """A table on stdout, in columns as wide as they need to be; without headings where there are none."""
    lines = [[visible(cell) for cell in line] for line in ([headings, *cells] if headings else cells)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        text("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def text(words: str) -> None:
    """Words on stdout, as far as its encoding has their characters."""
    encoding = sys.stdout.encoding or "utf-8"
    print(words.encode(encoding, "replace").decode(encoding))


def styled(parts: Sequence[Tuple[str, str]]) -> None:
    """A line on stdout of (words, style); plain words in a pipe."""
    words = "".join(part for part, _ in parts)
    console = _console(to_stdout=True)
    if not console.is_terminal:
        text(words)
        return
    from rich.text import Text

    console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)


def _shown(value: Any) -> Any:
    """Tenths are enough of a float, two digits of a small one."""
    if isinstance(value, float):
        return round(value, 1) if abs(value) >= 1 else f"{value:.2g}"
    return value


@contextlib.contextmanager
def reporting(to_stdout: bool = False) -> Iterator:
    """A ``report`` for a core step: a live bar on a terminal, plain lines in a pipe.

    It goes to stderr, except where it is itself what was asked for: the plan of a dry run.

    A step does not end because nobody listens any more: a closed pipe or terminal only ends the words.
    """
    with contextlib.ExitStack() as stack:
        console = _console(to_stdout, stack.enter_context(_own(sys.stdout if to_stdout else sys.stderr)))
        report = stack.enter_context(_Live(console)) if console.is_terminal else _Plain(console.file)
        heard = True

        def report_while_heard(event: str, **fields) -> None:
            nonlocal heard
            try:
                if heard:
                    report(event, **fields)
            except OSError:
                heard = False
                _drop_what_is_written_to(console.file)

        yield report_while_heard


class _Plain:
    """Plain lines; a bar that nobody can see becomes a line every ten seconds."""

    def __init__(self, file):
        self._file = file
        self._shown = time.time()
        self._ticks = False

    def __call__(self, event: str, **fields) -> None:
        from biggan_cli.core.reporting import pace, plain_text

        text = plain_text(event, **fields)
        self._ticks = self._ticks or event == "tick" or fields.get("what") == "training"
        if event == "advance" and not self._ticks and time.time() - self._shown > PIPE_SECONDS:
            text = f"{fields['what']} {fields['done']}/{fields['total'] or '?'}" + pace(**fields)
            self._shown = time.time()
        if text:
            print(text, file=self._file, flush=True)


class _Live:
    """A bar with the latest status below it; lines and tables appear above."""

    def __init__(self, console):
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            console=console,
            expand=True,
        )
        self._task = self._what = None
        self._status = Text("", no_wrap=True, overflow="ellipsis")
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._renderable)

    def __enter__(self) -> "_Live":
        return self

    def __exit__(self, *exception) -> None:
        if self._task is not None:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self._live.stop()

    def __call__(self, event: str, **fields) -> None:
        getattr(self, "_" + event)(**fields)

    def _renderable(self):
        from rich.console import Group

        return Group(self._bar, self._status) if self._status.plain else self._bar

    def _table(self, title: str, rows) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for left, right in rows:
            table.add_row(Text("  " + left, style="cyan"), Text(right))
        self._console.print(Text(title, style="bold"))
        self._console.print(table)

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _warning(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.assemble(("warning: ", "bold yellow"), text), soft_wrap=True)

    def _tick(self, step: int, total: int, status: str, remaining_seconds: float) -> None:
        self._status.plain = "  " + status

    def _advance(self, what: str, done: int, total: Optional[int], per_second: Optional[float] = None) -> None:
        if self._task is None:
            self._task = self._bar.add_task(what, total=total, completed=done)
            self._live.start()
        elif what != self._what or done < self._bar.tasks[0].completed:  # something else has begun
            self._bar.reset(self._task, total=total)
        self._what = what
        if per_second:
            what += f", {per_second:.1f} images/s"
        self._bar.update(self._task, description=what, completed=done, total=total)


def _drop_what_is_written_to(file) -> None:
    """Else what is left in its buffer fails again at the next flush, whoever makes it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)


@contextlib.contextmanager
def _own(stream) -> Iterator[Optional[TextIO]]:
    """The same stream with a descriptor of its own: libraries that write to the process's are kept apart.

    None where it has no descriptor.
    """
    try:
        number = os.dup(stream.fileno())
    except (OSError, ValueError, AttributeError):
        yield None
        return
    own = os.fdopen(number, "w", buffering=1, encoding=stream.encoding, errors=stream.errors)
    try:
        yield own
    finally:
        with contextlib.suppress(OSError):  # nobody may be there any more to read the rest
            own.close()


def _console(to_stdout: bool = False, file: Optional[TextIO] = None):
    from rich.console import Console

    return Console(stderr=not to_stdout, file=file)
