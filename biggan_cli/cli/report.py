"""``biggan report``."""

from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import validate_count
from biggan_cli.rundir import open_run
from biggan_cli.settings import ReportConfig

MOST_GRIDS = 200


def report(
    run: options.AnyRunArgument = None,
    out: Annotated[
        Optional[str],
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.html",
            help="Where the report goes; a file that is there is replaced.",
            show_default="report/report.html in the run",
        ),
    ] = None,
    grids: Annotated[int, parsing.whole("--grids", help="Grids of its sample history, at most; evenly chosen.")] = 24,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Show a run in one HTML file: pictures, curves, scores.

    Example: biggan report
    """
    validate_count("--grids", grids, MOST_GRIDS)
    found = open_run(run, outdir, trained=False)
    with console.reporting() as report:
        from biggan_cli.core import report as core

        result = core.report_of(found, ReportConfig(out, grids), report)
    if as_json:
        console.result(result._asdict(), as_json)
        return
    shown = f"{result.grids} of {result.grids_of}" if result.grids < result.grids_of else str(result.grids)
    size = f"{result.bytes / 1e6:.1f} MB" if result.bytes >= 1e6 else f"{result.bytes / 1e3:.0f} kB"
    console.result(dict(report=result.report, size=size, grids=shown), as_json)
