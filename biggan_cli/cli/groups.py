"""Options that belong together, in the commands that take them all: written once, read once, checked once.

A command has a parameter of such a group, and :func:`grouped` gives it the options of the group in its place.
"""

import functools
import inspect
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import options, parsing
from biggan_cli.cli.options import DRAWN, in_panel
from biggan_cli.config import MAX_PICTURES, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.settings import DRAW_BATCH, DrawConfig, ExtractorConfig, PicturesConfig


@dataclass(frozen=True)
class Generator:
    """Which of a run's generators draws."""

    weights: in_panel(options.WeightsOption, DRAWN) = None
    bn: in_panel(options.BnOption, DRAWN) = None
    checkpoint: in_panel(options.CheckpointOption, DRAWN) = None


@dataclass(frozen=True)
class Drawing(Generator):
    """How a command draws that leaves pictures: ``sample``, ``interpolate``."""

    from_graph: Annotated[
        bool,
        typer.Option("--from-graph", help="Draw from the frozen graph, not from a checkpoint.", rich_help_panel=DRAWN),
    ] = False
    device: in_panel(options.DeviceOption, DRAWN) = "cpu"
    batch: in_panel(options.DrawBatchOption, DRAWN) = DRAW_BATCH

    def config(self, truncation: Optional[str]) -> DrawConfig:
        """Checked."""
        return options.draw_config(self.checkpoint, self.weights or "ema", self.bn, truncation, self.device, self.batch)


@dataclass(frozen=True)
class Looking(Generator):
    """What a command looks at, and with which network: ``score``, ``stats``."""

    num: Annotated[
        Optional[int],
        parsing.whole(
            "--num",
            help="Pictures that a run draws.",
            show_default="50000; with digits 5000; of an offline model: all",
            rich_help_panel=DRAWN,
        ),
    ] = None
    seeds: in_panel(options.SeedsOption, DRAWN) = None
    truncation: in_panel(options.TruncationOption, DRAWN) = None
    om: Annotated[
        Optional[str],
        typer.Option(
            "--om",
            metavar="NAME",
            help="The offline model of --source om.",
            show_default="latest",
            rich_help_panel=DRAWN,
        ),
    ] = None
    extractor: options.ExtractorOption = None
    inception: options.InceptionOption = None
    fetch_inception: options.FetchInceptionOption = False
    device: options.DeviceOption = "cpu"
    batch: options.DrawBatchOption = DRAW_BATCH

    def pictures(self, what: Optional[str], outdir: Path, held_out: bool = False) -> PicturesConfig:
        """What is looked at, checked."""
        draw = options.draw_config(
            self.checkpoint, self.weights or "ema", self.bn, self.truncation, self.device, self.batch
        )
        if self.num is not None:
            validate_count("--num", self.num, MAX_PICTURES)
            if self.num < 2:
                raise UsageError(f"--num {self.num} is less than 2", fix="--num 5000")
        seeds = options.parse_seeds(self.seeds) if self.seeds is not None else None
        return PicturesConfig(what, str(outdir), draw, self.num, seeds, self.om, held_out, self.weights)

    def network(self) -> ExtractorConfig:
        """With what it is looked at, checked."""
        return options.extractor_config(self.extractor, self.inception, self.fetch_inception, self.device)


DRAWING, LOOKING = Drawing(), Looking()
"""With nothing given."""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every parameter that is a group replaced by the options of the group, in their order."""
    own = inspect.signature(command)
    groups: Dict[str, Any] = {}
    parameters: List[inspect.Parameter] = []
    for parameter in own.parameters.values():
        kind = parameter.annotation
        if isinstance(kind, type) and issubclass(kind, Generator):
            groups[parameter.name] = kind
            parameters += [parameter.replace(name=f.name, annotation=f.type, default=f.default) for f in fields(kind)]
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def flat(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    flat.__signature__ = own.replace(parameters=parameters)
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat
