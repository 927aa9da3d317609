"""``biggan sample``."""

import os
import sys
from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options, parsing
from biggan_cli.cli.groups import DRAWING, Drawing, grouped
from biggan_cli.config import MAX_PICTURES, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.rundir import RunDir, open_run
from biggan_cli.settings import NeighboursConfig, SampleConfig, SweepConfig

_SIDE = 100
_COUNT = 100
_SCORES = "Scores and neighbours"
_EXTRACTOR = options.in_panel(options.ExtractorOption, _SCORES)
_INCEPTION = options.in_panel(options.InceptionOption, _SCORES)


@grouped
def sample(
    run: options.RunArgument = None,
    classes: options.ClassesOption = None,
    num: options.NumOption = None,
    seeds: options.SeedsOption = None,
    truncation: Annotated[
        Optional[str],
        typer.Option(
            "--truncation",
            metavar="T",
            help="Redraw z beyond T standard deviations; none: off. Several, 0.5,1,2: a row of the same seeds each.",
            show_default="the run's",
        ),
    ] = None,
    sheets: Annotated[
        Optional[int],
        parsing.whole("--sheets", help="A sheet of N x N pictures for each class.", show_default=False),
    ] = None,
    neighbours: Annotated[
        Optional[int],
        parsing.whole(
            "--neighbours",
            metavar="K",
            help="Is it memorising? The K nearest training pictures of those in the grid.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Optional[str],
        typer.Option(
            "--out",
            metavar="FILE.npz|-",
            help="Put images, labels, seeds and z there, - is a pipe, and nothing into the run.",
            show_default=False,
        ),
    ] = None,
    name: options.NameOption = None,
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
    drawing: Drawing = DRAWING,
    latents: options.in_panel(options.LatentsOption, options.DRAWN) = None,
    npz: Annotated[
        bool,
        typer.Option("--npz", help="Also keep the unrounded floats, in samples.npz.", rich_help_panel=options.DRAWN),
    ] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Score each of several truncations.", rich_help_panel=_SCORES)
    ] = False,
    score_num: Annotated[
        Optional[int],
        parsing.whole(
            "--score-num",
            help="Pictures of a score.",
            show_default="50000; with digits 5000",
            rich_help_panel=_SCORES,
        ),
    ] = None,
    data: Annotated[
        Optional[str],
        typer.Option(
            "--data",
            metavar="SPEC",
            help="The training set of --neighbours.",
            show_default="the run's",
            rich_help_panel=_SCORES,
        ),
    ] = None,
    extractor: _EXTRACTOR = None,
    inception: _INCEPTION = None,
) -> None:
    """Draw pictures: PNG files and a labelled grid.

    Example: biggan sample --classes three,eight:16
    """
    values = options.parse_truncations(truncation)
    swept = len(values) > 1
    network = options.extractor_config(extractor, inception, False, drawing.device)
    _check_together(
        swept,
        {
            "--sheets": sheets,
            "--neighbours": neighbours,
            "--out": out,
            "--npz": npz,
            "--from-graph": drawing.from_graph,
        },
        {"--score": score, "--score-num": score_num},
        {"--data": data},
        {"--extractor": extractor, "--inception": inception},
    )
    if out is not None:
        _check_out(out, {"--sheets": sheets, "--neighbours": neighbours, "--npz": npz, "--name": name})
        if out == "-" and as_json:
            raise UsageError("--json prints a result, and --out - has standard output", fix="leave --json out")
    for flag, value, most in (("--sheets", sheets, _SIDE), ("--neighbours", neighbours, _COUNT)):
        if value is not None:
            validate_count(flag, value, most)
    draw = drawing.config(None if swept else truncation)
    chosen, named = options.latents_config(classes, num, seeds, latents), options.check_name(name)
    found = open_run(run, outdir)
    if swept:
        if score_num is not None:
            validate_count("--score-num", score_num, MAX_PICTURES)
        scored = score or bool(score_num or extractor or inception)
        _sweep(found, SweepConfig(values, draw, chosen, scored, score_num, network, named), as_json)
        return
    settings = SampleConfig(
        draw=draw,
        latents=chosen,
        weights=drawing.weights,
        from_graph=drawing.from_graph,
        npz=npz,
        sheets=sheets,
        neighbours=NeighboursConfig(neighbours, data, network) if neighbours else None,
        out=out,
        name=named,
    )
    with console.reporting() as report:
        from biggan_cli.core import sample as core

        if out is not None:
            result = core.sample_arrays(found, settings, sys.stdout.buffer if out == "-" else None, report)
        else:
            result = core.sample(found, settings, report)
    if out == "-":
        sys.stdout.buffer.flush()
        return
    values = result._asdict()
    copies = values.pop("copies", ()) if not as_json else ()
    console.result(values, as_json)
    for sentence in copies:
        console.text(f"\n{sentence}")


def _sweep(run: RunDir, settings: SweepConfig, as_json: bool) -> None:
    with console.reporting() as report:
        from biggan_cli.core import sweep as core

        result = core.sweep(run, settings, os.environ.get(options.DATA_VARIABLE), report)
    if as_json:
        console.result(result._asdict(), as_json)
        return
    if result.scores:
        console.rows(*core.table(result))
        console.text(f"\n{core.words(result)}\n")
    shown = dict(folder=result.folder, step=result.step, grid=result.grid, curve=result.curve)
    console.result(shown, as_json)


def _check_together(swept: bool, unswept, of_sweep, of_neighbours, of_either) -> None:
    """Options that do not go with others are not passed over.

    Raises:
        UsageError: there is one.
    """
    unswept_given = [flag for flag, value in unswept.items() if value]
    if swept and unswept_given:
        hint = "a frozen graph has the statistics of one truncation" if unswept_given[0] == "--from-graph" else None
        raise UsageError(
            f"{unswept_given[0]} is for one truncation, and --truncation names several", fix="one of them", hint=hint
        )
    neighbours = unswept["--neighbours"]
    for flags, needed, there in (
        (of_sweep, "several truncations: --truncation 0.5,1,2", swept),
        (of_neighbours, "--neighbours", neighbours),
        (of_either, "--neighbours, or for several truncations: --truncation 0.5,1,2", swept or neighbours),
    ):
        for flag, value in flags.items():
            if value and not there:
                raise UsageError(f"{flag} is for {needed}", fix=f"leave {flag} out, or add it")


def _check_out(out: str, others) -> None:
    """``--out`` takes the pictures away from where the others would put something.

    Raises:
        UsageError: one of them is there, or standard output is a terminal.
    """
    for flag, value in others.items():
        if value:
            raise UsageError(f"{flag} leaves something in the run, and --out leaves nothing there", fix="one of them")
    if out == "-" and sys.stdout.isatty():
        raise UsageError(
            "--out - writes an .npz to standard output, and that is a terminal",
            fix="biggan sample --out - | PROGRAM, or --out FILE.npz",
        )
