"""The command reference of the README, made from the commands: ``python -m biggan_cli.cli.reference README.md``."""

import sys
from pathlib import Path
from typing import Dict, List, Optional

import typer

from biggan_cli.cli.app import app
from biggan_cli.files import whole_file
from biggan_cli.presets import PRESETS

PRESETS_START = "<!-- presets: made by `make docs` -->"
PRESETS_END = "<!-- end of the presets -->"
START = "<!-- command reference: made by `make docs` -->"
END = "<!-- end of the command reference -->"


def reference() -> str:
    """Markdown: a heading, a summary, an example and a table of options for each command."""
    group = typer.main.get_command(app)
    return "\n".join(_command(name, command) for name, command in group.commands.items())


def _command(name: str, command) -> str:
    summary, *details, example = paragraphs(command)
    parts = [f"### `biggan {name}`\n", " ".join([summary, *details]) + "\n", f"`{example}`\n"]
    rows = ["| option | meaning |", "|---|---|"]
    panels: Dict[Optional[str], List[str]] = {None: []}
    for parameter in command.params:
        if parameter.name != "help":
            panels.setdefault(getattr(parameter, "rich_help_panel", None), []).append(_row(parameter))
    for panel, options in panels.items():
        rows += [*([f"| **{panel}** | |"] if panel else []), *options]
    return "\n".join([*parts, "\n".join(rows) + "\n"])


def paragraphs(command) -> List[str]:
    """What the help of a command says, and last its example, without the word."""
    said = [" ".join(part.split()) for part in command.help.strip().split("\n\n")]
    return [*said[:-1], command.example]


def presets() -> str:
    """Markdown: a table of the presets."""
    rows = ["| preset | from | known to give | known to cost |", "|---|---|---|---|"]
    rows += [f"| `{name}` | {preset.source} | {preset.reaches} | {preset.cost} |" for name, preset in PRESETS.items()]
    return "\n".join(rows) + "\n"


def with_reference(text: str) -> str:
    """A README with its command reference and its table of presets made anew.

    Raises:
        ValueError: the marks around one of them are missing.
    """
    for start, made, end in ((START, reference(), END), (PRESETS_START, presets(), PRESETS_END)):
        before, _, rest = text.partition(start)
        _, mark, after = rest.partition(end)
        if not mark:
            raise ValueError(f"there is no {start} … {end}")
        text = f"{before}{start}\n\n{made}\n{end}{after}"
    return text


def _row(parameter) -> str:
    metavar = parameter.metavar or ""
    if parameter.param_type_name == "argument":
        option = f"`{metavar}`"
    else:
        option = ", ".join(f"`{flag}`" for flag in parameter.opts) + (f" {metavar}" if metavar else "")
    return "| {} | {} |".format(option.replace("|", "\\|"), parameter.help.replace("|", "\\|"))


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    text = with_reference(readme.read_text(encoding="utf-8"))
    with whole_file(readme) as temporary:
        temporary.write_text(text, encoding="utf-8")
