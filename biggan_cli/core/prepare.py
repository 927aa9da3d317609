"""Prepare a data set: its pictures at one size, in shards that training reads from disk."""

import contextlib
import hashlib
import itertools
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Union

import numpy as np

import biggan_cli
from biggan_cli.config import RESOLUTIONS
from biggan_cli.core.reporting import Report
from biggan_cli.data import cifar10_archive, classes, datasets, images, picture_files, records
from biggan_cli.data.formats import cifar10, prepared
from biggan_cli.data.formats.prepared import INDEX, PARTS, UNFINISHED
from biggan_cli.data.formats.source import Part, Source, check_classes
from biggan_cli.errors import BigganError, Interrupted, StepFailed, UsageError
from biggan_cli.rundir import FULL, disk_full, expanded, locked, read_json, sha256, whole_file, write_json
from biggan_cli.runtime import workers
from biggan_cli.runtime.device import cpu_cores
from biggan_cli.settings import PrepareConfig

_SHARD_BYTES = 1 << 26
_CHUNK = 32
"""Pictures in a job of a worker."""
_FIXED = dict(source="SOURCE", resolution="--res", filter="the resize filter", shard_size="--shard-size")
"""What a folder was begun with and is gone on with."""
_GOES_ON = "the same command again goes on after the last finished shard"


class PrepareResult(NamedTuple):
    """What stands in the folder; ``made`` is how many pictures this call wrote."""

    folder: str
    num: int
    held_out: int
    classes: int
    resolution: int
    shards: int
    skipped: int
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


class _Shard(NamedTuple):
    """The pictures ``start`` to ``stop`` - 1 of a part, and the file that they go to."""

    part: str
    start: int
    stop: int
    file: str


class _Job(NamedTuple):
    """A source with all that is settled about preparing it; ``header`` is what the index says besides the shards."""

    source: Source
    out: Path
    header: Dict[str, Any]
    shards: List[_Shard]
    workers: int
    skip_broken: bool
    report: Report

    def part(self, name: str) -> Part:
        return getattr(self.source, name)

    def labels(self, shard: _Shard) -> np.ndarray:
        return self.part(shard.part).labels[shard.start : shard.stop]

    def file_bytes(self, shard: _Shard) -> int:
        return records.file_bytes(self.labels(shard), self.header["resolution"])


def prepare(settings: PrepareConfig, dry_run: bool, report: Report) -> Union[PrepareResult, PreparePlan, ArchiveResult]:
    """Write a prepared data set, or carry on with one that was begun; with ``download``, fetch CIFAR-10 before.

    A dry run reports the plan and touches nothing.

    Raises:
        UsageError: a source or a folder that cannot be used.
        StepFailed: a picture is broken, the disk is full, another process has the folder. Finished shards stay.
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
        sizes = [job.file_bytes(shard) for shard in job.shards]
        if dry_run:
            _known(job)
            _announce(job, settings, report)
            trained, held_out = (len(part.labels) for part in (source.train, source.held_out))
            fixed = job.header["resolution"], len(job.shards), job.header["shard_size"], job.workers
            counts = trained, held_out, len(source.class_names)
            return PreparePlan(str(job.out), job.header["source"], *counts, *fixed, sum(sizes) / 1e6)
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


def _settled(source: Source, spec: str, settings: PrepareConfig, report: Report) -> _Job:
    if source.kind == prepared.KIND:
        raise UsageError(
            f"{spec} is prepared already", fix=f"biggan prepare {source.place}'s own source: see its {INDEX}"
        )
    resolution = settings.resolution or datasets.own_resolution(source, spec)
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
        _Shard(name, start, min(start + size, len(part.labels)), prepared.shard_file(name, start // size))
        for name, part in zip(PARTS, (source.train, source.held_out))
        for start in range(0, len(part.labels), size)
    ]
    count = settings.workers or cpu_cores()
    return _Job(source, expanded(settings.out), header, shards, count, settings.skip_broken, report)


def _announce(job: _Job, settings: PrepareConfig, report: Report) -> None:
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


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".lock").touch()
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror}", fix="--out in another place") from error


def _known(job: _Job) -> Dict[str, Dict[str, Any]]:
    """The entries of the shards that an earlier call finished, by their file.

    Raises:
        UsageError: the folder holds something else, or was begun with other settings.
    """
    out = job.out
    name = next((name for name in (INDEX, UNFINISHED) if (out / name).is_file()), None)
    if name is None:
        if out.exists() and (not out.is_dir() or any(not path.name.startswith(".") for path in out.iterdir())):
            raise UsageError(f"--out {out} is there, and is no prepared data set", fix="--out with a new folder")
        return {}
    content = prepared.read_index(out, str(out), name)
    for key, flag in _FIXED.items():
        if content.get(key) != job.header[key]:
            raise UsageError(
                f"--out {out} was {'made' if name == INDEX else 'begun'} with {flag} {content.get(key)}, "
                f"and this is {job.header[key]}",
                fix=f"the same {flag}, or --out with a new folder",
            )
    return {entry["file"]: entry for entry in content["shards"]}


def _is_done(job: _Job, shard: _Shard, entry: Optional[Dict[str, Any]]) -> bool:
    """Its pictures are those that it was made of, and its file is whole."""
    path = job.out / shard.file
    if entry is None or not path.is_file() or path.stat().st_size != entry["bytes"]:
        return False
    return entry["fingerprint"] == job.part(shard.part).fingerprint(shard.start, shard.stop)


def _prepare(job: _Job, settings: PrepareConfig) -> PrepareResult:
    known = _known(job)
    _announce(job, settings, job.report)
    finished = (job.out / INDEX).is_file()
    todo = [shard for shard in job.shards if not _is_done(job, shard, known.get(shard.file))]
    if finished and (todo or len(known) != len(job.shards)):
        raise UsageError(
            f"--out {job.out} was made of other pictures than {job.header['source']} has now",
            fix="--out with a new folder, or remove that one",
        )
    if known:
        gone = sum(shard.file in known for shard in todo)
        changed = f", {gone} of them again: their pictures have changed" if gone else ""
        kept = "finished already" if finished else f"going on: {len(job.shards) - len(todo)} shards are there"
        job.report("line", text=kept + (f", {len(todo)} to make{changed}" if todo else ""))
    _check_room(job, todo)
    kept = {shard.file: known[shard.file] for shard in job.shards if shard not in todo}
    began = time.time()
    if not finished:
        _make_shards(job, todo, kept)
        _finish(job, [kept[shard.file] for shard in job.shards])
    index = read_json(job.out / INDEX)
    made = sum(kept[shard.file]["count"] for shard in todo)
    seconds = time.time() - began
    return PrepareResult(
        folder=str(job.out),
        num=sum(entry["train"] for entry in index["classes"]),
        held_out=sum(entry["held_out"] for entry in index["classes"]),
        classes=len(index["classes"]),
        resolution=index["resolution"],
        shards=len(index["shards"]),
        skipped=sum(len(entry["skipped"]) for entry in index["shards"]),
        megabytes=sum(entry["bytes"] for entry in index["shards"]) / 1e6,
        digest=index["digest"],
        made=made,
        images_per_second=round(made / seconds, 1) if made else None,
    )


def _check_room(job: _Job, todo: List[_Shard]) -> None:
    """Before an hour's work.

    Raises:
        StepFailed: the disk has not enough room.
    """
    needed, free = sum(job.file_bytes(shard) for shard in todo), shutil.disk_usage(str(job.out)).free
    if needed > free:
        raise StepFailed(
            f"{job.out} needs {needed / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free there",
            fix="--out on another disk, or a smaller --res",
        )


def _make_shards(job: _Job, todo: List[_Shard], entries: Dict[str, Dict[str, Any]]) -> None:
    """Write the shards of ``todo`` one after the other, and each one's entry into ``entries`` and on disk."""
    for path in job.out.glob(".*.tfrecord"):  # of a process that was killed
        path.unlink()
    _write_unfinished(job, entries)
    total = sum(shard.stop - shard.start for shard in todo)
    pace = _Pace(job.report, total)
    count = min(job.workers, -(-total // _CHUNK) or 1)
    try:
        with contextlib.closing(workers.in_order(picture_files.squares, _jobs(job, todo), count)) as squares:
            for shard in todo:
                chunks = itertools.islice(squares, -(-(shard.stop - shard.start) // _CHUNK))
                entries[shard.file] = _write(job, shard, chunks, pace)
                _write_unfinished(job, entries)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {len(entries)} of {len(job.shards)} shards are finished", signal.SIGINT, fix=_GOES_ON
        ) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        full = disk_full(job.out, error)
        full.replace_detail("fix", f"make room, then {_GOES_ON}: {len(entries)} of {len(job.shards)} are finished")
        raise full from error
    except StepFailed as error:
        error.details.append(("hint", f"{len(entries)} of {len(job.shards)} shards are finished: {_GOES_ON}"))
        raise


def _write_unfinished(job: _Job, entries: Dict[str, Dict[str, Any]]) -> None:
    """What the next call goes on with; before the first shard, so that the folder is known for what it is."""
    done = [entries[shard.file] for shard in job.shards if shard.file in entries]
    write_json(job.out / UNFINISHED, dict(job.header, shards=done))


def _jobs(job: _Job, todo: List[_Shard]) -> Iterator[Any]:
    """What the workers are given; a source is read on where one shard follows on another."""
    pictures, place = iter(()), None
    for shard in todo:
        if place != (shard.part, shard.start):
            part = job.part(shard.part)
            pictures = part.undecoded(shard.start, len(part.labels))
        for start in range(shard.start, shard.stop, _CHUNK):
            chunk = itertools.islice(pictures, min(_CHUNK, shard.stop - start))
            yield list(chunk), job.header["resolution"]
        place = (shard.part, shard.stop)


def _write(job: _Job, shard: _Shard, chunks: Iterator[List[Union[bytes, BigganError]]], pace: "_Pace") -> Dict:
    """A shard whole, or not at all → its entry in the index."""
    part, labels = job.part(shard.part), job.labels(shard).tolist()
    fingerprint = part.fingerprint(shard.start, shard.stop)
    digest, skipped, size = hashlib.sha256(), [], 0
    with whole_file(job.out / shard.file) as temporary, open(str(temporary), "wb") as file:
        for place, levels in enumerate(itertools.chain.from_iterable(chunks)):
            if isinstance(levels, BigganError):
                _check_skipping(levels, job.skip_broken)
                job.report("warning", text=f"skipped: {levels.message}")
                skipped.append(dict(picture=part.name(shard.start + place), index=shard.start + place))
            else:
                record = records.record(levels, labels[place])
                digest.update(record)
                size += file.write(record)
            pace.tell()
    return dict(
        part=shard.part,
        file=shard.file,
        count=len(labels) - len(skipped),
        bytes=size,
        sha256=digest.hexdigest(),
        fingerprint=fingerprint,
        skipped=skipped,
    )


def _check_skipping(error: BigganError, skip_broken: bool) -> None:
    """A broken picture may be left out; one that another program has to convert is not broken."""
    if isinstance(error, StepFailed) and skip_broken:
        return
    if isinstance(error, StepFailed):
        error.replace_detail("fix", "copy or make it again, or remove it; or --skip-broken")
    raise error


def _finish(job: _Job, entries: List[Dict[str, Any]]) -> None:
    """The labels of what was not skipped, and the index last."""
    names = job.source.class_names
    counts, files = {}, []
    for name in PARTS:
        skipped = [found["index"] for entry in entries if entry["part"] == name for found in entry["skipped"]]
        labels = np.delete(job.part(name).labels, skipped)
        if name == prepared.TRAIN:
            check_classes(names, labels, job.header["source"])
        counts[name] = np.bincount(labels, minlength=len(names)).tolist()
        path = job.out / prepared.labels_file(name)
        with whole_file(path) as temporary, open(str(temporary), "wb") as file:
            np.save(file, labels.astype(np.int32))
        files.append(dict(part=name, file=path.name, bytes=path.stat().st_size, sha256=sha256(path)))
    content = dict(
        job.header,
        classes=[
            dict(name=name, train=train, held_out=held_out)
            for name, train, held_out in zip(names, counts[prepared.TRAIN], counts[prepared.HELD_OUT])
        ],
        shards=entries,
        labels=files,
    )
    write_json(job.out / INDEX, dict(content, digest=prepared.digest_of(content)))
    for path in [job.out / UNFINISHED, *job.out.glob("*.tfrecord")]:
        if path.name not in {entry["file"] for entry in entries}:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


class _Pace:
    """Tells how far it is, a few times a second."""

    def __init__(self, report: Report, total: int):
        self._report, self._total, self._done, self._began = report, total, 0, time.time()

    def tell(self) -> None:
        self._done += 1
        if self._done % _CHUNK == 0 or self._done == self._total:
            rate = self._done / max(time.time() - self._began, 1e-6)
            self._report("advance", what="preparing", done=self._done, total=self._total, per_second=rate)
