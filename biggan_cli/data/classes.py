"""Class names: which there may be, how they are written in words and lists, and what one given by a user means.

Names are folders' names as people have them, so they may hold blanks and commas or be numbers. Wherever they stand in
words they are as :func:`quoted` writes them, and wherever one is asked for it is taken as it is, or as it was written.
"""

import difflib
import re
import unicodedata
from typing import Dict, List, Sequence, Tuple

from biggan_cli.errors import UsageError

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CONTROL = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of what is no text in one line."""
ALIASES = {"car": "automobile", "plane": "airplane"}
_UNCLEAR = re.compile(r"""[\s,:;'"]""")
"""In a name without quotes one would not see where it ends."""
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'\s*(?=[,:]|$)")
_PART = re.compile(rf"(?:{_QUOTED.pattern})?[^,]*(?:,|$)")


def numbered(count: int) -> Tuple[str, ...]:
    """The names of classes whose names nobody told: ``0``, ``1``, …"""
    return tuple(str(index) for index in range(count))


def quoted(name: str) -> str:
    """A class name for words and lists: between single quotes where it has blanks or marks, or looks like a number.

    A single quote in it is doubled then: ``it's`` → ``'it''s'``.
    """
    return "'" + name.replace("'", "''") + "'" if _UNCLEAR.search(name) or _is_number(name) else name


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def listed(class_names: Sequence[str], most: int = 10) -> str:
    """The first of them, for a sentence."""
    return ", ".join(map(quoted, class_names[:most])) + (", …" if len(class_names) > most else "")


def joined(class_names: Sequence[str]) -> str:
    """All of them in one argument, which :func:`split` takes apart."""
    return ",".join(map(quoted, class_names))


def split(text: str) -> List[str]:
    """``dog,'cats, large':16`` → ``dog``, ``'cats, large':16``: the parts between the commas outside of quotes."""
    found, place = [], 0
    while place <= len(text):
        part = _PART.match(text, place).group()
        found.append(part[:-1] if part.endswith(",") else part)
        place += len(part) if part.endswith(",") else len(part) + 1
    return [part.strip() for part in found]


def counted(part: str) -> Tuple[str, str, str]:
    """``'cats, large':16`` → ``cats, large``, ``:``, ``16``; the last two are empty where there is no colon."""
    match = _QUOTED.match(part)
    name, rest = (match.group(1).replace("''", "'"), part[match.end() :]) if match else ("", part)
    before, colon, count = rest.partition(":")
    return (name if match else before.strip()), colon, count


def unquoted(name: str) -> str:
    """What :func:`quoted` made it of; a name without quotes as it is."""
    match = _QUOTED.fullmatch(name)
    return match.group(1).replace("''", "'") if match else name


def are_named(class_names: Sequence[str]) -> bool:
    """Whether they are more than :func:`numbered`."""
    return tuple(class_names) != numbered(len(class_names))


def check_names(class_names: Sequence[str], where: str, fix: str) -> None:
    """Each can be shown on a terminal, and be a part of a file's name.

    Args:
        where: what has the names, as an error calls it.
        fix: how a name is changed there.

    Raises:
        UsageError: one cannot.
    """
    for name in class_names:
        if not name or name != name.strip():
            raise UsageError(
                f"{where} has a class name that is empty, or begins or ends with a space: {name!r}", fix=fix
            )
        if any(letter == "/" or unicodedata.category(letter) in _CONTROL for letter in name):
            raise UsageError(
                f"{where} has a class name with a slash or control character: {name!r}",
                fix=fix,
                hint="they mean something else in file names and to a terminal",
            )


def class_index(name: str, class_names: Sequence[str], flag: str) -> int:
    """The class that ``name`` means: a class name, bare or :func:`quoted`, an alias of one, or its number from 0.

    Where names look like numbers, a number is a name and nothing else.

    Raises:
        UsageError: none of these; lists the names and the nearest one.
    """
    wanted = name.strip()
    known: Dict[str, int] = {}
    if not any(map(_is_number, class_names)):
        known.update({str(index): index for index in range(len(class_names))})
    known.update({alias: class_names.index(real) for alias, real in ALIASES.items() if real in class_names})
    known.update({real: index for index, real in enumerate(class_names)})
    for word in (wanted, unquoted(wanted)):
        if word in known:
            return known[word]
    words = [word for word in known if not word.isdigit()]
    nearest = difflib.get_close_matches(unquoted(wanted).lower(), words, n=1)
    shown = quoted(unquoted(wanted)) if wanted else "(empty)"
    raise UsageError(
        f"{flag} {shown} is not a class of this model",
        fix=f"{quoted(nearest[0])} instead of {shown}" if nearest else None,
        hint="the classes are: " + ", ".join(map(quoted, class_names)),
    )
