"""The stops of a film: which classes, which latents, and the grid that they fill."""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli.core.drawing import model_of
from biggan_cli.data.classes import class_index, quoted
from biggan_cli.errors import UsageError
from biggan_cli.model.latents import z_of_seeds
from biggan_cli.rundir import RunDir
from biggan_cli.settings import InterpolateConfig

CELLS = 16
_LONGEST = 100


class Stops(NamedTuple):
    """Stop after stop: z float32 [N, z_dim], y int32 [N], and the seeds of z.

    Where z stays, it is the same array at each stop. ``grid`` is (columns, rows), ``words`` say the stops, ``name`` is
    for files.
    """

    z: List[np.ndarray]
    y: List[np.ndarray]
    seeds: Tuple[Tuple[int, ...], ...]
    grid: Tuple[int, int]
    words: Tuple[str, ...]
    name: str
    resolution: int

    def own_seeds(self) -> Tuple[Tuple[int, ...], ...]:
        """Without those that stay."""
        return self.seeds[:1] if self.z[0] is self.z[-1] else self.seeds


def choose_stops(run: RunDir, settings: InterpolateConfig) -> Stops:
    """What was asked for, made to fit.

    Raises:
        UsageError: an unknown class, a path that leads nowhere, seeds that do not fill the grid.
        StepFailed: a damaged run.
    """
    model = model_of(run, settings.draw, settings.from_graph)
    labels = _classes(settings, model.class_names)
    moves = settings.mode != "class"
    count = _stops(settings, labels)
    cells = _cells(settings, count if moves else 1)
    seeds = settings.seeds or tuple(range(cells * (count if moves else 1)))
    parts = [seeds[place : place + cells] for place in range(0, len(seeds), cells)]
    zs = [z_of_seeds(part, model.z_dim, model.truncation) for part in parts]
    if not moves:
        parts, zs = parts * count, zs * count
    labels = labels * count if settings.mode == "z" else labels
    names = [model.class_names[label] for label in labels]
    columns = math.ceil(math.sqrt(cells))
    return Stops(
        z=zs,
        y=[np.full(cells, label, np.int32) for label in labels],
        seeds=tuple(parts),
        grid=settings.grid or (columns, -(-cells // columns)),
        words=tuple(_words(settings, names, parts)),
        name=_name(settings, names),
        resolution=model.resolution,
    )


def _classes(settings: InterpolateConfig, class_names: Sequence[str]) -> List[int]:
    flags = settings.flags * (len(settings.path) if len(settings.flags) == 1 else 1)
    labels = [class_index(name, class_names, flag) for name, flag in zip(settings.path, flags)]
    if settings.mode == "class":
        for one, other in zip(labels, labels[1:]):
            if one == other:
                what = "--from and --to are both" if flags[0] == "--from" else "--path goes twice in a row to"
                raise UsageError(
                    f"{what} {quoted(class_names[one])}: nothing would move", fix="another class, or --mode z"
                )
    return labels


def _stops(settings: InterpolateConfig, labels: Sequence[int]) -> int:
    """How many; where z alone moves, as many as the seeds are grids, or two."""
    if settings.mode != "z":
        return len(labels)
    if not (settings.seeds and settings.grid):
        return 2
    return max(2, len(settings.seeds) // (settings.grid[0] * settings.grid[1]))


def _cells(settings: InterpolateConfig, sets: int) -> int:
    """Latents in a frame, where ``sets`` of them are needed.

    Raises:
        UsageError: the seeds are others than it takes.
    """
    asked: Optional[int] = settings.grid[0] * settings.grid[1] if settings.grid else None
    if settings.seeds is None:
        return asked or CELLS
    given = len(settings.seeds)
    cells = asked or given // sets
    if given != cells * sets or not cells:
        stops = f" at each of {sets} stops, between which z moves" if sets > 1 else ""
        wanted = f"{asked} latents{stops}: {asked * sets} seeds" if asked else f"as many{stops}"
        raise UsageError(
            f"--seeds names {given} seeds, and {'--grid' if asked else f'--mode {settings.mode}'} takes {wanted}",
            fix=f"--seeds 0-{max(cells, 1) * sets - 1}",
        )
    return cells


def _words(settings: InterpolateConfig, names: Sequence[str], seeds: Sequence[Sequence[int]]) -> List[str]:
    if settings.mode == "class":
        return list(map(quoted, names))
    return [f"{quoted(name)} (seeds from {part[0]})" for name, part in zip(names, seeds)]


def _name(settings: InterpolateConfig, names: Sequence[str]) -> str:
    """``horse-to-car``; of a long way its ends."""
    if settings.mode == "z":
        return names[0] + "-z"
    whole = "-to-".join(names)
    if len(whole.encode()) > _LONGEST:
        whole = f"{names[0][:20]}-to-{names[-1][:20]}"
    return whole + ("-z" if settings.mode == "both" else "")
