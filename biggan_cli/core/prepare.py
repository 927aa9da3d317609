"""Prepare a data set: its pictures at one size, in shards that training reads from disk."""

import contextlib
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Union

import biggan_cli
from biggan_cli.config import RESOLUTIONS
from biggan_cli.core.reporting import Report
from biggan_cli.core.shards import (
    Job,
    Shard,
    check_room,
    finished_index,
    known_shards,
    make_shards,
    to_make,
    write_index,
)
from biggan_cli.data import cifar10_archive, classes, datasets, images
from biggan_cli.data.formats import cifar10, prepared
from biggan_cli.data.formats.prepared import INDEX, PARTS
from biggan_cli.data.formats.source import Source
from biggan_cli.data.picture_files import transparent_words
from biggan_cli.errors import BigganError, UsageError
from biggan_cli.files import expanded, locked, read_json
from biggan_cli.runtime.device import cpu_cores
from biggan_cli.settings import PrepareConfig

_SHARD_BYTES = 1 << 26


class PrepareResult(NamedTuple):
    """What stands in the folder; ``made`` is how many pictures this call wrote."""

    folder: str
    num: int
    held_out: int
    classes: int
    resolution: int
    shards: int
    skipped: int
    transparent: int
    megabytes: float
    digest: str
    made: int
    images_per_second: Optional[float]


class PreparePlan(NamedTuple):
    """What a dry run would write."""

    folder: str
    source: str
    num: int
    held_out: int
    classes: int
    resolution: int
    shards: int
    shard_size: int
    workers: int
    megabytes: float


class ArchiveResult(NamedTuple):
    """An archive of CIFAR-10 in the cache, or where it would go."""

    archive: str
    url: str
    md5: str
    there: bool


def prepare(settings: PrepareConfig, dry_run: bool, report: Report) -> Union[PrepareResult, PreparePlan, ArchiveResult]:
    """Write a prepared data set, or carry on with one that was begun; with ``download``, fetch CIFAR-10 before.

    A dry run reports the plan and touches nothing.

    Raises:
        UsageError: a source or a folder that cannot be used.
        StepFailed: pictures cannot be used, the disk is full, another process has the folder. Finished shards stay.
        NotReady: the archive cannot be fetched.
        Interrupted: finished shards stay.
    """
    spec = settings.source
    if settings.download:
        archive = _download(settings, dry_run, report)
        if dry_run or not settings.out:
            return archive
        spec = f"{cifar10.KIND}:{archive.archive}"
    if not settings.out:
        raise UsageError("--out is not given", fix="--out with a new folder")
    with called_source(), datasets.opened(spec) as source:
        job = _settled(source, spec, settings, report)
        if dry_run:
            known_shards(job)
            _announce(job, settings, report)
            return _plan(job)
        _make_folder(job.out)
        with locked(job.out):
            return _prepare(job, settings)


@contextlib.contextmanager
def called_source() -> Iterator[None]:
    """Errors of data name the option of training that takes them: here they are the argument."""
    try:
        yield
    except BigganError as error:
        error.rename("--data with ", "")
        error.rename("--data ", "")
        raise


def _download(settings: PrepareConfig, dry_run: bool, report: Report) -> ArchiveResult:
    archive = cifar10_archive.ARCHIVES[settings.form]
    if not dry_run:
        cifar10_archive.fetch(
            archive, lambda done, total: report("advance", what=f"fetching {archive.file}", done=done, total=total)
        )
    place = archive.place
    return ArchiveResult(str(place), cifar10_archive.PAGE + archive.file, archive.md5, place.is_file())


def _own_resolution(source: Source, spec: str, skip_broken: bool) -> int:
    if skip_broken:
        try:
            source.train.sizes()
        except BigganError as error:
            untold = UsageError(
                f"--skip-broken without --res: how large the pictures are cannot be told, for {error.message}",
                fix=f"--res {RESOLUTIONS[1]}",
            )
            untold.details[:0] = [detail for detail in error.details if detail[0] == "picture"]
            raise untold from error
    return datasets.own_resolution(source, spec)


def _settled(source: Source, spec: str, settings: PrepareConfig, report: Report) -> Job:
    if source.kind == prepared.KIND:
        raise UsageError(
            f"{spec} is prepared already", fix=f"biggan prepare {source.place}'s own source: see its {INDEX}"
        )
    resolution = settings.resolution or _own_resolution(source, spec, settings.skip_broken)
    if resolution not in RESOLUTIONS:
        raise UsageError(
            f"the pictures of {spec} are of {resolution} px, which no model has", fix=f"--res {RESOLUTIONS[1]}"
        )
    size = settings.shard_size or max(1, _SHARD_BYTES // (resolution * resolution * 3))
    header = dict(
        format=prepared.FORMAT,
        schema=prepared.SCHEMA,
        name=source.name,
        source=datasets.absolute(spec),
        resolution=resolution,
        filter=f"{images.FILTER}, anti-aliased, of the square in the centre",
        shard_size=size,
        record=f"tf.train.Example: image, the levels uint8 [{resolution}, {resolution}, 3] in RGB; label, int64",
        tool="biggan " + biggan_cli.__version__,
    )
    shards = [
        Shard(name, start, min(start + size, len(part.labels)), prepared.shard_file(name, start // size))
        for name, part in zip(PARTS, (source.train, source.held_out))
        for start in range(0, len(part.labels), size)
    ]
    count = settings.workers or cpu_cores()
    return Job(source, expanded(settings.out), header, shards, count, settings.skip_broken, report)


def _plan(job: Job) -> PreparePlan:
    return PreparePlan(
        folder=str(job.out),
        source=job.header["source"],
        num=len(job.source.train.labels),
        held_out=len(job.source.held_out.labels),
        classes=len(job.source.class_names),
        resolution=job.header["resolution"],
        shards=len(job.shards),
        shard_size=job.header["shard_size"],
        workers=job.workers,
        megabytes=sum(job.file_bytes(shard) for shard in job.shards) / 1e6,
    )


def _announce(job: Job, settings: PrepareConfig, report: Report) -> None:
    source, header = job.source, job.header
    total = sum(job.file_bytes(shard) for shard in job.shards)
    rows = [
        ("source", header["source"]),
        ("pictures", f"{len(source.train.labels):,} to train, {len(source.held_out.labels):,} held out"),
        ("classes", f"{len(source.class_names)}: {classes.listed(source.class_names)}"),
        ("resolution", f"{header['resolution']} px, {header['filter']}"),
        ("shards", f"{len(job.shards)} of up to {header['shard_size']:,} pictures, {total / 1e6:,.1f} MB"),
        ("workers", f"{job.workers} process{'es' * (job.workers > 1)}"),
        ("broken pictures", "skipped and named" if settings.skip_broken else "an error: see --skip-broken"),
    ]
    report("table", title=f"preparing {job.out}", rows=rows)
    for note in source.notes:
        report("warning", text=note)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".lock").touch()
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror}", fix="--out in another place") from error


def _prepare(job: Job, settings: PrepareConfig) -> PrepareResult:
    known = known_shards(job)
    _announce(job, settings, job.report)
    finished = finished_index(job)
    todo = to_make(job, known)
    if known:
        gone = sum(shard.file in known for shard in todo)
        changed = f", {gone} of them again: they or their pictures have changed" if gone else ""
        kept = "finished already" if finished else f"going on: {len(job.shards) - len(todo)} shards are there"
        job.report("line", text=kept + (f", {len(todo)} to make{changed}" if todo else ""))
    check_room(job, todo)
    kept = {shard.file: known[shard.file] for shard in job.shards if shard not in todo}
    began = time.perf_counter()
    if not finished or todo or any(prepared.faults(job.out, finished["labels"])):
        make_shards(job, todo, kept, known if finished else {})
        write_index(job, [kept[shard.file] for shard in job.shards])
    index = read_json(job.out / INDEX)
    seen = [entry["transparent"] for entry in index["shards"] if "transparent" in entry]
    transparent = sum(one["count"] for one in seen)
    for note in transparent_words(transparent, next((one["first"] for one in seen if one["first"]), None)):
        job.report("warning", text=note)
    made = sum(kept[shard.file]["count"] for shard in todo)
    seconds = time.perf_counter() - began
    return PrepareResult(
        folder=str(job.out),
        num=sum(entry["train"] for entry in index["classes"]),
        held_out=sum(entry["held_out"] for entry in index["classes"]),
        classes=len(index["classes"]),
        resolution=index["resolution"],
        shards=len(index["shards"]),
        skipped=sum(len(entry["skipped"]) for entry in index["shards"]),
        transparent=transparent,
        megabytes=sum(entry["bytes"] for entry in index["shards"]) / 1e6,
        digest=index["digest"],
        made=made,
        images_per_second=round(made / seconds, 1) if made else None,
    )
