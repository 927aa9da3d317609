"""HTML and SVG from Python: what is no markup already is escaped, so that no word of a run becomes markup."""

import html
import re
from typing import Any, Optional, Sequence, Tuple

_VOID = {"br", "img", "input", "link", "meta"}
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that no HTML file may hold: controls, and halves of characters."""


class Html(str):
    """Text that is markup."""


def escaped(value: Any) -> Html:
    """Any value as text for a page or a quoted attribute; markup stays as it is."""
    return value if isinstance(value, Html) else Html(html.escape(_NO_TEXT.sub("\ufffd", str(value))))


def joined(*children: Any) -> Html:
    """Pieces after each other; lists are opened, None is nothing."""
    parts = []
    for child in children:
        if isinstance(child, (list, tuple)):
            parts.append(joined(*child))
        elif child is not None:
            parts.append(escaped(child))
    return Html("".join(parts))


def element(name: str, *children: Any, **attributes: Any) -> Html:
    """``<name …>children</name>``.

    Args:
        attributes: ``class_`` is ``class``, ``data_x`` is ``data-x``; True is an attribute without a value, and
            None or False none at all.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        words.append(key if value is True else f'{key}="{escaped(value)}"')
    start = f"<{' '.join(words)}>"
    return Html(start if name in _VOID else f"{start}{joined(*children)}</{name}>")


class Section:
    """A part of a page: its anchor, which is also its word in the contents, its heading, and what is in it."""

    def __init__(self, anchor: str, heading: str, *content):
        self.anchor, self.heading, self.content = anchor, heading, content

    def html(self) -> Html:
        heading = element("h2", self.heading, id=f"{self.anchor}-heading")
        return element("section", heading, self.content, id=self.anchor, aria_labelledby=f"{self.anchor}-heading")


def definitions(rows: Sequence[Tuple[str, str]]) -> Html:
    """Names with what they are."""
    return element("dl", [[element("dt", name), element("dd", value)] for name, value in rows], class_="rows")


def table(rows: Sequence[Sequence[Tuple[str, str]]], caption: Optional[str] = None) -> Html:
    """Rows of (cell, heading); on a narrow screen each row stands by itself, with the headings before the cells."""
    heads = [element("th", heading, scope="col") for _, heading in rows[0]]
    body = [element("tr", [element("td", cell, data_label=heading) for cell, heading in row]) for row in rows]
    said = element("caption", caption) if caption else None
    return element("table", said, element("thead", element("tr", heads)), element("tbody", body), class_="stacks")
