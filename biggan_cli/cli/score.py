"""``biggan score``."""

import os
from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli import protocols
from biggan_cli.cli import console, options, parsing
from biggan_cli.cli.groups import LOOKING, Looking, grouped
from biggan_cli.config import MAX_PICTURES, MAX_SEED, validate_count
from biggan_cli.errors import UsageError
from biggan_cli.protocols import PROTOCOLS
from biggan_cli.settings import METRICS, SOURCES, ReferenceConfig, ScoreConfig

_HOW = "How it is measured"


def _protocols() -> str:
    return "; ".join(f"{name}: {protocol.about}" for name, protocol in PROTOCOLS.items())


@grouped
def score(
    source: options.PicturesArgument = None,
    inception_score: Annotated[bool, typer.Option("--is", help="Inception Score.")] = False,
    fid: Annotated[bool, typer.Option("--fid", help="Fréchet Inception Distance. None given: --is --fid.")] = False,
    kid: Annotated[bool, typer.Option("--kid", help="Kernel Inception Distance.")] = False,
    pr: Annotated[bool, typer.Option("--pr", help="Precision and recall.")] = False,
    sources: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="checkpoint,pb,om",
            help="Which form of the run, or several side by side; om: the outputs of msame-run.",
            autocompletion=options.among(*SOURCES),
        ),
    ] = "checkpoint",
    ref: Annotated[
        Optional[str],
        typer.Option(
            "--ref",
            metavar="REF",
            help="What to compare with: cifar10-train, cifar10-test; train or test of the data; a file of stats; "
            "pictures.",
            show_default="cifar10-train; of what was trained on other data: train",
        ),
    ] = None,
    data: Annotated[
        Optional[str],
        typer.Option(
            "--data",
            metavar="SPEC",
            help="The data of --ref: digits, or cifar10:DIR; also from BIGGAN_DATA.",
            show_default="the run's",
            rich_help_panel=_HOW,
        ),
    ] = None,
    protocol: Annotated[
        Optional[str],
        typer.Option(
            "--protocol",
            metavar="NAME",
            help=f"Fixes how. {_protocols()}.",
            show_default=False,
            autocompletion=options.among(*PROTOCOLS),
            rich_help_panel=_HOW,
        ),
    ] = None,
    looking: Looking = LOOKING,
    splits: Annotated[int, parsing.whole("--splits", help="Of the Inception Score.", rich_help_panel=_HOW)] = 10,
    shuffle: Annotated[
        Optional[bool],
        typer.Option(
            "--shuffle/--no-shuffle",
            help="Split in an order by --metric-seed, as torch-fidelity; or as the pictures come, as OpenAI.",
            show_default="--shuffle",
            rich_help_panel=_HOW,
        ),
    ] = None,
    metric_seed: Annotated[
        int,
        parsing.whole("--metric-seed", help="Of that order, and of KID's subsets.", rich_help_panel=_HOW),
    ] = 2020,
    kid_subsets: Annotated[int, parsing.whole("--kid-subsets", help="Of KID.", rich_help_panel=_HOW)] = 100,
    kid_subset_size: Annotated[
        int, parsing.whole("--kid-subset-size", help="Pictures in each of them.", rich_help_panel=_HOW)
    ] = 1000,
    neighbours: Annotated[
        int, parsing.whole("--neighbours", metavar="K", help="Of precision and recall.", rich_help_panel=_HOW)
    ] = 3,
    fetch_stats: Annotated[
        bool,
        typer.Option(
            "--fetch-stats",
            help="Download TTUR's statistics of cifar10-train into the cache.",
            rich_help_panel=options.EXTRACTOR,
        ),
    ] = False,
    outdir: options.OutdirOption = Path("runs"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON: of several sources an object a line.")
    ] = False,
) -> None:
    """Score pictures: IS, FID, KID, precision and recall.

    Each with what it is a score of, in a sentence to paste.

    Example: biggan score --is --fid
    """
    asked = dict(zip(METRICS, (inception_score, fid, kid, pr)))
    protocols.find(protocol)
    order = {None: None, True: "--shuffle", False: "--no-shuffle"}[shuffle]
    for flag in [looking.truncation and "--truncation", looking.num and "--num", order] if protocol else []:
        if flag:
            raise UsageError(f"--protocol {protocol} fixes what {flag} says", fix="leave one of them out")
    counts = [("--splits", splits, 1), ("--kid-subsets", kid_subsets, 1), ("--kid-subset-size", kid_subset_size, 2)]
    counts += [("--neighbours", neighbours, 1)]
    for flag, value, least in counts:
        validate_count(flag, value, MAX_PICTURES)
        if value < least:
            raise UsageError(f"{flag} {value} is less than {least}", fix=f"{flag} {least}")
    if not 0 <= metric_seed <= MAX_SEED:
        raise UsageError(f"--metric-seed {metric_seed} is not from 0 to {MAX_SEED}", fix="--metric-seed 2020")
    metrics = tuple(name for name, wanted in asked.items() if wanted) or METRICS[:2]
    usual = ScoreConfig()
    for flag, differs, of in (
        ("--splits", splits != usual.splits, ("is",)),
        (order, order, ("is",)),
        ("--metric-seed", metric_seed != usual.metric_seed, ("is", "kid")),
        ("--kid-subsets", kid_subsets != usual.kid_subsets, ("kid",)),
        ("--kid-subset-size", kid_subset_size != usual.kid_subset_size, ("kid",)),
        ("--neighbours", neighbours != usual.neighbours, ("pr",)),
    ):
        if differs and not set(of).intersection(metrics):
            wanted = " and ".join(f"--{name}" for name in of)
            raise UsageError(f"{flag} is for {wanted}, which is not asked for", fix=f"leave {flag} out")
    settings = ScoreConfig(
        metrics=metrics,
        pictures=looking.pictures(source, outdir),
        sources=_parse_sources(sources),
        extractor=looking.network(),
        reference=ReferenceConfig(ref, data, os.environ.get(options.DATA_VARIABLE), fetch_stats),
        protocol=protocol,
        splits=splits,
        shuffle=shuffle is not False,
        metric_seed=metric_seed,
        kid_subsets=kid_subsets,
        kid_subset_size=kid_subset_size,
        neighbours=neighbours,
    )
    with console.reporting() as report:
        from biggan_cli.core import score as core
        from biggan_cli.core import score_words

        result = core.score(settings, report)
    if as_json:
        for record in result.scores:
            console.result(record, as_json)
        return
    console.rows(*score_words.table(result.scores))
    console.text(f"\n{score_words.words(result.scores)}")
    if result.kept_in:
        console.text(f"kept in {result.kept_in}")


def _parse_sources(text: str):
    parts = tuple(part.strip() for part in text.split(","))
    for part in parts:
        if part not in SOURCES:
            raise UsageError(f"--source {part or '(empty)'} is not one of {', '.join(SOURCES)}", fix="--source pb,om")
    if len(set(parts)) < len(parts):
        raise UsageError(f"--source {text} names a source twice", fix="each of them once")
    return parts
