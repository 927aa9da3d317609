"""What people see: results on stdout, everything else on stderr. The only user of rich."""

import contextlib
import json
import math
import os
import shutil
import sys
import time
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, TextIO, Tuple

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
    """The result of a command on stdout: JSON, or one value a line without those that there are none of.

    JSON has no NaN and no Infinity: a number that is none is null there.
    """
    if as_json:
        print(json.dumps(_without_nan(values), allow_nan=False))
        return
    values = {name: value for name, value in values.items() if value not in (None, (), [])}
    width = max(len(name) for name in values)
    for name, value in values.items():
        print(f"{name.ljust(width)}  {_shown(value)}")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return value


def rows(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """A table on stdout, in columns as wide as they need to be; without headings where there are none."""
    for line in columns([headings, *cells] if headings else cells):
        text(line)


def columns(cells: Sequence[Sequence[str]]) -> List[str]:
    """Lines with their cells in columns as wide as they need to be."""
    cells = [[visible(cell) for cell in line] for line in cells]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


def width() -> Optional[int]:
    """Characters in a line of the terminal; None in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def shortened(words: str, most: int) -> str:
    """At most so many characters; what is cut off the end is shown as an ellipsis."""
    return words if len(words) <= most else words[: most - 1] + "…"


def can_write(characters: str) -> bool:
    """Whether stdout's encoding has them."""
    try:
        characters.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def full_screen() -> Iterator[Callable[[Callable[[int, int], Sequence]], None]]:
    """Something to call with what gives the lines, each of (words, style), of a terminal of that width and height.

    It shows them instead of all that stands there, which is back afterwards.
    """
    from rich.live import Live
    from rich.text import Text

    console = _console(to_stdout=True)
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(lines_for: Callable[[int, int], Sequence]) -> None:
            lines = [Text.assemble(*line) for line in lines_for(console.size.width, console.size.height)]
            live.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines), refresh=True)

        yield show


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

    It goes to stderr, except where it is itself what was asked for, the plan of a dry run: then only its progress does.

    A step does not end because nobody listens any more: a closed pipe or terminal only ends the words.
    """
    with contextlib.ExitStack() as stack:
        console = _console(to_stdout, stack.enter_context(_own(sys.stdout if to_stdout else sys.stderr)))
        report = stack.enter_context(_Live(console)) if console.is_terminal else _Plain(console.file)
        heard = True
        progress = stack.enter_context(reporting()) if to_stdout and not console.is_terminal else None

        def report_while_heard(event: str, **fields) -> None:
            nonlocal heard
            if progress and event == "advance":
                progress(event, **fields)
                return
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
        self._shown = time.monotonic()
        self._ticks = False

    def __call__(self, event: str, **fields) -> None:
        from biggan_cli.core.reporting import pace, plain_text, progress

        text = plain_text(event, **fields)
        self._ticks = self._ticks or event == "tick" or fields.get("what") == "training"
        if event == "advance" and not self._ticks and time.monotonic() - self._shown > PIPE_SECONDS:
            text = progress(**fields) + pace(**fields)
            self._shown = time.monotonic()
        if text:
            print(text, file=self._file, flush=True)


_BESIDE_WORDS = 40
"""Characters of a live line that the bar, the count and what is left have at least."""


class _Live:
    """A bar with the latest status below it; lines and tables appear above."""

    def __init__(self, console):
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.table import Column
        from rich.text import Text

        self._console = console
        most = max(12, console.width - _BESIDE_WORDS)
        self._bar = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=most)),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _eta_column(self._eta, Column(no_wrap=True)),
            console=console,
            expand=True,
        )
        self._task = self._what = self._total = self._left = None
        self._done, self._began = 0, time.monotonic()
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

        if self._total is None:
            return self._without_end()
        return Group(self._bar, self._status) if self._status.plain else self._bar

    def _without_end(self):
        """What is being done, where nobody knows how much of it there is: for how long now."""
        from rich.text import Text

        from biggan_cli.core.reporting import duration, progress

        words = progress(self._what or "", self._done, None)
        return Text(f"{words}  {duration(time.monotonic() - self._began)}", no_wrap=True, overflow="ellipsis")

    def _eta(self) -> Optional[float]:
        """Seconds that are left, where the step said so itself; None: as far as the bar tells."""
        return None if self._left is None else max(0.0, self._left - time.monotonic())

    def _table(self, title: str, rows) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for left, right in rows:
            table.add_row(Text("  " + left), Text(right))
        self._console.print(Text(title, style="bold"))
        self._console.print(table)

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _warning(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.assemble(("warning: ", "bold yellow"), text), soft_wrap=True)

    def _tick(self, step: int, total: int, status: str, remaining_seconds: float) -> None:
        self._status.plain = "  " + status
        self._left = time.monotonic() + remaining_seconds

    def _advance(self, what: str, done: int, total: Optional[int], per_second: Optional[float] = None) -> None:
        if self._task is None:
            self._task = self._bar.add_task(what, total=total, completed=done)
        elif what != self._what or done < self._done:  # something else has begun
            self._bar.reset(self._task, total=total)
        if what != self._what:
            self._began, self._left = time.monotonic(), None
        self._what, self._done, self._total = what, done, total
        if not self._live.is_started:
            self._live.start()
        if per_second:
            what += f", {per_second:.1f} images/s"
        self._bar.update(self._task, description=what, completed=done, total=total)


def _eta_column(own: Callable[[], Optional[float]], place: Any):
    """What is left, in words: the step's ``own`` where it says so, else by the bar's pace."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    from biggan_cli.core.reporting import duration

    class Eta(ProgressColumn):
        max_refresh = 0.5

        def render(self, task):
            left = own()
            left = task.time_remaining if left is None else left
            return Text("" if left is None else f"ETA {duration(left)}", style="progress.remaining")

    return Eta(place)


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
