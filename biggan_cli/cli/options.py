"""Options that several commands share, and the parsers of values with a grammar."""

import copy
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import typer
from typing_extensions import Annotated

from biggan_cli.cli import parsing
from biggan_cli.config import (
    BN,
    DEVICES,
    MAX_COUNT,
    MAX_PICTURES,
    MAX_SEED,
    WEIGHTS,
    validate_count,
    validate_truncation,
)
from biggan_cli.data import classes
from biggan_cli.errors import UsageError
from biggan_cli.files import expanded
from biggan_cli.settings import (
    EXTRACTORS,
    TOOLCHAINS,
    DrawConfig,
    ExtractorConfig,
    LatentsConfig,
    ToolConfig,
)

DATA_VARIABLE = "BIGGAN_DATA"

# The panels of a help, below the usual options; one name for the same thing in all commands.
GENERATOR = "Generator"
DRAWN = "What a run draws"
MACHINE = "Machine"
EXTRACTOR = "Extractor"
PROGRAMS = "Programs of CANN"
ADVANCED = "Advanced"


def runs(incomplete: str) -> List[str]:
    """The names of the runs where they are by default, for completion."""
    return sorted(path.name for path in Path("runs").glob("[0-9]*-*") if path.name.startswith(incomplete))


def among(*choices: str) -> Callable[[str], List[str]]:
    """The completion of a value that is one of ``choices``."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def in_panel(option: Any, panel: str) -> Any:
    """The same option, in a panel of its own in the help: for those that few need."""
    info = copy.copy(option.__metadata__[0])
    info.rich_help_panel = panel
    return Annotated[option.__origin__, info]


RunArgument = Annotated[
    Optional[str],
    typer.Argument(
        metavar="RUN",
        help="A run's directory, number or name; none: the latest that has a checkpoint.",
        show_default=False,
        autocompletion=runs,
    ),
]
AnyRunArgument = Annotated[
    Optional[str],
    typer.Argument(
        metavar="RUN",
        help="A run's directory, number or name; none: the latest.",
        show_default=False,
        autocompletion=runs,
    ),
]
OutdirOption = Annotated[
    Path,
    typer.Option(
        "--outdir", metavar="DIR", help="Where the runs are.", callback=lambda outdir: outdir and expanded(outdir)
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NameOption = Annotated[
    Optional[str], typer.Option("--name", help="Name of the result; none: the next free one.", show_default=False)
]
WeightsOption = Annotated[
    Optional[str],
    typer.Option(
        "--weights",
        metavar="ema|raw",
        help="Averaged weights, or the last.",
        show_default="ema",
        autocompletion=among(*WEIGHTS),
        rich_help_panel=GENERATOR,
    ),
]
BnOption = Annotated[
    Optional[str],
    typer.Option(
        "--bn",
        metavar="standing|moving",
        help="Statistics of the batch norms: measured anew for these weights, or the averages kept in training.",
        show_default="standing; of an imported run: moving",
        autocompletion=among(*BN),
        rich_help_panel=GENERATOR,
    ),
]
CheckpointOption = Annotated[
    Optional[str],
    typer.Option(
        "--checkpoint",
        metavar="STEP",
        help="Step of the checkpoint; or latest, best-fid, best-is, best.",
        show_default="latest",
        rich_help_panel=GENERATOR,
    ),
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
SeedsOption = Annotated[
    Optional[str],
    typer.Option("--seeds", metavar="0-63", help="Seed i makes picture i: 0-15,42.", show_default=False),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="cpu|gpu",
        help="Where to compute.",
        autocompletion=among(*DEVICES),
        rich_help_panel=MACHINE,
    ),
]
DrawBatchOption = Annotated[
    int,
    parsing.whole("--batch", help="Pictures at a time; changes no picture.", rich_help_panel=MACHINE),
]


ClassesOption = Annotated[
    Optional[str],
    typer.Option(
        "--classes", metavar="A,B:16", help="Classes, each with a count or its share of --num.", show_default="all"
    ),
]
NumOption = Annotated[Optional[int], parsing.whole("--num", help="Pictures in all.", show_default="64")]
LatentsOption = Annotated[
    Optional[str],
    typer.Option(
        "--latents",
        metavar="FILE.npz",
        help="Take z [N, z_dim] and y [N] from a file, such as a samples.npz.",
        show_default=False,
        rich_help_panel=ADVANCED,
    ),
]
ToolchainOption = Annotated[
    Optional[str],
    typer.Option(
        "--toolchain",
        metavar="WHOSE",
        help="auto, cann: the programs of this machine; emulator: CPU stand-ins. Also from BIGGAN_TOOLCHAIN.",
        show_default="auto",
        autocompletion=among(*TOOLCHAINS),
    ),
]
ToolkitOption = Annotated[
    Optional[Path],
    typer.Option(
        "--toolkit",
        metavar="DIR",
        help="The toolkit's folder.",
        show_default="found by itself",
        rich_help_panel=PROGRAMS,
    ),
]
TimeLimitOption = Annotated[
    float,
    parsing.real("--time-limit", metavar="SECONDS", help="Stop a program that takes longer.", rich_help_panel=PROGRAMS),
]
PicturesArgument = Annotated[
    Optional[str],
    typer.Argument(
        metavar="SOURCE",
        help="A run; a folder of pictures; an .npz or .npy of them, or of features; digits, cifar10:DIR.",
        show_default="the latest run that has a checkpoint",
        autocompletion=runs,
    ),
]
ExtractorOption = Annotated[
    Optional[str],
    typer.Option(
        "--extractor",
        metavar="inception|digits",
        help="The network that looks at the pictures. digits: the shipped classifier, whose numbers compare with "
        "no others.",
        show_default="inception; of what was trained on the built-in digits: digits",
        autocompletion=among(*EXTRACTORS),
        rich_help_panel=EXTRACTOR,
    ),
]
InceptionOption = Annotated[
    Optional[Path],
    typer.Option(
        "--inception",
        metavar="FILE",
        help="classify_image_graph_def.pb, or inception-2015-12-05.tgz; also from BIGGAN_INCEPTION.",
        show_default="the one in the cache",
        rich_help_panel=EXTRACTOR,
    ),
]
FetchInceptionOption = Annotated[
    bool,
    typer.Option(
        "--fetch-inception",
        help="Download the graph into the cache, if it is not there.",
        rich_help_panel=EXTRACTOR,
    ),
]


def draw_config(
    checkpoint: Optional[str], weights: str, bn: Optional[str], truncation: Optional[str], device: str, batch: int
) -> DrawConfig:
    """The options of a command that draws, checked."""
    for flag, value, choices in (("--weights", weights, WEIGHTS), ("--bn", bn, BN), ("--device", device, DEVICES)):
        if value is not None and value not in choices:
            raise UsageError(f"{flag} {value} is not one of {', '.join(choices)}", fix=f"{flag} {choices[0]}")
    validate_count("--batch", batch, MAX_PICTURES)
    return DrawConfig(
        checkpoint=check_checkpoint(checkpoint),
        weights=weights,
        bn=bn,
        truncation="run" if truncation is None else parse_truncation(truncation),
        device=device,
        batch=batch,
    )


def latents_config(
    classes: Optional[str], num: Optional[int], seeds: Optional[str], file: Optional[str] = None
) -> LatentsConfig:
    """The options that choose latents, checked."""
    if num is not None:
        validate_count("--num", num, MAX_PICTURES)
    return LatentsConfig(
        classes=parse_classes(classes) if classes is not None else (),
        num=num,
        seeds=parse_seeds(seeds) if seeds is not None else None,
        file=file,
    )


def extractor_config(name: Optional[str], inception: Optional[Path], fetch: bool, device: str) -> ExtractorConfig:
    """The options that choose the network of a score, checked."""
    if name not in (None, *EXTRACTORS):
        raise UsageError(f"--extractor {name} is not one of {', '.join(EXTRACTORS)}", fix="--extractor inception")
    return ExtractorConfig(name, str(inception) if inception else None, fetch, device)


def tool_config(toolchain: Optional[str], toolkit: Optional[Path], time_limit: float) -> ToolConfig:
    """The options of a command that runs an external program, checked."""
    if not 0 < time_limit < float("inf"):
        raise UsageError(f"--time-limit {time_limit:g} is not a positive number of seconds", fix="--time-limit 3600")
    return ToolConfig(toolchain, str(expanded(toolkit)) if toolkit else None, time_limit)


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


def parse_truncations(text: Optional[str]) -> Tuple[Optional[float], ...]:
    """``0.5,1,none`` → 0.5, 1.0, None: none twice; nothing given is none of them."""
    values = tuple(parse_truncation(part.strip()) for part in text.split(",")) if text is not None else ()
    if len(set(values)) < len(values):
        raise UsageError(f"--truncation {text} names a value twice", fix="each of them once")
    return values


def parse_seeds(text: str) -> Tuple[int, ...]:
    """``0-15,42`` → 0, 1, … 15, 42; no seed twice."""
    seeds: List[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]+)(?:\s*-\s*([0-9]+))?\s*", part)
        if not match:
            raise UsageError(f"--seeds {text}: {part or 'nothing'} is not a seed or a range", fix="--seeds 0-63")
        low = int(match.group(1))
        high = int(match.group(2) or low)
        if high < low or high > MAX_SEED:
            raise UsageError(f"--seeds {text}: {part.strip()} is not a range from 0 to {MAX_SEED}", fix="--seeds 0-63")
        if len(seeds) + high - low >= MAX_PICTURES:
            raise UsageError(f"--seeds {text} are more than {MAX_PICTURES}", fix="fewer of them in one call")
        seeds.extend(range(low, high + 1))
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text} names a seed twice", fix="each of them once")
    return tuple(seeds)


def parse_classes(text: str) -> Tuple[Tuple[str, Optional[int]], ...]:
    """``horse,frog:16`` → (horse, None), (frog, 16); a name with a comma or a colon is between single quotes."""
    found = []
    for part in classes.split(text):
        name, colon, count = classes.counted(part)
        if colon and not re.fullmatch(r"\s*[0-9]{1,7}\s*", count):
            raise UsageError(
                f"--classes {text}: {count.strip() or 'nothing'} is not a count",
                fix=f"{classes.quoted(name)}:16, or {classes.quoted(part)} if that is its name",
            )
        if colon:
            validate_count(f"--classes {name}:", int(count), MAX_PICTURES)
        found.append((name, int(count) if colon else None))
    return tuple(found)


def parse_choices(flag: str, text: Optional[str], choices: Sequence[str]) -> Tuple[str, ...]:
    """``fused,plain`` → fused, plain: some of ``choices``, none twice; nothing given is none of them."""
    return tuple(_listed(flag, text, lambda part: part if part in choices else None, ", ".join(choices), choices[0]))


def parse_counts(flag: str, text: Optional[str]) -> Tuple[int, ...]:
    """``32,64`` → 32, 64: whole numbers, none twice; nothing given is none of them."""

    def count(part: str) -> Optional[int]:
        return int(part) if re.fullmatch("[0-9]{1,10}", part) and 1 <= int(part) <= MAX_COUNT else None

    return tuple(_listed(flag, text, count, f"the whole numbers from 1 to {MAX_COUNT}", "32"))


def _listed(flag: str, text: Optional[str], value_of: Callable, wanted: str, example: str) -> List:
    values: List = []
    for part in text.split(",") if text is not None else ():
        value = value_of(part.strip())
        if value is None:
            what = f"{part.strip()} is" if part.strip() else "nothing is"
            raise UsageError(f"{flag} {text}: {what} not one of {wanted}", fix=f"{flag} {example}")
        if value in values:
            raise UsageError(f"{flag} {text} names {value} twice", fix="each of them once")
        values.append(value)
    return values


def check_checkpoint(checkpoint: Optional[str]) -> Optional[str]:
    """``latest``, a step, or ``best`` by a score."""
    if checkpoint is not None and not re.fullmatch("latest|best|best-fid|best-is|[0-9]+", checkpoint):
        raise UsageError(
            f"--checkpoint {checkpoint} is not a step", fix="--checkpoint latest, best-fid, best-is, best, or a number"
        )
    return checkpoint


def check_name(name: Optional[str]) -> Optional[str]:
    """A name that is one harmless path component."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"--name {name} is not a plain file name", fix="letters, digits, dots, dashes")
    return name


def given(**values: Any) -> Dict[str, Any]:
    """The values that were given, by the name of their field."""
    return {field: value for field, value in values.items() if value is not None}
