"""Picture files: which are taken, and how they are opened."""

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image, ImageOps

from biggan_cli.data import images
from biggan_cli.errors import BigganError, StepFailed, UsageError, visible

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Without .gif: its pictures have 256 colours, and move."""
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_MEND = "copy or make it again, or remove it"
_NAMED = 5
"""Pictures that an error of several names."""


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
        raise StepFailed(f"{path} is cut off, or not one of {', '.join(_FORMATS)}", fix=_MEND) from error
    except Exception as error:  # Pillow meets a damaged file with whatever it trips over
        if getattr(error, "strerror", None):
            raise StepFailed(f"{path} cannot be read: {error.strerror}") from error
        raise StepFailed(f"{path} is cut off or damaged: {error}", fix=_MEND) from error


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


class Decoded(NamedTuple):
    """A picture uint8 [H, W, 3], and whether the paper shows through it somewhere."""

    levels: np.ndarray
    transparent: bool


def decoded(path: Path) -> Decoded:
    """Upright as its EXIF says; grey, palettes and CMYK become RGB, and what is transparent lies on white paper.

    Raises:
        StepFailed: it is broken.
        UsageError: 16 bits a channel, or an animation.
    """
    with opened(path) as (handle, picture):
        check_kind(path, handle, picture, "training is")
        return on_paper(ImageOps.exif_transpose(picture))


def has_alpha(picture) -> bool:
    """Whether a picture of Pillow may be transparent somewhere, without decoding it."""
    return picture.mode in _WITH_ALPHA or "transparency" in picture.info


def on_paper(picture) -> Decoded:
    """A picture of Pillow in RGB, over white: the colour below what is transparent is whatever a program left there."""
    if has_alpha(picture):
        picture = picture.convert("RGBA")
        if picture.getextrema()[3][0] < 255:
            paper = Image.new("RGBA", picture.size, (255,) * 4)
            return Decoded(np.asarray(Image.alpha_composite(paper, picture).convert("RGB")), True)
    return Decoded(np.asarray(picture.convert("RGB")), False)


def squared(path: Path, resolution: int) -> Decoded:
    """A picture file → the square in its centre as uint8 [R, R, 3].

    Raises:
        StepFailed, UsageError: as :func:`decoded`.
    """
    found = decoded(path)
    return found._replace(levels=images.fit(found.levels, resolution))


def attempted(work: Callable[..., Any], *arguments: Any) -> Any:
    """What ``work`` gives, or what is wrong with the picture: one that cannot be used does not hide those after it."""
    try:
        return work(*arguments)
    except BigganError as error:
        return error


def all_unusable(errors: Sequence[BigganError], count: int, fix: str) -> BigganError:
    """Of pictures that cannot be used, one error: of one its own, of several their number and the first ones.

    Args:
        errors: of each what is wrong with it; one at least.
        count: of how many pictures.
        fix: what helps besides mending them.
    """
    first = errors[0]
    mend = [dict(error.details).get("fix", _MEND) for error in errors]
    if len(errors) > 1:
        kind = StepFailed if any(isinstance(error, StepFailed) for error in errors) else UsageError
        first = kind(f"{len(errors):,} of {count:,} pictures cannot be used")
        first.details += [("picture", error.message) for error in errors[:_NAMED]]
        if len(errors) > _NAMED:
            first.details.append(("picture", f"… and {len(errors) - _NAMED:,} more"))
    first.replace_detail("fix", "; ".join([*dict.fromkeys(mend), f"or {fix}"]))
    return first


def transparent_words(count: int, first: Optional[str]) -> List[str]:
    """What is said of the pictures of which :attr:`Decoded.transparent` holds; nothing where there are none."""
    if not count:
        return []
    parts = "pictures have transparent parts" if count > 1 else "picture has transparent parts"
    return [visible(f"{count:,} {parts}, drawn over white: the first is {first}")]


def squares(job: Tuple[Sequence[Union[Path, np.ndarray]], int]) -> List[Union[Tuple[bytes, bool], BigganError]]:
    """(pictures, resolution) → of each the levels of :func:`squared` and whether it was transparent, or what is wrong
    with it: work for a process."""
    pictures, resolution = job
    return [attempted(_square, picture, resolution) for picture in pictures]


def _square(picture: Union[Path, np.ndarray], resolution: int) -> Tuple[bytes, bool]:
    if isinstance(picture, Path):
        found = squared(picture, resolution)
        return found.levels.tobytes(), found.transparent
    return images.fit(picture, resolution).tobytes(), False


def is_transparent(path: Path) -> bool:
    """Whether paper would show through a picture file; only one with an alpha channel is decoded for it.

    Raises:
        StepFailed, UsageError: as :func:`decoded`.
    """
    with opened(path) as (_, picture):
        return has_alpha(picture) and on_paper(picture).transparent


def size_of(path: Path) -> Tuple[int, int]:
    """Height and width as it is stored, without decoding it.

    Raises:
        StepFailed, UsageError: as :func:`decoded`, as far as the beginning of the file shows it.
    """
    with opened(path) as (handle, picture):
        check_kind(path, handle, picture, "training is")
        return picture.size[1], picture.size[0]
