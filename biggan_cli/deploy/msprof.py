"""CANN's msprof: the commands that export a raw profile, and the csv files that they leave, in every layout.

::

    PROF_…/mindstudio_profiler_output/op_statistic_<time>.csv                  all devices in one file, CANN 7 on
    PROF_…/device_N/summary/op_statistic_<device>_<model>[_<iteration>][_<time>].csv                  until CANN 6
    JOB…/summary/op_statistic_<device>_<model>.csv                                                   before PROF_

Long files come in slices (``op_summary_slice_0_<time>.csv``); an export that is made again leaves its files beside
the old ones, so the newest of each counts. Columns: hiascend.com, "Profile Data File References".
"""

import csv
import re
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from biggan_cli.errors import StepFailed, UsageError

OUTPUT_FOLDER = "mindstudio_profiler_output"
STATISTIC, SUMMARY, STEPS = "op_statistic", "op_summary", "step_trace"
_NAME = re.compile(rf"({STATISTIC}|{SUMMARY}|{STEPS})((?:_slice|_\d+)*)\.csv")
_LENGTH_OF_A_TIME = 14
_NOT_IN_A_PATH = "\"'\\%><|&$;`"
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?|-?\.\d+")
_NONE = ("N/A", "NA", "")
"""What stands where there is no value: a step without a backward pass, a task without a type."""

_OF_STATISTIC = {
    "type": ("OP Type",),
    "core": ("Core Type",),
    "count": ("Count",),
    "total": ("Total Time(us)",),
}
_OF_SUMMARY = {"type": ("OP Type",), "core": ("Task Type", "Core Type"), "total": ("Task Duration(us)",)}
_DEVICE = ("Device_id", "Device")
PARTS = {
    "iteration": ("Iteration Time(us)",),
    "forward_backward": ("FP to BP Time(us)", "FP_BP Time(us)"),
    "refresh": ("Iteration Refresh(us)", "Grad Refresh Bound(us)"),
    "data_gap": ("Data Aug Bound(us)",),
}
"""The times of a step: the whole; first forward to last backward operator; from there to the end; the gap before."""


class Table(NamedTuple):
    """An exported csv file. ``device`` and ``graph`` (the model id) and ``iteration`` as far as its place tells."""

    kind: str
    path: Path
    device: Optional[int]
    graph: Optional[int]
    iteration: Optional[int]


class Operator(NamedTuple):
    """All calls of one type of operator on one kind of core of one device; None: no file tells the device."""

    device: Optional[int]
    type: str
    core: str
    count: int
    total_us: float

    @property
    def on_ai_cpu(self) -> bool:
        return "AICPU" in re.sub(r"[^A-Z]", "", self.core.upper())


class StepTime(NamedTuple):
    """One execution of a graph: microseconds by the names of ``PARTS``, without those that were not measured."""

    device: Optional[int]
    graph: Optional[int]
    iteration: Optional[int]
    times_us: Dict[str, float]


def check_path(path: Path) -> None:
    """msprof takes no path with characters that a shell knows.

    Raises:
        UsageError: the path has one.
    """
    wrong = sorted(set(_NOT_IN_A_PATH) & set(str(path)))
    if wrong or not str(path).isprintable():
        raise UsageError(
            f"msprof does not take a folder with {' '.join(wrong) or 'control characters'} in its path: {path}",
            fix="rename the folder",
        )


def build_commands(program: str, profile: Path) -> List[List[str]]:
    """The arguments of each call that exports a profile, in order: one of msprof, three of the older msprof.py."""
    if not program.endswith(".py"):
        return [["--export=on", f"--output={profile}"]]
    return [[*verb, "-dir", str(profile)] for verb in (["import"], ["export", "summary"], ["export", "timeline"])]


def is_raw(profile: Path) -> bool:
    """Whether a folder has what a device left for the export."""
    return any(path.is_dir() for pattern in ("device_*", "host", "data") for path in profile.glob(pattern))


def tables_in(profile: Path) -> List[Table]:
    """The exported files that count, the newest of each; empty where nothing with operators was exported."""
    newest: Dict[Tuple[Path, str, Tuple[str, ...]], Tuple[str, Path]] = {}
    for path in sorted(profile.rglob("*.csv")):
        match = _NAME.fullmatch(path.name)
        if match and path.is_file():
            parts = match.group(2).split("_")[1:]
            time = parts.pop() if parts and len(parts[-1]) >= _LENGTH_OF_A_TIME else ""
            key = (path.parent, match.group(1), tuple(parts))
            if key not in newest or time > newest[key][0]:
                newest[key] = (time, path)
    found = [_table(profile, kind, parts, path) for (_, kind, parts), (_, path) in sorted(newest.items())]
    collected = [table for table in found if table.path.parent.name == OUTPUT_FOLDER]
    if any(table.kind != STEPS for table in collected):
        found = collected
    return found if any(table.kind != STEPS for table in found) else []


def operator_tables(tables: Sequence[Table]) -> List[Table]:
    """Of each folder the statistic, else the summary that it can be made of."""
    statistic = {table.path.parent for table in tables if table.kind == STATISTIC}
    return [table for table in tables if table.kind == (STATISTIC if table.path.parent in statistic else SUMMARY)]


def read_operators(tables: Sequence[Table]) -> List[Operator]:
    """The sums over the files by device, type and core, the longest first. Files are read row by row.

    Raises:
        StepFailed: a file is empty or cut off, lacks a column, or has a number that is none.
    """
    sums: Dict[Tuple[Optional[int], str, str], List[float]] = {}
    for table in operator_tables(tables):
        columns = _OF_STATISTIC if table.kind == STATISTIC else _OF_SUMMARY
        for where, cells in _rows(table.path, columns, {"device": _DEVICE}):
            count = _number(where, "Count", cells["count"]) if "count" in cells else 1
            total = _number(where, columns["total"][0], cells["total"])
            if count < 0 or total < 0 or count != int(count):
                raise StepFailed(f"{where}: {cells.get('count', 1)} calls in {cells['total']} us cannot be")
            name, core = (cells[key] if cells[key] not in _NONE else "none" for key in ("type", "core"))
            entry = sums.setdefault((_device(where, cells, table), name, core), [0, 0.0])
            entry[0] += int(count)
            entry[1] += total
    operators = [Operator(*key, int(count), total) for key, (count, total) in sums.items()]
    return sorted(operators, key=lambda operator: (-operator.total_us, operator.type, operator.core))


def read_steps(tables: Sequence[Table]) -> List[StepTime]:
    """Every execution of every graph, as the files have them.

    Raises:
        StepFailed: as for :func:`read_operators`.
    """
    steps = []
    needed, besides = {"iteration": PARTS["iteration"]}, {key: PARTS[key] for key in PARTS if key != "iteration"}
    ids = {"device": _DEVICE, "graph": ("Model ID",), "number": ("Iteration ID",)}
    for table in (table for table in tables if table.kind == STEPS):
        for where, cells in _rows(table.path, needed, dict(besides, **ids), whole=False):
            given = [key for key in PARTS if cells.get(key) is not None and cells[key] not in _NONE]
            times = {key: _number(where, PARTS[key][0], cells[key]) for key in given}
            if "iteration" not in times:
                raise StepFailed(f"{where}: {PARTS['iteration'][0]} is {cells['iteration'] or 'empty'}")
            graph = _id(where, "Model ID", cells.get("graph"))
            steps.append(
                StepTime(
                    _device(where, cells, table),
                    table.graph if graph is None else graph,
                    _id(where, "Iteration ID", cells.get("number")),
                    times,
                )
            )
    return steps


def _table(profile: Path, kind: str, parts: Tuple[str, ...], path: Path) -> Table:
    folders = [path.parent, *path.parent.parents]
    of_folder = [re.fullmatch(r"device_(\d+)", folder.name) for folder in folders[: folders.index(profile) + 1]]
    device = next((int(match.group(1)) for match in of_folder if match), None)
    numbers = [int(part) for part in (parts[: parts.index("slice")] if "slice" in parts else parts)]
    of_name, graph, iteration = [*numbers[:3], None, None, None][:3]
    return Table(kind, path, of_name if device is None else device, graph, iteration)


def _rows(
    path: Path, needed: Mapping[str, Sequence[str]], besides: Mapping[str, Sequence[str]], whole: bool = True
) -> Iterator[Tuple[str, Dict[str, str]]]:
    """(file and line, key → cell) of every row; columns are found whatever their spaces and case.

    Args:
        needed: key → the names that its column has had.
        besides: the same, of columns that may be missing.
        whole: a row must be as long as the heading; else only as long as the columns that are read.
    """
    with open(str(path), encoding="utf-8-sig", errors="replace", newline="") as handle:
        reader = csv.reader(handle)
        try:
            heading = next(reader, None)
            while heading and not heading[-1].strip():
                heading.pop()
            if not heading:
                raise StepFailed(f"{path} line 1: the file is empty")
            places = _places(path, heading, needed, besides)
            length, number = len(heading) if whole else 1 + max(places.values()), 0
            for row in reader:
                where = f"{path} line {reader.line_num}"
                if not row:
                    continue
                if len(row) < length:
                    raise StepFailed(f"{where} has {len(row)} of {len(heading)} columns: the file is cut off")
                if whole and any(cell.strip() for cell in row[length:]):
                    raise StepFailed(f"{where} has {len(row)} columns, the heading {len(heading)}")
                number += 1
                yield where, {key: row[place].strip() for key, place in places.items()}
            if not number:
                raise StepFailed(f"{path} line 2: there is no row below the heading")
        except csv.Error as error:
            raise StepFailed(f"{path} line {reader.line_num}: {error}") from error


def _places(
    path: Path, heading: Sequence[str], needed: Mapping[str, Sequence[str]], besides: Mapping[str, Sequence[str]]
) -> Dict[str, int]:
    found = {}
    plain = [_plain(name) for name in heading]
    for key, names in [*needed.items(), *besides.items()]:
        place = next((plain.index(_plain(name)) for name in names if _plain(name) in plain), None)
        if place is not None:
            found[key] = place
        elif key in needed:
            columns = ", ".join(name.strip() for name in heading)
            raise StepFailed(
                f"{path} line 1: there is no column {' or '.join(names)}",
                looked_for=f"it among {columns}",
                hint="another version of CANN may have renamed it: please report it with the columns",
            )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _number(where: str, column: str, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise StepFailed(f"{where}: {column} is {text or 'empty'}, which is not a number")
    return float(text)


def _id(where: str, column: str, text: Optional[str]) -> Optional[int]:
    if text is None or text in _NONE:
        return None
    if not re.fullmatch(r"\d+", text):
        raise StepFailed(f"{where}: {column} is {text}, which is not a whole number")
    return int(text)


def _device(where: str, cells: Mapping[str, str], table: Table) -> Optional[int]:
    device = _id(where, _DEVICE[0], cells.get("device"))
    return table.device if device is None else device
