"""``biggan msame-run``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import RUNNERS, MsameRunConfig

MOST_LOOPS, MOST_DEVICES = 100, 255


def msame_run(
    run: options.RunArgument = None,
    om: Annotated[
        Optional[str], typer.Option("--om", metavar="NAME", help="The offline model.", show_default="latest")
    ] = None,
    bins: Annotated[
        Optional[str],
        typer.Option("--bins", metavar="NAME", help="The input files: a name or a folder.", show_default="latest"),
    ] = None,
    runner: Annotated[
        str,
        typer.Option(
            "--runner",
            metavar="msame|ais_bench",
            help="The program, or its successor.",
            autocompletion=options.among(*RUNNERS),
            rich_help_panel=options.PROGRAMS,
        ),
    ] = "msame",
    runner_path: Annotated[
        Optional[Path],
        typer.Option(
            "--runner-path",
            metavar="FILE",
            help="Where msame is, also from BIGGAN_MSAME; of ais_bench: its Python.",
            show_default="found by itself",
            rich_help_panel=options.PROGRAMS,
        ),
    ] = None,
    device_id: Annotated[int, parsing.whole("--device-id", help="The device.")] = 0,
    loop: Annotated[
        int,
        parsing.whole("--loop", help="How often, as msame takes it.", rich_help_panel=options.PROGRAMS),
    ] = 1,
    profiler: Annotated[
        bool, typer.Option("--profiler", help="Let the program profile.", rich_help_panel=options.PROGRAMS)
    ] = False,
    dump: Annotated[
        bool,
        typer.Option("--dump", help="Let the program dump the results of operators.", rich_help_panel=options.PROGRAMS),
    ] = False,
    toolchain: options.ToolchainOption = None,
    toolkit: options.ToolkitOption = None,
    time_limit: options.TimeLimitOption = 3600.0,
    outdir: options.OutdirOption = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command for a shell and stop.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Run the offline model over the raw files, with msame.

    Example: biggan msame-run
    """
    if runner not in RUNNERS:
        raise UsageError(f"--runner {runner} is not one of {', '.join(RUNNERS)}", fix="--runner msame")
    for flag, value, low, high in (("--device-id", device_id, 0, MOST_DEVICES), ("--loop", loop, 1, MOST_LOOPS)):
        if not low <= value <= high:
            raise UsageError(f"{flag} {value} is outside {low} to {high}", fix=f"{flag} {low}")
    if profiler and dump:
        raise UsageError("--profiler and --dump exclude each other", fix="leave one out")
    settings = MsameRunConfig(
        tool=options.tool_config(toolchain, toolkit, time_limit),
        runner=runner,
        program=str(runner_path) if runner_path else None,
        om=om,
        bins=bins,
        device_id=device_id,
        loop=loop,
        profiler=profiler,
        dump=dump,
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import msame_run as core

        result = core.plan(found, settings) if dry_run else core.msame_run(found, settings, report)
    if dry_run and not as_json:
        print(result.command)
    else:
        console.result(result._asdict(), as_json)
