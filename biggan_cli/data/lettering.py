"""Words in pictures: in Pillow's own font, and what that lacks in one of the system's, where it has one."""

import functools
from typing import Any, NamedTuple, Optional

from PIL import ImageFont

HEIGHT = 11
"""Of a line, in pixels."""
_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf"),
    *("wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "uming.ttc"),
    *("msyh.ttc", "simhei.ttf", "simsun.ttc", "meiryo.ttc", "malgun.ttf"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc", "Arial Unicode.ttf"),
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf"),
)
"""Files that Linux, Windows and macOS have, those with many scripts first; Pillow looks into the folders for fonts."""
_NOTHING = "\U0010ffff"
"""What no font has: it is drawn as all is that a font lacks."""


class Lettering(NamedTuple):
    """A text as it can be drawn, and the font for it."""

    text: str
    font: Any

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.font.getlength(self.text))

    def draw(self, draw: Any, place: tuple, fill: tuple) -> None:
        """On a Pillow ``ImageDraw``, with its upper left corner at ``place``."""
        draw.text(place, self.text, fill=fill, font=self.font)


def lettering(text: str, longest: int) -> Lettering:
    """How a text of at most ``longest`` characters is drawn: what is longer is cut, what no font has becomes "?"."""
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    latin = text.encode("latin-1", "replace").decode("latin-1")
    font = None if latin == text else _font_with(text)
    return Lettering(text, font) if font else Lettering(latin, ImageFont.load_default())


def _font_with(text: str) -> Optional[Any]:
    """The first font that has every character."""
    for name in _FONTS:
        font = _opened(name)
        if font and all(_has(font, character) for character in set(text) if not character.isspace()):
            return font
    return None


@functools.lru_cache(None)
def _opened(name: str) -> Optional[Any]:
    try:
        return ImageFont.truetype(name, HEIGHT)
    except (OSError, ImportError):  # it is not there; or this Pillow is without FreeType
        return None


def _has(font: Any, character: str) -> bool:
    return bytes(font.getmask(character)) != bytes(font.getmask(_NOTHING))
