"""What every format gives: labelled pictures in a fixed order, read one after another or all at once."""

import hashlib
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

import numpy as np

from biggan_cli.data import classes, images
from biggan_cli.errors import StepFailed, UsageError

Progress = Callable[[int, int], None]
"""Told how many pictures are done, of how many."""


def untold(done: int, total: int) -> None:
    """A progress that nobody follows."""


class Part:
    """The training or the held-out part of a data set.

    Attributes:
        labels: int32 [N].
        size: height and width of all pictures, None where they differ or are not known without opening each.
    """

    labels: np.ndarray
    size: Optional[Tuple[int, int]]

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        """The pictures ``start`` to ``stop`` - 1 as uint8 [H, W, 3]; what they are made of goes to the ``digest``."""
        raise NotImplementedError

    def undecoded(self, start: int, stop: int) -> Iterator[Union[Path, np.ndarray]]:
        """The same as a file each, where they are files: for another process to decode."""
        return self.pictures(start, stop)

    def at(self, indices: Sequence[int]) -> List[np.ndarray]:
        """The pictures uint8 [H, W, 3] of these indices."""
        wanted = set(indices)
        found = enumerate(self.pictures(0, max(wanted, default=-1) + 1))
        kept = {index: picture for index, picture in found if index in wanted}
        return [kept[index] for index in indices]

    def sizes(self) -> Set[Tuple[int, int]]:
        """Heights and widths that there are."""
        return {self.size}

    def notes(self) -> List[str]:
        """Sentences about the pictures that :meth:`load` would leave, without keeping any."""
        return []

    def digest(self, progress: Progress = untold) -> str:
        """SHA-256 over the pictures as they are stored, their shape and their labels, as :meth:`load` makes it."""
        digest = hashlib.sha256(self.heading())
        self.feed(digest, progress)
        digest.update(np.ascontiguousarray(self.labels))
        return digest.hexdigest()

    def heading(self) -> bytes:
        """What a digest of the pictures begins with."""
        return repr((len(self.labels), *(self.size or (None, None)), 3)).encode()

    def feed(self, digest, progress: Progress) -> None:
        """What :meth:`load` feeds to the digest."""
        for index, _ in enumerate(self.pictures(0, len(self.labels), digest)):
            _tell_now_and_then(index, len(self.labels), progress)

    def name(self, index: int) -> str:
        """How a user finds a picture again."""
        return f"picture {index}"

    def fingerprint(self, start: int, stop: int) -> str:
        """What tells that the pictures ``start`` to ``stop`` - 1 are as an hour ago, as far as it shows quickly."""
        digest = hashlib.sha256(np.ascontiguousarray(self.labels[start:stop]))
        self._identify(start, stop, digest)
        return digest.hexdigest()

    def _identify(self, start: int, stop: int, digest) -> None:
        raise NotImplementedError

    def load(self, resolution: int, digest, progress: Progress, notes: List[str]) -> np.ndarray:
        """All of them, uint8 [N, R, R, 3]; what a user should know of them goes to the ``notes``, as sentences."""
        total = len(self.labels)
        loaded = np.empty((total, resolution, resolution, 3), np.uint8)
        for index, picture in enumerate(self.pictures(0, total, digest)):
            loaded[index] = images.fit(picture, resolution)
            _tell_now_and_then(index, total, progress)
        return loaded


def _tell_now_and_then(index: int, total: int, progress: Progress) -> None:
    if index % 1000 == 999 or index + 1 == total:
        progress(index + 1, total)


class Arrays(Part):
    """Pictures uint8 [N, H, W, 3] that are in memory."""

    def __init__(self, array: np.ndarray, labels: np.ndarray):
        self.array, self.labels, self.size = array, labels, array.shape[1:3]

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        for picture in self.array[start:stop]:
            if digest:
                digest.update(np.ascontiguousarray(picture))
            yield picture

    def at(self, indices: Sequence[int]) -> List[np.ndarray]:
        return [self.array[index] for index in indices]

    def _identify(self, start: int, stop: int, digest) -> None:
        digest.update(np.ascontiguousarray(self.array[start:stop]))

    def load(self, resolution: int, digest, progress: Progress, notes: List[str]) -> np.ndarray:
        if self.size != (resolution, resolution):
            return super().load(resolution, digest, progress, notes)
        digest.update(np.ascontiguousarray(self.array))
        return self.array


def nothing() -> Part:
    """The held-out part of a data set that has none."""
    return Arrays(np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, np.int32))


class Source(NamedTuple):
    """A data set as it was found: ``place`` is where, in the user's words; ``name`` is short, for runs; ``notes`` are
    sentences about what was met."""

    kind: str
    place: str
    name: str
    class_names: Tuple[str, ...]
    train: Part
    held_out: Part
    notes: Tuple[str, ...] = ()


def checked_labels(labels, count: int, where: str, first: int = 0, classes: Optional[int] = None) -> np.ndarray:
    """Labels as int32 [N] from 0, of which ``first`` is what the lowest class is called in the file.

    Args:
        labels: [N], [N, 1] or [1, N], whole numbers of any type.
        count: how many pictures they belong to.
        classes: how many there are; None: as many as the greatest label says.

    Raises:
        StepFailed: another shape or number, or values that are no classes; says what was found.
    """
    labels = np.asarray(labels)
    if count == 0 or labels.dtype.kind not in "iuf" or labels.shape not in ((count,), (count, 1), (1, count)):
        raise StepFailed(f"{where} has {count} pictures, and its labels are {labels.dtype} {labels.shape}")
    labels = labels.ravel()
    low, high = labels.min(), labels.max()
    whole = labels.dtype.kind != "f" or (np.isfinite(low) and np.isfinite(high) and (labels == np.rint(labels)).all())
    if classes is None:
        if whole and low == first and high < 1_000_000:
            return labels.astype(np.int32) - np.int32(first)
        raise StepFailed(
            f"{where}: labels go from {low} to {high}, and do not start at {first}"
            if whole
            else f"{where}: labels go from {low} to {high}, and are not whole numbers",
            fix=f"number the classes {first}, {first + 1}, …: labels - labels.min()" if whole else None,
        )
    if not whole or low < first or high >= first + classes:
        raise StepFailed(
            f"{where}: labels go from {low} to {high}, not over the whole numbers {first} to {first + classes - 1}"
        )
    return labels.astype(np.int32) - np.int32(first)


def check_classes(class_names: Sequence[str], labels: np.ndarray, where: str) -> None:
    """There is something to tell apart.

    Raises:
        UsageError: all pictures are of one class.
    """
    if len(class_names) < 2 or len(np.unique(labels)) < 2:
        found = classes.quoted(class_names[int(labels[0])]) if len(labels) else "none"
        raise UsageError(
            f"{where} has pictures of one class only, {found}: a class-conditional model needs 2 or more",
            hint="labels are the names of the folders, or the numbers in the file: is it the right folder?",
        )
