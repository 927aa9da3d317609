"""How a help reads: flags without a type, defaults as words of the sentence, in whichever Typer there is."""

from typing import Optional

from typer.core import TyperCommand, TyperGroup


class _InWords:
    """What commands and their group have in common."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            in_words(parameter)

    def get_help_option(self, ctx):
        option = super().get_help_option(ctx)
        if option is not None:
            in_words(option)
        return option


class Command(_InWords, TyperCommand):
    """A command; all of biggan's are of this kind."""


class Group(_InWords, TyperGroup):
    """A group of commands."""


def in_words(parameter) -> None:
    """Let a parameter's help end with its default, and let a flag not look as if it took a value."""
    default = _default(parameter)
    if default is not None:
        parameter.help = f"{parameter.help} Default: {default}."
    parameter.show_default = False
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""


def _default(parameter) -> Optional[str]:
    shown, default = parameter.show_default, parameter.default
    if isinstance(shown, str):
        return shown
    if not shown or parameter.required or default in (None, False) or callable(default):
        return None
    return f"{default:g}" if isinstance(default, float) else str(default)
