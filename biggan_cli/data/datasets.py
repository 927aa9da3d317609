"""Data sets: pictures with class labels, by a short specification.

================  ====================================================================================
``digits``        5,000 handwritten digits of MNIST, shipped with the package, padded to 32 px
``PLACE``         a file or folder that is one of the following, found by looking at it
``cifar10:…``     CIFAR-10: the folder of .mat files or of Python's batches, or either's .tar.gz
``cifar10``       the archive that ``biggan prepare cifar10 --download`` left in the cache
``imagenet:…``    downsampled ImageNet: the folder of train_data_batch_1 … 10 and val_data, or one batch
``mat:…``         a MATLAB file with ``data`` and ``labels``, as the reference's imagenet64.mat
``npz:…``         ``images`` and ``labels``
``folder:…``      a folder of class folders
``prepared:…``    what ``biggan prepare`` left
================  ====================================================================================

A folder of CIFAR-10 may be in the object storage: ``cifar10:obs://bucket/folder``, or ``obs://bucket/folder`` alone.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional, Set, Tuple

import numpy as np

from biggan_cli.data import cifar10_archive
from biggan_cli.data.formats import cifar10, digits, folder, imagenet, mat, npz, prepared
from biggan_cli.data.formats.source import Arrays, Progress, Source, untold
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import expanded
from biggan_cli.runtime import memory, storage

SPECS = "digits, cifar10:DIR, or a place: class folders, CIFAR-10, ImageNet, an .npz, what biggan prepare left"
_OPENERS: Dict[str, Callable[[Path, str], Source]] = {
    module.KIND: module.open_source for module in (cifar10, imagenet, mat, npz, folder)
}
_KINDS = (*_OPENERS, prepared.KIND)


class Dataset(NamedTuple):
    """Pictures uint8 [N, R, R, 3] and labels int32 [N] in [0, classes); the held-out part is never trained on.

    Both ``images`` give pictures by their indices; those of a prepared data set are
    :class:`~biggan_cli.data.formats.prepared.ShardedImages`, read from disk when they are asked for.
    """

    name: str
    class_names: Tuple[str, ...]
    images: Any
    labels: np.ndarray
    held_out_images: Any
    held_out_labels: np.ndarray
    digest: str = ""
    """SHA-256 over the training pictures as they are stored, their shape and their labels."""
    notes: Tuple[str, ...] = ()
    """What a user should know of the pictures that were read, a sentence each."""

    @property
    def class_counts(self) -> Tuple[int, ...]:
        """Training pictures of each class."""
        return tuple(np.bincount(self.labels, minlength=len(self.class_names)).tolist())


def check_spec(spec: Optional[str]) -> Tuple[str, str]:
    """``cifar10:DIR`` → ("cifar10", "DIR"); of a place without a kind, the kind that it looks like.

    Raises:
        UsageError: no specification, a place that is nothing known, or a kind without a place.
    """
    if not spec:
        raise UsageError(
            "no data: --data is not given",
            fix="--preset digits, or --data cifar10:DIR (or set BIGGAN_DATA)",
            hint=f"data are {SPECS}",
        )
    if storage.is_remote(spec):
        return cifar10.KIND, spec
    kind, colon, place = spec.partition(":")
    if spec == cifar10.KIND:
        return kind, _archive()
    if is_explicit(spec) and (kind == digits.KIND or place):
        return kind, place
    path = expanded(spec)
    if not os.path.exists(str(path)) or (colon and kind in _KINDS):
        raise UsageError(f"--data {spec} is not a data set", looked_for=str(path), fix=f"--data with {SPECS}")
    return _looked_at(path, spec), spec


def is_explicit(spec: str) -> bool:
    """Whether the words themselves say which kind of data it is."""
    kind, colon, _ = spec.partition(":")
    return spec in (digits.KIND, cifar10.KIND) or (bool(colon) and kind in _KINDS)


def kind_of(spec: str) -> str:
    """``cifar10:DIR`` → ``cifar10``; of a place without a kind, as :func:`check_spec`."""
    return check_spec(spec)[0]


def origin(spec: str) -> str:
    """The :func:`kind_of` data; of prepared ones that of the data they were made of.

    Raises:
        UsageError, StepFailed: as :func:`prepared_resolution`.
    """
    kind, place = check_spec(spec)
    if kind != prepared.KIND or storage.is_remote(place):
        return kind
    return str(prepared.read_index(expanded(place), place).get("source")).partition(":")[0]


def absolute(spec: Optional[str]) -> Optional[str]:
    """The specification as it is stored with a run: with its kind, good from any working directory.

    Raises:
        UsageError: as :func:`check_spec`; not where nothing is given.
    """
    if not spec:
        return spec
    kind, place = check_spec(spec)
    if storage.is_remote(place):
        return f"{kind}:{place}"
    return f"{kind}:{expanded(place).absolute()}" if place else kind


@contextlib.contextmanager
def opened(spec: Optional[str], progress: Progress = untold) -> Iterator[Source]:
    """The data set, all of it looked at, its pictures not yet read.

    Args:
        progress: of reading a prepared one, which is compared with its index.

    Raises:
        UsageError: an unknown specification, or a place without the data.
        StepFailed: a file that is cut off or holds something else; names the file.
        NotReady: it is in the object storage, and that cannot be reached from here.
    """
    kind, place = check_spec(spec)
    if kind == digits.KIND:
        yield digits.open_source()
    elif kind == prepared.KIND:
        yield prepared.open_source(expanded(place), place, progress)
    elif storage.is_remote(place):
        with storage.local_copy(place) as copy:
            try:
                yield _OPENERS[kind](copy, place)
            except StepFailed as error:
                error.rename(str(copy), place)
                raise
    else:
        yield _OPENERS[kind](expanded(place), place)


def digest_of(source: Source, progress: Progress = untold) -> str:
    """What :func:`load` gives as :attr:`Dataset.digest`, without keeping any picture."""
    if source.kind == prepared.KIND:
        return prepared.read_index(expanded(source.place), source.place)["digest"]
    return source.train.digest(progress)


def load(spec: Optional[str], resolution: Optional[int], progress: Progress = untold) -> Dataset:
    """The data set at the asked resolution: the square in the centre of each picture, resized (bicubic, anti-aliased).

    Args:
        resolution: None: as the pictures are.

    Raises:
        UsageError: also where it does not fit into memory, or was prepared at another resolution.
        StepFailed, NotReady: as :func:`opened`.
    """
    with opened(spec, progress) as source:
        resolution = resolution or own_resolution(source, spec)
        if source.kind == prepared.KIND:
            return _prepared(source, resolution)
        _check_memory(source, resolution, spec)
        digest = hashlib.sha256(source.train.heading())
        notes = list(source.notes)
        images = source.train.load(resolution, digest, progress, notes)
        digest.update(np.ascontiguousarray(source.train.labels))
        held_out = source.held_out.load(resolution, hashlib.sha256(), untold, notes)
        return Dataset(
            source.name,
            source.class_names,
            images,
            source.train.labels,
            held_out,
            source.held_out.labels,
            digest.hexdigest(),
            tuple(notes),
        )


def prepared_resolution(spec: Optional[str]) -> Optional[int]:
    """What prepared data are trained at; None for others, which take any resolution.

    Raises:
        UsageError, StepFailed: as :func:`check_spec`, and an index that is not whole.
    """
    if not spec:
        return None
    kind, place = check_spec(spec)
    if kind != prepared.KIND or storage.is_remote(place):
        return None
    return prepared.read_index(expanded(place), place)["resolution"]


def with_data(usual: Mapping[str, Any], values: Mapping[str, Any], other: Optional[str]) -> Dict[str, Any]:
    """Values of a new configuration over the ``usual`` ones: without another word, data are ``other``, and the
    resolution is that of prepared data.

    Raises:
        UsageError, StepFailed: as :func:`prepared_resolution`.
    """
    found = dict(values)
    if "data" not in {**usual, **found} and other:
        found["data"] = other
    if "resolution" not in {**usual, **found}:
        resolution = prepared_resolution(found.get("data"))
        found.update({} if resolution is None else dict(resolution=resolution))
    return found


def own_resolution(source: Source, spec: Optional[str]) -> int:
    """Width and height of the pictures, where all have the same.

    Raises:
        UsageError: they differ.
    """
    sizes = source.train.sizes()
    (height, _), largest = min(sizes), max(sizes)
    if (len(sizes), largest) != (1, (height, height)):
        raise UsageError(
            f"--data {spec} has pictures of {sizes_text(sizes)}, not of one square size",
            fix=f"biggan prepare {spec} --res 32 --out DIR",
        )
    return height


def sizes_text(sizes: Set[Tuple[int, int]]) -> str:
    """Heights and widths, in words."""
    (height, width), (largest_height, largest_width) = min(sizes), max(sizes)
    text = f"{width}x{height} px"
    return text if len(sizes) == 1 else f"{text} to {largest_width}x{largest_height} px"


def _prepared(source: Source, resolution: int) -> Dataset:
    index = prepared.read_index(expanded(source.place), source.place)
    if index["resolution"] != resolution:
        raise UsageError(
            f"--data {source.place} was prepared at {index['resolution']} px, and --res is {resolution}",
            fix=f"--res {index['resolution']}, or biggan prepare {index['source']} --res {resolution} --out DIR",
        )
    train, held_out = source.train, source.held_out
    images = [part.load(resolution, None, untold, []) for part in (train, held_out)]
    digest = index["digest"]
    return Dataset(source.name, source.class_names, images[0], train.labels, images[1], held_out.labels, digest)


def _archive() -> str:
    found = cifar10_archive.in_cache()
    if found is None:
        raise UsageError(
            f"--data {cifar10.KIND} is not in the cache",
            looked_for=str(cifar10_archive.ARCHIVES["python"].place),
            fix=f"{cifar10_archive.FETCH}, or --data cifar10:DIR",
        )
    return str(found)


def _check_memory(source: Source, resolution: int, spec: Optional[str]) -> None:
    """Before anything is read.

    Raises:
        UsageError: the pictures would take more than is free.
    """
    parts = [part for part in (source.train, source.held_out) if not _is_there(part, resolution)]
    needed, usable = sum(len(part.labels) for part in parts) * resolution * resolution * 3, memory.usable()
    if needed > usable:
        raise UsageError(
            f"--data {spec} takes {needed / 1e9:.1f} GB of memory at {resolution} px, "
            f"and {usable / 1e9:.1f} GB can be used",
            fix=f"biggan prepare {spec} --res {resolution} --out DIR, then --data DIR",
        )


def _is_there(part, resolution: int) -> bool:
    return isinstance(part, Arrays) and part.size == (resolution, resolution)


def _looked_at(path: Path, spec: str) -> str:
    """The kind of data that a file or folder is.

    Raises:
        UsageError: a file that is none of these.
        StepFailed: it cannot be read.
    """
    try:
        if path.is_dir():
            names = tuple(name for name in os.listdir(str(path)) if os.path.isfile(str(path / name)))
            for module in (prepared, cifar10, imagenet):
                if module.is_folder(names):
                    return module.KIND
            return folder.KIND
        with open(str(path), "rb") as handle:
            head = handle.read(128)
    except OSError as error:
        raise StepFailed(f"--data {spec} cannot be read: {error.strerror}") from error
    if head.startswith(b"\x1f\x8b"):
        return cifar10.KIND
    if mat.is_mat(head):
        return mat.KIND
    if head.startswith(b"PK"):
        found = npz.keys(path)
        return imagenet.KIND if "data" in found and "images" not in found else npz.KIND
    raise UsageError(f"--data {spec} is a file of no known kind", fix=f"--data with {SPECS}")
