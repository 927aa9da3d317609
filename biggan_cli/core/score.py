"""Scores of generated pictures, each with what it is a score of."""

import fcntl
import json
import os
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from biggan_cli import __version__, protocols
from biggan_cli import config as configs
from biggan_cli.core import extractors, references, sources
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.features import features_of, groups, resized_to
from biggan_cli.core.references import Reference
from biggan_cli.core.reporting import Report
from biggan_cli.core.score_caveats import Job, warnings, why_incomparable
from biggan_cli.core.score_words import numbers, px, sentence
from biggan_cli.core.sources import Source
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.metrics import inception
from biggan_cli.metrics.fid import frechet_distance, statistics
from biggan_cli.metrics.inception_score import InceptionScoreSums
from biggan_cli.metrics.kid import kernel_distance
from biggan_cli.metrics.precision_recall import precision_recall
from biggan_cli.protocols import FULL, Protocol
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.versions import lane, packages
from biggan_cli.settings import ScoreConfig

SCHEMA = 1
_WITH_REFERENCE = {"fid", "kid", "pr"}


class ScoreResult(NamedTuple):
    """A record for each source, as ``score.jsonl`` has them, and that file, None where there is no run."""

    scores: List[Dict[str, Any]]
    kept_in: Optional[str]


def score(settings: ScoreConfig, report: Report) -> ScoreResult:
    """Score pictures, and add a line for each source to ``score/score.jsonl`` of a run.

    Raises:
        UsageError: what is asked for cannot be: too few pictures, no such reference, another network.
        NotReady: there is no Inception graph.
        StepFailed: something is damaged. What was measured until then is kept.
    """
    protocol = protocols.find(settings.protocol)
    place = sources.find(settings.pictures)
    if place.features:
        extractor = extractors.of_file(place.features, settings.extractor, report)
    else:
        extractor = extractors.choose(settings.extractor, extractors.usual(place.data_spec()), report)
    num = FULL if extractor.name == inception.NAME else protocols.OWN_NUM
    found = sources.of_place(place, settings.pictures, settings.sources, protocol, num, report)
    _check_counts(settings, found[0])
    reference = _reference(settings, protocol, place, extractor, found[0], report)
    job = Job(settings, protocol, extractor, reference)
    report("table", title="scoring", rows=_rows(found, job))
    for warning in [*why_incomparable(found[0], job), *warnings(found[0], job)]:
        report("warning", text=warning)
    scores, kept_in = [], None
    for source in found:
        record = scored(source, job, report)
        scores.append(record)
        kept_in = keep(place.run, record, report) if place.run else None
        if len(found) > 1:
            report("line", text=f"{source.label}: {', '.join(f'{name} {value}' for name, value, _ in numbers(record))}")
    return ScoreResult(scores, kept_in)


def scored(source: Source, job: Job, report: Report) -> Dict[str, Any]:
    """Measure a source: its record, as ``score.jsonl`` has it.

    Raises:
        StepFailed: something is damaged, or there is no distance.
    """
    return _record(source, job, _measure(source, job, report))


def _check_counts(settings: ScoreConfig, source: Source) -> None:
    """What a metric needs is there, before an hour's work.

    Raises:
        UsageError: it is not.
    """
    count = source.count
    if "is" in settings.metrics and count < settings.splits:
        raise UsageError(
            f"{count} pictures do not fill {settings.splits} splits", fix="more pictures, or --fid without --is"
        )
    if count < 2:
        raise UsageError(f"{count} picture is too few: a score needs 2 at least", fix="--num 50000")
    if "is" in settings.metrics and source.features and not source.features.has_logits:
        raise UsageError(f"{source.features.path} has no logits, which --is needs", fix="--fid, --kid or --pr alone")
    _check_subsets(settings, count, "pictures")


def _check_subsets(settings: ScoreConfig, count: int, what: str) -> None:
    if "kid" in settings.metrics and count < settings.kid_subset_size:
        raise UsageError(
            f"--kid-subset-size {settings.kid_subset_size} is more than the {count} {what}",
            fix=f"--kid-subset-size {max(2, count // 2)}",
        )
    if "pr" in settings.metrics and count <= settings.neighbours:
        raise UsageError(
            f"--neighbours {settings.neighbours} is not less than the {count} {what}", fix="--neighbours 1"
        )


def _reference(
    settings: ScoreConfig,
    protocol: Optional[Protocol],
    place: sources.Place,
    extractor: Extractor,
    source: Source,
    report: Report,
) -> Optional[Reference]:
    asked = settings.reference
    if not _WITH_REFERENCE.intersection(settings.metrics):
        for flag, value in (("--ref", asked.name), ("--data", asked.data), ("--fetch-stats", asked.fetch)):
            if value:
                raise UsageError(f"{flag} is for --fid, --kid and --pr, and only --is is asked for", fix="add --fid")
        return None
    if protocol and protocol.reference:
        if asked.name not in (None, protocol.reference):
            raise UsageError(
                f"--protocol {settings.protocol} compares with {protocol.reference}, not with --ref {asked.name}",
                fix="leave one of them out",
            )
        asked = configs.replace(asked, name=protocol.reference)
    need_features = bool({"kid", "pr"}.intersection(settings.metrics))
    batch = settings.pictures.draw.batch
    found = references.open_reference(asked, place, extractor, source.size, need_features, batch, report)
    if found.count is not None:
        _check_subsets(settings, found.count, "pictures of the reference")
    return found


def _rows(found: List[Source], job: Job) -> List[Tuple[str, str]]:
    source, reference = found[0], job.reference
    size = f" of {px(source.size)}" if source.size else ""
    rows = [("extractor", job.extractor.title()), ("pictures", f"{source.count:,}{size}, {source.name}")]
    if source.how:
        rows.append(("drawn", source.how))
    if len(found) > 1:
        rows.append(("sources", ", ".join(entry.label for entry in found)))
    if reference:
        count = f"{reference.count:,} images" if reference.count else "nobody knows how many images"
        kept = f", kept in {reference.kept}" if reference.kept else ""
        rows.append(("reference", f"{reference.name}, {count}, {reference.origin}{kept}"))
    return [*rows, ("metrics", ", ".join(job.settings.metrics))]


class _Measured(NamedTuple):
    """What was computed, by its name in a record, and how long the pass over the pictures took."""

    values: Dict[str, Any]
    seconds: float


def _measure(source: Source, job: Job, report: Report) -> _Measured:
    """All metrics of one source from one pass."""
    settings, protocol, reference = job.settings, job.protocol, job.reference
    shuffle = settings.shuffle and (protocol is None or protocol.shuffle)
    seed = settings.metric_seed if shuffle else None
    sums = InceptionScoreSums(source.count, settings.splits, seed) if "is" in settings.metrics else None
    if source.features:
        features, seconds = source.features.features(), 0.0
        for logits in groups(source.features.logits()) if sums else ():
            sums.add(logits)
    else:
        batch = settings.pictures.draw.batch
        passed = features_of(source.pictures, job.extractor, batch, f"scoring the {source.label}", report, sums)
        features, seconds = passed.features, passed.seconds
    values: Dict[str, Any] = {}
    if sums:
        result = sums.result()
        how = dict(splits=settings.splits, shuffled=shuffle, seed=seed)
        values["inception_score"] = dict(result._asdict(), **how)
    if "fid" in settings.metrics:
        count = len(features) // 100 * 100 if protocol and protocol.hundreds else len(features)
        try:
            distance = frechet_distance(statistics(features[:count]), reference.statistics)
        except ValueError as error:
            raise StepFailed(f"there is no distance from {reference.name}: {error}") from error
        values["fid"] = dict(distance._asdict(), count=count)
    if {"kid", "pr"}.intersection(settings.metrics):
        values.update(_from_features(features, reference, settings, report))
    return _Measured(values, seconds)


def _from_features(features, reference: Reference, settings: ScoreConfig, report: Report) -> Dict[str, Any]:
    """The metrics that need the reference's features and not only their statistics."""
    real = reference.features()
    values: Dict[str, Any] = {}

    def progress(what: str):
        return lambda done, total: report("advance", what=what, done=done, total=total)

    if "kid" in settings.metrics:
        subsets, size, seed = settings.kid_subsets, settings.kid_subset_size, settings.metric_seed
        distance = kernel_distance(features, real, subsets, size, seed, progress("KID"))
        values["kid"] = dict(distance._asdict(), subsets=subsets, subset_size=size, seed=seed)
    if "pr" in settings.metrics:
        found = precision_recall(features, real, settings.neighbours, progress("precision and recall"))
        values.update(found._asdict(), neighbours=settings.neighbours)
    return values


def _record(source: Source, job: Job, measured: _Measured) -> Dict[str, Any]:
    reasons = why_incomparable(source, job)
    reference, extractor = job.reference, job.extractor
    resized = resized_to(source.pictures, extractor) if source.pictures else None
    record = dict(
        schema=SCHEMA,
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        source=source.kind,
        label=source.label,
        **measured.values,
        samples=dict(
            count=source.count,
            size=list(source.size) if source.size else None,
            source=source.name,
            lossless=source.lossless,
            **({"resized_to": [resized, resized]} if resized else {}),
            **source.facts,
        ),
        reference=reference.about() if reference else None,
        extractor=extractor.about(),
        protocol=job.settings.protocol,
        asked=_asked(job.settings),
        comparable=not reasons,
        why_incomparable=reasons,
        warnings=[*reasons, *warnings(source, job)],
        emulated=bool(source.facts.get("emulated")),
        biggan=__version__,
        lane=lane(),
        versions=packages(),
        seconds=round(measured.seconds, 3),
        images_per_second=round(source.count / measured.seconds, 2) if measured.seconds else None,
    )
    record["how"] = source.how
    record["sentence"] = sentence(record)
    if extractor.name == inception.NAME:
        record.update(_torch_fidelity_names(measured.values))
    return record


def _asked(settings: ScoreConfig) -> Dict[str, Optional[str]]:
    """What a report needs to ask for the same again, where the name of what was found does not say it."""
    own = dict(ref=settings.reference.name, data=settings.reference.data, inception=settings.extractor.inception)
    return {key: value for key, value in own.items() if value}


def _torch_fidelity_names(values: Dict[str, Any]) -> Dict[str, Any]:
    """The same numbers under the names that torch-fidelity prints; ``precision`` and ``recall`` have them already."""
    found: Dict[str, Any] = {}
    for ours, theirs in (("inception_score", "inception_score"), ("kid", "kernel_inception_distance")):
        if ours in values:
            found.update({f"{theirs}_{part}": values[ours][part] for part in ("mean", "std")})
    if "fid" in values:
        found["frechet_inception_distance"] = values["fid"]["value"]
    return found


def keep(run: RunDir, record: Dict[str, Any], report: Report) -> Optional[str]:
    """Append a line; a score is not lost because its file cannot be written."""
    path = run.score
    data = (json.dumps(record) + "\n").encode()
    try:
        path.parent.mkdir(exist_ok=True)
        with open(str(path), "a+b", buffering=0) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            start = handle.seek(0, os.SEEK_END)
            handle.seek(max(start - 1, 0))
            if handle.read(1) not in (b"\n", b""):  # a line that was cut off spoils no other
                data = b"\n" + data
            try:
                while data:  # on a full disk less is written, then nothing
                    data = data[handle.write(data) :]
            except OSError:
                handle.truncate(start)
                raise
    except OSError as error:
        report("warning", text=f"the score is not kept: {path}: {error.strerror}")
        return None
    return str(path)
