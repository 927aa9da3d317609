"""Run an offline model over raw input files, with msame or ais_bench, and take nothing on trust."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from biggan_cli import config as configs
from biggan_cli.core.deployed import Bins, OfflineModel, Plan, open_bins, open_model
from biggan_cli.core.reporting import Report
from biggan_cli.deploy import msame
from biggan_cli.deploy.bins import missing_outputs, output_name, write_index
from biggan_cli.deploy.spec import GraphSpec, read_spec
from biggan_cli.deploy.toolkit import Tool, find_runner
from biggan_cli.errors import Interrupted, ToolError, UsageError
from biggan_cli.files import expanded, read_json, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.process import Ended, quoted, run_tool
from biggan_cli.runtime.versions import packages
from biggan_cli.settings import MsameRunConfig

_AGAIN = "the same command carries on"
_RAW, _TODO, _SOURCE, _LOG = "raw", "todo", "source.json", "msame.log"


class MsameRunResult(NamedTuple):
    """What ``msame-run`` left; times are those that the program printed."""

    folder: str
    num: int
    batch: int
    emulated: bool
    first_ms: Optional[float]
    mean_ms: Optional[float]
    images_per_second: Optional[float]


class _Job(NamedTuple):
    """What is to be run with what, all checked."""

    spec: GraphSpec
    model: OfflineModel
    bins: Bins
    tool: Tool
    settings: MsameRunConfig

    @property
    def name(self) -> str:
        return f"{self.model.name}_{self.bins.name}"

    def argv(self, inputs: Path, output: Path) -> List[str]:
        folders = [inputs / tensor.name for tensor in self.spec.inputs]
        dynamic = self.bins.index.batch if self.model.gears else None
        return msame.build_argv(self.settings, self.model.path.absolute(), folders, output, dynamic)

    def source(self) -> Dict[str, Any]:
        """What an output depends on: outputs of an earlier call count only if this was the same."""
        return dict(model=self.model.sha256, bins=self.bins.sha256, runner=self.settings.runner)


def plan(run: RunDir, settings: MsameRunConfig) -> Plan:
    """The command, checked like the real one; nothing is written. Its outputs go to the current folder."""
    job = _prepare(run, settings)
    return Plan(job.tool.pasted(job.argv(job.bins.folder.absolute(), Path.cwd())))


def msame_run(run: RunDir, settings: MsameRunConfig, report: Report) -> MsameRunResult:
    """Write ``msame/<model>_<bins>/000000_output_0.bin …`` with the log; carry on where a call was cut off.

    Raises:
        UsageError: there is no model or no input, or they do not fit each other.
        NotReady: there is no msame.
        StepFailed: the model or an input file is damaged.
        ToolError: the program failed, or an output is missing, cut off or not finite; the good ones are kept for
            the next call.
    """
    job = _prepare(run, settings)
    index, described = job.bins.index, configs.asdict(settings)
    inputs = {f"atc/{job.model.path.name}": job.model.sha256, f"bin/{job.bins.name}/manifest.json": job.bins.sha256}
    with run.step("msame-run", job.name, described, inputs, packages(), replace=True, resume=True) as step:
        work = step.path.absolute()
        _forget_what_is_of_another(work, job)
        _harvest(work, job, complete=False)
        lacking = set(missing_outputs(work, index, job.spec))
        todo = [stem for stem in index.stems() if output_name(stem) in lacking]
        rows = [
            ("inputs", f"{index.num} latents in {len(index.stems())} files of {job.bins.folder}"),
            ("with", f"{' '.join(job.tool.argv)} ({job.tool.version})"),
        ]
        report("table", title=f"running {job.model.path}", rows=rows)
        if len(todo) < len(index.stems()):
            report("line", text=f"carrying on: {len(index.stems()) - len(todo)} files are done")
        times: Dict[str, float] = {}
        try:
            if todo:  # else an earlier call was cut off just before its end
                times = _run(work, todo, job, report)
        except ToolError as error:
            error.replace_detail("log", str(step.path / _LOG))
            raise
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the outputs that are whole are kept", signal.SIGINT, fix=_AGAIN) from None
        write_index(work, index, job.spec.class_names)
        step.details.update(
            toolkit=job.tool.version,
            emulated=job.model.emulated,
            soc=job.model.soc,
            precision=job.model.precision,
            model=job.model.name,
            bins=job.bins.name if job.bins.folder.parent == run.path / "bin" else str(job.bins.folder.absolute()),
            bins_sha256=job.bins.sha256,
            truncation=job.bins.truncation,
            latents_file=job.bins.latents_file,
            graph_sha256=job.spec.sha256,
            **times,
        )
    shown = {key: times.get(key) for key in ("first_ms", "mean_ms", "images_per_second")}
    return MsameRunResult(str(step.path), index.num, index.batch, job.model.emulated, **shown)


def _prepare(run: RunDir, settings: MsameRunConfig) -> _Job:
    spec = read_spec(run)
    model, bins = open_model(run, spec, settings.om), open_bins(run, spec, settings.bins)
    program = expanded(settings.program) if settings.program else None
    toolkit = Path(settings.tool.toolkit) if settings.tool.toolkit else None
    tool = find_runner(settings.tool.toolchain, settings.runner, program, toolkit)
    if model.emulated != tool.emulated:
        raise UsageError(
            f"{model.path} was made by {'the emulator' if model.emulated else 'the real atc'}, "
            f"{'msame on a device' if model.emulated else 'the emulator'} cannot run it",
            fix="--toolchain emulator, or biggan atc on a machine with CANN"
            if model.emulated
            else "leave --toolchain and BIGGAN_TOOLCHAIN out",
        )
    if bins.index.batch not in (model.gears or (model.batch,)):
        sizes = " or ".join(str(size) for size in model.gears or (model.batch,))
        raise UsageError(
            f"{bins.folder} has {bins.index.batch} latents in a file, the model takes {sizes}",
            fix=f"biggan to-bin {run} --num {bins.index.num} --batch {(model.gears or (model.batch,))[0]}",
        )
    job = _Job(spec, model, bins, tool, settings)
    msame.check_path(run.path.absolute() / "msame" / job.name)
    return job


def _forget_what_is_of_another(work: Path, job: _Job) -> None:
    """Empty the working folder unless what is in it came from the same model and inputs."""
    source = work / _SOURCE
    if not source.is_file() or read_json(source) != job.source():
        for path in work.iterdir():
            shutil.rmtree(str(path)) if path.is_dir() else path.unlink()
        write_json(source, job.source())


def _run(work: Path, todo: List[str], job: _Job, report: Report) -> Dict[str, float]:
    """Run the program over the files that are left, and take its outputs; its times."""
    _link(todo, work / _TODO, job)
    raw, log, done = work / _RAW, work / _LOG, 0
    raw.mkdir()
    argv = [*job.tool.argv, *job.argv(work / _TODO, raw)]
    report("line", text="$ " + quoted(argv))

    def on_line(line: str) -> None:
        nonlocal done
        if "model execute success" in line:
            done += 1
            report("advance", what="running", done=done, total=len(todo))

    ended, times = None, {}
    try:  # in raw, where msame leaves an acl.json that a later call would read
        ended = run_tool(argv, raw, job.tool.env, log, job.settings.tool.time_limit, on_line, name=job.settings.runner)
    finally:
        well = ended is not None and ended.code == 0 and any(msame.DONE[job.settings.runner] in x for x in ended.lines)
        times = msame.times_of(ended, raw, job.bins.index.batch) if well else {}
        problems = _harvest(work, job, complete=well)
        shutil.rmtree(str(work / _TODO), ignore_errors=True)
    missing = missing_outputs(work, job.bins.index, job.spec)
    if missing or not well:
        raise _failure(ended, problems, missing, job, log)
    return times


def _link(todo: List[str], folder: Path, job: _Job) -> None:
    """Folders with just the files that are left: the first folder's list drives both programs."""
    shutil.rmtree(str(folder), ignore_errors=True)
    for tensor in job.spec.inputs:
        (folder / tensor.name).mkdir(parents=True)
        for stem in todo:
            source = (job.bins.folder / tensor.name / f"{stem}.bin").absolute()
            target = folder / tensor.name / source.name
            try:
                os.link(str(source), str(target))
            except OSError:  # another file system
                os.symlink(str(source), str(target))


def _harvest(work: Path, job: _Job, complete: bool) -> Dict[str, str]:
    """Take the outputs that are whole out of the raw folder; of a program that did not end well, not the last.

    Of one that did, what profiling and dumping left is kept too.

    Returns:
        stem → what is wrong with its output.
    """
    found, besides = sorted(msame.outputs_in(work / _RAW).items()), msame.left_besides(work / _RAW)
    problems = {}
    index, each = job.bins.index, job.spec.output.bytes_each()
    written = msame.written_bytes(job.settings.runner, index.batch, job.model.gears, each)
    for stem, path in found if complete else found[:-1]:
        values = path.read_bytes()
        if len(values) != written:
            problems[stem] = f"{path.name} has {len(values)} bytes instead of {written}"
        elif not np.isfinite(np.frombuffer(values[: index.batch * each], "<f4")).all():
            problems[stem] = f"{path.name} has values that are not finite"
        else:
            target = work / output_name(stem)
            if written == index.batch * each:
                os.replace(str(path), str(target))
            else:
                target.write_bytes(values[: index.batch * each])
    for folder in besides if complete else ():
        shutil.rmtree(str(work / folder.name), ignore_errors=True)
        os.rename(str(folder), str(work / folder.name))
    shutil.rmtree(str(work / _RAW), ignore_errors=True)
    return problems


def _failure(ended: Ended, problems: Dict[str, str], missing: List[str], job: _Job, log: Path) -> ToolError:
    runner, total = job.settings.runner, len(job.bins.index.stems())
    said = msame.first_error(ended)
    fix, facts = None, []
    if ended.code:
        facts.append(ended.how())
    if problems:
        facts.append(f"{len(problems)} outputs are wrong, first {problems[sorted(problems)[0]]}")
        if "not finite" in facts[-1]:
            fix = f"biggan atc --soc {job.model.soc} --precision-mode allow_fp32_to_fp16: float16 may have overflowed"
    elif missing:
        facts.append(f"{len(missing)} of {total} outputs are missing, first {missing[0]}")
    if not ended.code and not facts:
        facts.append(f"ended without the words {msame.DONE[runner]!r}")
    if said:
        facts.append(f"it says: {said}")
    return ToolError(
        f"{runner} failed: {'; '.join(facts)}",
        log=str(log),
        fix=fix,
        hint="the outputs that are whole are kept; the next call makes only the others"
        if len(missing) < total
        else None,
    )
