"""What is seen of a step while it works, on a terminal and in a pipe."""

import io

import pytest
from rich.console import Console

from biggan_cli.cli import console


class Screen:
    """A terminal of 80 columns; ``now`` is what its live part shows."""

    def __init__(self, monkeypatch):
        self.clock = 1000.0
        monkeypatch.setattr(console.time, "monotonic", lambda: self.clock)
        self.live = console._Live(Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None))

    def now(self):
        paper = Console(file=io.StringIO(), width=80, color_system=None)
        paper.print(self.live._renderable())
        return [line.rstrip() for line in paper.file.getvalue().splitlines()]


@pytest.fixture
def screen(monkeypatch):
    shown = Screen(monkeypatch)
    with shown.live:
        yield shown


def test_what_has_no_total_gets_none_from_what_was_before(screen):
    screen.live("advance", what="reading the data", done=63, total=63)
    assert "63/63" in screen.now()[0]
    screen.live("advance", what="building the networks", done=0, total=None)
    screen.clock += 75
    assert screen.now() == ["building the networks  1:15"]
    screen.live("advance", what="taking the first step", done=0, total=None)
    screen.clock += 2
    assert screen.now() == ["taking the first step  0:02"]
    screen.live("advance", what="training", done=1, total=400)
    (line,) = screen.now()
    assert line.startswith("training") and "1/400" in line and "63" not in line


def test_what_is_left_is_what_the_step_says(screen):
    """Not what a bar makes of it: other places say the same number."""
    for step in range(1, 11):
        screen.clock += 1.0
        screen.live("advance", what="training", done=step, total=400)
    screen.live("tick", step=10, total=400, status="D 1  G 2", remaining_seconds=125.0)
    assert screen.now()[0].endswith("10/400 ETA 2:05") and screen.now()[1] == "  D 1  G 2"
    screen.clock += 25
    assert screen.now()[0].endswith("ETA 1:40")
    screen.live("advance", what="drawing", done=1, total=9)
    assert "ETA 1:40" not in screen.now()[0]


def test_a_pipe_hears_what_takes_long(monkeypatch):
    clock, file = [1000.0], io.StringIO()
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    plain = console._Plain(file)
    for seconds, fields in (
        (0, dict(what="reading", done=1, total=63)),
        (11, dict(what="building the networks", done=0, total=None)),
        (11, dict(what="fetching", done=77, total=None)),
        (11, dict(what="drawing", done=5, total=9)),
    ):
        clock[0] += seconds
        plain("advance", **fields)
    assert file.getvalue().splitlines() == ["building the networks", "fetching 77", "drawing 5/9"]
