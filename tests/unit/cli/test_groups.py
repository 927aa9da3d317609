"""Options that several commands take are one thing: the same flag, words and reading in each."""

from pathlib import Path
from typing import Optional

import pytest
import typer.main
from typing_extensions import Annotated

from biggan_cli.cli.app import app
from biggan_cli.cli.groups import DRAWING, LOOKING, Drawing, Looking, grouped
from biggan_cli.errors import UsageError
from biggan_cli.settings import DrawConfig, ExtractorConfig, PicturesConfig

COMMANDS = typer.main.get_command(app).commands


def option(command, name):
    return next(one for one in COMMANDS[command].params if one.name == name)


@pytest.mark.parametrize(
    "name, commands",
    (
        *((name, ("sample", "interpolate", "score", "stats", "freeze")) for name in ("weights", "bn", "checkpoint")),
        *((name, ("sample", "interpolate", "score", "stats")) for name in ("device", "batch")),
        *((name, ("score", "stats")) for name in ("num", "seeds", "truncation", "om", "extractor", "fetch_inception")),
        ("inception", ("sample", "score", "stats")),
        ("from_graph", ("sample", "interpolate")),
    ),
)
def test_an_option_is_the_same_in_each_command(name, commands):
    said = {(tuple(one.opts), one.metavar, one.help) for one in (option(command, name) for command in commands)}
    assert len(said) == 1


def test_a_command_gets_the_options_of_a_group_and_hears_of_the_group():
    heard = []

    @grouped
    def draw(
        before: Annotated[Optional[str], typer.Option("--before")] = None,
        drawing: Drawing = DRAWING,
        after: Annotated[bool, typer.Option("--after")] = False,
    ) -> None:
        """Draw."""
        heard.append((before, drawing, after))

    small = typer.Typer()
    small.command()(draw)
    command = typer.main.get_command(small)
    shown = [one.name for one in command.params]
    assert shown[:7] == ["before", "weights", "bn", "checkpoint", "from_graph", "device", "batch"] and "after" in shown
    command.main(["--after", "--weights", "raw", "--batch", "1e1"], standalone_mode=False)
    command.main([], standalone_mode=False)
    assert heard == [(None, Drawing(weights="raw", batch=10), True), (None, DRAWING, False)]


def test_what_was_given_is_checked():
    assert DRAWING.config(None) == DrawConfig() and LOOKING.network() == ExtractorConfig()
    assert LOOKING.pictures("digits", Path("runs")) == PicturesConfig("digits", "runs")
    asked = Looking(num=8, seeds="0-3", weights="raw", truncation="none").pictures(None, Path("r"), held_out=True)
    assert (asked.num, asked.seeds, asked.weights, asked.draw.truncation) == (8, (0, 1, 2, 3), "raw", None)
    for wrong in (Drawing(weights="best"), Drawing(device="tpu"), Drawing(batch=0), Drawing(checkpoint="last")):
        with pytest.raises(UsageError):
            wrong.config(None)
    with pytest.raises(UsageError, match="--num 1 is less than 2"):
        Looking(num=1).pictures(None, Path("runs"))
