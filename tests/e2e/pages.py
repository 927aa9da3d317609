"""What the tests of pages share: the blocks of a page, and the commands in them."""

import re
import shlex

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page, *languages):
    """The text of the fenced blocks of these languages, all if none is named, in order."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for language, text in found if not languages or language in languages]


def commands(page, *languages):
    """The arguments of every ``biggan …`` line, without its comment, of blocks of these languages, else of ``sh``."""
    for block in blocks(page, *(languages or ("sh",))):
        for line in block.splitlines():
            if line.startswith("biggan "):
                for command in line.split("&&"):
                    yield shlex.split(command, comments=True)[1:]


def prose(page):
    """The page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
