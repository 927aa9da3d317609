"""``biggan stats``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.cli.groups import LOOKING, Looking, grouped
from biggan_cli.errors import UsageError
from biggan_cli.settings import SOURCES, StatsConfig


@grouped
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
    looking: Looking = LOOKING,
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
        pictures=looking.pictures(source, outdir, held_out),
        source=form,
        extractor=looking.network(),
        features=features,
    )
    with console.reporting() as report:
        from biggan_cli.core import stats as core

        result = core.stats(settings, report)
    console.result(result._asdict(), as_json)
