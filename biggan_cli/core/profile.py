"""Export a profile of the device with CANN's msprof, and say where its time went."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from biggan_cli.core.deployed import Plan
from biggan_cli.core.reporting import Report, silent
from biggan_cli.deploy import msprof
from biggan_cli.deploy.msprof import Operator, StepTime, Table
from biggan_cli.deploy.toolkit import Tool, find_msprof
from biggan_cli.errors import BigganError, Interrupted, NotReady, StepFailed, ToolError, UsageError
from biggan_cli.files import write_json
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.process import Ended, quoted, run_tool
from biggan_cli.settings import ProfileConfig

_FAILED = "failed"
_PATTERNS = ("PROF_*", "*/PROF_*", "JOB*", "*/JOB*")


class ProfileResult(NamedTuple):
    """Where the time of the device went; times in microseconds, shares from 0 to 1.

    ``operators`` are the longest, summed over ``devices``; a device or graph None is one that no file names.
    ``ai_cpu_share`` None: all operators together took no time. ``steps`` are by device and graph.
    """

    profile: str
    summary: str
    source: str
    devices: List[Optional[int]]
    operator_types: int
    calls: int
    total_us: float
    ai_cpu_us: float
    ai_cpu_share: Optional[float]
    by_device: List[Dict[str, Any]]
    operators: List[Dict[str, Any]]
    steps: List[Dict[str, Any]]
    files: List[str]


def plan(run: RunDir, settings: ProfileConfig) -> Plan:
    """The commands of the export for a shell; a comment where there is nothing to export."""
    folder = _pick(run, settings, silent)
    if _exported(run, folder):
        return Plan(f"# {folder} is exported already")
    tool = _tool(run, folder, settings)
    commands = msprof.build_commands(tool.argv[-1], folder.absolute())
    return Plan(" && ".join(tool.pasted(arguments) for arguments in commands))


def profile(run: RunDir, settings: ProfileConfig, report: Report) -> ProfileResult:
    """Write ``profile/<name>.json``, after an export, with its log beside it, unless there was one already.

    Raises:
        UsageError: the run has no profile.
        NotReady: it has to be exported, and there is no msprof.
        ToolError: msprof failed, or left no csv file.
        StepFailed: a csv file is empty, cut off, or of an unknown kind.
    """
    folder = _pick(run, settings, report)
    tables = _exported(run, folder)
    if not tables:
        tables = _export(run, folder, settings, report)
    try:
        operators, steps = msprof.read_operators(tables), msprof.read_steps(tables)
    except StepFailed as error:
        error.replace_detail("fix", f"export it again: {_shown_command(folder)}")
        raise
    if not steps:
        report("warning", text=f"{folder} has no step_trace csv: it was collected without training_trace")
    _tell_what_is_missing(folder, tables, steps, report)
    run.profile.mkdir(exist_ok=True)
    summary = run.profile / f"{folder.name}.json"
    result = _summed(folder, summary, tables, operators, steps)
    write_json(summary, result._asdict())
    return result._replace(operators=result.operators[: settings.top])


def _pick(run: RunDir, settings: ProfileConfig, report: Report) -> Path:
    """The profile that is meant: ``--prof``, a name in the run or a folder; else the latest of the run."""
    found = {path for pattern in _PATTERNS for path in run.profile.glob(pattern) if path.is_dir()}
    known = sorted(found, key=_time_of)
    if settings.prof is None:
        if not known:
            raise UsageError(
                f"{run} has no profile",
                looked_for=str(run.profile / "PROF_*"),
                fix=f"biggan train --resume {run} --profile 100:110 --device npu",
            )
        if len(known) > 1:
            report("line", text=f"the latest of {len(known)} profiles; another: --prof {known[-2].name}")
        return known[-1]
    named = [path for path in known if path.name == settings.prof] or [Path(settings.prof).expanduser()]
    if not named[0].is_dir():
        raise UsageError(
            f"--prof {settings.prof} is not a folder",
            hint=f"in {run.profile}: {', '.join(path.name for path in known[-5:]) or 'none'}",
        )
    inside = [path.name for pattern in _PATTERNS[::2] for path in sorted(named[0].glob(pattern)) if path.is_dir()]
    if inside:
        raise UsageError(
            f"--prof {settings.prof} has {len(inside)} profiles in it", fix=f"--prof {named[0] / inside[-1]}"
        )
    return named[0] if named[0] in known else Path(os.path.abspath(str(named[0])))


def _time_of(folder: Path) -> Tuple[str, str]:
    """When it was made, as its name has it: PROF_<number>_<time>_<id>; else as the file system has it."""
    match = re.search(r"_(\d{14,17})(?:_|$)", folder.name)
    made = match.group(1) if match else time.strftime("%Y%m%d%H%M%S", time.localtime(folder.stat().st_mtime))
    return made.ljust(17, "0"), folder.name


def _marker(run: RunDir, folder: Path) -> Path:
    """Stands from the start of an export until one ends well; says whether it is under way or has failed."""
    return run.profile / f".exporting-{folder.name}"


def _exported(run: RunDir, folder: Path) -> List[Table]:
    """The csv files of a finished export; without them there must be what can be exported.

    Raises:
        StepFailed: there is neither.
    """
    tables, marker = msprof.tables_in(folder), _marker(run, folder)
    if tables and not marker.exists():
        return tables
    if not tables and not msprof.is_raw(folder):
        raise StepFailed(
            f"{folder} is no profile, or its collection did not finish",
            looked_for=f"{folder / 'device_*'}, or op_statistic*.csv and op_summary*.csv below it",
            fix=f"biggan train --resume {run} --profile 100:110 --device npu",
        )
    if tables and marker.read_text() == _FAILED:  # somebody may have exported it by hand since
        failed = marker.stat().st_mtime
        return tables if all(table.path.stat().st_mtime > failed for table in tables) else []
    return []


def _shown_command(folder: Path) -> str:
    return quoted(["msprof", *msprof.build_commands("msprof", folder.absolute())[0]])


def _tool(run: RunDir, folder: Path, settings: ProfileConfig) -> Tool:
    msprof.check_path(folder.absolute())
    try:
        return find_msprof(Path(settings.tool.toolkit) if settings.tool.toolkit else None)
    except NotReady as error:
        error.replace_detail("fix", f"where CANN's toolkit is: {_shown_command(folder)}")
        error.replace_detail("hint", f"with the csv files in that folder, biggan profile {run} needs no toolkit")
        raise


def _export(run: RunDir, folder: Path, settings: ProfileConfig, report: Report) -> List[Table]:
    """Run msprof, or the three calls of msprof.py, and return the files that came of it."""
    tool = _tool(run, folder, settings)
    name = Path(tool.argv[-1]).name
    report("table", title=f"exporting {folder}", rows=[("with", f"{' '.join(tool.argv)} ({tool.version})")])
    run.profile.mkdir(exist_ok=True)
    log, marker = run.profile / f"{folder.name}.log", _marker(run, folder)
    marker.write_text("under way")
    try:
        for number, arguments in enumerate(msprof.build_commands(tool.argv[-1], folder.absolute())):
            argv = [*tool.argv, *arguments]
            report("line", text="$ " + quoted(argv))
            limit, append = settings.tool.time_limit, number > 0
            ended = run_tool(argv, run.profile, tool.env, log, limit, _told(report), name, append)
            if ended.code:
                raise ToolError(f"{name} failed: {ended.how()}{_said(ended)}", log=str(log))
        tables = msprof.tables_in(folder)
        if not tables:
            raise ToolError(
                f"{name} failed: it left no op_statistic or op_summary csv file{_said(ended)}",
                looked_for=f"{folder / msprof.OUTPUT_FOLDER}, {folder / 'device_*' / 'summary'}",
                log=str(log),
            )
    except KeyboardInterrupt:
        marker.write_text(_FAILED)
        raise Interrupted(
            "interrupted; the export is not finished", signal.SIGINT, fix="the same command starts it again"
        ) from None
    except BigganError:
        marker.write_text(_FAILED)
        raise
    marker.unlink()
    return tables


def _told(report: Report) -> Callable[[str], None]:
    return lambda line: report("line", text="  " + line)


def _said(ended: Ended) -> str:
    lines = [line.strip() for line in ended.lines if "ERROR" in line.upper()]
    return f"; it says: {lines[0]}" if lines else ""


def _tell_what_is_missing(folder: Path, tables: List[Table], steps: List[StepTime], report: Report) -> None:
    """Older toolkits export the operators of one iteration of one graph, the first, which may not be the training."""
    read = [table for table in msprof.operator_tables(tables) if table.graph is not None]
    left = [
        step
        for step in steps
        if not any(table.graph == step.graph and table.iteration in (None, step.iteration) for table in read)
    ]
    if read and left:
        graphs = [step.graph for step in left]
        step = max(left, key=lambda step: (graphs.count(step.graph), step.iteration or 0))
        of = {f"graph {table.graph}" + (f" iteration {table.iteration}" if table.iteration else "") for table in read}
        more = f"{_shown_command(folder)} --model-id={step.graph} --iteration-id={step.iteration}"
        report("warning", text=f"the operators are only those of {', '.join(sorted(of))}; for others: {more}")


def _summed(
    folder: Path, summary: Path, tables: List[Table], operators: List[Operator], steps: List[StepTime]
) -> ProfileResult:
    devices = _in_order(operator.device for operator in operators)
    read = msprof.operator_tables(tables)
    total, on_ai_cpu, share = _times(operators)
    types: Dict[Tuple[str, str], List[Operator]] = {}
    for operator in operators:
        types.setdefault((operator.type, operator.core), []).append(operator)
    listed = []
    for (name, core), group in types.items():
        count, time_us = sum(entry.count for entry in group), sum(entry.total_us for entry in group)
        listed.append(
            dict(
                type=name,
                core=core,
                count=count,
                total_us=time_us,
                mean_us=time_us / count if count else None,
                share=time_us / total if total else None,
            )
        )
    by_device = []
    for device in devices:
        times = _times([operator for operator in operators if operator.device == device])
        by_device.append(dict(zip(("device", "total_us", "ai_cpu_us", "ai_cpu_share"), (device, *times))))
    return ProfileResult(
        profile=str(folder),
        summary=str(summary),
        source=" and ".join(sorted({table.kind for table in read})),
        devices=devices,
        operator_types=len(types),
        calls=sum(operator.count for operator in operators),
        total_us=total,
        ai_cpu_us=on_ai_cpu,
        ai_cpu_share=share,
        by_device=by_device,
        operators=sorted(listed, key=lambda entry: -entry["total_us"]),
        steps=_steps(steps),
        files=[str(table.path.relative_to(folder)) for table in tables if table in read or table.kind == msprof.STEPS],
    )


def _times(operators: List[Operator]) -> Tuple[float, float, Optional[float]]:
    """The time of all, that on AI CPU, and its share."""
    total = sum(operator.total_us for operator in operators)
    on_ai_cpu = sum(operator.total_us for operator in operators if operator.on_ai_cpu)
    return total, on_ai_cpu, on_ai_cpu / total if total else None


def _steps(steps: List[StepTime]) -> List[Dict[str, Any]]:
    """Mean and maximum of each part of a step, for each graph of each device."""
    found = []
    for device in _in_order(step.device for step in steps):
        of_device = [step for step in steps if step.device == device]
        for graph in _in_order(step.graph for step in of_device):
            group = [step for step in of_device if step.graph == graph]
            parts = {}
            for part in msprof.PARTS:
                measured = [step for step in group if part in step.times_us]
                if measured:
                    longest = max(measured, key=lambda step: step.times_us[part])
                    mean = sum(step.times_us[part] for step in measured) / len(measured)
                    parts[part] = dict(
                        mean_us=mean, max_us=longest.times_us[part], max_iteration=longest.iteration, num=len(measured)
                    )
            found.append(dict(device=device, graph=graph, iterations=len(group), parts=parts))
    return found


def _in_order(values) -> List[Optional[int]]:
    return sorted(set(values), key=lambda value: -1 if value is None else value)
