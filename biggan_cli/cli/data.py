"""``biggan data``."""

from typing import Optional

import typer
from typing_extensions import Annotated

from biggan_cli.cli import console, options
from biggan_cli.settings import DataConfig


def data(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC", help="What train's --data takes: digits, cifar10:DIR, a folder, a file.", show_default=False
        ),
    ],
    out: Annotated[
        Optional[str],
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.png",
            help="Where the grid goes, the first pictures of each class, labelled; a file that is there is replaced.",
            show_default="NAME-grid.png in this folder, or NAME-grid-2.png … where that is something else",
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Look at data before training: classes, counts, a grid.

    Of each class the name, how many pictures it has, and the first of them, labelled.

    Example: biggan data pictures/
    """
    with console.reporting() as report:
        from biggan_cli.core import data as core

        result = core.look(DataConfig(spec, out), report)
    if as_json:
        console.result(result._asdict(), as_json)
        return
    from biggan_cli.data.classes import quoted

    rows = [
        (quoted(entry["name"]), f"{entry['train']:,}", f"{entry['held_out']:,}", entry["first"])
        for entry in result.classes
    ]
    console.rows(("class", "to train", "held out", "first"), [[cell or "-" for cell in row] for row in rows])
    shown = dict(result._asdict(), classes=len(rows))
    console.result(shown, False)
