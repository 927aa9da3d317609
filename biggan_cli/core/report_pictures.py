"""Pictures for a page that needs no other file: as they are where they are small, smaller where they are not."""

import base64
import io
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
from PIL import Image, UnidentifiedImageError

from biggan_cli.errors import StepFailed

MOST_SIDE = 1000
"""Pixels; a larger picture is shown smaller."""
MOST_BYTES = 200_000
"""Of a still picture; a larger one becomes a JPEG."""
MOST_ANIMATION = 4_000_000
"""Bytes; a larger animation is shown as a few of its frames."""
_MOST_PIXELS = 80_000_000
_QUALITY = 86
_STRIP = 6
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


class Picture(NamedTuple):
    """A picture as an address that holds it; ``smaller``: not as it was, but reduced or with loss."""

    uri: str
    width: int
    height: int
    smaller: bool = False


class Animation(NamedTuple):
    """``moving`` None where it is too large; ``still`` shows a few frames beside each other, for paper."""

    moving: Optional[Picture]
    still: Picture
    frames: int


class Film(NamedTuple):
    """An MP4 as an address that holds it, None where it is too large; nothing here decodes it."""

    uri: Optional[str]


def still(path: Path) -> Picture:
    """A picture of a run, decoded once to know that it is whole.

    Raises:
        StepFailed: it is no picture, or too large to look at.
        OSError, ValueError, SyntaxError: it is damaged.
    """
    data = path.read_bytes()
    with _opened(path, data) as picture:
        kind = picture.format
        picture.load()
        if len(data) <= MOST_BYTES and max(picture.size) <= MOST_SIDE and kind in _TYPES:
            return Picture(_uri(data, _TYPES[kind]), *picture.size)
        return _reduced(picture.convert("RGB"))


def animation(path: Path) -> Animation:
    """A GIF or WebP, all of whose frames are decoded.

    Raises:
        as :func:`still`.
    """
    data = path.read_bytes()
    with _opened(path, data) as picture:
        count, kind, size = getattr(picture, "n_frames", 1), picture.format, picture.size
        shown = sorted({round(place) for place in np.linspace(0, count - 1, min(_STRIP, count))})
        frames = []
        for number in shown:
            picture.seek(number)
            frames.append(picture.convert("RGB"))
    strip = Image.new("RGB", (size[0] * len(frames), size[1]))
    for place, frame in enumerate(frames):
        strip.paste(frame, (place * size[0], 0))
    fits = len(data) <= MOST_ANIMATION and kind in _TYPES
    return Animation(Picture(_uri(data, _TYPES[kind]), *size) if fits else None, _reduced(strip), count)


def film(path: Path) -> Film:
    """An MP4.

    Raises:
        StepFailed: it is none.
    """
    data = path.read_bytes()
    if data[4:8] != b"ftyp":
        raise StepFailed(f"{path} is no MP4")
    return Film(_uri(data, "video/mp4") if len(data) <= MOST_ANIMATION else None)


def mosaic(path: Path, resolution: int, columns: int, classes: int) -> Optional[Picture]:
    """The head of a page from a labelled grid: a column for each class, four pictures high; of few classes a row each.

    Args:
        path: a grid of ``columns`` pictures in a row of each class, labels before them, as ``samples/`` has them.
        classes: rows of the grid.

    Returns:
        None where the grid is not of that shape.
    """
    cell = resolution * max(1, 64 // resolution)  # as a labelled grid enlarges them
    with _opened(path, path.read_bytes()) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    if pixels.shape[0] != classes * cell or pixels.shape[1] < columns * cell:
        return None
    cells = pixels[:, -columns * cell :].reshape(classes, cell, columns, cell, 3).transpose(0, 2, 1, 3, 4)
    chosen = cells[:10, :4] if classes >= 4 else cells[:, :10].transpose(1, 0, 2, 3, 4)
    across, down = chosen.shape[:2]
    joined = chosen.transpose(1, 2, 0, 3, 4).reshape(down * cell, across * cell, 3)
    return _reduced(Image.fromarray(np.ascontiguousarray(joined)))


def _reduced(picture: Image.Image) -> Picture:
    """At most so large, as PNG where that is small enough."""
    scale = MOST_SIDE / max(picture.size)
    if scale < 1:
        size = tuple(max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize(size, Image.LANCZOS)
    data, kind = _encoded(picture, "PNG", optimize=True), "PNG"
    if len(data) > MOST_BYTES:
        data, kind = _encoded(picture, "JPEG", quality=_QUALITY), "JPEG"
    return Picture(_uri(data, _TYPES[kind]), *picture.size, smaller=scale < 1 or kind == "JPEG")


def _encoded(picture: Image.Image, kind: str, **how) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=kind, **how)
    return file.getvalue()


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _opened(path: Path, data: bytes) -> Image.Image:
    """A picture whose size was looked at before anything is decoded."""
    try:
        picture = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise StepFailed(f"{path} is no picture") from None
    width, height = picture.size
    if width * height > _MOST_PIXELS:
        raise StepFailed(f"{path} is too large to show: {width}x{height} pixels")
    return picture
