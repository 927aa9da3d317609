"""MATLAB files: reading them, and the one of ImageNet at 64 px that the reference takes."""

import io
from pathlib import Path
from typing import Any, Dict, Union

import numpy as np

from biggan_cli.data import classes
from biggan_cli.data.formats.source import Arrays, Source, check_classes, checked_labels, nothing
from biggan_cli.errors import BigganError, StepFailed

KIND = "mat"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def is_mat(head: bytes) -> bool:
    """Whether a file that begins like this is one of MATLAB's."""
    return head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file", _HDF5))


def read(file: Union[Path, bytes], where: str) -> Dict[str, Any]:
    """``data`` and ``labels`` of a MATLAB file, as far as it has them.

    Raises:
        StepFailed: cut off, damaged, or of the version that is HDF5.
    """
    from scipy import io as scipy_io

    try:
        head = file[:128] if isinstance(file, bytes) else _head(file)
        if head.startswith((_HDF5, b"MATLAB 7.3")):
            raise StepFailed(f"{where} is a file of MATLAB 7.3, which is HDF5", fix="save it with -v7, or as .npz")
        opened = io.BytesIO(file) if isinstance(file, bytes) else str(file)
        return scipy_io.loadmat(opened, variable_names=("data", "labels"))
    except BigganError:
        raise
    except OSError as error:
        raise StepFailed(f"{where} cannot be read: {error}") from error
    except MemoryError as error:
        raise StepFailed(f"{where} does not fit into memory", fix="save it as .npz, which is read in parts") from error
    except Exception as error:  # loadmat meets a damaged file with whatever its parser trips over
        raise StepFailed(
            f"{where} is cut off or not a MATLAB file ({type(error).__name__}: {error})", fix="get or unpack it again"
        ) from error


def open_source(path: Path, place: str) -> Source:
    """``data`` uint8 [N, R, R, 3] and ``labels`` [1, N] from 0, as of the reference's imagenet64.mat.

    Raises:
        StepFailed: it holds something else.
        UsageError: one class only.
    """
    where, content = f"--data {KIND}:{place}", read(path, str(path))
    lacking = [key for key in ("data", "labels") if key not in content]
    if lacking:
        raise StepFailed(
            f"{path} has no variable {' and '.join(lacking)}", fix="data uint8 (N, R, R, 3), labels (1, N)"
        )
    data = np.asarray(content["data"])
    if data.ndim != 4 or data.shape[-1] != 3 or data.dtype != np.uint8:
        raise StepFailed(f"{path}: data is {data.dtype} {data.shape}, not uint8 (N, R, R, 3)")
    labels = checked_labels(content["labels"], len(data), str(path))
    names = classes.numbered(int(labels.max()) + 1)
    check_classes(names, labels, where)
    return Source(KIND, place, path.stem, names, Arrays(data, labels), nothing())


def _head(path: Path) -> bytes:
    with open(str(path), "rb") as handle:
        return handle.read(128)
