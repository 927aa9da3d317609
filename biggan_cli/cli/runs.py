"""``biggan runs``."""

from pathlib import Path
from typing import List, Sequence

from biggan_cli.cli import console, options

_HEADINGS = ("no", "run", "preset", "state", "step", "FID", "IS", "age")
_NAME, _PRESET, _STATE = 1, 2, 3
_WORDS = (_NAME, _PRESET, _STATE)
_PIPE = 10000


def runs(outdir: options.OutdirOption = Path("runs"), as_json: options.JsonOption = False) -> None:
    """List all runs: state, step, best FID and IS, age.

    Example: biggan runs
    """
    from biggan_cli.core import runs as core

    result = core.runs(outdir)
    if as_json:
        console.result(dict(outdir=result.outdir, runs=[row._asdict() for row in result.runs]), as_json)
    elif not result.runs:
        console.text(f"there is no run in {outdir}; this makes one: biggan train --preset digits --outdir {outdir}")
    else:
        for line in _table(result.runs, console.width() or _PIPE):
            console.text(line)


def _table(rows: Sequence, width: int) -> List[str]:
    """A line for each run, and one more below it where there is a reason to tell."""
    cells = [list(_HEADINGS), *map(_cells, rows)]
    lengths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    room = width - (sum(lengths) - lengths[_NAME]) - 2 * (len(_HEADINGS) - 1)
    narrow = room < lengths[_NAME]  # before a name is cut the preset goes, which most names end with
    room = max(12, room + lengths[_PRESET] + 2 if narrow else room)
    for line in cells:
        line[_NAME] = console.shortened(line[_NAME], room)
        for column in set(range(len(_HEADINGS))).difference(_WORDS):
            line[column] = line[column].rjust(lengths[column])
        if narrow:
            del line[_PRESET]
    lines = console.columns(cells)
    table = lines[:1]
    indent = " " * (lengths[0] + 2)
    for row, line in zip(rows, lines[1:]):
        table.append(line)
        if row.why:
            table.append(console.shortened(f"{indent}{row.why}", width))
    if any(best["extractor"] == "digits" for row in rows for best in (row.best or {}).values()):
        table.append("* by the shipped digit classifier: such a score compares with no other kind")
    return table


def _cells(row) -> List[str]:
    return [
        "" if row.number is None else str(row.number),
        row.name[6:] if row.number is not None and row.name[5:6] == "-" else row.name,
        row.preset or "",
        row.state,
        "" if row.step is None else f"{row.step}/{row.steps}",
        _score(row, "fid"),
        _score(row, "is"),
        "" if row.age_seconds is None else _age(row.age_seconds),
    ]


def _score(row, name: str) -> str:
    best = (row.best or {}).get(name)
    if best is None:
        return ""
    return f"{best['value']:.2f}" + ("*" if best["extractor"] == "digits" else "")


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds / length)} {unit}"
    return f"{int(seconds)} s"
