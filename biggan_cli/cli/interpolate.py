"""``biggan interpolate``."""

from pathlib import Path

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import DRAW_BATCH, InterpolateConfig

MAX_FRAMES = 10000


def interpolate(
    run: options.RunArgument = None,
    start: Annotated[str, typer.Option("--from", metavar="CLASS", help="The first class.", show_default=False)] = ...,
    end: Annotated[str, typer.Option("--to", metavar="CLASS", help="The last class.", show_default=False)] = ...,
    frames: Annotated[int, typer.Option("--frames", help="Pictures in the animation.")] = 11,
    fps: Annotated[float, typer.Option("--fps", help="Pictures in a second.")] = 5.0,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="0-15", help="A latent for each place of the grid.")
    ] = "0-15",
    truncation: options.TruncationOption = None,
    weights: options.WeightsOption = "ema",
    bn: options.BnOption = None,
    checkpoint: options.CheckpointOption = None,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    device: options.DeviceOption = "cpu",
    batch: options.DrawBatchOption = DRAW_BATCH,
    as_json: options.JsonOption = False,
) -> None:
    """Morph one class into another: an animated GIF.

    Example: biggan interpolate --from three --to eight
    """
    if not 2 <= frames <= MAX_FRAMES:
        raise UsageError(f"--frames {frames} is outside 2 to {MAX_FRAMES}", fix="--frames 11")
    if not 0.01 <= fps <= 50:
        raise UsageError(f"--fps {fps:g} is outside 0.01 to 50, what a GIF can show", fix="--fps 5")
    settings = InterpolateConfig(
        draw=options.draw_config(checkpoint, weights, bn, truncation, device, batch),
        start=start,
        end=end,
        seeds=options.parse_seeds(seeds),
        frames=frames,
        fps=fps,
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import interpolate as core

        result = core.interpolate(found, settings, report)
    console.result(result._asdict(), as_json)
