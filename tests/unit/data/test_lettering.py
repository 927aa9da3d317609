"""Words in pictures: what Pillow's own font lacks is drawn in one of the system's, and what none has is a "?"."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from biggan_cli.data import lettering


@pytest.fixture
def greek_font(monkeypatch):
    """The only font of a system that has Greek, and no Chinese."""
    names = [name for name in ("DejaVuSans.ttf", "LiberationSans-Regular.ttf") if lettering._opened(name)]
    if not names:
        pytest.skip("no font of the system is known to have Greek")
    monkeypatch.setattr(lettering, "_FONTS", ("no such font.ttf", *names))


def drawn(words):
    canvas = Image.new("L", (120, 20), 255)
    words.draw(ImageDraw.Draw(canvas), (0, 0), (0,))
    return np.asarray(canvas)


def test_latin_is_in_pillow_s_own(monkeypatch):
    monkeypatch.setattr(lettering, "_font_with", lambda text: pytest.fail("no other font is wanted"))
    words = lettering.lettering("três", 32)
    assert words.text == "três" and 0 < words.width < 100 and drawn(words).min() < 128
    assert lettering.lettering("a name " * 30, 32).text == "a name a name a name a name a..."


def test_another_script_is_in_a_font_that_has_it(greek_font):
    words = lettering.lettering("γάτα α", 32)
    assert words.text == "γάτα α" and 0 < words.width < 100
    others = drawn(lettering.lettering("σκύλος", 32))
    assert drawn(words).min() < 128 and (drawn(words) != others).any()


def test_what_no_font_has(greek_font):
    assert lettering.lettering("猫", 32).text == "?"
    assert lettering.lettering("γ猫", 32).text == "??"  # all of a word or nothing of it


def test_a_system_without_fonts(monkeypatch, tmp_path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    monkeypatch.setattr(lettering, "_FONTS", ("no such font.ttf", str(broken)))
    assert lettering.lettering("γάτα", 32).text == "????"
