"""The shards of a prepared data set: which there are, which are finished, and how each is made, whole or not at all."""

import contextlib
import hashlib
import itertools
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np

from biggan_cli.core.reporting import Report
from biggan_cli.data import classes, picture_files, records
from biggan_cli.data.formats import prepared
from biggan_cli.data.formats.prepared import INDEX, PARTS, UNFINISHED
from biggan_cli.data.formats.source import Part, Source, check_classes
from biggan_cli.errors import BigganError, Interrupted, StepFailed, UsageError
from biggan_cli.files import FULL, cannot_be_written, sha256, whole_file, write_json
from biggan_cli.runtime import workers

_CHUNK = 32
"""Pictures in a job of a worker, at the most."""
_CHUNK_BYTES = 1 << 22
_FIXED = dict(source="SOURCE", resolution="--res", filter="the resize filter", shard_size="--shard-size")
"""What a folder was begun with and is gone on with."""
_GOES_ON = "the same command again goes on after the last finished shard"


class Shard(NamedTuple):
    """The pictures ``start`` to ``stop`` - 1 of a part, and the file that they go to."""

    part: str
    start: int
    stop: int
    file: str


class Job(NamedTuple):
    """A source with all that is settled about preparing it; ``header`` is what the index says besides the shards."""

    source: Source
    out: Path
    header: Dict[str, Any]
    shards: List[Shard]
    workers: int
    skip_broken: bool
    report: Report

    def part(self, name: str) -> Part:
        return getattr(self.source, name)

    def labels(self, shard: Shard) -> np.ndarray:
        return self.part(shard.part).labels[shard.start : shard.stop]

    def file_bytes(self, shard: Shard) -> int:
        return records.file_bytes(self.labels(shard), self.header["resolution"])


def known_shards(job: Job) -> Dict[str, Dict[str, Any]]:
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


def to_make(job: Job, known: Dict[str, Dict[str, Any]]) -> List[Shard]:
    """Those that are not there, are not whole, or whose pictures are not quickly seen to be the same."""
    faults = dict(zip(known, prepared.faults(job.out, list(known.values()))))
    for fault in filter(None, faults.values()):
        job.report("warning", text=f"{fault}: it is made again")
    return [
        shard
        for shard in job.shards
        if shard.file not in known
        or faults[shard.file]
        or known[shard.file]["fingerprint"] != job.part(shard.part).fingerprint(shard.start, shard.stop)
    ]


def finished_index(job: Job) -> Optional[Dict[str, Any]]:
    """The index of a folder that is finished: of these pictures, as far as their numbers and classes show it.

    Raises:
        UsageError: of others.
    """
    if not (job.out / INDEX).is_file():
        return None
    index = prepared.read_index(job.out, str(job.out))
    counts = {entry["file"]: entry["count"] + len(entry["skipped"]) for entry in index["shards"]}
    names = tuple(entry["name"] for entry in index["classes"])
    if names != job.source.class_names or counts != {shard.file: shard.stop - shard.start for shard in job.shards}:
        raise _made_of_others(job)
    return index


def _made_of_others(job: Job) -> UsageError:
    return UsageError(
        f"--out {job.out} was made of other pictures than {job.header['source']} has now",
        fix="--out with a new folder, or remove that one",
    )


def check_room(job: Job, todo: List[Shard]) -> None:
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


def make_shards(
    job: Job, todo: List[Shard], entries: Dict[str, Dict[str, Any]], finished: Mapping[str, Dict[str, Any]]
) -> None:
    """Write the shards of ``todo`` one after the other, and each one's entry into ``entries`` and on disk.

    A picture that cannot be used keeps its shard from being written, and no other.

    Args:
        finished: the entries of a finished folder, whose shards are made again as they were.

    Raises:
        UsageError: a shard of a finished folder becomes another; it stays as it is.
        UsageError, StepFailed: of all pictures that cannot be used, at the end.
    """
    for path in job.out.glob(".*.tfrecord"):  # of a process that was killed
        path.unlink()
    if not finished:
        _write_unfinished(job, entries)
    total = sum(shard.stop - shard.start for shard in todo)
    pace, unusable = _Pace(job.report, total), _Unusable(job)
    count = min(job.workers, -(-total // _CHUNK) or 1)
    try:
        with contextlib.closing(workers.in_order(picture_files.squares, _jobs(job, todo), count)) as squares:
            for shard in todo:
                chunks = itertools.islice(squares, -(-(shard.stop - shard.start) // _chunk(job.part(shard.part))))
                try:
                    entries[shard.file] = _write(job, shard, chunks, pace, finished.get(shard.file), unusable)
                except _NotWritten:
                    continue
                if not finished:
                    _write_unfinished(job, entries)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {len(entries)} of {len(job.shards)} shards are finished", signal.SIGINT, fix=_GOES_ON
        ) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        full = cannot_be_written(job.out, error)
        full.replace_detail("fix", f"make room, then {_GOES_ON}: {len(entries)} of {len(job.shards)} are finished")
        raise full from error
    except StepFailed as error:
        error.details.append(("hint", f"{len(entries)} of {len(job.shards)} shards are finished: {_GOES_ON}"))
        raise
    unusable.end(total, f"{len(entries)} of {len(job.shards)} shards are finished: {_GOES_ON}")


def _write_unfinished(job: Job, entries: Dict[str, Dict[str, Any]]) -> None:
    """What the next call goes on with; before the first shard, so that the folder is known for what it is."""
    done = [entries[shard.file] for shard in job.shards if shard.file in entries]
    write_json(job.out / UNFINISHED, dict(job.header, shards=done))


def _jobs(job: Job, todo: List[Shard]) -> Iterator[Any]:
    """What the workers are given; a source is read on where one shard follows on another."""
    pictures, place = iter(()), None
    for shard in todo:
        if place != (shard.part, shard.start):
            part = job.part(shard.part)
            pictures = part.undecoded(shard.start, len(part.labels))
        size = _chunk(job.part(shard.part))
        for start in range(shard.start, shard.stop, size):
            chunk = itertools.islice(pictures, min(size, shard.stop - start))
            yield list(chunk), job.header["resolution"]
        place = (shard.part, shard.stop)


def _chunk(part: Part) -> int:
    """Pictures in a job of a worker: of those that are arrays, as many as a few megabytes have."""
    if part.size is None:
        return _CHUNK
    height, width = part.size
    return max(1, min(_CHUNK, _CHUNK_BYTES // (height * width * 3)))


def _write(
    job: Job,
    shard: Shard,
    chunks: Iterator[List[Union[Tuple[bytes, bool], BigganError]]],
    pace: "_Pace",
    finished: Optional[Dict[str, Any]],
    unusable: "_Unusable",
) -> Dict[str, Any]:
    """A shard whole, or not at all → its entry in the index.

    Raises:
        _NotWritten: a picture of it cannot be used, and none are to be skipped.
        UsageError: it becomes another than it was ``finished`` as.
    """
    part, labels = job.part(shard.part), job.labels(shard).tolist()
    fingerprint = part.fingerprint(shard.start, shard.stop)
    digest, pictures, skipped, transparent, size = hashlib.sha256(), 0, [], [], 0
    with whole_file(job.out / shard.file) as temporary, open(str(temporary), "wb") as file:
        for place, found in enumerate(itertools.chain.from_iterable(chunks)):
            name = part.name(shard.start + place)
            if isinstance(found, BigganError):
                unusable.met(found)
                skipped.append(dict(picture=name, index=shard.start + place))
            else:
                levels, see_through = found
                transparent += [name] * see_through
                record = records.record(levels, labels[place])
                digest.update(record)
                own = int.from_bytes(hashlib.sha256(record).digest(), "big")
                pictures = prepared.chained(pictures, 1, own)
                size += file.write(record)
            pace.tell()
        if skipped and not job.skip_broken:
            raise _NotWritten
        if finished and digest.hexdigest() != finished["sha256"]:
            raise _made_of_others(job)
    return dict(
        part=shard.part,
        file=shard.file,
        count=len(labels) - len(skipped),
        bytes=size,
        sha256=digest.hexdigest(),
        pictures=f"{pictures:064x}",
        fingerprint=fingerprint,
        skipped=skipped,
        transparent=dict(count=len(transparent), first=transparent[0] if transparent else None),
    )


class _NotWritten(Exception):
    """A shard has pictures that cannot be used."""


class _Unusable:
    """The pictures that cannot be used: skipped where that was asked for, else told together when all are known."""

    def __init__(self, job: Job):
        self._job = job
        self._errors: List[BigganError] = []

    def met(self, error: BigganError) -> None:
        """The first one is told at once: the rest may take an hour."""
        if self._job.skip_broken:
            self._job.report("warning", text=f"skipped: {error.message}")
            return
        if not self._errors:
            goes_on = "the shards without such pictures are made, and then all of these are named"
            self._job.report("warning", text=f"{error.message}; {goes_on}")
        self._errors.append(error)

    def end(self, count: int, hint: str) -> None:
        """Raises: UsageError, StepFailed: there are some, of ``count`` pictures."""
        if self._errors:
            error = picture_files.all_unusable(self._errors, count, "--skip-broken")
            error.details.append(("hint", hint))
            raise error


def write_index(job: Job, entries: List[Dict[str, Any]]) -> None:
    """The labels of what was not skipped, and the index last."""
    names = job.source.class_names
    counts, files = {}, []
    for name in PARTS:
        skipped = [found["index"] for entry in entries if entry["part"] == name for found in entry["skipped"]]
        labels = np.delete(job.part(name).labels, skipped)
        if name == prepared.TRAIN:
            check_classes(names, labels, job.header["source"])
        counts[name] = np.bincount(labels, minlength=len(names)).tolist()
        had = np.bincount(job.part(name).labels, minlength=len(names)).tolist()
        empty = [names[label] for label, count in enumerate(counts[name]) if had[label] and not count]
        if empty:
            job.report(
                "warning",
                text=f"no picture is left of {len(empty)} of {len(names)} classes: {classes.listed(empty)}: "
                "make their pictures again, or remove them from the source and prepare it anew",
            )
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
        self._report, self._total, self._done, self._began = report, total, 0, time.perf_counter()

    def tell(self) -> None:
        self._done += 1
        if self._done % _CHUNK == 0 or self._done == self._total:
            rate = self._done / max(time.perf_counter() - self._began, 1e-6)
            self._report("advance", what="preparing", done=self._done, total=self._total, per_second=rate)
