"""``biggan freeze``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import MAX_PICTURES, RESAMPLE, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import DRAW_BATCH, FreezeConfig


def freeze(
    run: options.RunArgument = None,
    weights: options.WeightsOption = None,
    bn: options.BnOption = None,
    checkpoint: options.CheckpointOption = None,
    truncation: options.TruncationOption = None,
    resample: Annotated[
        str,
        typer.Option(
            "--resample",
            metavar="plain|fused",
            help="Only operators of the reference's own frozen graph, or fewer multiplications, for CPU and GPU.",
            autocompletion=options.among(*RESAMPLE),
        ),
    ] = "plain",
    batch: Annotated[Optional[int], parsing.whole("--batch", help="Fix the batch.", show_default="free")] = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Freeze the generator: a graph of constants.

    With its specification, which the steps after it read.

    Example: biggan freeze
    """
    if resample not in RESAMPLE:
        raise UsageError(f"--resample {resample} is not one of {', '.join(RESAMPLE)}", fix="--resample plain")
    if batch is not None:
        validate_count("--batch", batch, MAX_PICTURES)
    draw = options.draw_config(checkpoint, weights or "ema", bn, truncation, "cpu", DRAW_BATCH)
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import freeze as core

        result = core.freeze(found, FreezeConfig(draw=draw, resample=resample, batch=batch), report)
    console.result(result._asdict(), as_json)
