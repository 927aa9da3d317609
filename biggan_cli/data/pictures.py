"""Pictures to score, read a batch at a time: a folder of picture files, a NumPy file, or an array.

What cannot be scored is found before the first batch: every file is opened, every level of an array is looked at.
"""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, List, NamedTuple, Optional, Set, Tuple

import numpy as np

from biggan_cli.data.picture_files import ENDINGS, check_kind, opened
from biggan_cli.errors import BigganError, StepFailed, UsageError
from biggan_cli.files import read_json, sha256

_SHAPE = "uint8 (N, H, W, 3)"
_DARK = 10
"""A set without a brighter level than this holds 0 to 1, not 0 to 255."""
_BLOCK = 1 << 24


class Pictures(NamedTuple):
    """Pictures of one size; ``batches(n)`` gives uint8 [n, H, W, 3] in order, every picture, the last batch shorter."""

    name: str
    count: int
    size: Tuple[int, int]
    """Height, width."""
    lossless: Optional[bool]
    """No picture is of a JPEG or lossy WebP file; None: what an array in a file was before is not known."""
    digest: str
    """SHA-256 over the names and bytes of the files, or over the shape and levels of the array."""
    batches: Callable[[int], Iterator[np.ndarray]]


def of_folder(folder: Path) -> Pictures:
    """The picture files of a folder and of those in it, sorted by their paths; not those with a dot in front.

    Of a folder that ``biggan sample`` left, the pictures without the grid. Grey, palettes and transparency become
    RGB, alpha is dropped.

    Raises:
        UsageError: no folder, fewer than 2 pictures, different sizes, 16 bits a channel, animations.
        StepFailed: a file is cut off or no picture; names it. So does a batch, where it shows only then.
    """
    if not os.path.isdir(str(folder)):
        raise UsageError(f"{folder} is {'not a folder' if os.path.exists(str(folder)) else 'not there'}")
    names = _names_in(folder)
    if not names:
        raise UsageError(
            f"{folder} has no pictures",
            looked_for=", ".join("*" + ending for ending in ENDINGS),
            fix="a folder that has some, or a run",
        )
    _check_count(str(folder), len(names))
    digest = hashlib.sha256()
    first, lossless = None, True
    for name in names:
        size, without_loss = _looked_at(folder / name)
        first = first or size
        if size != first:
            raise UsageError(
                f"pictures of different sizes: {folder / names[0]} has {_text(first)}, {folder / name} {_text(size)}",
                fix="score each size by itself, or resize them",
            )
        lossless = lossless and without_loss
        digest.update(os.fsencode(name) + f" {sha256(folder / name)}\n".encode())

    def batches(size: int) -> Iterator[np.ndarray]:
        for start in range(0, len(names), size):
            yield np.stack([_decoded(folder / name, first) for name in names[start : start + size]])

    return Pictures(str(folder), len(names), first, lossless, digest.hexdigest(), batches)


def of_file(path: Path) -> Pictures:
    """The array of a .npy file; of an .npz file ``images``, or ``arr_0``, or the only one. Nothing is unpickled.

    A .npy file stays on disk; an .npz file's array is held in memory.

    Raises:
        UsageError: no such file, or its array is not uint8 [N, H, W, 3] with levels up to 255.
        StepFailed: it is cut off, or holds something else than arrays.
    """
    if not os.path.isfile(str(path)):
        raise UsageError(f"{path} is {'not a file' if os.path.exists(str(path)) else 'not there'}")
    if path.suffix.lower() not in (".npy", ".npz"):
        raise UsageError(f"{path} is neither .npy nor .npz", fix=f"a folder of pictures, or {_SHAPE} in one of the two")
    pictures = _array_in(path)
    _check(path, pictures)
    return of_array(str(path), pictures, lossless=None)


def of_array(name: str, images_u8: np.ndarray, lossless: Optional[bool] = True) -> Pictures:
    """Pictures uint8 [N, H, W, 3] that are there already.

    Raises:
        UsageError: fewer than 2.
    """
    _check_count(name, len(images_u8))
    digest = hashlib.sha256(repr(images_u8.shape).encode())
    for block in _blocks(images_u8):
        digest.update(np.ascontiguousarray(block))

    def batches(size: int) -> Iterator[np.ndarray]:
        for start in range(0, len(images_u8), size):
            yield np.ascontiguousarray(images_u8[start : start + size])

    return Pictures(name, len(images_u8), images_u8.shape[1:3], lossless, digest.hexdigest(), batches)


def _check_count(name: str, count: int) -> None:
    if count < 2:
        raise UsageError(
            f"{name} has {count} picture{'s' * (count != 1)}, fewer than 2: nothing can be scored",
            fix="50,000 for a score that compares with others",
        )


def _text(size: Tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]} px"


def _names_in(folder: Path) -> List[str]:
    """Paths below the folder, sorted. Links are followed, but no folder is read twice: a loop has an end."""

    def stop(error: OSError) -> None:
        raise StepFailed(f"{error.filename} cannot be read: {error.strerror}") from error

    found, seen, results = [], set(), 0
    for place, folders, names in os.walk(str(folder), onerror=stop, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        of_sample = _listed(Path(place))
        results += of_sample is not None
        if results > 1:
            raise UsageError(f"{folder} has several results of biggan sample", fix=f"one of them: {place}")
        if of_sample is not None:
            folders.clear()  # they hold what was made of the same pictures
        else:
            names = [name for name in names if name.lower().endswith(ENDINGS) and not name.startswith(".")]
        found.extend(str(Path(place, name).relative_to(folder)) for name in of_sample or names)
    return sorted(found)


def _listed(folder: Path) -> Optional[Set[str]]:
    """The files in the index of a folder that ``biggan sample`` left; None of any other folder."""
    if not all(os.path.isfile(str(folder / name)) for name in ("index.json", "grid.png")):
        return None
    index = read_json(folder / "index.json")
    names = [entry.get("file") for entry in index if isinstance(entry, dict)] if isinstance(index, list) else []
    if not names or not all(isinstance(name, str) and os.path.basename(name) == name for name in names):
        return None
    return set(names)


def _looked_at(path: Path) -> Tuple[Tuple[int, int], bool]:
    """Height and width, and whether it is stored without loss.

    PNG has checksums, which are compared; where other files are whole shows only when they are decoded.
    """
    with opened(path) as (handle, picture):
        check_kind(path, handle, picture, "scores are")
        lossless = picture.format in ("PNG", "BMP") or (picture.format == "WEBP" and _is_lossless_webp(handle))
        width, height = picture.size
        if picture.format == "PNG":
            picture.verify()
        else:
            picture.load()
    return (height, width), lossless


def _is_lossless_webp(handle: BinaryIO) -> bool:
    """The first chunk with pixels says so: VP8L without loss, VP8 with."""
    handle.seek(12)
    while True:
        chunk = handle.read(8)
        if chunk[:4] in (b"VP8L", b"VP8 ", b""):
            return chunk[:4] == b"VP8L"
        size = int.from_bytes(chunk[4:], "little")
        handle.seek(size + size % 2, os.SEEK_CUR)


def _decoded(path: Path, size: Tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, 3]"""
    with opened(path) as (_, picture):
        pixels = np.asarray(picture.convert("RGB"))
    if pixels.shape[:2] != size:
        raise StepFailed(f"{path} was {_text(size)} and now is {_text(pixels.shape[:2])}: it has changed meanwhile")
    return pixels


def _array_in(path: Path) -> np.ndarray:
    try:
        with open(str(path), "rb") as handle:
            if handle.read(2) != b"PK":
                return np.load(str(path), mmap_mode="r", allow_pickle=False)
            handle.seek(0)
            if not zipfile.is_zipfile(handle):  # NumPy 1.19 leaves a complaint of its own on stderr
                raise ValueError("File is not a zip file")
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as arrays:
                name = next((name for name in ("images", "arr_0") if name in arrays.files), None)
                if name is None and len(arrays.files) != 1:
                    raise UsageError(
                        f"{path} has neither images nor arr_0: it holds {', '.join(arrays.files) or 'nothing'}",
                        fix=f"an array images, {_SHAPE}",
                    )
                return np.asarray(arrays[name or arrays.files[0]])
    except BigganError:
        raise
    except MemoryError as error:
        raise StepFailed(f"{path} does not fit into memory", fix="a .npy file, which is read in parts") from error
    except Exception as error:  # the header of a damaged file is text that numpy evaluates
        raise StepFailed(f"{path} is cut off, or holds no plain array: {error}") from error


def _check(path: Path, array: np.ndarray) -> None:
    """Refuse what is not uint8 [N, H, W, 3] from 0 to 255; the error says what it looks like, and what makes it so."""
    shape, problem = array.shape, f"{path} is {array.dtype} {array.shape}, not {_SHAPE}"
    channels_first = array.ndim == 4 and shape[1] == 3 != shape[3]
    if array.ndim != 4 or not (channels_first or shape[3] == 3) or 0 in shape[1:] or array.dtype.kind not in "iuf":
        raise UsageError(problem, fix="pictures in RGB, 8 bits a channel: their number, height, width, 3")
    _check_count(str(path), len(array))
    remarks, x = (["its channels come first"], "x.transpose(0, 2, 3, 1)") if channels_first else ([], "x")
    if array.dtype != np.uint8:
        remark, x = _converted(array, x)
        remarks.append(remark)
    if remarks:
        fix = "a folder of PNG files" + (f", or {x}" if x else "")
        if path.name == "samples.npz" and (path.parent / "index.json").is_file():
            fix = f"{path.parent}: there the same pictures are PNG files"
        raise UsageError(f"{problem}: {', '.join(remarks)}", fix=fix)
    if not any(block.max() > _DARK for block in _blocks(array)):
        high = max(int(block.max()) for block in _blocks(array))
        raise UsageError(
            f"the greatest level in all {len(array)} pictures of {path} is {high}: it looks like 0 to 1, not 0 to 255",
            fix="take the floats that it was made of: np.rint(x * 255).astype('uint8')",
        )


def _converted(array: np.ndarray, x: str) -> Tuple[str, Optional[str]]:
    """What the values of other numbers than uint8 look like, and what makes levels of ``x``, if that is known."""
    low, high, not_finite = _range(array)
    if not_finite:
        return f"{not_finite:,} of {array.size:,} values are NaN or infinite", None
    values = f"its values go from {low:.4g} to {high:.4g}"
    if array.dtype.kind == "f" and low > -1.5 and high < 1.5:
        if low < 0:
            return f"{values}, which looks like [-1, 1]", f"np.rint(({x} + 1) * 127.5).clip(0, 255).astype('uint8')"
        return f"{values}, which looks like [0, 1]", f"np.rint({x} * 255).clip(0, 255).astype('uint8')"
    if low < 0 or high > 255:
        return values, None
    return values, f"np.rint({x}).astype('uint8')"


def _range(array: np.ndarray) -> Tuple[float, float, int]:
    """The least and the greatest of the finite values, and how many are not finite."""
    low, high, not_finite = np.inf, -np.inf, 0
    for block in _blocks(array):
        finite = block[np.isfinite(block)]
        not_finite += block.size - finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return low, high, not_finite


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """A few pictures after the other: an array on disk is not to fill the memory."""
    step = max(1, _BLOCK // array[0].nbytes)
    for start in range(0, len(array), step):
        yield array[start : start + step]
