"""A small picture of curves, one panel each, drawn by Pillow alone."""

from typing import List, NamedTuple, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from biggan_cli.data.ticks import short, ticks

_WIDTH, _HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 28, 32
_INK, _FAINT, _LINE = (40, 40, 40), (210, 210, 210), (31, 111, 180)
_GRID = 4
"""Lines of the grid, about."""


class Curve(NamedTuple):
    """A title, and a value for each place of the axis."""

    title: str
    values: Sequence[float]


def panels(places: Sequence[str], axis: str, curves: Sequence[Curve]) -> np.ndarray:
    """uint8 [H, W, 3]: a panel for each curve, side by side; the places stand evenly on the axis of this name."""
    canvas = Image.new("RGB", (_WIDTH * len(curves), _HEIGHT), (255, 255, 255))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default()
    for number, curve in enumerate(curves):
        _panel(draw, font, number * _WIDTH, places, axis, curve)
    return np.asarray(canvas)


def _panel(draw, font, x0: int, places: Sequence[str], axis: str, curve: Curve) -> None:
    low, high = min(curve.values), max(curve.values)
    pad = 0.08 * (high - low) or 0.08 * abs(high) or 1.0
    low, high = low - pad, high + pad
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x_of(place: int) -> float:
        return x0 + _LEFT + wide * (place + 0.5) / len(places)

    def y_of(value: float) -> float:
        return _TOP + tall * (high - value) / (high - low)

    def write(x: float, y: float, text: str, anchor: float) -> None:
        draw.text((x - anchor * font.getlength(text), y), text, fill=_INK, font=font)

    write(x0 + _LEFT, 8, curve.title, 0.0)
    for value in ticks(low, high, _GRID):
        draw.line([(x0 + _LEFT, y_of(value)), (x0 + _WIDTH - _RIGHT, y_of(value))], fill=_FAINT)
        write(x0 + _LEFT - 6, y_of(value) - 6, short(value, "-"), 1.0)
    for place, text in enumerate(places):
        write(x_of(place), _HEIGHT - _BOTTOM + 4, text, 0.5)
    write(x0 + _LEFT + wide / 2, _HEIGHT - 14, axis, 0.5)
    points: List = [(x_of(place), y_of(value)) for place, value in enumerate(curve.values)]
    draw.line(points, fill=_LINE, width=2)
    for x, y in points:
        draw.ellipse([(x - 3, y - 3), (x + 3, y + 3)], fill=_LINE)
