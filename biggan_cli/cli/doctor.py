"""``biggan doctor``."""

import shutil
import textwrap
from pathlib import Path

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.errors import UsageError
from biggan_cli.settings import EXAMINED_DEVICES, DoctorConfig

_NARROWEST = 60


def doctor(
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="cpu|gpu|npu",
            help="What this machine is to compute on.",
            autocompletion=options.among(*EXAMINED_DEVICES),
        ),
    ] = "cpu",
    outdir: options.OutdirOption = Path("runs"),
    as_json: options.JsonOption = False,
) -> None:
    """Say what this machine lacks, and what mends it.

    What it has too, and whether one convolution on the device gives the right numbers.

    Example: biggan doctor --device npu
    """
    if device not in EXAMINED_DEVICES:
        raise UsageError(f"--device {device} is not one of {', '.join(EXAMINED_DEVICES)}", fix="--device cpu")
    settings = DoctorConfig(device, str(outdir))

    from biggan_cli.core import doctor as core

    diagnosis = core.doctor(settings)
    if as_json:
        console.result(core.as_json(diagnosis), as_json)
    else:
        names = max(len(check.name) for _, checks in diagnosis.groups for check in checks)
        for title, checks in diagnosis.groups:
            console.styled([(title, "bold")])
            _show(checks, names)
        if diagnosis.ready:
            console.styled([(f"ready for --device {device}", "bold green")])
    core.judge(diagnosis)


def _show(checks, names: int) -> None:
    """A row for each check, as wide as the terminal, what mends it on a line of its own."""
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    for check in checks:
        colour = "green" if check.state == "ok" else "red" if check.needed else "yellow"
        before = f"  {check.state:<7}  {check.name:<{names}}  "
        lines = _wrapped(check.found, width - len(before))
        console.styled([(f"  {check.state:<7}", colour), (before[9:] + lines[0], "")])
        for line in lines[1:]:
            console.styled([(" " * len(before) + line, "")])
        if check.fix:
            label = " " * 11 + "fix: "
            lines = _wrapped(check.fix, width - len(label))
            console.styled([(label, "bold"), (lines[0], "")])
            for line in lines[1:]:
                console.styled([(" " * len(label) + line, "")])


def _wrapped(words: str, width: int):
    """At spaces only: a path stays whole."""
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]
