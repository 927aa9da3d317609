"""What every help is: a summary of one line, the usual options on a screen, an example that works."""

import re

import pytest
import typer.main
from typer.testing import CliRunner

from biggan_cli.cli.app import app
from biggan_cli.cli.help import Command
from biggan_cli.cli.reference import paragraphs
from tests.e2e.pages import EXAMPLES, READMES, ROOT, commands

COMMANDS = typer.main.get_command(app).commands
LINE = 57
"""Characters for a summary beside the longest name of a command, on 80 columns."""
SCREEN = {80: 35, 120: 28}
"""Columns, and lines that the usual options may take, with all that stands above them."""
ELSEWHERE = {
    "prepare": "tests/e2e/test_prepare.py",
    "doctor": "tests/e2e/test_doctor.py",
    "profile": "tests/e2e/test_profile.py",
}
"""Commands whose example stands in no block that is run, and where they are run."""


def example(name):
    said = paragraphs(COMMANDS[name])[-1]
    assert said.startswith(f"biggan {name}"), said
    return said.split()[2:]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_a_line_and_the_example_one_of_the_command(name):
    assert isinstance(COMMANDS[name], Command)
    assert len(paragraphs(COMMANDS[name])[0]) <= LINE
    COMMANDS[name].make_context(name, example(name))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", SCREEN)
def test_the_usual_options_fit_a_screen(name, columns):
    done = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": str(columns), "TERM": "dumb"})
    lines = done.output.rstrip("\n").splitlines()
    assert done.exit_code == 0 and max(map(len, lines)) <= columns
    start = next(number for number, line in enumerate(lines) if line.startswith("╭─ Options"))
    end = next(number for number, line in enumerate(lines) if number > start and line.startswith("╰"))
    assert end < SCREEN[columns]
    usual = "\n".join(lines[start:end])
    assert "--help" in usual and "<bool>" not in done.output and not re.search(r"\[default", done.output)


def test_defaults_are_said_once():
    shuffle, num = (next(p for p in COMMANDS["score"].params if p.name == name) for name in ("shuffle", "num"))
    assert shuffle.help.endswith("Default: --shuffle.") and shuffle.help.count("Default") == 1
    assert num.help.endswith("Default: 50000; with digits 5000; of an offline model: all.")
    assert all(parameter.show_default is False for command in COMMANDS.values() for parameter in command.params)


def test_every_example_is_run():
    """It begins a line of a page whose lines are run by a test, or stands with a test of the command."""
    run = [arguments for page in [READMES[0], *EXAMPLES] for arguments in commands(page)]
    for name in COMMANDS:
        if name in ELSEWHERE:
            text = (ROOT / ELSEWHERE[name]).read_text()
            assert all(f'"{word}"' in text for word in [name, *re.findall(r"--[\w-]+", " ".join(example(name)))])
        else:
            wanted = [name, *example(name)]
            assert wanted in [arguments[: len(wanted)] for arguments in run], wanted


@pytest.mark.parametrize("page", [*READMES, *EXAMPLES], ids=lambda page: page.parent.name)
def test_every_line_of_the_pages_is_a_command(page):
    for name, *arguments in commands(page, "", "sh", "bash"):
        COMMANDS[name].make_context(name, arguments)
