"""Convert the frozen graph to an offline model, with atc or the emulator that stands for it."""

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from biggan_cli import config as configs
from biggan_cli.core.deployed import Plan
from biggan_cli.core.reporting import Report
from biggan_cli.deploy import atc as tool_atc
from biggan_cli.deploy.spec import GraphSpec, read_spec
from biggan_cli.deploy.toolkit import Tool, find_atc
from biggan_cli.emulator.offline_model import is_emulated
from biggan_cli.errors import ToolError, UsageError
from biggan_cli.files import expanded, sha256
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.process import quoted, run_tool
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import AtcConfig

_ON_AI_CPU = "W11001"


class AtcResult(NamedTuple):
    """What ``atc`` left; ``batch`` None: one of ``dynamic_batch``."""

    om: str
    soc: str
    batch: Optional[int]
    dynamic_batch: Tuple[int, ...]
    precision: str
    toolkit: str
    seconds: float


def plan(run: RunDir, settings: AtcConfig) -> Plan:
    """The command, checked like the real one; nothing is written. Its model goes to the current folder."""
    spec, settings, tool = _prepare(run, settings)
    output = Path.cwd() / _name(spec, settings)
    tool_atc.check_path(output)
    return Plan(tool.pasted(tool_atc.build_argv(spec, settings, run.frozen_graph.absolute(), output)))


def atc(run: RunDir, settings: AtcConfig, report: Report) -> AtcResult:
    """Write ``atc/<name>.om`` with its log, in the place of an earlier one of the same name.

    The name says what the model depends on, unless one was asked for.

    Raises:
        UsageError: nothing is frozen, or a value that atc would refuse.
        NotReady: there is no atc.
        ToolError: atc failed; its log stays as ``atc/<name>.failed.log``.
    """
    spec, settings, tool = _prepare(run, settings)
    name = _name(spec, settings)
    batch = None if settings.dynamic_batch else tool_atc.batch_of(spec, settings)
    precision = tool_atc.precision_of(settings)
    sizes = batch or " or ".join(str(size) for size in settings.dynamic_batch)
    rows = [
        ("model", f"{settings.soc}, batch {sizes}, {precision}"),
        ("with", f"{tool.argv[0]} ({tool.version})"),
    ]
    report("table", title=f"converting {run.frozen_graph}", rows=rows)
    described = dict(configs.asdict(settings), name=name, precision=precision, batch=batch)
    inputs = {"freeze/" + spec.graph: spec.sha256}
    inputs.update({value: sha256(Path(value)) for key, value in settings.options if key in tool_atc.FILES})
    failed = run.path / "atc" / f"{name}.failed.log"
    with run.step("atc", name, described, inputs, packages(), stem=name, replace=True) as step:
        work = step.path.absolute()
        log = work / f"{name}.log"
        try:
            seconds = _convert(spec, settings, tool, run, work, name, report)
        except ToolError as error:
            shutil.copyfile(str(log), str(failed))
            error.replace_detail("log", str(failed))
            raise
        emulated = is_emulated(work / f"{name}.om")
        step.details.update(toolkit=tool.version, emulated=emulated, atc_seconds=round(seconds, 3))
    if emulated and not tool.emulated:
        report("warning", text=f"{tool.argv[0]} is biggan's emulator: its model runs on no device")
    with contextlib.suppress(FileNotFoundError):
        failed.unlink()
    om = run.path / "atc" / f"{name}.om"
    return AtcResult(str(om), settings.soc, batch, settings.dynamic_batch, precision, tool.version, seconds)


def _prepare(run: RunDir, settings: AtcConfig) -> Tuple[GraphSpec, AtcConfig, Tool]:
    """The specification, the settings with absolute paths, and the program, all checked."""
    spec = read_spec(run)
    options, paths = [], [run.path.absolute(), run.path.resolve()]
    for key, value in settings.options:
        if key in tool_atc.FILES or key == "debug_dir":
            path = expanded(value).absolute()
            if not (path.is_dir() if key == "debug_dir" else path.is_file()):
                flag = configs.flag_of(key)
                kind = "a folder that exists" if key == "debug_dir" else "a file"
                raise UsageError(f"{flag} {value} is not {kind}", looked_for=str(path))
            paths.append(path)
            value = str(path)
        options.append((key, value))
    settings = configs.replace(settings, options=tuple(options))
    toolkit = Path(settings.tool.toolkit) if settings.tool.toolkit else None
    tool = find_atc(settings.tool.toolchain, toolkit)
    tool_atc.check(spec, settings, tool.soc_versions, paths)
    return spec, settings, tool


def _convert(
    spec: GraphSpec, settings: AtcConfig, tool: Tool, run: RunDir, work: Path, name: str, report: Report
) -> float:
    """Run atc in a folder of its own, which takes what it litters; leaves the model and the log in ``work``."""
    scratch = work / "scratch"
    scratch.mkdir()
    output = scratch / "out" / name
    argv = [*tool.argv, *tool_atc.build_argv(spec, settings, run.frozen_graph.absolute(), output)]
    log = work / f"{name}.log"
    report("line", text="$ " + quoted(argv))
    ended = run_tool(
        argv, scratch, tool.env, log, settings.tool.time_limit, lambda line: report("line", text="  " + line)
    )
    os.replace(str(tool_atc.judge(ended, output, log)), str(work / f"{name}.om"))
    shutil.rmtree(str(scratch))
    slow = [message for message in tool_atc.warnings(ended) if message.code == _ON_AI_CPU]
    if slow:
        report("warning", text=f"{len(slow)} operators run on the slow AI CPU of the chip; the log names them")
    return ended.seconds


def _name(spec: GraphSpec, settings: AtcConfig) -> str:
    """The asked name, or one that says what the model is; only characters that atc takes."""
    if settings.name:
        return settings.name
    sizes: List[int] = list(settings.dynamic_batch) or [tool_atc.batch_of(spec, settings)]
    parts = [settings.soc, "b" + "-".join(str(size) for size in sizes), tool_atc.precision_of(settings)]
    for key, value in settings.options:
        if key in tool_atc.FILES:
            parts.append(f"{Path(value).stem}-{sha256(Path(value))[:6]}")
        elif key == "op_select_implmode":
            parts.append(value)
    if settings.extra:
        parts.append(hashlib.sha256("\n".join(settings.extra).encode()).hexdigest()[:6])
    return re.sub(r"[^A-Za-z0-9._-]", "-", "_".join(parts)).lower()
