"""``biggan compare``."""

from pathlib import Path
from typing import Any, List, Optional, Sequence

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.config import flag_of, validate_count

_COURSE = 6
_LONGEST = 26
_NAMES = dict(
    d_loss="D loss",
    g_loss="G loss",
    real_logit="logit of reals",
    fake_logit="logit of fakes",
    d_grad_norm="D gradient",
    g_grad_norm="G gradient",
    seconds_per_step="seconds a step",
    images_per_second="images a second",
    training_seconds="seconds up to here",
    resident_bytes="memory, MB",
)


def compare(
    which: Annotated[
        List[str],
        typer.Argument(
            metavar="RUN RUN…",
            help="Runs: directories, numbers, names; or a stats.jsonl.",
            show_default=False,
            autocompletion=options.runs,
        ),
    ],
    step: Annotated[
        Optional[int],
        parsing.whole("--step", help="Compare at this step.", show_default="the last that all have"),
    ] = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Compare runs at the same step: settings, losses, scores.

    Where they have none in common, each at its nearest one.

    Example: biggan compare 0 1
    """
    if step is not None:
        validate_count("--step", step)
    from biggan_cli.core import compare as core

    result = core.compare(which, outdir, step)
    if as_json:
        console.result(result._asdict(), as_json)
        return
    for run in result.runs:
        state = f"  {run['state']} {run['step']}/{run['steps']}" if "state" in run else f"  up to {run['last_record']}"
        console.text(f"{run['label']}  {run['path']}{state}")
    for note in result.notes:
        console.text(f"note: {note}")
    labels = [run["label"] for run in result.runs]
    differing = [[_field(name), *map(_setting, row)] for name, row in result.differences.items()]
    _block("what differs", labels, differing or [["nothing that is known", *([""] * len(labels))]])
    course = [step for step in _spread(result.steps) if step != result.at]
    rows = [[f"step {step}", *_pairs(result.course[step])] for step in course]
    if rows:
        _block("losses D / G", labels, rows)
    rows = [[_NAMES[name], *(_number(value, name) for value in row)] for name, row in result.values.items()]
    if set(result.record_steps) == {result.at}:
        _block(f"at step {result.at}", labels, rows)
    else:
        _block(f"nearest to {result.at}", labels, [["step", *map(str, result.record_steps)], *rows])
    for row in result.scores:
        how = ", ".join(str(row[name]) for name in ("extractor", "reference", "count") if row[name] is not None)
        rows = [[name, *map(_score, row[name])] for name in ("last", "best")]
        _block(f"{row['score'].upper()} ({how})", labels, rows)
    console.text("")
    console.text(result.ahead["words"])


def _block(title: str, labels: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console.text("")
    cells = [[title, *labels], *([f"  {row[0]}", *row[1:]] for row in rows)]
    console.rows(
        (),
        [[console.shortened(cell, _LONGEST) if number else cell for number, cell in enumerate(line)] for line in cells],
    )


def _field(name: str) -> str:
    return name if name in ("data_digest", "class_names", "biggan", "num_classes", "gain_start") else flag_of(name)


def _spread(steps: Sequence[int]) -> List[int]:
    """A few of many, evenly."""
    if len(steps) <= _COURSE:
        return list(steps)
    return [steps[round((number + 1) * (len(steps) - 1) / _COURSE)] for number in range(_COURSE)]


def _pairs(values) -> List[str]:
    return [f"{_number(d_loss)} / {_number(g_loss)}" for d_loss, g_loss in zip(values["d_loss"], values["g_loss"])]


def _setting(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: Optional[float], name: str = "") -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.0f}" if name == "resident_bytes" else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _score(entry: Optional[dict]) -> str:
    return "-" if entry is None else f"{entry['value']:.4g} at {entry['step']}"
