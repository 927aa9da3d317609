"""Markup: no word of a run becomes a tag, an attribute or an entity."""

from html.parser import HTMLParser

import pytest

from biggan_cli.core.markup import Html, element, joined, table

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></script><!-- ",
    "&lt;b&gt; &amp;",
    "a < b & c > d",
]


class Seen(HTMLParser):
    """The tags, attributes and text of a page, as a parser that is not ours finds them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("words", HOSTILE)
def test_words_come_out_as_they_went_in(words):
    seen = Seen(element("p", words, title=words, data_x=words))
    assert seen.tags == ["p"] and seen.text == words
    assert seen.attributes == [("title", words), ("data-x", words)]


def test_markup_stays_markup_and_lists_are_opened():
    inner = element("b", "x")
    assert joined(inner, ["&", [None, inner]]) == "<b>x</b>&amp;<b>x</b>"
    assert isinstance(element("p"), Html)


def test_attributes_that_are_not_there_and_tags_without_an_end():
    assert (
        element("input", type="range", hidden=True, value=None, class_="a") == '<input type="range" hidden class="a">'
    )


@pytest.mark.parametrize("words", ["a\x00b", "a\ud800b", "a\x1bb", "a\x85b"])
def test_characters_that_no_page_may_hold_are_replaced(words):
    assert element("p", words).encode("utf-8").decode() == "<p>a\ufffdb</p>"


def test_a_table_says_its_headings_in_every_cell_too():
    seen = Seen(table([[("1 < 2", "is it?")], [("3", "is it?")]], "a & b"))
    assert seen.attributes.count(("data-label", "is it?")) == 2 and "1 < 2" in seen.text and "a & b" in seen.text
