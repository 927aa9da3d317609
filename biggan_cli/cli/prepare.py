"""``biggan prepare``."""

from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import MAX_PICTURES, RESOLUTIONS, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.settings import ARCHIVE_FORMS, PrepareConfig

_MOST_WORKERS = 1024


def prepare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="What train's --data takes: a folder of class folders, an archive …",
            show_default=False,
        ),
    ],
    res: Annotated[
        Optional[int],
        parsing.whole(
            "--res",
            metavar="|".join(map(str, RESOLUTIONS)),
            help="Width and height: the square in each picture's centre, resized.",
            show_default="as the pictures are",
            autocompletion=options.among(*map(str, RESOLUTIONS)),
        ),
    ] = None,
    out: Annotated[
        Optional[str],
        typer.Option("--out", "-o", metavar="DIR", help="Where it goes: a new folder.", show_default=False),
    ] = None,
    workers: Annotated[
        Optional[int],
        parsing.whole(
            "--workers",
            help="Processes that decode and resize.",
            show_default="one a core",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out pictures that are broken or not of 8 bits, and name them.")
    ] = False,
    shard_size: Annotated[
        Optional[int],
        parsing.whole(
            "--shard-size",
            help="Pictures in each file.",
            show_default="some 64 MB",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Of cifar10: fetch its official archive into the cache first.")
    ] = False,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="|".join(ARCHIVE_FORMS),
            help="Which archive --download fetches; the pictures are the same.",
            rich_help_panel=options.ADVANCED,
            autocompletion=options.among(*ARCHIVE_FORMS),
        ),
    ] = ARCHIVE_FORMS[0],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Prepare pictures for training, however many they are.

    At one size, in TFRecord files that training reads from disk.

    Example: biggan prepare pictures/ --res 64 --out prepared
    """
    if res is not None and res not in RESOLUTIONS:
        raise UsageError(f"--res {res} is not one of {', '.join(map(str, RESOLUTIONS))}", fix=f"--res {RESOLUTIONS[1]}")
    for flag, value, most in (("--workers", workers, _MOST_WORKERS), ("--shard-size", shard_size, MAX_PICTURES)):
        if value is not None:
            validate_count(flag, value, most)
    if kind not in ARCHIVE_FORMS:
        raise UsageError(f"--kind {kind} is not one of {', '.join(ARCHIVE_FORMS)}", fix=f"--kind {ARCHIVE_FORMS[0]}")
    if download and source != "cifar10":
        raise UsageError(f"--download is for cifar10, not for {source}", fix="biggan prepare cifar10 --download")
    settings = PrepareConfig(source, out, res, workers, skip_broken, shard_size, download, kind)
    with console.reporting(to_stdout=dry_run and not as_json) as report:
        from biggan_cli.core import prepare as core

        result = core.prepare(settings, dry_run, report)
    if as_json or not dry_run:
        console.result(result._asdict(), as_json)
    if isinstance(result, core.ArchiveResult) and not as_json:
        print(f"next: biggan train --data {source}")
