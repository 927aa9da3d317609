"""``biggan atc``."""

import re
from pathlib import Path
from typing import List, Optional, Tuple

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import MAX_PICTURES, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import AtcConfig

MOST_GEARS, FEWEST_GEARS = 100, 2


_PRECISION = "Precision of single operators"


def _flag(name: str, metavar: str, text: str, panel: Optional[str] = None):
    return typer.Option(name, metavar=metavar, help=text, show_default=False, rich_help_panel=panel)


def atc(
    run: options.RunArgument = None,
    extra: Annotated[
        Optional[List[str]],
        typer.Argument(metavar="-- EXTRA", help="What stands after -- goes to atc as it is.", show_default=False),
    ] = None,
    soc: Annotated[str, typer.Option("--soc", metavar="CHIP", help="The chip that the model is for.")] = "Ascend310",
    batch: Annotated[
        Optional[int],
        parsing.whole("--batch", help="Pictures at a time.", show_default="that of the graph, or 1"),
    ] = None,
    dynamic_batch: Annotated[
        Optional[str], _flag("--dynamic-batch", "1,8,16", "Several, of which each call takes one.")
    ] = None,
    precision_mode: Annotated[
        Optional[str],
        typer.Option(
            "--precision-mode",
            metavar="MODE",
            help="Such as force_fp16, allow_fp32_to_fp16, must_keep_origin_dtype.",
            show_default="atc's own, force_fp16",
            autocompletion=options.among(
                *("force_fp16", "allow_fp32_to_fp16", "force_fp32", "must_keep_origin_dtype", "allow_mix_precision")
            ),
        ),
    ] = None,
    precision_mode_v2: Annotated[
        Optional[str],
        _flag("--precision-mode-v2", "MODE", "Of newer toolkits: fp16, origin, mixed_float16 …", _PRECISION),
    ] = None,
    keep_dtype: Annotated[
        Optional[str], _flag("--keep-dtype", "FILE", "Operators that keep float32, one name a line.", _PRECISION)
    ] = None,
    modify_mixlist: Annotated[
        Optional[str], _flag("--modify-mixlist", "FILE", "Changes to the lists of mixed precision, JSON.", _PRECISION)
    ] = None,
    op_select_implmode: Annotated[
        Optional[str], _flag("--op-select-implmode", "MODE", "high_precision, high_performance.", _PRECISION)
    ] = None,
    log: Annotated[
        Optional[str],
        _flag("--log", "LEVEL", "How much atc logs: debug, info, warning, error, null.", options.PROGRAMS),
    ] = None,
    debug_dir: Annotated[
        Optional[str],
        _flag("--debug-dir", "DIR", "Where atc leaves files for debugging; it must exist.", options.PROGRAMS),
    ] = None,
    fusion_switch_file: Annotated[
        Optional[str], _flag("--fusion-switch-file", "FILE", "Which fusions are off.", options.PROGRAMS)
    ] = None,
    toolchain: options.ToolchainOption = None,
    toolkit: options.ToolkitOption = None,
    time_limit: options.TimeLimitOption = 3600.0,
    name: Annotated[
        Optional[str], typer.Option("--name", help="Name of the model.", show_default="made of the settings")
    ] = None,
    outdir: options.OutdirOption = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command for a shell and stop.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Make an offline model of the graph, with CANN's atc.

    Example: biggan atc --soc Ascend310
    """
    if batch is not None:
        validate_count("--batch", batch, MAX_PICTURES)
    if run and run.startswith("-"):  # `biggan atc -- --flag` has no RUN
        run, extra = None, [run, *(extra or [])]
    given = options.given(
        precision_mode=precision_mode,
        precision_mode_v2=precision_mode_v2,
        keep_dtype=keep_dtype,
        modify_mixlist=modify_mixlist,
        op_select_implmode=op_select_implmode,
        log=log,
        debug_dir=debug_dir,
        fusion_switch_file=fusion_switch_file,
    )
    settings = AtcConfig(
        tool=options.tool_config(toolchain, toolkit, time_limit),
        soc=soc,
        batch=batch,
        dynamic_batch=_gears(dynamic_batch) if dynamic_batch is not None else (),
        options=tuple(given.items()),
        extra=tuple(extra or ()),
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import atc as core

        result = core.plan(found, settings) if dry_run else core.atc(found, settings, report)
    if dry_run and not as_json:
        print(result.command)
    else:
        console.result(result._asdict(), as_json)


def _gears(text: str) -> Tuple[int, ...]:
    """``1,8,16`` → 1, 8, 16."""
    parts = text.split(",")
    if not all(re.fullmatch("[1-9][0-9]{0,4}", part) for part in parts) or len(set(parts)) < len(parts):
        raise UsageError(f"--dynamic-batch {text} is not a list of different numbers", fix="--dynamic-batch 1,8,16")
    if not FEWEST_GEARS <= len(parts) <= MOST_GEARS:
        raise UsageError(
            f"--dynamic-batch {text} has {len(parts)} sizes, atc takes {FEWEST_GEARS} to {MOST_GEARS}",
            fix="--batch for a single size",
        )
    return tuple(int(part) for part in parts)
