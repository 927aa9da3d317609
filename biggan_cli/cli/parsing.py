"""Numbers of options, and the parser's own complaints in our words: what, which value, and what to do."""

import difflib
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Callable, Optional, Sequence

import typer

from biggan_cli.errors import UsageError

_DIGITS = 30
"""No number of ours has more; ``1e999999999`` is not worth the memory."""


def whole(flag: str, **how: Any) -> Any:
    """The option of a whole number: ``100000``, ``100_000``, ``1e5``."""
    return typer.Option(flag, parser=_parser(flag, _whole, "a whole number", "100, or 1e5"), **_with_metavar(how))


def real(flag: str, **how: Any) -> Any:
    """The option of a number: ``0.0002``, ``2e-4``."""
    return typer.Option(flag, parser=_parser(flag, _real, "a number", "0.0002, or 2e-4"), **_with_metavar(how))


def _with_metavar(how: Any) -> Any:
    return dict(how, metavar=how.get("metavar") or "N")


def _parser(flag: str, number_of: Callable, what: str, examples: str) -> Callable:
    def number(given: Any) -> Any:
        if isinstance(given, (int, float)):  # the default
            return given
        found = number_of(given.strip())
        if found is None:
            raise UsageError(
                f"{flag} {given.strip() or 'nothing'} is not {what}", fix=f"{flag} with {what}, such as {examples}"
            )
        return found

    return number


def _whole(text: str) -> Optional[int]:
    try:
        value = Decimal(text) if text.isascii() else Decimal("NaN")
    except InvalidOperation:
        return None
    if not value.is_finite() or value.adjusted() >= _DIGITS or value != value.to_integral_value():
        return None
    return int(value)


def _real(text: str) -> Optional[float]:
    try:
        return float(text) if text.isascii() else None
    except ValueError:
        return None


def in_our_words(error: Exception) -> UsageError:
    """The parser's complaint, whichever library it comes from: each has these kinds, under these names."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "biggan"
    kind, message = type(error).__name__, error.format_message().rstrip(".").replace("'", "")
    shown = f"{path} --help"
    if kind == "MissingParameter" and getattr(error, "param", None):
        example = getattr(context.command, "example", None) if context else None
        what = error.param.metavar or error.param.opts[0]
        return UsageError(f"{path} needs {what}, and none is given", fix=example or shown)
    if kind == "NoSuchOption":
        near = sorted(error.possibilities or (), key=lambda name: -_likeness(name, error.option_name))
        fix = f"{near[0]}, or see {shown}" if near else shown
        return UsageError(f"{error.option_name} is no option of {path}", fix=fix)
    if kind == "BadOptionUsage":
        return _misused(error, context, path, message)
    unknown = re.match("No such command (.*?)(?: *[.(?].*)?$", message)
    if unknown:
        near = difflib.get_close_matches(unknown.group(1), context.command.list_commands(context), 1) if context else ()
        return UsageError(
            f"{unknown.group(1)} is no command of {path}", fix=f"{path} {near[0]}, or see {shown}" if near else shown
        )
    return UsageError(message[:1].lower() + message[1:], fix=shown)


def too_many(path: str, words: Sequence[str], meant: Optional[str]) -> UsageError:
    """What is said of arguments that nothing is left for; ``meant`` is the flag that they most likely belong to."""
    is_one = "is one argument" if len(words) == 1 else f"are {len(words)} arguments"
    fix = f"{path} {meant} {words[0]}" if meant else f"{path} --help"
    return UsageError(f"{' '.join(words)} {is_one} more than {path} takes", fix=fix)


def _misused(error: Exception, context: Any, path: str, message: str) -> UsageError:
    """An option without its value, or a switch with one."""
    flag = error.option_name
    takes = next((one for one in context.command.params if flag in one.opts), None) if context else None
    if "does not take a value" in message:
        return UsageError(f"{flag} is a switch, and takes no value", fix=flag)
    metavar = getattr(takes, "metavar", None) or "VALUE"
    return UsageError(f"{flag} has no value", fix=f"{flag} {metavar}; see {path} --help")


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
