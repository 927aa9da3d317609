"""``biggan verify``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import MAX_PICTURES, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import VerifyConfig


def verify(
    run: options.RunArgument = None,
    precision_modes: Annotated[
        Optional[str],
        typer.Option(
            "--precision-modes",
            metavar="A,B",
            help="Convert and run with each of these first: names as of atc, by commas.",
            show_default="compare what ran already",
        ),
    ] = None,
    soc: Annotated[str, typer.Option("--soc", metavar="CHIP", help="The chip of --precision-modes.")] = "Ascend310",
    num: Annotated[int, parsing.whole("--num", help="Latents to compare, at most.")] = 16,
    min_psnr: Annotated[
        float, parsing.real("--min-psnr", metavar="DB", help="What an offline model must reach.")
    ] = 40.0,
    toolchain: options.ToolchainOption = None,
    toolkit: options.ToolkitOption = None,
    time_limit: options.TimeLimitOption = 3600.0,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Compare checkpoint, frozen graph and offline models.

    On the same latents; with exit code 1 where one is too far from the one before.

    Example: biggan verify
    """
    validate_count("--num", num, MAX_PICTURES)
    if not min_psnr < float("inf"):
        raise UsageError(f"--min-psnr {min_psnr} is not a number", fix="--min-psnr 40")
    modes = tuple(part.strip() for part in precision_modes.split(",")) if precision_modes else ()
    if "" in modes or len(set(modes)) < len(modes):
        raise UsageError(f"--precision-modes {precision_modes} is not a list of different modes")
    settings = VerifyConfig(
        tool=options.tool_config(toolchain, toolkit, time_limit),
        precision_modes=modes,
        soc=soc,
        num=num,
        min_psnr=min_psnr,
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import verify as core

        result = core.verify(found, settings, report)
    if as_json:
        console.result(result._asdict(), as_json)
    else:
        console.rows(*core.table(result))
        print(f"\n{core.legend(result)}\nside by side: {result.picture}")
    core.judge(result, settings)
