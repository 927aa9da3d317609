"""``biggan export-checkpoint``."""

from pathlib import Path

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import ExportConfig

FORMATS = ("reference",)


def export_checkpoint(
    run: options.RunArgument = None,
    to: Annotated[str, typer.Option("--format", metavar="reference", help="Whose checkpoint to write.")] = "reference",
    checkpoint: options.CheckpointOption = None,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Write a checkpoint that the reference restores.

    The reference is the BigGAN for Ascend 910 in ModelZoo, AnimeFaceGAN_ID1062.

    Example: biggan export-checkpoint --format reference
    """
    if to not in FORMATS:
        raise UsageError(f"--format {to} is not one of {', '.join(FORMATS)}", fix=f"--format {FORMATS[0]}")
    settings = ExportConfig(format=to, checkpoint=options.check_checkpoint(checkpoint), name=options.check_name(name))
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import export_checkpoint as core

        result = core.export_checkpoint(found, settings, report)
    console.result(result._asdict(), as_json)
