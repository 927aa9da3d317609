"""How a help reads: flags without a type, defaults as words of the sentence, in whichever Typer there is."""

from typing import Any, List, Optional

from typer.core import TyperCommand, TyperGroup

from biggan_cli.cli.parsing import too_many

_STYLES = {
    "STYLE_OPTION": "bold",
    "STYLE_SWITCH": "bold",
    "STYLE_NEGATIVE_OPTION": "bold",
    "STYLE_METAVAR": "",
    "STYLE_TYPES": "",
    "STYLE_USAGE": "",
    "STYLE_HELPTEXT": "",
    "STYLE_COMMANDS_TABLE_FIRST_COLUMN": "bold",
}
"""Typer's cyan, green and yellow cannot be read on a light terminal, and its grey example on neither."""


class _InWords:
    """What commands and their group have in common."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            in_words(parameter)

    def format_help(self, ctx, formatter):
        from typer import rich_utils  # loads rich, which only a help needs

        for name, style in _STYLES.items():
            setattr(rich_utils, name, style)
        return super().format_help(ctx, formatter)

    def get_params(self, ctx):
        parameters = super().get_params(ctx)
        for parameter in parameters:  # Typer's own, such as --help, come later than the rest
            in_words(parameter)
        return parameters


class Command(_InWords, TyperCommand):
    """A command; all of biggan's are of this kind."""

    stray_flag: Optional[str] = None
    """What an argument is most likely meant for that nothing is left for."""

    def parse_args(self, ctx: Any, args: List[str]) -> List[str]:
        allowed, ctx.allow_extra_args = ctx.allow_extra_args, True
        try:
            left = super().parse_args(ctx, args)
        except Exception as error:
            if getattr(error, "ctx", ctx) is None:  # the parser does not always say which command it is
                error.ctx = ctx
            raise
        if left and not allowed and not ctx.resilient_parsing:
            raise too_many(ctx.command_path, left, self.stray_flag)
        return left

    @property
    def example(self) -> str:
        """The example of its help: ``biggan data pictures/``."""
        return " ".join(self.help.strip().split("\n\n")[-1].split()).replace("Example: ", "")


class Group(_InWords, TyperGroup):
    """A group of commands."""


def in_words(parameter) -> None:
    """Let a parameter's help end with its default, and let a flag not look as if it took a value; once is enough."""
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
