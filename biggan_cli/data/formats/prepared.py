"""A prepared data set: pictures of one size in TFRecord shards, and an index without which it is not one.

::

    index.json           what it is: classes, counts, resolution, filter, source, each shard with its SHA-256
    train-labels.npy     int32 [N], in the order of the shards
    held_out-labels.npy
    train-00000.tfrecord …  held_out-00000.tfrecord …
    unfinished.json      only until the index is written: the same, as far as it is known
"""

import bisect
import concurrent.futures
import functools
import hashlib
import itertools
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from biggan_cli.data import classes, records
from biggan_cli.data.formats.source import Part, Progress, Source, untold
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import read_json, sha256
from biggan_cli.runtime import storage

KIND = "prepared"
FORMAT = "biggan-prepared"
SCHEMA = 1
INDEX, UNFINISHED = "index.json", "unfinished.json"
TRAIN, HELD_OUT = PARTS = ("train", "held_out")
_PRIME = 2**255 - 19
_AGAIN = "the same biggan prepare again: it makes what is missing or damaged"
_ANEW = "remove the folder, then biggan prepare, again"


class Shard(NamedTuple):
    """A file of records: which pictures it holds, and where the levels of each stand in it, int64 [count]."""

    path: Path
    begin: int
    offsets: np.ndarray


class ShardedImages:
    """Pictures uint8 [N, R, R, 3] that stay on disk: ``images[indices]`` reads those, as of an array.

    A picture is one read at a known place, whichever is next; nothing is kept open or in memory.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, shards: Sequence[Shard], resolution: int):
        self._shards = list(shards)
        self._begins = [shard.begin for shard in shards]
        self.shape = (sum(len(shard.offsets) for shard in shards), resolution, resolution, 3)

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
        try:
            descriptor = os.open(str(shard.path), os.O_RDONLY)
            try:
                count = os.preadv(descriptor, [into.data], int(shard.offsets[index - shard.begin]))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StepFailed(f"{shard.path} cannot be read: {error.strerror}") from error
        if count != into.nbytes:
            raise StepFailed(f"{shard.path} is cut off: it has changed meanwhile", fix=_AGAIN)


class Shards(Part):
    """A part that is :class:`ShardedImages`."""

    def __init__(self, array: ShardedImages, labels: np.ndarray):
        self.array, self.labels, self.size = array, labels, array.shape[1:3]

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        for index in range(start, stop):
            yield self.array[index]

    def at(self, indices: Sequence[int]) -> List[np.ndarray]:
        return [self.array[index] for index in indices]

    def load(self, resolution: int, digest, progress: Progress, notes: List[str]) -> ShardedImages:
        """As they are, on disk."""
        return self.array


def is_folder(names: Sequence[str]) -> bool:
    """Whether a folder with files of these names in it is prepared, or began to be."""
    return UNFINISHED in names or (INDEX in names and any(name.endswith(".tfrecord") for name in names))


def labels_file(part: str) -> str:
    return f"{part}-labels.npy"


def shard_file(part: str, number: int) -> str:
    return f"{part}-{number:05d}.tfrecord"


def chained(first: int, count: int, more: int) -> int:
    """The number of pictures in their order, of that of the first ones and that of the ``count`` ones that follow.

    The number of one picture is its SHA-256; it is the same for all, however they are divided into shards.
    """
    return (first * pow(2, count, _PRIME) + more) % _PRIME


def digest_of(content: Dict[str, Any]) -> str:
    """SHA-256 over what a model learns from: classes, resolution, filter, labels, and the pictures in their order.

    Where shards have no number of their pictures, as before there was one: each file by its own SHA-256.
    """
    parts: List[Any] = [[entry["name"] for entry in content["classes"]], content["resolution"]]
    numbered = all("pictures" in entry for entry in content["shards"])
    files = content["labels"] if numbered else (*content["shards"], *content["labels"])
    parts.append([(entry["file"], entry["sha256"]) for entry in files])
    if numbered:
        numbers = dict.fromkeys(PARTS, 0)
        for entry in content["shards"]:
            before = numbers[entry["part"]]
            numbers[entry["part"]] = chained(before, entry["count"], int(entry["pictures"], 16))
        parts += [content["filter"], *map(hex, numbers.values())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_index(folder: Path, place: str, name: str = INDEX) -> Dict[str, Any]:
    """What ``index.json`` or ``unfinished.json`` says of a folder, checked.

    Raises:
        UsageError: the folder is not there, or was not finished.
        StepFailed: the index is damaged, or of another version.
    """
    path = folder / name
    if not path.is_file():
        unfinished = (folder / UNFINISHED).is_file()
        raise UsageError(
            f"--data {KIND}:{place} {'was not finished' if unfinished else 'is not a prepared data set'}",
            looked_for=os.path.join(place, name),
            fix=f"the same biggan prepare --out {place} again: it goes on" if unfinished else "biggan prepare",
        )
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StepFailed(f"{path} is not of a prepared data set")
    if content.get("schema") != SCHEMA:
        raise StepFailed(f"{path} has schema {content.get('schema')}, this biggan reads schema {SCHEMA}", fix=_ANEW)
    try:
        same = name != INDEX or content["digest"] == digest_of(content)
    except (KeyError, TypeError) as error:
        raise StepFailed(f"{path} is damaged: it has no {error}", fix=_ANEW) from error
    except ValueError:
        same = False
    if not same:
        raise StepFailed(f"{path} is damaged: its digest is not that of its content", fix=_ANEW)
    return content


def open_source(folder: Path, place: str, progress: Progress = untold) -> Source:
    """Both parts, whose files are those of the index: every byte is read and compared.

    Raises:
        UsageError, StepFailed: as :func:`read_index`, or a file that is missing, cut off or changed; names it.
    """
    if storage.is_remote(place):
        raise UsageError(
            f"--data {KIND}:{place} is in the object storage, and is read all through training",
            fix="copy it to the node's disk, and name that folder",
        )
    content = read_index(folder, place)
    _check_files(folder, content, progress)
    names = tuple(entry["name"] for entry in content["classes"])
    classes.check_names(names, str(folder), "another name for it in the source, then biggan prepare into a new folder")
    return Source(KIND, place, content["name"], names, *(_part(folder, content, part) for part in PARTS))


def _part(folder: Path, content: Dict[str, Any], part: str) -> Shards:
    path, resolution = folder / labels_file(part), content["resolution"]
    labels = np.load(str(path), allow_pickle=False)
    entries = [entry for entry in content["shards"] if entry["part"] == part]
    ends = list(itertools.accumulate(entry["count"] for entry in entries))
    if labels.dtype != np.int32 or labels.shape != (ends[-1] if ends else 0,):
        raise StepFailed(f"{path} does not fit its shards: {labels.dtype} {labels.shape}", fix=_AGAIN)
    shards = []
    for entry, end in zip(entries, ends):
        own = labels[end - entry["count"] : end]
        if records.file_bytes(own, resolution) != entry["bytes"]:
            raise StepFailed(f"{folder / entry['file']} does not fit its labels", fix=_AGAIN)
        shards.append(Shard(folder / entry["file"], end - entry["count"], records.offsets(own, resolution)))
    return Shards(ShardedImages(shards, resolution), labels)


def faults(folder: Path, entries: Sequence[Dict[str, Any]], progress: Progress = untold) -> List[Optional[str]]:
    """What is wrong with the file of each entry of an index, every byte of which is read; None where nothing is."""
    found = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for fault in threads.map(functools.partial(_fault, folder), entries):
            found.append(fault)
            progress(len(found), len(entries))
    return found


def _fault(folder: Path, entry: Dict[str, Any]) -> Optional[str]:
    path = folder / entry["file"]
    if not path.is_file():
        return f"{path} is missing"
    size = path.stat().st_size
    if size != entry["bytes"]:
        return f"{path} has {size:,} bytes, not {entry['bytes']:,}"
    try:
        found = sha256(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if found != entry["sha256"]:
        return f"{path} has changed: its sha256 is {found[:12]}, the index says {entry['sha256'][:12]}"
    return None


def _check_files(folder: Path, content: Dict[str, Any], progress: Progress) -> None:
    wrong = next(filter(None, faults(folder, [*content["shards"], *content["labels"]], progress)), None)
    if wrong:
        raise StepFailed(wrong, fix=_AGAIN)
