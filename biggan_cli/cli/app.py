"""The command line: registers the commands and turns errors into words and exit codes."""

import contextlib
import errno
import platform
import signal
import sys
import traceback
from typing import Iterator, Optional

import typer
from typing_extensions import Annotated

import biggan_cli
from biggan_cli.cli import (
    atc,
    bench,
    compare,
    console,
    data,
    doctor,
    export_checkpoint,
    freeze,
    import_checkpoint,
    interpolate,
    job,
    msame_run,
    prepare,
    profile,
    report,
    runs,
    sample,
    score,
    stats,
    to_bin,
    train,
    verify,
    watch,
)
from biggan_cli.cli.help import Command, Group
from biggan_cli.cli.parsing import in_our_words
from biggan_cli.errors import BigganError, Interrupted, StepFailed, is_interrupt
from biggan_cli.runtime.versions import tensorflow_version

_INTERRUPTED = "interrupted; what was not finished is removed"

# The panels of `biggan --help`, in the order of a run's life.
_DATA = "Data"
_TRAINING = "Training"
_DRAWING = "Pictures"
_DEVICE = "To an Ascend chip"
_MEASURING = "Scores and speed"
_MACHINE = "This machine"
_REFERENCE = "Checkpoints of the reference"


@contextlib.contextmanager
def _errors_to_exit_codes() -> Iterator[None]:
    """Every error becomes our words on stderr and its exit code; only a bug of ours shows a traceback."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BigganError as error:
        _stop(error)
    except KeyboardInterrupt:
        _stop(Interrupted(_INTERRUPTED, signal.SIGINT))
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        _stop(StepFailed(f"{error.filename or 'the output'}: {(error.strerror or str(error)).lower()}"))
    except Exception as error:
        if is_interrupt(error):
            _stop(Interrupted(_INTERRUPTED, signal.SIGINT))
        if hasattr(error, "format_message"):  # the parser's own kind, whichever library it comes from
            _stop(in_our_words(error))
        traceback.print_exc()
        _stop(
            BigganError(
                f"a bug in biggan {biggan_cli.__version__}: {type(error).__name__}",
                hint="please report it with the lines above and the command",
            )
        )


def _stop(error: BigganError) -> None:
    console.error(error)
    raise typer.Exit(error.exit_code)


class _Group(Group):
    """The command group with our errors."""

    def make_context(self, *args, **kwargs):
        with _errors_to_exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx):
        with _errors_to_exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command("prepare", cls=Command, rich_help_panel=_DATA)(prepare.prepare)
app.command("data", cls=Command, rich_help_panel=_DATA)(data.data)
app.command("train", cls=job.JobCommand, rich_help_panel=_TRAINING)(train.train)
app.command("runs", cls=Command, rich_help_panel=_TRAINING)(runs.runs)
app.command("watch", cls=Command, rich_help_panel=_TRAINING)(watch.watch)
app.command("compare", cls=Command, rich_help_panel=_TRAINING)(compare.compare)
app.command("report", cls=Command, rich_help_panel=_TRAINING)(report.report)
app.command("sample", cls=Command, rich_help_panel=_DRAWING)(sample.sample)
app.command("interpolate", cls=Command, rich_help_panel=_DRAWING)(interpolate.interpolate)
app.command("freeze", cls=Command, rich_help_panel=_DEVICE)(freeze.freeze)
app.command("to-bin", cls=Command, rich_help_panel=_DEVICE)(to_bin.to_bin)
app.command("atc", cls=Command, rich_help_panel=_DEVICE)(atc.atc)
app.command("msame-run", cls=Command, rich_help_panel=_DEVICE)(msame_run.msame_run)
app.command("verify", cls=Command, rich_help_panel=_DEVICE)(verify.verify)
app.command("score", cls=Command, rich_help_panel=_MEASURING)(score.score)
app.command("stats", cls=Command, rich_help_panel=_MEASURING)(stats.stats)
app.command("bench", cls=Command, rich_help_panel=_MEASURING)(bench.bench)
app.command("doctor", cls=Command, rich_help_panel=_MACHINE)(doctor.doctor)
app.command("profile", cls=Command, rich_help_panel=_MACHINE)(profile.profile)
app.command("import-checkpoint", cls=Command, rich_help_panel=_REFERENCE)(import_checkpoint.import_checkpoint)
app.command("export-checkpoint", cls=Command, rich_help_panel=_REFERENCE)(export_checkpoint.export_checkpoint)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    print(f"biggan {biggan_cli.__version__}")
    print(f"Python {platform.python_version()}")
    print("TensorFlow %s" % (tensorflow_version() or "not installed"))
    raise typer.Exit()


@app.callback()
def biggan(
    context: typer.Context,
    version: Annotated[
        Optional[bool],
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the versions of biggan, Python and TensorFlow.",
        ),
    ] = None,
) -> None:
    """The whole life of a class-conditional BigGAN: train, draw, freeze, and run on an Ascend chip.

    Start with: biggan train --preset digits
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "encoding", None) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")  # a character that a terminal lacks must not end anything
    app(prog_name="biggan")
