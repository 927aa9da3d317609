"""``biggan watch``."""

import contextlib
import shutil
import signal
import sys
from pathlib import Path
from typing import Callable, Iterable, Iterator

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.errors import StepFailed


def watch(
    run: options.AnyRunArgument = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and stop.")] = False,
    outdir: options.OutdirOption = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print how it stands now as JSON and stop.")] = False,
) -> None:
    """Watch a run from another terminal, until it ends.

    In a pipe, a line for each record. The exit code is 0 when the run is
    finished, 1 when it stopped or failed; Ctrl-C leaves it with 130.

    Example: biggan watch
    """
    from biggan_cli.core import watch as core
    from biggan_cli.core import watch_words
    from biggan_cli.core.run_states import FAILED, STOPPED
    from biggan_cli.rundir import open_run

    found = open_run(run, outdir, trained=False)
    blocks = watch_words.BLOCKS if console.can_write(watch_words.BLOCKS) else watch_words.PLAIN_BLOCKS

    def lines_of(view) -> Callable:
        return lambda width, height: watch_words.drawn(view, width, height, blocks)

    if once or as_json:
        (view,) = core.watch(found, once=True)
        if as_json:
            console.result(view.as_record(), as_json)
        else:
            _print(lines_of(view))
        return
    view = None
    with _leaving(found):
        if sys.stdout.isatty():
            with console.full_screen() as show:
                for view in core.watch(found):
                    show(lines_of(view))
            _print(lines_of(view))
        else:
            for number, view in enumerate(core.watch(found)):
                _tell(watch_words.told(view if number else view._replace(new=view.new[-1:])))
    if view.state.state in (STOPPED, FAILED):
        raise StepFailed(
            f"{found} {watch_words.how_it_ended(view.state)}", fix=f"biggan train --resume {found}", log=str(found.log)
        )
    console.text(f"{found} {watch_words.how_it_ended(view.state)}")


def _print(lines_for: Callable) -> None:
    """The view as it is now, which stays."""
    width, height = shutil.get_terminal_size()
    for line in lines_for(width, height):
        console.styled(line)


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        console.text(line)
    sys.stdout.flush()


@contextlib.contextmanager
def _leaving(run) -> Iterator[None]:
    """Ctrl-C and SIGTERM give the terminal back; the run never hears of it."""

    def stop(number, frame) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"no longer watching; {run} is left as it is\n")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)
