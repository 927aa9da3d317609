"""The picture of curves: a line where the values are."""

import numpy as np
from PIL import ImageDraw

from biggan_cli.data.curves import Curve, panels

BLUE = np.array([31, 111, 180])


def line_of(picture):
    """The middle height of the line in each column that has some."""
    there = (np.abs(picture.astype(int) - BLUE).sum(axis=2) < 30) if picture.ndim == 3 else picture
    return [np.flatnonzero(column).mean() for column in there.T if column.any()]


def test_a_rising_curve_rises_and_a_falling_one_falls():
    picture = panels(["0.5", "1", "none"], "truncation", [Curve("IS", [1, 2, 3]), Curve("FID", [30, 20, 10])])
    assert picture.shape == (240, 720, 3) and picture.dtype == np.uint8
    rising, falling = line_of(picture[:, :360]), line_of(picture[:, 360:])
    assert rising[0] > 150 and rising[-1] < 90 and falling[0] < 90 and falling[-1] > 150


def test_values_that_are_all_the_same_are_a_level_line():
    heights = line_of(panels(["1", "2"], "truncation", [Curve("IS", [4.0, 4.0])]))
    assert max(heights) - min(heights) < 4


def test_there_are_words_at_the_axes():
    picture = panels(["1", "2"], "truncation", [Curve("IS", [1, 2])])
    assert (picture[-14:] < 100).any() and (picture[30:200, :56] < 100).any()


def test_values_stand_in_proportion_and_the_numbers_at_the_axis_are_round(monkeypatch):
    written = []
    write = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, xy, text, **more: (written.append((xy, text)), write(self, xy, text, **more)),
    )
    values = [298.3, 273.7, 246.8, 257.1]
    picture = panels(["0.5", "1", "1.5", "2"], "truncation", [Curve("FID", values)])
    places = {float(text): y + 6 for (x, y), text in written if x < 64 and text.isdigit()}
    assert set(places) == {240.0, 260.0, 280.0, 300.0} or set(places) == {260.0, 280.0, 300.0}
    per_value = (places[260.0] - places[300.0]) / 40
    blue = np.abs(picture.astype(int) - BLUE).sum(axis=2) < 30
    for place, value in enumerate(values):
        column = int(64 + 280 * (place + 0.5) / 4)
        rows = np.flatnonzero(blue[:, column - 2 : column + 3].any(axis=1))
        assert abs(rows.mean() - (places[300.0] + (300 - value) * per_value)) < 3
