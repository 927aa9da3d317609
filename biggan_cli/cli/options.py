"""Options that several commands share, and the parsers of values with a grammar."""

import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import typer
from typing_extensions import Annotated

from biggan_cli.config import DEVICES, MAX_SEED, WEIGHTS, DrawConfig, validate_truncation
from biggan_cli.errors import UsageError

RunArgument = Annotated[
    Optional[str],
    typer.Argument(metavar="[RUN]", help="A run's directory, number or name; none: the latest.", show_default=False),
]
OutdirOption = Annotated[Path, typer.Option("--outdir", metavar="DIR", help="Where the runs are.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NameOption = Annotated[
    Optional[str], typer.Option("--name", help="Name of the result; none: the next free one.", show_default=False)
]
WeightsOption = Annotated[str, typer.Option("--weights", metavar="ema|raw", help="Averaged weights, or the last.")]
CheckpointOption = Annotated[
    Optional[str], typer.Option("--checkpoint", metavar="STEP", help="Step of the checkpoint.", show_default="latest")
]
TruncationOption = Annotated[
    Optional[str],
    typer.Option(
        "--truncation",
        metavar="T",
        help="Redraw z beyond T standard deviations; none: off. (TensorFlow Hub multiplies z instead.)",
        show_default="the run's",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|gpu", help="Where to compute.")]
DrawBatchOption = Annotated[int, typer.Option("--batch", metavar="N", help="Pictures at a time; changes no picture.")]
SeedsOption = Annotated[
    Optional[str],
    typer.Option("--seeds", metavar="0-63", help="Seed i makes picture i: 0-15,42.", show_default=False),
]


def draw_config(
    checkpoint: Optional[str], weights: str, truncation: Optional[str], device: str, batch: int
) -> DrawConfig:
    """The options of a command that draws, checked."""
    for flag, value, choices in (("--weights", weights, WEIGHTS), ("--device", device, DEVICES)):
        if value not in choices:
            raise UsageError(f"{flag} {value} is not one of {', '.join(choices)}")
    if batch < 1:
        raise UsageError(f"--batch {batch} is not a positive whole number")
    if checkpoint not in (None, "latest") and not checkpoint.isdigit():
        raise UsageError(f"--checkpoint {checkpoint} is not a step", fix="--checkpoint latest, or a number")
    return DrawConfig(
        checkpoint=checkpoint,
        weights=weights,
        truncation="run" if truncation is None else parse_truncation(truncation),
        device=device,
        batch=batch,
    )


def parse_truncation(text: str) -> Optional[float]:
    """``none`` or a number above 0."""
    if text.lower() == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"--truncation {text} is not a number", fix="--truncation 2, or --truncation none") from None
    validate_truncation(value)
    return value


def parse_seeds(text: str) -> Tuple[int, ...]:
    """``0-15,42`` → 0, 1, … 15, 42; no seed twice."""
    seeds: List[int] = []
    for part in text.split(","):
        match = re.match(r"^\s*(\d+)(?:\s*-\s*(\d+))?\s*$", part)
        if not match:
            raise UsageError(f"--seeds {text}: {part or 'nothing'} is not a seed or a range", fix="--seeds 0-63")
        low = int(match.group(1))
        high = int(match.group(2) or low)
        if high < low or high > MAX_SEED:
            raise UsageError(f"--seeds {text}: {part.strip()} is not a range from 0 to {MAX_SEED}")
        seeds.extend(range(low, high + 1))
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text} names a seed twice")
    return tuple(seeds)


def parse_classes(text: str) -> Tuple[Tuple[str, Optional[int]], ...]:
    """``horse,frog:16`` → (horse, None), (frog, 16)."""
    classes = []
    for part in text.split(","):
        name, colon, count = part.partition(":")
        if colon and not (count.strip().isdigit() and int(count) > 0):
            raise UsageError(f"--classes {text}: {count or 'nothing'} is not a positive count")
        classes.append((name.strip(), int(count) if colon else None))
    return tuple(classes)


def check_name(name: Optional[str]) -> Optional[str]:
    """A name that is one harmless path component."""
    if name is not None and not re.match(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", name):
        raise UsageError(f"--name {name} is not a plain file name", fix="letters, digits, dots, dashes")
    return name


def given(**values: Any) -> Dict[str, Any]:
    """The values that were given, by the name of their field."""
    return {field: value for field, value in values.items() if value is not None}
