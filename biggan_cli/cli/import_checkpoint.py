"""``biggan import-checkpoint``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.config import WEIGHTS
from biggan_cli.errors import UsageError
from biggan_cli.settings import ImportConfig


def import_checkpoint(
    prefix: Annotated[
        str,
        typer.Argument(metavar="PREFIX", help="The checkpoint without endings: …/model.ckpt or …/ema.ckpt."),
    ],
    class_names: Annotated[
        Optional[str],
        typer.Option(
            "--class-names",
            metavar="NAMES",
            help="cifar10, a file with one name a line, or names with commas between.",
            show_default="0, 1, …",
        ),
    ] = None,
    weights: Annotated[
        Optional[str],
        typer.Option(
            "--weights",
            metavar="raw|ema",
            help="What the live weights of the file are.",
            show_default="ema if they equal the averages beside them, else raw",
        ),
    ] = None,
    outdir: options.OutdirOption = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be imported and stop.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Make a run from a checkpoint of the reference.

    The reference is the BigGAN for Ascend 910 in ModelZoo, AnimeFaceGAN_ID1062.

    Example: biggan import-checkpoint output/model/32/model.ckpt --class-names cifar10
    """
    if weights is not None and weights not in WEIGHTS:
        raise UsageError(f"--weights {weights} is not one of {', '.join(WEIGHTS)}")
    settings = ImportConfig(prefix=prefix, class_names=class_names, weights=weights)
    with console.reporting(to_stdout=dry_run and not as_json) as report:
        from biggan_cli.core import import_checkpoint as core

        result = core.import_checkpoint(settings, outdir, dry_run, report)
    if as_json or not dry_run:
        console.result(result._asdict(), as_json)
