"""Data sets: pictures with class labels, by a short specification.

==================  ==============================================================================
``digits``          5,000 handwritten digits of MNIST, shipped with the package, padded to 32 px
``cifar10:DIR``     CIFAR-10 as .mat files: ``data_batch_1..5.mat`` to train, ``test_batch.mat`` held out
==================  ==============================================================================

DIR may be in the object storage: ``cifar10:obs://bucket/folder``, or ``obs://bucket/folder`` alone.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.data import classes, images
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.rundir import expanded
from biggan_cli.runtime import storage

SPECS = "digits or cifar10:DIR"
RESOURCES = Path(__file__).parent / "resources"
_HELD_OUT_DIGITS_PER_CLASS = 50
_CIFAR10_TRAIN = tuple(f"data_batch_{number}.mat" for number in range(1, 6))
_CIFAR10_TEST = "test_batch.mat"
_CIFAR10_FIX = "unpack cifar-10-matlab.tar.gz and give its folder: --data cifar10:cifar-10-batches-mat"
_CIFAR10_BATCH = "a batch of CIFAR-10 for MATLAB: data uint8 [N, 3072], labels 0 to 9 [N, 1]"


class Dataset(NamedTuple):
    """Pictures uint8 [N, R, R, 3] and labels int32 [N] in [0, classes); the held-out part is never trained on."""

    name: str
    class_names: Tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    held_out_images: np.ndarray
    held_out_labels: np.ndarray
    digest: str = ""
    """SHA-256 over the training pictures as they are stored, their shape and their labels."""

    @property
    def class_counts(self) -> Tuple[int, ...]:
        """Training pictures of each class."""
        return tuple(np.bincount(self.labels, minlength=len(self.class_names)).tolist())


def check_spec(spec: Optional[str]) -> Tuple[str, str]:
    """``cifar10:DIR`` → ("cifar10", "DIR"), without touching a file.

    Raises:
        UsageError: no specification, an unknown kind, or a directory missing from it.
    """
    if not spec:
        raise UsageError(
            "no data: --data is not given", fix="--preset digits, or --data cifar10:DIR (or set BIGGAN_DATA)"
        )
    kind, place = _split(spec)
    if kind == "digits" and not place:
        return kind, place
    if kind == "cifar10" and place:
        return kind, place
    raise UsageError(f"--data {spec} is not a data set", fix=f"--data {SPECS}")


def kind_of(spec: str) -> str:
    """``cifar10:DIR`` → ``cifar10``."""
    return _split(spec)[0]


def absolute(spec: Optional[str]) -> Optional[str]:
    """The specification as it is stored with a run, good from any working directory."""
    kind, place = _split(spec or "")
    if storage.is_remote(place):
        return f"{kind}:{place}"
    return f"{kind}:{expanded(place).absolute()}" if place else spec


def _split(spec: str) -> Tuple[str, str]:
    """Kind and place; what is in the object storage is CIFAR-10 where no kind is named."""
    if storage.is_remote(spec):
        return "cifar10", spec
    kind, _, place = spec.partition(":")
    return kind, place


def load(spec: Optional[str], resolution: int) -> Dataset:
    """The data set at the asked resolution; pictures of another size are resized (bicubic, anti-aliased).

    Raises:
        UsageError: an unknown specification or a directory without the data.
        StepFailed: a file that is cut off or holds something else; names the file.
        NotReady: it is in the object storage, and that cannot be reached from here.
    """
    kind, place = check_spec(spec)
    if kind == "digits":
        dataset = _digits()
    elif storage.is_remote(place):
        with storage.local_copy(place) as folder:
            try:
                dataset = _cifar10(folder, place)
            except StepFailed as error:
                error.rename(str(folder), place)
                raise
    else:
        dataset = _cifar10(Path(place), place)
    dataset = dataset._replace(digest=_digest(dataset))
    if dataset.images.shape[1] == resolution:
        return dataset
    return dataset._replace(
        images=images.resize(dataset.images, resolution),
        held_out_images=images.resize(dataset.held_out_images, resolution),
    )


def _digest(dataset: Dataset) -> str:
    digest = hashlib.sha256(repr(dataset.images.shape).encode())
    digest.update(np.ascontiguousarray(dataset.images))
    digest.update(np.ascontiguousarray(dataset.labels))
    return digest.hexdigest()


def _digits() -> Dataset:
    """The last 50 digits of each class in the order of the file are held out."""
    with np.load(str(RESOURCES / "digits.npz")) as archive:
        pictures, labels = archive["images"], archive["labels"].astype(np.int32)
    pictures = np.pad(pictures, ((0, 0), (2, 2), (2, 2)), mode="constant")
    pictures = np.repeat(pictures[..., None], 3, axis=-1)
    held_out = np.zeros(len(labels), bool)
    for label in range(10):
        held_out[np.flatnonzero(labels == label)[-_HELD_OUT_DIGITS_PER_CLASS:]] = True
    return Dataset(
        "digits", classes.DIGITS, pictures[~held_out], labels[~held_out], pictures[held_out], labels[held_out]
    )


def _cifar10(folder: Path, place: str) -> Dataset:
    """``place`` is what the user calls the folder."""
    if not folder.is_dir():
        raise UsageError(
            f"--data cifar10:{place} is not a directory",
            looked_for=os.path.join(place, _CIFAR10_TRAIN[0]),
            fix=_CIFAR10_FIX,
        )
    missing = [name for name in (*_CIFAR10_TRAIN, _CIFAR10_TEST) if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"--data cifar10:{place} lacks {len(missing)} of its 6 files: {', '.join(missing)}",
            looked_for=os.path.join(place, missing[0]),
            fix=_CIFAR10_FIX,
        )
    parts = [_cifar10_batch(folder / name) for name in _CIFAR10_TRAIN]
    held_out_images, held_out_labels = _cifar10_batch(folder / _CIFAR10_TEST)
    return Dataset(
        "cifar10",
        classes.CIFAR10,
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        held_out_images,
        held_out_labels,
    )


def _cifar10_batch(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """``data`` [N, 3072] uint8, red, green, blue planes row by row, and ``labels`` [N] or [N, 1]."""
    content = _read_mat(path)
    lacking = [key for key in ("data", "labels") if key not in content]
    if lacking:
        raise StepFailed(f"{path} has no variable {' and '.join(lacking)}", fix=_CIFAR10_BATCH)
    data, labels = np.asarray(content["data"]), np.asarray(content["labels"])
    if data.ndim != 2 or data.shape[1] != 3072 or data.dtype != np.uint8:
        raise StepFailed(
            f"{path}: data is {data.dtype} {data.shape}, not uint8 (N, 3072)",
            fix=_CIFAR10_BATCH,
        )
    count = len(data)
    if count == 0 or labels.shape not in ((count,), (count, 1), (1, count)) or labels.dtype.kind not in "iuf":
        raise StepFailed(
            f"{path} has {count} pictures, and its labels are {labels.dtype} {labels.shape}", fix=_CIFAR10_BATCH
        )
    labels = labels.ravel()
    if not np.isin(labels, np.arange(10)).all():
        raise StepFailed(
            f"{path}: labels go from {labels.min()} to {labels.max()}, not over the whole numbers 0 to 9",
            fix=_CIFAR10_BATCH,
        )
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels.astype(np.int32)


def _read_mat(path: Path) -> Dict[str, Any]:
    from scipy import io

    try:
        return io.loadmat(str(path), variable_names=("data", "labels"))
    except OSError as error:
        raise StepFailed(f"{path} cannot be read: {error}") from error
    except Exception as error:  # loadmat meets a damaged file with whatever its parser trips over
        raise StepFailed(
            f"{path} is cut off or not a MATLAB file ({type(error).__name__}: {error})",
            fix="unpack cifar-10-matlab.tar.gz again",
        ) from error
