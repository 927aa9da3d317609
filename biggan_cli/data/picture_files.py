"""Picture files: which are taken, and how they are opened."""

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Iterator, List, Sequence, Tuple, Union

import numpy as np
from PIL import Image, ImageOps

from biggan_cli.data import images
from biggan_cli.errors import BigganError, StepFailed, UsageError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Without .gif: its pictures have 256 colours, and move."""
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Tuple[BinaryIO, Any]]:
    """A picture file and Pillow's view of it; what Pillow trips over becomes an error that names the file.

    Raises:
        StepFailed: cut off, damaged, too large, or no picture.
    """
    if not os.path.isfile(str(path)):
        raise StepFailed(f"{path} is {'not a file' if os.path.exists(str(path)) else 'not there'}")
    try:
        with open(str(path), "rb") as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(handle, formats=_FORMATS) as picture:
                yield handle, picture
    except BigganError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise StepFailed(f"{path} is too large to be a picture: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise StepFailed(
            f"{path} is cut off, or not one of {', '.join(_FORMATS)}", fix="copy or make it again, or remove it"
        ) from error
    except Exception as error:  # Pillow meets a damaged file with whatever it trips over
        if getattr(error, "strerror", None):
            raise StepFailed(f"{path} cannot be read: {error.strerror}") from error
        raise StepFailed(f"{path} is cut off or damaged: {error}", fix="copy or make it again, or remove it") from error


def check_kind(path: Path, handle: BinaryIO, picture, what: str) -> None:
    """``what`` takes one picture of 8 bits a channel.

    Raises:
        UsageError: it has 16, or moves.
    """
    if getattr(picture, "is_animated", False):
        raise UsageError(f"{path} holds {picture.n_frames} pictures", fix="one file for each")
    place = handle.tell()
    handle.seek(0)
    head = handle.read(25)
    handle.seek(place)
    if picture.mode not in _EIGHT_BITS or (picture.format == "PNG" and head[24] == 16):
        raise UsageError(f"{path} has 16 bits a channel: {what} of 8", fix="convert the pictures to 8 bits")


def decoded(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], upright as its EXIF says; grey, palettes and CMYK become RGB, alpha is dropped.

    Raises:
        StepFailed: it is broken.
        UsageError: 16 bits a channel, or an animation.
    """
    with opened(path) as (handle, picture):
        check_kind(path, handle, picture, "training is")
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def squared(picture: Union[Path, np.ndarray], resolution: int) -> np.ndarray:
    """A picture file, or uint8 [H, W, 3] → the square in its centre as uint8 [R, R, 3].

    Raises:
        StepFailed, UsageError: as :func:`decoded`.
    """
    return images.fit(decoded(picture) if isinstance(picture, Path) else picture, resolution)


def squares(job: Tuple[Sequence[Union[Path, np.ndarray]], int]) -> List[Union[bytes, BigganError]]:
    """(pictures, resolution) → the levels of each, :func:`squared`, or what is wrong with it: work for a process."""
    pictures, resolution = job
    return [_levels_or_error(picture, resolution) for picture in pictures]


def _levels_or_error(picture: Union[Path, np.ndarray], resolution: int) -> Union[bytes, BigganError]:
    try:
        return squared(picture, resolution).tobytes()
    except BigganError as error:
        return error


def size_of(path: Path) -> Tuple[int, int]:
    """Height and width as it is stored, without decoding it.

    Raises:
        StepFailed, UsageError: as :func:`decoded`, as far as the beginning of the file shows it.
    """
    with opened(path) as (handle, picture):
        check_kind(path, handle, picture, "training is")
        return picture.size[1], picture.size[0]
