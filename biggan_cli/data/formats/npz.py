"""Arrays of pictures in .npz files, read a few rows at a time: the file may be larger than the memory."""

import contextlib
import functools
import io
import operator
import zipfile
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Tuple

import numpy as np

from biggan_cli.data import classes
from biggan_cli.data.formats.source import Part, Source, check_classes, checked_labels, nothing
from biggan_cli.errors import BigganError, StepFailed, UsageError
from biggan_cli.runtime import memory

KIND = "npz"
_ROWS = 1 << 22
"""Bytes that are read at once."""
_MOST_LABELS = 1 << 30
_MOST_HEADER = 10_000
"""Bytes, as NumPy since 1.24 has it."""
_LARGEST_PICTURE = 1 << 28
_WORK_PER_LABEL = 64
"""Bytes that counting and comparing them takes."""


class Header(NamedTuple):
    """What an array in an .npz file is, from its first bytes."""

    shape: Tuple[int, ...]
    dtype: np.dtype


class _Member(NamedTuple):
    path: Path
    key: str
    header: Header


def keys(path: Path) -> List[str]:
    """The names of the arrays in the file.

    Raises:
        StepFailed: it is no .npz file, or cut off.
    """
    with _as_our_errors(path), zipfile.ZipFile(str(path)) as opened:
        return [name[: -len(".npy")] for name in opened.namelist() if name.endswith(".npy")]


def header(path: Path, key: str) -> Header:
    """The shape and type of an array, whose size in the file fits.

    Raises:
        StepFailed: damaged, made of objects, or stored column by column.
    """
    with _as_our_errors(path), zipfile.ZipFile(str(path)) as opened:
        size = opened.getinfo(key + ".npy").file_size
        with opened.open(key + ".npy") as member:
            shape, fortran, dtype = _read_header(member)
            begin = member.tell()
    if dtype.hasobject:
        raise StepFailed(f"{path}: {key} is made of Python objects, which are not loaded", fix="plain numbers")
    if fortran and len(shape) > 1:
        raise StepFailed(f"{path}: {key} is stored column by column", fix="np.ascontiguousarray, then save it again")
    if begin + _product((*shape, dtype.itemsize)) != size:
        raise StepFailed(f"{path} is damaged: {key} is {dtype} {shape}, and has {size:,} bytes")
    return Header(shape, dtype)


def small_array(path: Path, key: str) -> np.ndarray:
    """A whole array: labels or names.

    Raises:
        StepFailed: as :func:`header`.
        UsageError: there is not enough memory to work with it.
    """
    found = header(path, key)
    count = _product(found.shape)
    needed, usable = count * (3 * found.dtype.itemsize + _WORK_PER_LABEL), memory.usable()
    if needed > usable:
        raise UsageError(
            f"{path}: {key} is {found.dtype} {found.shape}, which takes {needed / 1e9:.1f} GB of memory to look at, "
            f"and {usable / 1e9:.1f} GB can be used",
            fix="several files of fewer pictures",
        )
    if count * found.dtype.itemsize > _MOST_LABELS:
        raise StepFailed(f"{path}: {key} is {found.dtype} {found.shape}, larger than the labels of any data set")
    rows = b"".join(_rows(_Member(path, key, found._replace(shape=(1, *found.shape))), 0, 1))
    return np.frombuffer(rows, found.dtype).reshape(found.shape)


class Rows(Part):
    """Pictures that are the rows of arrays in .npz files, one file after the other.

    Args:
        as_picture: one row of an array, [...] → uint8 [H, W, 3].
    """

    def __init__(self, members: List[Tuple[Path, str]], labels: np.ndarray, size, as_picture: Callable):
        self.labels, self.size, self._as_picture = labels, size, as_picture
        self._members = [_Member(path, key, header(path, key)) for path, key in members]
        for path, key, (shape, _) in self._members:
            if _product(shape[1:]) > _LARGEST_PICTURE:
                raise StepFailed(f"{path}: {key} is {shape}: a picture of it is too large to be one")

    def pictures(self, start: int, stop: int, digest=None) -> Iterator[np.ndarray]:
        begin = 0
        for member in self._members:
            shape, dtype = member.header
            first, last = max(start - begin, 0), min(stop - begin, shape[0])
            begin += shape[0]
            for row in _rows(member, first, last) if first < last else ():
                picture = self._as_picture(np.frombuffer(row, dtype).reshape(shape[1:]))
                if digest:
                    digest.update(np.ascontiguousarray(picture))
                yield picture

    def _identify(self, start: int, stop: int, digest) -> None:
        for path, _, _ in self._members:
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())


def open_source(path: Path, place: str) -> Source:
    """``images`` uint8 [N, H, W, 3], or grey [N, H, W] or [N, H, W, 1], ``labels`` [N] from 0, maybe ``class_names``.

    Raises:
        UsageError: it has no such arrays, or one class only.
        StepFailed: it is damaged, or the arrays do not fit each other.
    """
    where, found = f"--data {KIND}:{place}", keys(path)
    lacking = [key for key in ("images", "labels") if key not in found]
    if lacking:
        raise UsageError(
            f"{where} has no array {' and '.join(lacking)}: it holds {', '.join(found) or 'nothing'}",
            fix="images uint8 (N, R, R, 3) and labels (N,) from 0, maybe class_names",
        )
    shape, dtype = header(path, "images")
    channels = shape[3:] if len(shape) == 4 else (1,)
    if len(shape) not in (3, 4) or channels not in ((1,), (3,)) or 0 in shape[1:] or dtype != np.uint8:
        raise StepFailed(f"{path}: images is {dtype} {shape}, not uint8 (N, R, R, 3) or (N, R, R)")
    labels = checked_labels(small_array(path, "labels"), shape[0], str(path))
    names = classes.numbered(int(labels.max()) + 1)
    if "class_names" in found:
        given = small_array(path, "class_names")
        if given.ndim != 1 or given.dtype.kind != "U" or not len(names) <= len(given) == len(set(given.tolist())):
            raise StepFailed(
                f"{path}: class_names is {given.dtype} {given.shape}, not {len(names)} different names",
                fix="class_names=np.array(['cat', 'dog'])",
            )
        names = tuple(given.tolist())
        classes.check_names(names, str(path), "another name for it in class_names")
    check_classes(names, labels, where)
    train = Rows([(path, "images")], labels, shape[1:3], _grey if channels == (1,) else _as_it_is)
    return Source(KIND, place, path.stem, names, train, nothing())


def _as_it_is(row: np.ndarray) -> np.ndarray:
    return row


def _grey(row: np.ndarray) -> np.ndarray:
    return np.repeat(row.reshape(*row.shape[:2], 1), 3, axis=2)


def _read_header(member) -> Tuple[Tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array has format {version[0]}.{version[1]}, which is not known here")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    length = member.read(2 if version == (1, 0) else 4)
    size = int.from_bytes(length, "little")
    if size > _MOST_HEADER:
        raise ValueError(f"an array has a header of {size:,} bytes")
    return read(io.BytesIO(length + member.read(size)))


def _rows(member: _Member, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of the rows ``start`` to ``stop`` - 1, in order."""
    shape, dtype = member.header
    size = _product((*shape[1:], dtype.itemsize))
    at_once = max(1, _ROWS // max(1, size))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_as_our_errors(member.path))
        opened = stack.enter_context(zipfile.ZipFile(str(member.path)))
        rows = stack.enter_context(opened.open(member.key + ".npy"))
        _read_header(rows)
        _skip(rows, start * size)
        for begin in range(start, stop, at_once):
            count = min(at_once, stop - begin)
            block = rows.read(count * size)
            if len(block) != count * size:
                raise EOFError(f"{member.key} ends too early")
            for index in range(count):
                yield block[index * size : (index + 1) * size]


def _product(numbers: Tuple[int, ...]) -> int:
    """Of any size: a damaged header may say anything."""
    return functools.reduce(operator.mul, numbers, 1)


def _skip(rows, count: int) -> None:
    while count:
        block = rows.read(min(count, _ROWS))
        if not block:
            raise EOFError("it ends too early")
        count -= len(block)


@contextlib.contextmanager
def _as_our_errors(path: Path) -> Iterator[None]:
    """A damaged archive is met with whatever zipfile, zlib and NumPy trip over: it becomes an error that names it."""
    try:
        yield
    except BigganError:
        raise
    except Exception as error:
        if getattr(error, "strerror", None):
            raise StepFailed(f"{path} cannot be read: {error.strerror}") from error
        raise StepFailed(f"{path} is cut off, or holds no plain arrays: {error}", fix="get it again") from error
