"""``biggan to-bin``."""

from pathlib import Path
from typing import Optional

from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import MAX_PICTURES, validate_count
from biggan_cli.rundir import open_run
from biggan_cli.settings import ToBinConfig


def to_bin(
    run: options.RunArgument = None,
    classes: options.ClassesOption = None,
    num: options.NumOption = None,
    seeds: options.SeedsOption = None,
    truncation: options.TruncationOption = None,
    latents: options.LatentsOption = None,
    batch: Annotated[
        Optional[int],
        parsing.whole("--batch", help="Latents in each file.", show_default="that of the graph, or 1"),
    ] = None,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Write latents and classes as raw files for msame.

    Example: biggan to-bin --num 64
    """
    if batch is not None:
        validate_count("--batch", batch, MAX_PICTURES)
    settings = ToBinConfig(
        latents=options.latents_config(classes, num, seeds, latents),
        truncation="run" if truncation is None else options.parse_truncation(truncation),
        batch=batch,
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import to_bin as core

        result = core.to_bin(found, settings, report)
    console.result(result._asdict(), as_json)
