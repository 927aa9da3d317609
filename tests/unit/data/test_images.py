"""Pictures: rounding, round trips, grids and animations."""

import numpy as np
from PIL import ImageFont
from PIL._util import DeferredError

from biggan_cli.data import images
from tests.conftest import read_picture


def test_uint8_rounds_and_clips():
    values = np.float32([-2, -1, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.999, 1, 3])
    assert images.to_uint8(values).tolist() == [0, 0, 0, 1, 255, 255, 255]


def test_uint8_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(images.to_uint8(images.from_uint8(levels)), levels)


def test_png_is_lossless(tmp_path):
    picture = np.random.RandomState(0).randint(0, 256, (8, 9, 3)).astype(np.uint8)
    images.write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)


def test_a_grid_shows_every_picture_and_a_label():
    rows = [np.full((2, 64, 64, 3), 10, np.uint8), np.full((3, 64, 64, 3), 20, np.uint8)]
    grid = images.labelled_grid(rows, ["one", "three"])
    assert grid.shape[0] == 128
    assert (grid[:64, -192:-64] == 10).all() and (grid[:64, -64:] == 255).all()
    assert (grid[64:, -192:] == 20).all()
    for top in (0, 64):
        assert (grid[top : top + 64, : grid.shape[1] - 192] < 128).any()


def test_labels_of_any_script_and_length():
    """Pillow's own font has Latin-1 only, in older versions; none of them is to end a training."""
    row = np.full((1, 64, 64, 3), 9, np.uint8)
    grid = images.labelled_grid([row] * 3, ["猫", "ёж", "a name " * 30])
    assert grid.shape[0] == 192 and 64 < grid.shape[1] < 400
    assert (grid[:64, :-64] < 128).any()


def test_small_pictures_are_shown_larger_pixel_by_pixel():
    row = np.zeros((1, 32, 32, 3), np.uint8)
    row[0, 0, 1] = 200
    grid = images.labelled_grid([row], ["x"])
    assert (grid[:2, -62:-60] == 200).all()


def test_tiles_read_like_text():
    pictures = np.stack([np.full((64, 64, 3), level, np.uint8) for level in (1, 2, 3)])
    tiled = images.tiled(pictures, columns=2)
    assert tiled.shape == (128, 128, 3)
    assert [tiled[0, 0, 0], tiled[0, 64, 0], tiled[64, 0, 0], tiled[64, 64, 0]] == [1, 2, 3, 255]


def test_a_sheet_has_a_title_above():
    picture = np.full((64, 128, 3), 7, np.uint8)
    sheet = images.titled(picture, "horse")
    np.testing.assert_array_equal(sheet[-64:], picture)
    above = sheet[:-64]
    assert (above < 128).any() and (above[:, -20:] == 255).all()
    assert images.titled(picture, "猫 " + "a long name " * 30).shape == sheet.shape


def test_labels_without_freetype(monkeypatch):
    """Pillow then has a bitmap font of its own."""
    monkeypatch.setattr(ImageFont, "core", DeferredError(ImportError("no FreeType")))
    row = np.full((1, 64, 64, 3), 9, np.uint8)
    grid = images.labelled_grid([row, row], ["horse", "猫"])
    assert grid.shape[0] == 128 and all((grid[top : top + 64, :-64] < 128).any() for top in (0, 64))
