"""CIFAR-10 in each of its official forms: .mat files or Python's pickles, in a folder or in their archive."""

import os
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from biggan_cli.data import classes
from biggan_cli.data.formats import archive, mat, pickles
from biggan_cli.data.formats.source import Arrays, Source, checked_labels
from biggan_cli.errors import StepFailed, UsageError

KIND = "cifar10"
_PICKLES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
_MATS = tuple(f"{name}.mat" for name in _PICKLES)
_FIX = "unpack cifar-10-matlab.tar.gz and give its folder: --data cifar10:cifar-10-batches-mat; or the archive itself"
_ARRAYS = ("data", "labels")
_MOST = 64_000_000
"""Bytes of a batch; CIFAR-10's have 31 MB."""
_BATCH = "a batch of CIFAR-10: data uint8 [N, 3072], labels 0 to 9"


def is_folder(names: Tuple[str, ...]) -> bool:
    """Whether a folder with files of these names in it is one of CIFAR-10, whole or not."""
    return any(name in names for name in (*_MATS, *_PICKLES))


def open_source(path: Path, place: str) -> Source:
    """Five batches to train, the test batch held out. ``place`` is what the user calls the folder or archive.

    Raises:
        UsageError: it is not there, or lacks files.
        StepFailed: a file is cut off, or holds something else or code; names it.
    """
    if path.is_file():
        found: Dict[str, Any] = archive.members(path, (*_MATS, *_PICKLES), str(path))
        names = _MATS if any(name in found for name in _MATS) else _PICKLES
    elif path.is_dir():
        pickled = any((path / name).is_file() for name in _PICKLES)
        names = _PICKLES if pickled and not any((path / name).is_file() for name in _MATS) else _MATS
        found = {name: path / name for name in names if (path / name).is_file()}
    else:
        raise UsageError(
            f"--data cifar10:{place} is not a directory" + (" or archive" if path.suffix == ".gz" else ""),
            looked_for=os.path.join(place, _MATS[0]),
            fix=_FIX,
        )
    missing = [name for name in names if name not in found]
    if missing:
        raise UsageError(
            f"--data cifar10:{place} lacks {len(missing)} of its 6 files: {', '.join(missing)}",
            looked_for=os.path.join(place, missing[0]),
            fix=_FIX,
        )
    parts = [_batch(found[name], str(path / name)) for name in names]
    pictures, labels = ([part[index] for part in parts] for index in (0, 1))
    train = Arrays(np.concatenate(pictures[:5]), np.concatenate(labels[:5]))
    return Source(KIND, place, KIND, classes.CIFAR10, train, Arrays(pictures[5], labels[5]))


def _batch(file: Any, where: str) -> Tuple[np.ndarray, np.ndarray]:
    """``data`` [N, 3072] uint8, red, green, blue planes row by row, and ``labels`` → [N, 32, 32, 3], int32 [N]."""
    if where.endswith(".mat"):
        content = mat.loads(_bytes(file, where), where, _ARRAYS, _MOST)
    else:
        content = pickles.loads(_bytes(file, where), where, _ARRAYS)
    lacking = [key for key in _ARRAYS if key not in content]
    if lacking:
        raise StepFailed(f"{where} has no array {' and '.join(lacking)}", fix=_BATCH)
    data, labels = content["data"], content["labels"]
    if data.ndim != 2 or data.shape[1] != 3072 or data.dtype != np.uint8:
        raise StepFailed(f"{where}: data is {data.dtype} {data.shape}, not uint8 (N, 3072)", fix=_BATCH)
    labels = checked_labels(labels, len(data), where, classes=10)
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def _bytes(file: Any, where: str) -> bytes:
    if isinstance(file, bytes):
        return file
    try:
        if file.stat().st_size > _MOST:
            raise StepFailed(f"{where} is larger than a batch of CIFAR-10: {file.stat().st_size:,} bytes", fix=_BATCH)
        return file.read_bytes()
    except OSError as error:
        raise StepFailed(f"{where} cannot be read: {error.strerror}") from error
