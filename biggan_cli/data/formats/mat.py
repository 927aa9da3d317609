"""MATLAB files: reading them, and the one of ImageNet at 64 px that the reference takes.

Read here and not by ``scipy.io.loadmat``, which looks the number of a type up in a table of 20 without a check, and
takes as much memory as a size in the file says: of 691 changes of one byte to a small file, 12 ended the process with a
segmentation fault in SciPy 1.7.3, 10 in 1.17.1 (its pull request 25829 is open). To check before it reads takes all
that is here but for one line.
Source: MAT-File Format, Level 5 (MathWorks), chapter 1.
"""

import itertools
import struct
import zlib
from pathlib import Path
from typing import Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

from biggan_cli.data import classes
from biggan_cli.data.formats.source import Arrays, Source, check_classes, checked_labels, nothing
from biggan_cli.errors import BigganError, StepFailed, UsageError
from biggan_cli.runtime import memory

KIND = "mat"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""How numbers are stored: MATLAB takes fewer bytes for a double that is whole, and they are left as they are."""
_CLASSES = range(6, 16)
"""Of numbers."""
_COMPLEX = 0x0800
_IN_PARTS = "save it as .npz, which is read in parts"


class _NotNumbers(Exception):
    """Says what a variable is instead."""


def is_mat(head: bytes) -> bool:
    """Whether a file that begins like this is one of MATLAB's."""
    return head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file", _HDF5))


def read(path: Path) -> Dict[str, np.ndarray]:
    """``data`` and ``labels`` of a MATLAB file, as far as it has them.

    Raises:
        StepFailed: as :func:`loads`, or it cannot be read.
        UsageError: it does not fit into memory.
    """
    usable = memory.usable()
    try:
        size = path.stat().st_size
        if size > usable:
            raise UsageError(
                f"{path} has {size / 1e9:.1f} GB, and {usable / 1e9:.1f} GB of memory can be used", fix=_IN_PARTS
            )
        content = path.read_bytes()
    except OSError as error:
        raise StepFailed(f"{path} cannot be read: {error.strerror}") from error
    return loads(content, str(path), ("data", "labels"), usable - size)


def loads(content: bytes, where: str, names: Sequence[str], most: int) -> Dict[str, np.ndarray]:
    """The arrays of these names in a file of MATLAB 5 to 7.2, as far as it has them.

    Args:
        most: bytes that all that is compressed in it may unpack to.

    Raises:
        StepFailed: cut off, damaged, larger, something else than real numbers, or of the version that is HDF5.
    """
    if content.startswith((_HDF5, b"MATLAB 7.3")):
        raise StepFailed(f"{where} is a file of MATLAB 7.3, which is HDF5", fix="save it with -v7, or as .npz")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise StepFailed(f"{where} is cut off, or not of MATLAB 5 to 7.2", fix="get or unpack it again")
    found: Dict[str, np.ndarray] = {}
    try:
        for kind, element in _elements(memoryview(content)[128:], order):
            if kind == _COMPRESSED:
                unpacked = zlib.decompressobj().decompress(element, most + 1)
                if len(unpacked) > most:
                    raise StepFailed(f"{where} unpacks to more than {most:,} bytes", fix=_IN_PARTS)
                most -= len(unpacked)
                kind, element = next(_elements(memoryview(unpacked), order))
            if kind == _MATRIX:
                name, array = _matrix(element, order, names)
                if array is not None:
                    found[name] = array
    except BigganError:
        raise
    except _NotNumbers as error:
        raise StepFailed(f"{where}: {error}", fix="plain numbers") from error
    except Exception as error:  # whatever a damaged file makes it trip over
        raise StepFailed(
            f"{where} is cut off or not a MATLAB file ({type(error).__name__}: {error})", fix="get or unpack it again"
        ) from error
    return found


def _elements(content: memoryview, order: str) -> Iterator[Tuple[int, memoryview]]:
    """The type and the bytes of one after the other."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(order + "II", content, place)
        begin, step = place + 8, size if kind == _COMPRESSED else size + -size % 8
        if kind >> 16:  # a small one, in the place of its size
            kind, size, begin, step = kind & 0xFFFF, kind >> 16, place + 4, 0
        element = content[begin : begin + size]
        if len(element) != size:
            raise EOFError("it ends too early")
        yield kind, element
        place += 8 + step


def _matrix(element: memoryview, order: str, names: Sequence[str]) -> Tuple[str, Optional[np.ndarray]]:
    """Its name, and what it holds if that is wanted."""
    parts = _elements(element, order)
    (_, flags), (_, lengths), (_, encoded) = itertools.islice(parts, 3)
    name = bytes(encoded).decode("latin1")
    if name not in names:
        return name, None
    flag, shape = struct.unpack_from(order + "I", flags)[0], np.frombuffer(lengths, order + "i4").tolist()
    if flag & _COMPLEX or flag & 0xFF not in _CLASSES:
        raise _NotNumbers(f"{name} is {'complex' if flag & _COMPLEX else 'no array of numbers'}")
    stored, levels = next(parts)
    array = np.frombuffer(levels, order + _TYPES[stored])
    return name, array.astype(_TYPES[stored], copy=False).reshape(shape, order="F")


def open_source(path: Path, place: str) -> Source:
    """``data`` uint8 [N, R, R, 3] and ``labels`` [1, N] from 0, as of the reference's imagenet64.mat.

    Raises:
        StepFailed: it holds something else.
        UsageError: one class only.
    """
    where, content = f"--data {KIND}:{place}", read(path)
    lacking = [key for key in ("data", "labels") if key not in content]
    if lacking:
        raise StepFailed(
            f"{path} has no variable {' and '.join(lacking)}", fix="data uint8 (N, R, R, 3), labels (1, N)"
        )
    data = content["data"]
    if data.ndim != 4 or data.shape[-1] != 3 or data.dtype != np.uint8:
        raise StepFailed(f"{path}: data is {data.dtype} {data.shape}, not uint8 (N, R, R, 3)")
    labels = checked_labels(content["labels"], len(data), str(path))
    names = classes.numbered(int(labels.max()) + 1)
    check_classes(names, labels, where)
    return Source(KIND, place, path.stem, names, Arrays(data, labels), nothing())
