"""A film of a grid of latents that moves from class to class, from z to z, or both."""

import contextlib
import itertools
import shutil
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core.drawing import Drawer, open_drawer
from biggan_cli.core.outside import check_free, made_whole
from biggan_cli.core.reporting import Report
from biggan_cli.core.stops import Stops, choose_stops
from biggan_cli.data import animation, images
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import expanded
from biggan_cli.model import paths
from biggan_cli.model.paths import Place
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import InterpolateConfig

MOST_PIXELS = 10**8
"""Of a film strip, which is one picture."""
_ROWS = 512
"""Latents that are prepared at a time."""
_LABEL = "seed {}"


class InterpolateResult(NamedTuple):
    """What ``interpolate`` left: of ``frames`` pictures, ``bytes`` in all."""

    file: str
    frames: int
    bytes: int


class _Film(NamedTuple):
    """What is to be drawn; ``size`` is (height, width) of a frame."""

    stops: Stops
    loop: bool
    per_leg: int
    ease: str
    size: Tuple[int, int]

    def places(self) -> Iterator[Place]:
        return paths.places(len(self.stops.y), self.per_leg, self.loop, self.ease)

    @property
    def count(self) -> int:
        return paths.count(len(self.stops.y), self.per_leg, self.loop)


def interpolate(run: RunDir, settings: InterpolateConfig, report: Report) -> InterpolateResult:
    """Draw ``interpolate/<name>.gif``, or another format; at every stop it shows what ``sample`` draws.

    Raises:
        UsageError: an unknown class, a path that leads nowhere, seeds that do not fill the grid, a place that cannot
            be written.
        NotReady: the format needs a program that is not here.
        StepFailed: a damaged checkpoint, or a film that does not fit on the disk.
    """
    out = expanded(settings.out) if settings.out else None
    if out:
        check_free(out)
    if settings.format == "mp4":
        animation.find_ffmpeg()
    film, asked = _planned(run, settings, report)
    with open_drawer(run, settings.draw, settings.weights, settings.from_graph, asked, report) as drawer:
        frames = _reported(_frames(film, drawer), film.count, report)
        with _place(run, settings, film, drawer, out) as target:
            if settings.format == "strip":
                _write_strip(target.temporary, frames, film.count, film.stops)
            else:
                tiled = (images.tiled(cells, film.stops.grid[0]) for cells in frames)
                tiled = _sized(tiled, film, settings.format, target.temporary, report)
                animation.FORMATS[settings.format].write(target.temporary, tiled, settings.fps, film.loop)
    return InterpolateResult(str(target.final), film.count, _bytes_of(target.final))


def _planned(run: RunDir, settings: InterpolateConfig, report: Report) -> Tuple[_Film, List[Tuple[str, str]]]:
    """The film, and the rows that say what it will be."""
    stops = choose_stops(run, settings)
    strip = settings.format == "strip"
    loop = settings.loop if settings.loop is not None else not strip and animation.FORMATS[settings.format].repeats
    if loop and settings.mode == "class" and len(stops.y) > 2 and stops.y[0][0] == stops.y[-1][0]:
        stops = stops._replace(y=stops.y[:-1], z=stops.z[:-1])  # it is closed already
    per_leg = settings.frames
    if settings.from_graph and settings.mode == "class":
        report(
            "warning",
            text=f"a frozen graph takes whole classes only: of {per_leg} frames from a class to the next the 2 ends; "
            "all of them without --from-graph, or with --mode both, where z moves and the class switches halfway",
        )
        per_leg = 2
    elif settings.from_graph and settings.mode == "both":
        report("line", text="a frozen graph takes whole classes only: z moves, the class switches halfway")
    side = max(64, stops.resolution)
    columns, rows = stops.grid
    film = _Film(stops, loop, per_leg, settings.ease, (rows * side, columns * side))
    words = " to ".join(stops.words) + (" and back" if loop else "")
    if strip:
        height, width = len(stops.seeds[0]) * side, film.count * side
        if height * width > MOST_PIXELS:
            raise UsageError(
                f"a strip of {film.count} frames of {len(stops.seeds[0])} latents would have {width}x{height} px, more "
                f"than {MOST_PIXELS / 1e6:.0f} million in all",
                fix="fewer --frames or --seeds, or --format png",
            )
        size = f"one picture of {width}x{height} px"
    else:
        total = film.count * film.size[0] * film.size[1] * 3
        size = f"{film.count:,} frames of {film.size[1]}x{film.size[0]} px, {_megabytes(total)} before compression"
    return film, [("morph", f"{words}, {settings.mode} moves, {len(stops.seeds[0])} latents"), ("size", size)]


def _frames(film: _Film, drawer: Drawer) -> Iterator[np.ndarray]:
    """uint8 [N, R, R, 3] of each place; what is drawn at a time does not depend on how long the film is."""
    stops, cells = film.stops, len(film.stops.seeds[0])
    embeddings = [drawer.sampler.embedding(y) for y in stops.y] if drawer.sampler else None
    places = film.places()
    waiting: List[np.ndarray] = []
    while True:
        some = list(itertools.islice(places, max(1, _ROWS // cells)))
        if not some:
            return
        z = np.concatenate([_between(stops, place) for place in some])
        if embeddings:
            mixed = [_mixed(embeddings[place.start], embeddings[place.end], place.share) for place in some]
            batches = drawer.sampler.images_of_embedding(z, np.concatenate(mixed))
        else:
            nearest = [stops.y[place.start if place.share < 0.5 else place.end] for place in some]
            batches = drawer.images(z, np.concatenate(nearest))
        for batch in batches:
            waiting.extend(images.to_uint8(batch))
            while len(waiting) >= cells:
                yield np.stack(waiting[:cells])
                del waiting[:cells]


def _between(stops: Stops, place: Place) -> np.ndarray:
    start, end = stops.z[place.start], stops.z[place.end]
    return start if start is end else paths.slerp(start, end, place.share)


def _mixed(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """float32; ``start`` itself where the share is 0."""
    return ((1.0 - share) * start + share * end).astype(np.float32)


def _reported(frames: Iterator[np.ndarray], total: int, report: Report) -> Iterator[np.ndarray]:
    for done, frame in enumerate(frames, 1):
        report("advance", what="drawing", done=done, total=total)
        yield frame


def _sized(frames: Iterator[np.ndarray], film: _Film, kind: str, target: Path, report: Report) -> Iterator[np.ndarray]:
    """The same; after the first frame it says how large the whole will be, as far as that frame tells.

    Raises:
        StepFailed: the disk has not so much left.
    """
    first = next(frames)
    size_of = animation.FORMATS[kind].size
    if size_of:
        expected, free = size_of(first) * film.count, shutil.disk_usage(str(target.parent)).free
        report("line", text=f"about {_megabytes(expected)} as {kind}, going by the first frame")
        if expected > free:
            raise StepFailed(
                f"the film would take about {_megabytes(expected)}, and {target.parent} has {_megabytes(free)} left",
                fix="fewer --frames, a smaller --grid, or --out on another disk",
            )
    return itertools.chain([first], frames)


def _write_strip(path: Path, frames: Iterator[np.ndarray], count: int, stops: Stops) -> None:
    """A row for each latent, a column for each of ``count`` frames."""
    first = next(frames)
    rows = np.empty((len(first), count, *first.shape[1:]), np.uint8)
    for column, frame in enumerate(itertools.chain([first], frames)):
        rows[:, column] = frame
    labels = [_LABEL.format(" to ".join(str(seed) for seed in seeds)) for seeds in zip(*stops.own_seeds())]
    images.write_png(path, images.labelled_grid(list(rows), labels))


class _Target(NamedTuple):
    """Where to write, and where that is afterwards."""

    temporary: Path
    final: Path


@contextlib.contextmanager
def _place(
    run: RunDir, settings: InterpolateConfig, film: _Film, drawer: Drawer, out: Optional[Path]
) -> Iterator[_Target]:
    """In the run, with a manifest; or where ``--out`` says."""
    folder = settings.format == "png"
    if out:
        with made_whole(out, folder) as temporary:
            yield _Target(temporary, out)
        return
    ending = ".png" if settings.format == "strip" else animation.FORMATS[settings.format].ending
    described = configs.asdict(configs.replace(settings, draw=drawer.draw))
    described.update(seeds=film.stops.seeds, grid=film.stops.grid, loop=film.loop)
    stem = settings.name or film.stops.name + ("-strip" if settings.format == "strip" else "")
    with run.step("interpolate", settings.name, described, drawer.inputs, packages(), stem) as step:
        step.details["frames"] = film.count
        name = step.name + ending
        yield _Target(step.path / name, run.path / "interpolate" / name)


def _bytes_of(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))


def _megabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
