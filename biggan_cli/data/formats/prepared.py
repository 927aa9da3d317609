"""A prepared data set: pictures of one size in TFRecord shards, and an index without which it is not one.

::

    index.json           what it is: classes, counts, resolution, filter, source, each shard with its SHA-256
    train-labels.npy     int32 [N], in the order of the shards
    held_out-labels.npy
    train-00000.tfrecord …  held_out-00000.tfrecord …
    unfinished.json      only until the index is written
"""

import bisect
import concurrent.futures
import hashlib
import itertools
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from biggan_cli.data import records
from biggan_cli.data.formats.source import Part, Progress, Source
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import read_json, sha256

KIND = "prepared"
FORMAT = "biggan-prepared"
SCHEMA = 1
INDEX, UNFINISHED = "index.json", "unfinished.json"
TRAIN, HELD_OUT = "train", "held_out"


class Shard(NamedTuple):
    """A file of records, and how many pictures stand before its own."""

    path: Path
    begin: int
    count: int


class ShardedImages:
    """Pictures uint8 [N, R, R, 3] that stay on disk: ``images[indices]`` reads those, as of an array.

    A picture is one read at a known place, whichever is next; nothing is kept open or in memory.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, shards: Sequence[Tuple[Path, int]], resolution: int):
        counts = [count for _, count in shards]
        self._begins = [0, *itertools.accumulate(counts)]
        self._shards = [Shard(path, begin, count) for (path, count), begin in zip(shards, self._begins)]
        self._layout = records.layout(resolution)
        self.shape = (sum(counts), resolution, resolution, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key) -> np.ndarray:
        """``key``: a number, a slice, or whole numbers of any shape → uint8 [*shape, R, R, 3].

        Raises:
            StepFailed: a shard is gone, or shorter than it was.
        """
        if isinstance(key, slice):
            key = np.arange(*key.indices(len(self)))
        indices = np.asarray(key)
        read = np.empty((indices.size, *self.shape[1:]), np.uint8)
        for place, index in enumerate(indices.ravel().tolist()):
            self._read(index, read[place])
        return read.reshape(*indices.shape, *self.shape[1:])

    def _read(self, index: int, into: np.ndarray) -> None:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} is not one of {len(self)} pictures")
        index %= len(self)
        shard = self._shards[bisect.bisect_right(self._begins, index) - 1]
        offset = (index - shard.begin) * self._layout.record_bytes + self._layout.image_offset
        try:
            descriptor = os.open(str(shard.path), os.O_RDONLY)
            try:
                count = os.preadv(descriptor, [into.data], offset)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StepFailed(f"{shard.path} cannot be read: {error.strerror}") from error
        if count != into.nbytes:
            raise StepFailed(f"{shard.path} is cut off: it has changed meanwhile", fix="biggan prepare, again")


class Shards(Part):
    """A part that is :class:`ShardedImages`."""

    def __init__(self, array: ShardedImages, labels: np.ndarray):
        self.array, self.labels, self.size = array, labels, array.shape[1:3]

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        for index in range(start, stop):
            yield self.array[index]

    def load(self, resolution: int, digest, progress: Progress) -> ShardedImages:
        """As they are, on disk; :func:`open_source` has checked that they are at this resolution's size."""
        return self.array


class Index(NamedTuple):
    """What ``index.json`` says of a folder."""

    folder: Path
    content: Dict[str, Any]

    @property
    def resolution(self) -> int:
        return self.content["resolution"]

    @property
    def digest(self) -> str:
        return self.content["digest"]


def is_folder(names: Sequence[str]) -> bool:
    """Whether a folder with these names in it is prepared, or began to be."""
    return UNFINISHED in names or (INDEX in names and any(name.endswith(".tfrecord") for name in names))


def digest_of(content: Dict[str, Any]) -> str:
    """SHA-256 over what a model learns from: classes, resolution, and each file by its own SHA-256."""
    classes = [entry["name"] for entry in content["classes"]]
    files = [(entry["file"], entry["sha256"]) for entry in (*content["shards"], *content["labels"])]
    return hashlib.sha256(json.dumps([classes, content["resolution"], files]).encode()).hexdigest()


def read_index(folder: Path, place: str) -> Index:
    """The index, checked.

    Raises:
        UsageError: the folder is not there, or was not finished.
        StepFailed: the index is damaged, or of another version.
    """
    where = f"--data {KIND}:{place}"
    if not (folder / INDEX).is_file():
        unfinished = (folder / UNFINISHED).is_file()
        raise UsageError(
            f"{where} {'was not finished' if unfinished else 'is not a prepared data set'}",
            looked_for=os.path.join(place, INDEX),
            fix=f"the same biggan prepare --out {place} again: it goes on" if unfinished else "biggan prepare",
        )
    content = read_json(folder / INDEX)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StepFailed(f"{folder / INDEX} is not of a prepared data set")
    if content.get("schema") != SCHEMA:
        raise StepFailed(
            f"{folder / INDEX} has schema {content.get('schema')}, this biggan reads schema {SCHEMA}",
            fix="biggan prepare, again",
        )
    try:
        same = content["digest"] == digest_of(content)
        same = same and records.layout(content["resolution"]).record_bytes == content["record_bytes"]
    except (KeyError, TypeError) as error:
        raise StepFailed(f"{folder / INDEX} is damaged: {error}") from error
    if not same:
        raise StepFailed(f"{folder / INDEX} is damaged: its digest is not that of its content")
    return Index(folder, content)


def open_source(folder: Path, place: str) -> Source:
    """Both parts, whose files are those of the index: every byte is read and compared.

    Raises:
        UsageError, StepFailed: as :func:`read_index`, or a file that is missing, cut off or changed; names it.
    """
    index = read_index(folder, place)
    _check_files(index)
    names = tuple(entry["name"] for entry in index.content["classes"])
    parts = []
    for part in (TRAIN, HELD_OUT):
        shards = [entry for entry in index.content["shards"] if entry["part"] == part]
        array = ShardedImages([(folder / entry["file"], entry["count"]) for entry in shards], index.resolution)
        labels = np.load(str(folder / labels_file(part)), allow_pickle=False)
        if labels.dtype != np.int32 or labels.shape != (len(array),):
            raise StepFailed(f"{folder / labels_file(part)} is damaged: {labels.dtype} {labels.shape}")
        parts.append(Shards(array, labels))
    return Source(KIND, place, index.content["name"], names, *parts)


def labels_file(part: str) -> str:
    return f"{part}-labels.npy"


def _check_files(index: Index) -> None:
    entries: List[Dict[str, Any]] = [*index.content["shards"], *index.content["labels"]]

    def check(entry: Dict[str, Any]) -> None:
        path = index.folder / entry["file"]
        if not path.is_file():
            raise StepFailed(f"{path} is missing", fix="biggan prepare, again")
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise StepFailed(f"{path} has {size:,} bytes, not {entry['bytes']:,}", fix="biggan prepare, again")
        found = sha256(path)
        if found != entry["sha256"]:
            raise StepFailed(
                f"{path} has changed: its sha256 is {found[:12]}, the index says {entry['sha256'][:12]}",
                fix="biggan prepare, again",
            )

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(check, entries))
