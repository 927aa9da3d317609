"""Class names: which there may be, and what a name given by a user means."""

import difflib
import unicodedata
from typing import Dict, Sequence, Tuple

from biggan_cli.errors import UsageError

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CONTROL = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of what is no text in one line."""
ALIASES = {"car": "automobile", "plane": "airplane"}


def numbered(count: int) -> Tuple[str, ...]:
    """The names of classes whose names nobody told: ``0``, ``1``, …"""
    return tuple(str(index) for index in range(count))


def listed(class_names: Sequence[str], most: int = 10) -> str:
    """The first of them, for a sentence."""
    return ", ".join(class_names[:most]) + (", …" if len(class_names) > most else "")


def are_named(class_names: Sequence[str]) -> bool:
    """Whether they are more than :func:`numbered`."""
    return tuple(class_names) != numbered(len(class_names))


def check_names(class_names: Sequence[str], where: str, fix: str) -> None:
    """Each can be named in ``--classes``, in a file name and on a terminal.

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
        if any(letter in ",:/" or unicodedata.category(letter) in _CONTROL for letter in name):
            raise UsageError(
                f"{where} has a class name with a comma, colon, slash or control character: {name!r}",
                fix=fix,
                hint="they mean something else in --classes, in file names and to a terminal",
            )


def class_index(name: str, class_names: Sequence[str], flag: str) -> int:
    """The class that ``name`` means: a class name, an alias of one, or its number from 0.

    Raises:
        UsageError: none of these; lists the names and the nearest one.
    """
    wanted = name.strip()
    known: Dict[str, int] = {str(index): index for index in range(len(class_names))}
    known.update({alias: class_names.index(real) for alias, real in ALIASES.items() if real in class_names})
    known.update({real: index for index, real in enumerate(class_names)})
    if wanted in known:
        return known[wanted]
    words = [word for word in known if not word.isdigit()]
    nearest = difflib.get_close_matches(wanted.lower(), words, n=1)
    raise UsageError(
        f"{flag} {wanted or '(empty)'} is not a class of this model",
        fix=f"{nearest[0]} instead of {wanted}" if nearest else None,
        hint="the classes are: " + ", ".join(class_names),
    )
