"""``biggan sample``."""

from pathlib import Path

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.rundir import open_run
from biggan_cli.settings import DRAW_BATCH, SampleConfig


def sample(
    run: options.RunArgument = None,
    classes: options.ClassesOption = None,
    num: options.NumOption = None,
    seeds: options.SeedsOption = None,
    truncation: options.TruncationOption = None,
    weights: options.WeightsOption = "ema",
    bn: options.BnOption = None,
    checkpoint: options.CheckpointOption = None,
    latents: options.LatentsOption = None,
    npz: Annotated[bool, typer.Option("--npz", help="Also keep the unrounded floats, in samples.npz.")] = False,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    device: options.DeviceOption = "cpu",
    batch: options.DrawBatchOption = DRAW_BATCH,
    as_json: options.JsonOption = False,
) -> None:
    """Draw pictures: PNG files and a labelled grid.

    Example: biggan sample --classes three,eight:16
    """
    settings = SampleConfig(
        draw=options.draw_config(checkpoint, weights, bn, truncation, device, batch),
        latents=options.latents_config(classes, num, seeds, latents),
        npz=npz,
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import sample as core

        result = core.sample(found, settings, report)
    console.result(result._asdict(), as_json)
