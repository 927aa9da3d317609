"""``biggan bench``."""

from pathlib import Path
from typing import List, Optional

import typer
from typing_extensions import Annotated

from biggan_cli import config as configs
from biggan_cli.cli import console, options, parsing
from biggan_cli.config import validate_count
from biggan_cli.errors import UsageError
from biggan_cli.presets import PRESETS
from biggan_cli.settings import BENCHED, BenchConfig

_TRAINING = "Of a training step"
_MEASURING = "How it is measured"
_SIZE = "Size of the network"
_PARTS = ("data", "discriminator", "generator", "ema", "rest", "outside", "saving")
_HEADINGS = ("data", "D", "G", "EMA", "rest", "outside", "saving")


def bench(
    what: Annotated[
        str,
        typer.Argument(
            metavar="train|sample|frozen",
            help="A training step, or a batch of the sampler or the frozen graph.",
            autocompletion=options.among(*BENCHED),
        ),
    ] = "train",
    preset: Annotated[
        Optional[str],
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Whose settings, as of train.",
            show_default="seed",
            autocompletion=options.among(*PRESETS),
        ),
    ] = None,
    run: Annotated[
        Optional[str],
        typer.Option(
            "--run",
            metavar="RUN",
            help="The settings of this run, instead: directory, number, or latest.",
            show_default=False,
            autocompletion=options.runs,
        ),
    ] = None,
    res: Annotated[
        Optional[int],
        parsing.whole(
            "--res",
            metavar="32|64|128",
            help="Width and height of the pictures.",
            show_default="the preset's",
            rich_help_panel=_SIZE,
            autocompletion=options.among(*map(str, configs.RESOLUTIONS)),
        ),
    ] = None,
    base_channels: Annotated[
        Optional[int],
        parsing.whole(
            "--base-channels",
            help="Width of both networks.",
            show_default="the preset's",
            rich_help_panel=_SIZE,
        ),
    ] = None,
    precision: Annotated[
        Optional[str],
        typer.Option(
            "--precision",
            metavar="fp32,mixed",
            help="In which types to compute: one, or several.",
            show_default="the preset's",
            autocompletion=options.among(*configs.PRECISIONS),
        ),
    ] = None,
    resample: Annotated[
        Optional[str],
        typer.Option(
            "--resample",
            metavar="fused,plain",
            help="Resampling inside the convolutions or apart: one, or both.",
            show_default="the preset's; frozen: plain",
            autocompletion=options.among(*configs.RESAMPLE),
        ),
    ] = None,
    batch: Annotated[
        Optional[str],
        typer.Option(
            "--batch",
            metavar="32,64",
            help="Pictures of a step: one number, or several.",
            show_default="the preset's; sample, frozen: 32",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="cpu|gpu|npu",
            help="Where to compute; an npu only trains.",
            autocompletion=options.among(*configs.TRAIN_DEVICES),
        ),
    ] = "cpu",
    steps: Annotated[
        int,
        parsing.whole("--steps", help="Measured steps of each row in a turn.", rich_help_panel=_MEASURING),
    ] = 2,
    rounds: Annotated[int, parsing.whole("--rounds", help="Turns that the rows take.", rich_help_panel=_MEASURING)] = 5,
    data: Annotated[
        Optional[str],
        typer.Option("--data", metavar="SPEC", help="As of train.", show_default="digits", rich_help_panel=_TRAINING),
    ] = None,
    d_steps: Annotated[
        Optional[int],
        parsing.whole(
            "--d-steps",
            help="Discriminator updates in each step.",
            show_default="the preset's",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    batch_device: Annotated[
        Optional[int],
        parsing.whole(
            "--batch-device",
            help="Pictures at a time.",
            show_default="the preset's",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Measure speed, its parts, arithmetic and memory.

    Lists of --precision, --resample and --batch take turns: a row for each combination.

    Example: biggan bench --resample plain,fused
    """
    if what not in BENCHED:
        raise UsageError(f"{what} is not one of {', '.join(BENCHED)}", fix="biggan bench train")
    validate_count("--steps", steps)
    validate_count("--rounds", rounds)
    values = options.given(
        resolution=res,
        base_channels=base_channels,
        device=device,
        data=data,
        d_steps=d_steps,
        batch_device=batch_device,
    )
    settings = BenchConfig(
        what=what,
        run=run,
        outdir=str(outdir),
        preset=preset,
        values=tuple(values.items()),
        precisions=options.parse_choices("--precision", precision, configs.PRECISIONS),
        resamples=options.parse_choices("--resample", resample, configs.RESAMPLE),
        batches=options.parse_counts("--batch", batch),
        steps=steps,
        rounds=rounds,
    )
    with console.reporting() as report:
        from biggan_cli.core import bench as core

        result = core.bench(settings, report)
    if as_json:
        console.result(result._asdict(), as_json)
    else:
        _show(result)


def _show(result) -> None:
    """Tables of at most 80 characters, and last the lines that the ecosystem's scripts look for."""
    names = [f"{row['precision']} {row['resample']} {row['batch']}" for row in result.rows]
    per = "s/step" if result.what == "train" else "s/batch"
    cells = []
    for row in result.rows:
        memory = row["memory_bytes"] if row["gpu_memory_bytes"] is None else row["gpu_memory_bytes"]
        rates = [f"{row['flops_per_step'] / 1e9:.1f}", f"{row['flops_per_second'] / 1e9:.1f}"]
        speed = [_seconds(row["seconds_per_step"]), f"{row['times_first']:.2f}", f"{row['images_per_second']:.1f}"]
        cells.append([*speed, *rates, _percent(row["share_of_peak"]), _megabytes(memory)])
    _table(["", per, "ratio", "images/s", "GFLOP", "GFLOP/s", "of peak", "memory"], names, cells)
    if any(row["split_seconds"] for row in result.rows):
        parts = [[_seconds(row["split_seconds"][part]) for part in _PARTS] for row in result.rows]
        print()
        _table([f"of {per}", *_HEADINGS], names, parts)
    if result.what == "train":
        host = []
        for row in result.rows:
            times = f"{row['pipeline_times_step']:.0f}"
            host.append([_percent(row["outside_share"], 2), times, _seconds(row["checkpoint_seconds"])])
        print()
        _table(["", "outside and data", "pipeline alone, times as fast", "s/checkpoint"], names, host)
    print()
    for dtype, rate in result.peak_flops_per_second.items():
        print(f"peak, by a matrix product in {dtype}: {rate / 1e9:.1f} GFLOP/s")
    print(f"Final Performance images/sec : {result.images_per_second:.2f}")
    print(f"Final Performance sec/step : {result.seconds_per_step:.5f}")
    print(f"E2E Training Duration sec : {result.e2e_seconds:.0f}")


def _table(headings: List[str], names: List[str], cells: List[List[str]]) -> None:
    """Rows of a name and numbers, which stand to the right."""
    widths = [max(len(line[column]) for line in [headings[1:], *cells]) for column in range(len(headings) - 1)]
    lines = [[cell.rjust(width) for cell, width in zip(line, widths)] for line in [headings[1:], *cells]]
    console.rows([headings[0], *lines[0]], [[name, *line] for name, line in zip(names, lines[1:])])


def _seconds(value: float) -> str:
    """Four digits are enough."""
    return f"{value:.4f}" if value < 10 else f"{value:.2f}"


def _percent(share: Optional[float], digits: int = 1) -> str:
    return "unknown" if share is None else f"{share * 100:.{digits}f} %"


def _megabytes(count: Optional[int]) -> str:
    return "unknown" if count is None else f"{count / 1e6:.0f} MB"
