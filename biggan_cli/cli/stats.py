"""``biggan stats``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.errors import UsageError
from biggan_cli.settings import DRAW_BATCH, SOURCES, StatsConfig


def stats(
    source: options.PicturesArgument = None,
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", metavar="FILE.npz", help="Where they go.", show_default=False)
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Keep the features too: for --kid and --pr, or to score them again.")
    ] = False,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Of a data set, the part that is not trained on.")
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="checkpoint|pb|om",
            help="Which form of a run.",
            autocompletion=options.among(*SOURCES),
        ),
    ] = "checkpoint",
    extractor: options.ExtractorOption = None,
    num: options.DrawnNumOption = None,
    seeds: options.DrawnSeedsOption = None,
    truncation: options.DrawnTruncationOption = None,
    weights: options.DrawnWeightsOption = None,
    bn: options.DrawnBnOption = None,
    checkpoint: options.DrawnCheckpointOption = None,
    om: options.DrawnOmOption = None,
    inception: options.InceptionOption = None,
    fetch_inception: options.FetchInceptionOption = False,
    device: options.DeviceOption = "cpu",
    batch: options.DrawBatchOption = DRAW_BATCH,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Make a file of statistics that score compares with.

    Mean and covariance of the features of pictures.

    Example: biggan stats digits --out digits.npz
    """
    if out is None:
        raise UsageError("--out is not given", fix="--out statistics.npz")
    if form not in SOURCES:
        raise UsageError(f"--source {form} is not one of {', '.join(SOURCES)}", fix="--source checkpoint")
    settings = StatsConfig(
        out=str(out),
        pictures=options.pictures_config(
            source, outdir, num, seeds, om, checkpoint, weights, bn, truncation, device, batch, held_out
        ),
        source=form,
        extractor=options.extractor_config(extractor, inception, fetch_inception, device),
        features=features,
    )
    with console.reporting() as report:
        from biggan_cli.core import stats as core

        result = core.stats(settings, report)
    console.result(result._asdict(), as_json)
