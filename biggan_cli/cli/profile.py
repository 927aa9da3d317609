"""``biggan profile``."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import validate_count
from biggan_cli.rundir import open_run
from biggan_cli.settings import ProfileConfig

_WIDTH = 80
_PARTS = {
    "iteration": "whole iteration",
    "forward_backward": "forward and backward",
    "refresh": "refresh after it",
    "data_gap": "gap before, for data",
}


def profile(
    run: options.RunArgument = None,
    prof: Annotated[
        Optional[str],
        typer.Option("--prof", metavar="DIR", help="The profile: a name or a folder.", show_default="latest"),
    ] = None,
    top: Annotated[int, parsing.whole("--top", help="How many operators to list.")] = 10,
    toolkit: options.ToolkitOption = None,
    time_limit: options.TimeLimitOption = 3600.0,
    outdir: options.OutdirOption = Path("runs"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the export's command for a shell and stop.")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Show where the time of a profile of the NPU went.

    A raw one is exported with CANN's msprof first.

    Example: biggan profile --top 20
    """
    validate_count("--top", top)
    settings = ProfileConfig(options.tool_config(None, toolkit, time_limit), prof, top)
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import profile as core

        result = core.plan(found, settings) if dry_run else core.profile(found, settings, report)
    if as_json:
        console.result(result._asdict(), as_json)
    elif dry_run:
        print(result.command)
    else:
        _show(result)


def _show(result) -> None:
    """Everything but paths in rows of at most 80 characters, names of operators cut where they have to be."""
    values = {"profile": result.profile, "summary": result.summary, "from": result.source}
    if result.devices != [None]:
        values["devices"] = _names(result.devices) + (", summed" if len(result.devices) > 1 else "")
    values["operators"] = f"{_ms(result.total_us)} ms in {result.calls} calls of {result.operator_types} types"
    values["AI CPU"] = f"{_ms(result.ai_cpu_us)} ms, {_percent(result.ai_cpu_share)} of this"
    for entry in result.by_device if len(result.devices) > 1 else ():
        share = _percent(entry["ai_cpu_share"])
        values[f"device {_names([entry['device']])}"] = f"{_ms(entry['total_us'])} ms, AI CPU {share}"
    console.result(values, as_json=False)
    print()
    _show_operators(result)
    for entry in result.steps:
        print()
        _show_steps(entry)


def _show_operators(result) -> None:
    cells = []
    for entry in result.operators:
        times = [_ms(entry["total_us"]), _us(entry["mean_us"]), _percent(entry["share"])]
        cells.append([entry["type"], entry["core"], str(entry["count"]), *times])
    left = result.operator_types - len(cells)
    if left:
        calls = result.calls - sum(entry["count"] for entry in result.operators)
        total = result.total_us - sum(entry["total_us"] for entry in result.operators)
        share = max(total, 0.0) / result.total_us if result.total_us else None
        cells.append([f"{left} more", "", str(calls), _ms(max(total, 0.0)), "", _percent(share)])
    _table(["operator", "core", "calls", "total ms", "mean us", "share"], cells, words=2)


def _show_steps(entry: Dict[str, Any]) -> None:
    graph = f"graph {entry['graph']}" if entry["graph"] is not None else "steps"
    device = f" on device {entry['device']}" if entry["device"] is not None else ""
    cells = []
    for part, times in entry["parts"].items():
        at = "" if times["max_iteration"] is None else f"iteration {times['max_iteration']}"
        cells.append([_PARTS[part], _ms(times["mean_us"]), _ms(times["max_us"]), at])
    count = entry["iterations"]
    heading = f"{graph}{device}: {count} iteration{'s' if count > 1 else ''}"
    _table([heading, "mean ms", "max ms", "max in"], cells, words=1)


def _table(headings: List[str], cells: List[List[str]], words: int) -> None:
    """Rows whose first columns are ``words``, the others numbers; the first gives way where it is too wide."""
    lines = [headings, *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    widths[0] = max(min(widths[0], _WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)), 12)
    shown = []
    for line in lines:
        first = line[0] if len(line[0]) <= widths[0] else line[0][: widths[0] - 3] + "..."
        shown.append([first, *line[1:words], *(cell.rjust(size) for cell, size in zip(line[words:], widths[words:]))])
    console.rows(shown[0], shown[1:])


def _names(devices: List[Optional[int]]) -> str:
    return ", ".join("of no known number" if device is None else str(device) for device in devices)


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:.3f}"


def _us(microseconds: Optional[float]) -> str:
    return "" if microseconds is None else f"{microseconds:.1f}"


def _percent(share: Optional[float]) -> str:
    return "none" if share is None else f"{share * 100:.1f} %"
