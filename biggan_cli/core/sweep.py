"""The same seeds at several truncations: what variety costs, as a picture and, with a network, as scores."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import truncation_text
from biggan_cli.core import extractors, generators, score_words
from biggan_cli.core.grids import GRID_COLUMNS
from biggan_cli.core.latents import choose_latents, classes_text
from biggan_cli.core.reporting import Report, without_tables
from biggan_cli.core.score import score
from biggan_cli.data import curves, images
from biggan_cli.data.curves import Curve
from biggan_cli.errors import UsageError
from biggan_cli.files import write_json
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import LatentsConfig, PicturesConfig, ReferenceConfig, ScoreConfig, SweepConfig

MOST_COLUMNS = 100


class SweepResult(NamedTuple):
    """What a sweep left; ``scores`` are records as of ``score``, one for each truncation."""

    folder: str
    step: int
    truncations: Tuple[Optional[float], ...]
    grid: str
    curve: Optional[str]
    scores: List[Dict[str, Any]]


def sweep(run: RunDir, settings: SweepConfig, default_data: Optional[str], report: Report) -> SweepResult:
    """Draw a row for each truncation, with statistics of its own, into ``sample/<name>/``, and score each if asked.

    Args:
        default_data: where the pictures of the reference may be, if the run does not say.

    Raises:
        UsageError: latents that cannot be, or scores that cannot.
        NotReady: there is no network for the scores.
        StepFailed: a damaged checkpoint.
    """
    asked = _in_a_row(settings.latents)
    if settings.score:  # that it is not there should not be told after the first row
        extractors.choose(settings.extractor, extractors.usual(generators.read_record(run).config.train.data), report)
    checkpoint, record, draw = generators.decide(run, settings.draw)
    names, z_dim = record.class_names, record.config.model.z_dim
    values = ", ".join(map(truncation_text, settings.truncations))
    y = choose_latents(asked, z_dim, names, None).y
    if len(y) > MOST_COLUMNS:
        raise UsageError(f"a row of {len(y)} pictures is more than {MOST_COLUMNS}", fix=f"--num {GRID_COLUMNS}")
    how = f"step {checkpoint.step}, {draw.weights} weights, {draw.bn} statistics" + (
        " of each" if draw.bn == "standing" else ""
    )
    rows = [
        ("truncations", values),
        ("pictures", f"{len(y)} in a row, classes {classes_text(y, names)}"),
        ("with", how),
    ]
    report("table", title=f"drawing from {run}", rows=rows)
    quiet = without_tables(report)
    described = configs.asdict(configs.replace(settings, draw=draw))
    pictures, scores = [], []
    with run.step("sample", settings.name, described, checkpoint.inputs(), packages()) as step:
        for done, truncation in enumerate(settings.truncations, 1):
            own = configs.replace(settings.draw, truncation=truncation, checkpoint=draw.checkpoint)
            z = choose_latents(asked, z_dim, names, truncation).z
            with generators.open_generator(run, own, [], quiet) as opened:
                pictures.append(images.to_uint8(np.concatenate(list(opened.sampler.images(z, y)))))
            if settings.score:
                scores.append(_scored(run, settings, own, default_data, _without_warnings(quiet)))
                report("line", text=f"truncation {truncation_text(truncation)}: {_numbers(scores[-1])}")
            else:
                report("advance", what="drawing", done=done, total=len(settings.truncations))
        labels = [truncation_text(truncation) for truncation in settings.truncations]
        images.write_png(
            step.path / "grid.png", images.labelled_grid(pictures, [f"truncation {label}" for label in labels])
        )
        if scores:
            images.write_png(step.path / "curve.png", curves.panels(labels, "truncation", _curves(scores)))
        write_json(
            step.path / "sweep.json",
            dict(truncations=settings.truncations, step=checkpoint.step, classes=y.tolist(), scores=scores),
        )
    curve = str(step.path / "curve.png") if scores else None
    grid = str(step.path / "grid.png")
    return SweepResult(str(step.path), checkpoint.step, settings.truncations, grid, curve, scores)


def table(result: SweepResult) -> Tuple[List[str], List[List[str]]]:
    """A row for each truncation, a column for each score."""
    headings = ["truncation", *(name for name, _, _ in score_words.numbers(result.scores[0]))]
    rows = [
        [truncation_text(truncation), *(value for _, value, _ in score_words.numbers(record))]
        for truncation, record in zip(result.truncations, result.scores)
    ]
    return headings, rows


def words(result: SweepResult) -> str:
    """Below the table: whether the numbers compare with others, and where it says of what each is."""
    shared = [
        text for text in result.scores[0]["warnings"] if all(text in record["warnings"] for record in result.scores)
    ]
    comparable = all(record["comparable"] for record in result.scores)
    lines = [f"comparable with published scores: {'yes' if comparable else 'no'}", *(f"  - {text}" for text in shared)]
    return "\n".join([*lines, "sweep.json says in a sentence what each is a score of"])


def _in_a_row(asked: LatentsConfig) -> LatentsConfig:
    """Ten latents, or one of each class, where nobody says how many."""
    if asked.file:
        raise UsageError("--latents brings its own z, and a sweep truncates z", fix="leave --latents out")
    if asked.num is not None or asked.seeds or any(count for _, count in asked.classes):
        return asked
    return configs.replace(asked, num=max(GRID_COLUMNS, len(asked.classes)))


def _scored(run: RunDir, settings: SweepConfig, draw, default_data: Optional[str], report: Report) -> Dict[str, Any]:
    config = ScoreConfig(
        pictures=PicturesConfig(str(run), draw=draw, num=settings.num),
        extractor=settings.extractor,
        reference=ReferenceConfig(default_data=default_data),
    )
    return score(config, report).scores[0]


def _numbers(record: Dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value, _ in score_words.numbers(record))


def _curves(scores: List[Dict[str, Any]]) -> List[Curve]:
    names = [name for name, _, _ in score_words.numbers(scores[0])]
    values = ([record["inception_score"]["mean"] for record in scores], [record["fid"]["value"] for record in scores])
    return [Curve(name, value) for name, value in zip(names, values)]


def _without_warnings(report: Report) -> Report:
    """``report`` for a score whose warnings come once for all, see :func:`words`."""
    return lambda event, **fields: None if event == "warning" else report(event, **fields)
