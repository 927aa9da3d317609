"""Statistics of features of pictures, as a file that scores are compared with."""

from pathlib import Path
from typing import NamedTuple

from biggan_cli import protocols
from biggan_cli.core import extractors, references, sources
from biggan_cli.core.features import features_of
from biggan_cli.core.outside import check_free
from biggan_cli.core.reporting import Report
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import expanded, sha256
from biggan_cli.metrics import feature_file, inception
from biggan_cli.metrics.fid import statistics
from biggan_cli.settings import StatsConfig


class StatsResult(NamedTuple):
    """What ``stats`` left: of how many pictures, seen by which network."""

    file: str
    num: int
    features: int
    extractor: str
    sha256: str
    images_per_second: float


def stats(settings: StatsConfig, report: Report) -> StatsResult:
    """Write mean and covariance, and with them the features where they are wanted.

    Raises:
        UsageError: the file is there already, or what is asked for cannot be.
        NotReady: there is no Inception graph.
        StepFailed: something is damaged, or the place cannot be written.
    """
    out = expanded(settings.out)
    _check_place(out)
    place = sources.find(settings.pictures)
    if place.features:
        raise UsageError(f"{settings.pictures.what} has features already", fix=f"--ref {settings.pictures.what}")
    extractor = extractors.choose(settings.extractor, extractors.usual(place.data_spec()), report)
    num = protocols.FULL if extractor.name == inception.NAME else protocols.OWN_NUM
    (source,) = sources.of_place(place, settings.pictures, (settings.source,), None, num, report)
    if source.count < 2:
        raise UsageError(f"{source.count} picture is too few: a covariance needs 2 at least", fix="--num 50000")
    rows = [("extractor", extractor.title()), ("pictures", f"{source.count}, {source.name}")]
    report("table", title=f"making {out}", rows=rows)
    held_out = settings.pictures.held_out
    batch = settings.pictures.draw.batch
    passed = features_of(source.pictures, extractor, batch, "looking", report, keep_logits=settings.features)
    about = dict(
        schema=feature_file.SCHEMA,
        extractor=extractor.about(),
        source=dict(
            name=source.name,
            how=source.how,
            facts=source.facts,
            count=source.count,
            size=list(source.size),
            lossless=source.lossless,
            sha256=source.pictures.digest,
            published=references.published_as(place.data, held_out, source.pictures) if place.data else None,
        ),
    )
    try:
        features = passed.features if settings.features else None
        feature_file.write(out, statistics(passed.features), about, features, passed.logits)
    except OSError as error:
        raise StepFailed(f"--out {out} cannot be written: {error.strerror}") from error
    rate = round(source.count / passed.seconds, 2)
    return StatsResult(str(out), source.count, extractor.features, extractor.title(), sha256(out), rate)


def _check_place(out: Path) -> None:
    """Before an hour's work.

    Raises:
        UsageError: the file cannot be made there.
    """
    if out.suffix != ".npz":
        raise UsageError(f"--out {out} does not end in .npz", fix=f"--out {out.stem or 'statistics'}.npz")
    check_free(out)
