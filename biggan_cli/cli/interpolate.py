"""``biggan interpolate``."""

import re
from pathlib import Path
from typing import Optional, Tuple

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.cli.groups import DRAWING, Drawing, grouped
from biggan_cli.data import classes
from biggan_cli.errors import UsageError
from biggan_cli.rundir import open_run
from biggan_cli.settings import EASES, FORMATS, MODES, InterpolateConfig

MAX_FRAMES = 10000
_MOST_CELLS = 1024
_MOST_FPS, _MOST_FPS_OF_GIF = 240, 50
_PACE = "Pace and layout"
_ENDINGS = {".gif": "gif", ".webp": "webp", ".png": "strip", ".mp4": "mp4", "": "png"}


@grouped
def interpolate(
    run: options.RunArgument = None,
    start: Annotated[
        Optional[str], typer.Option("--from", metavar="CLASS", help="The first class.", show_default=False)
    ] = None,
    end: Annotated[
        Optional[str], typer.Option("--to", metavar="CLASS", help="The last class.", show_default=False)
    ] = None,
    path: Annotated[
        Optional[str],
        typer.Option("--path", metavar="A,B,C", help="Several classes in turn.", show_default=False),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="class|z|both",
            help="What moves: the class; z, of the class of --from; or both.",
            autocompletion=options.among(*MODES),
        ),
    ] = "class",
    frames: Annotated[int, parsing.whole("--frames", help="From one stop to the next, both counted.")] = 11,
    fps: Annotated[float, parsing.real("--fps", help="Frames in a second.", rich_help_panel=_PACE)] = 5.0,
    loop: Annotated[
        Optional[bool],
        typer.Option(
            "--loop/--no-loop",
            help="Go on to the first stop, and play for ever; or end at the last.",
            show_default="--loop for gif and webp",
            rich_help_panel=_PACE,
        ),
    ] = None,
    seeds: Annotated[
        Optional[str],
        typer.Option(
            "--seeds",
            metavar="0-15",
            help="A latent for each place of the grid; where z moves, for each stop.",
            show_default="the first ones",
        ),
    ] = None,
    grid: Annotated[
        Optional[str],
        typer.Option(
            "--grid",
            metavar="4x4",
            help="Columns and rows.",
            show_default="4x4, or as --seeds fill",
            rich_help_panel=_PACE,
        ),
    ] = None,
    ease: Annotated[
        str,
        typer.Option(
            "--ease",
            metavar="linear|cosine",
            help="At one speed, or slowly near the stops.",
            rich_help_panel=_PACE,
            autocompletion=options.among(*EASES),
        ),
    ] = "linear",
    kind: Annotated[
        Optional[str],
        typer.Option(
            "--format",
            metavar="gif|webp|png|strip|mp4",
            help="png: a folder of frames; strip: one picture, a row for each latent; mp4 needs ffmpeg.",
            show_default="gif, or by the ending of --out",
            autocompletion=options.among(*FORMATS),
        ),
    ] = None,
    out: Annotated[
        Optional[Path],
        typer.Option("--out", metavar="PLACE", help="A file, or for png a folder.", show_default="in the run"),
    ] = None,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
    truncation: options.in_panel(options.TruncationOption, options.DRAWN) = None,
    drawing: Drawing = DRAWING,
) -> None:
    """Morph one class into another: a GIF, a film, frames.

    Example: biggan interpolate --from three --to eight
    """
    if not 2 <= frames <= MAX_FRAMES:
        raise UsageError(
            f"--frames {frames} is outside 2 to {MAX_FRAMES}",
            fix="biggan sample draws one class by itself" if frames == 1 else "--frames 11",
        )
    for flag, value, choices in (("--mode", mode, MODES), ("--ease", ease, EASES), ("--format", kind, FORMATS)):
        if value is not None and value not in choices:
            raise UsageError(f"{flag} {value} is not one of {', '.join(choices)}", fix=f"{flag} {choices[0]}")
    wanted = _format(kind, out)
    most = _MOST_FPS_OF_GIF if wanted == "gif" else _MOST_FPS
    if not 0.01 <= fps <= most:
        of_gif = ", what a GIF can show" if wanted == "gif" else ""
        fix = "--format webp, or --fps 50" if of_gif and fps <= _MOST_FPS and not out else f"--fps {min(most, 30)}"
        raise UsageError(f"--fps {fps:g} is outside 0.01 to {most}{of_gif}", fix=fix)
    names, flags = _path(start, end, path, mode)
    if out and name:
        raise UsageError("--name is for a film in the run, --out for one elsewhere", fix="leave one of them out")
    settings = InterpolateConfig(
        draw=drawing.config(truncation),
        weights=drawing.weights,
        from_graph=drawing.from_graph,
        path=names,
        flags=flags,
        mode=mode,
        seeds=options.parse_seeds(seeds) if seeds is not None else None,
        grid=_parse_grid(grid),
        frames=frames,
        fps=fps,
        loop=loop,
        ease=ease,
        format=wanted,
        out=str(out) if out else None,
        name=options.check_name(name),
    )
    found = open_run(run, outdir)
    with console.reporting() as report:
        from biggan_cli.core import interpolate as core

        result = core.interpolate(found, settings, report)
    console.result(result._asdict(), as_json)


def _path(
    start: Optional[str], end: Optional[str], path: Optional[str], mode: str
) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """The classes of the stops, and the flags that named them.

    Raises:
        UsageError: they are too few, too many, or named twice.
    """
    if path is not None and (start is not None or end is not None):
        raise UsageError("--path names all classes, --from and --to two", fix="leave --path or the two out")
    if mode == "z":
        if end is not None or path is not None:
            flag = "--to" if end is not None else "--path"
            raise UsageError(f"{flag} is for a class that moves, and --mode z moves z alone", fix="--mode both")
        if start is None:
            raise UsageError("--mode z needs a class to stay with", fix="--from CLASS")
        return (start,), ("--from",)
    if path is not None:
        names = tuple(map(classes.unquoted, classes.split(path)))
        if len(names) < 2:
            raise UsageError(f"--path {path} is one class: a path has two at least", fix=f"--path {path},CLASS")
        return names, ("--path",)
    if start is None and end is None:
        raise UsageError("from which class to which? none is named", fix="--from CLASS --to CLASS, or --path A,B,C")
    if end is None:
        raise UsageError(f"--from {start} has no --to", fix="--to CLASS; or --mode z, which moves z alone")
    if start is None:
        raise UsageError(f"--to {end} has no --from", fix="--from CLASS")
    return (start, end), ("--from", "--to")


def _parse_grid(text: Optional[str]) -> Optional[Tuple[int, int]]:
    """``4x3`` → 4 columns, 3 rows."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*([0-9]{1,4})\s*[xX×]\s*([0-9]{1,4})\s*", text)
    columns, rows = (int(part) for part in match.groups()) if match else (0, 0)
    if not 1 <= columns * rows <= _MOST_CELLS:
        raise UsageError(f"--grid {text} is not columns x rows, 1 to {_MOST_CELLS} places", fix="--grid 4x4")
    return columns, rows


def _format(kind: Optional[str], out: Optional[Path]) -> str:
    """What was asked for, or what the place looks like.

    Raises:
        UsageError: it looks like nothing known, or like something else.
    """
    if out is None:
        return kind or "gif"
    looks = _ENDINGS.get(out.suffix.lower())
    if looks is None or kind not in (None, looks):
        endings = ", ".join(f"{ending or 'none'} ({of})" for ending, of in _ENDINGS.items())
        problem = f"is not --format {kind}" if looks else "ends in nothing that is known"
        raise UsageError(f"--out {out} {problem}", fix=f"one of these endings: {endings}")
    return looks
