"""``biggan sample``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.config import DRAW_BATCH, MAX_PICTURES, SampleConfig, validate_count
from biggan_cli.rundir import open_run


def sample(
    run: options.RunArgument = None,
    classes: Annotated[
        Optional[str],
        typer.Option(
            "--classes", metavar="A,B:16", help="Classes, each with a count or its share of --num.", show_default="all"
        ),
    ] = None,
    num: Annotated[Optional[int], typer.Option("--num", help="Pictures in all.", show_default="64")] = None,
    seeds: options.SeedsOption = None,
    truncation: options.TruncationOption = None,
    weights: options.WeightsOption = "ema",
    bn: options.BnOption = None,
    checkpoint: options.CheckpointOption = None,
    latents: Annotated[
        Optional[str],
        typer.Option(
            "--latents",
            metavar="FILE.npz",
            help="Take z [N, z_dim] and y [N] from a file, such as a samples.npz.",
            show_default=False,
        ),
    ] = None,
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
    if num is not None:
        validate_count("--num", num, MAX_PICTURES)
    settings = SampleConfig(
        draw=options.draw_config(checkpoint, weights, bn, truncation, device, batch),
        classes=options.parse_classes(classes) if classes is not None else (),
        num=num,
        seeds=options.parse_seeds(seeds) if seeds is not None else None,
        latents=latents,
        npz=npz,
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import sample as core

        result = core.sample(found, settings, report)
    console.result(result._asdict(), as_json)
