"""Pictures: uint8 to [-1, 1] and back, PNG, labelled grids and sheets. Arrays are NHWC, RGB."""

import io
from pathlib import Path
from typing import Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from biggan_cli.data.lettering import HEIGHT, lettering

FILTER = "bicubic"
"""How pictures are resized, by its name in Pillow, which widens it where it reduces: anti-aliased."""
_MARGIN = 4
_TITLE = 20
_PAPER = 255
_INK = 0
_LONGEST = 32
"""Characters of a label."""


def to_uint8(images: np.ndarray, down: bool = False) -> np.ndarray:
    """float [-1, 1] → uint8 0…255, rounded to the nearest level, or ``down``; what lies outside is clipped."""
    levels = (images + 1.0) * 127.5
    return np.clip(np.floor(levels) if down else np.rint(levels), 0, 255).astype(np.uint8)


def from_uint8(images_u8: np.ndarray) -> np.ndarray:
    """uint8 0…255 → float32 [-1, 1]: x / 127.5 - 1."""
    return images_u8.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def resize(images_u8: np.ndarray, resolution: int) -> np.ndarray:
    """Square uint8 pictures at another size, bicubic and anti-aliased (Pillow)."""
    if images_u8.shape[1] == resolution:
        return images_u8
    size = (resolution, resolution)
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.BICUBIC)) for image in images_u8])


def fit(picture_u8: np.ndarray, resolution: int) -> np.ndarray:
    """uint8 [H, W, 3] → [R, R, 3]: the square in its centre, resized."""
    height, width = picture_u8.shape[:2]
    if height == width == resolution:
        return picture_u8
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(picture_u8).resize((resolution, resolution), Image.BICUBIC, box=box))


def through_jpeg(images_u8: np.ndarray, quality: int) -> np.ndarray:
    """What uint8 pictures are after they were JPEG files of this quality."""
    decoded = []
    for image in images_u8:
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="JPEG", quality=quality)
        decoded.append(np.asarray(Image.open(file)))
    return np.stack(decoded)


def preview(path: Path, longest: int) -> Tuple[bytes, Tuple[int, int]]:
    """A picture file as JPEG, reduced until neither side is over ``longest`` pixels; and its height and width."""
    with Image.open(str(path)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((longest, longest), Image.BICUBIC)
    file = io.BytesIO()
    small.save(file, format="JPEG", quality=80)
    return file.getvalue(), (small.height, small.width)


def png(image_u8: np.ndarray) -> bytes:
    """One picture [H, W, 3] uint8 as a PNG file, without loss."""
    file = io.BytesIO()
    Image.fromarray(image_u8).save(file, format="PNG")
    return file.getvalue()


def write_png(path: Path, image_u8: np.ndarray) -> None:
    """One picture [H, W, 3] uint8, without loss."""
    path.write_bytes(png(image_u8))


def read_png(path: Path) -> np.ndarray:
    """uint8 [H, W, 3] of what :func:`write_png` left."""
    with Image.open(str(path)) as picture:
        return np.asarray(picture.convert("RGB"))


def labelled_grid(rows: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
    """Rows of pictures with a label before each row.

    Args:
        rows: each uint8 [n, R, R, 3]; rows may differ in n. Pictures under 64 px are shown larger, each
            pixel as a square.
        labels: one for each row; see :func:`biggan_cli.data.lettering.lettering`.

    Returns:
        uint8 [H, W, 3], black on white.
    """
    rows = [_enlarged(row) for row in rows]
    size = rows[0].shape[1]
    words = [lettering(label, _LONGEST) for label in labels]
    left = max(label.width for label in words) + 2 * _MARGIN
    width = left + max(len(row) for row in rows) * size
    canvas = Image.new("RGB", (width, len(rows) * size), (_PAPER,) * 3)
    draw = ImageDraw.Draw(canvas)
    for index, (row, label) in enumerate(zip(rows, words)):
        label.draw(draw, (_MARGIN, index * size + (size - HEIGHT) // 2), (_INK,) * 3)
        for column, image in enumerate(row):
            canvas.paste(Image.fromarray(image), (left + column * size, index * size))
    return np.asarray(canvas)


def tiled(images_u8: np.ndarray, columns: int) -> np.ndarray:
    """uint8 [n, R, R, 3] → one picture with ``columns`` pictures in each row, enlarged like a grid."""
    images_u8 = _enlarged(images_u8)
    blank = np.full((-len(images_u8) % columns, *images_u8.shape[1:]), _PAPER, np.uint8)
    cells = np.concatenate([images_u8, blank])
    size = cells.shape[1]
    rows = len(cells) // columns
    return cells.reshape(rows, columns, size, size, 3).transpose(0, 2, 1, 3, 4).reshape(rows * size, columns * size, 3)


def titled(picture_u8: np.ndarray, title: str) -> np.ndarray:
    """The same picture [H, W, 3] with a line of words above it, cut where it is too narrow for them."""
    height, width = picture_u8.shape[:2]
    canvas = Image.new("RGB", (width, height + _TITLE), (_PAPER,) * 3)
    lettering(title, _LONGEST).draw(ImageDraw.Draw(canvas), (_MARGIN, (_TITLE - HEIGHT) // 2), (_INK,) * 3)
    canvas.paste(Image.fromarray(picture_u8), (0, _TITLE))
    return np.asarray(canvas)


def _enlarged(images_u8: np.ndarray) -> np.ndarray:
    factor = max(1, 64 // images_u8.shape[1])
    if factor == 1:
        return images_u8
    return images_u8.repeat(factor, axis=1).repeat(factor, axis=2)
