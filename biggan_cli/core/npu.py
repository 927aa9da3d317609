"""What a training on an NPU asks for, checked before anything starts, and what the device says of itself meanwhile."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional

from biggan_cli import config as configs
from biggan_cli.config import TrainConfig
from biggan_cli.core.reporting import Report
from biggan_cli.errors import NotReady, StepFailed, UsageError
from biggan_cli.rundir import RunDir
from biggan_cli.runtime import device, npu_options
from biggan_cli.runtime.npu_log import CompiledGraphs, output_of_libraries_in
from biggan_cli.runtime.npu_options import Value
from biggan_cli.runtime.tf import tf
from biggan_cli.settings import NpuConfig
from biggan_cli.training.monitor import number

PROFILE = dict(
    training_trace="on", task_trace="on", aicpu="on", fp_point="", bp_point="", aic_metrics="PipeUtilization"
)
"""What a profile holds: steps, operators and those of the AI CPU; where a step begins and ends is found by itself."""
GRAPHS = "3 graphs for the device: start values, a step, reading the variables to save and to draw"
"""Each set of fetches is a graph of its own, compiled when it runs first; a step has the same ones every time."""
LOOP_GRAPHS = "4 small ones for the loop's counters"
_PATIENCE = 5.0
"""Seconds in which a graph that was compiled has to be told of."""


class Part(NamedTuple):
    """Steps ``first`` + 1 … ``last`` in one session, profiled or not."""

    first: int
    last: int
    profiled: bool


def check(train: TrainConfig, npu: NpuConfig, first: int) -> Dict[str, Value]:
    """The options of the session, all that is asked for found to go together; the process knows its device then.

    Args:
        first: the step that the training starts from.

    Raises:
        UsageError: something does not go together, or is for another device.
    """
    if train.device != "npu":
        _refuse_without_npu(train, npu)
        return {}
    precision = train.precision if train.precision != "fp32" else None
    options = npu_options.checked(npu.options, precision, npu.steps_per_loop)
    if not {"precision_mode", "precision_mode_v2"}.intersection(options):
        options["precision_mode"] = npu_options.PRECISION_MODES[train.precision]
    if npu.steps_per_loop > 1:
        options.update(iterations_per_loop=npu.steps_per_loop, enable_data_pre_proc=True)
    _check_loop(train, npu, first)
    _check_profile(train, npu, first)
    device.choose_npu(npu.device_id)
    return options


def _refuse_without_npu(train: TrainConfig, npu: NpuConfig) -> None:
    usual = NpuConfig()
    given = [
        ("--device-id", npu.device_id != usual.device_id),
        ("--npu-option", npu.options != usual.options),
        ("--steps-per-loop", npu.steps_per_loop != usual.steps_per_loop),
        ("--profile", npu.profile != usual.profile),
        ("--require-npu", npu.require),
    ]
    for flag, differs in given:
        if differs:
            raise UsageError(f"{flag} is for --device npu, and the device is {train.device}", fix="--device npu")


def _check_loop(train: TrainConfig, npu: NpuConfig, first: int) -> None:
    """What happens between steps must not fall into a loop, which the host does not see."""
    count = npu.steps_per_loop
    configs.validate_count("--steps-per-loop", count)
    places = [
        ("--steps", train.steps - first),
        ("--save-every", train.save_every),
        ("--sample-every", train.sample_every),
        ("--log-every", train.log_every),
        ("--score-every", train.score_every),
    ]
    if count > 1 and first % count:
        ahead = first + count - first % count
        raise UsageError(
            f"--steps-per-loop {count} does not divide step {first}, where training goes on: "
            "no checkpoint would fall between two loops",
            fix=f"first --steps {ahead} without --steps-per-loop, then with it --steps {train.steps} again",
        )
    for flag, value in places:
        if value % count:
            what = f"{flag} {value}" if flag != "--steps" else f"the {value} steps from {first} to {train.steps}"
            raise UsageError(
                f"--steps-per-loop {count} does not divide {what}", fix=f"{flag} with a multiple of {count}"
            )


def _check_profile(train: TrainConfig, npu: NpuConfig, first: int) -> None:
    if npu.profile is None:
        return
    start, stop = npu.profile
    if not first <= start < stop <= train.steps:
        raise UsageError(
            f"--profile {start}:{stop} is not within the steps from {first} to {train.steps}",
            fix=f"--profile {first + (train.steps - first) // 2}:{train.steps}",
        )
    if (start - first) % npu.steps_per_loop or (stop - start) % npu.steps_per_loop:
        raise UsageError(
            f"--profile {start}:{stop} cuts a loop of --steps-per-loop {npu.steps_per_loop}",
            fix=f"--profile with multiples of {npu.steps_per_loop}",
        )


def parts(first: int, last: int, profile: Optional[tuple]) -> List[Part]:
    """A session profiles all that it does: the steps that are profiled have one of their own."""
    if profile is None:
        return [Part(first, last, False)]
    start, stop = profile
    found = [Part(first, start, False), Part(max(first, start), stop, True), Part(max(first, stop), last, False)]
    return [part for part in found if part.first < part.last]


def options_of(part: Part, options: Mapping[str, Value], run: RunDir) -> Dict[str, Value]:
    """Those of the session of a part. Older adapters do not make the folder of a profile."""
    if not part.profiled:
        return dict(options)
    folder = run.path.absolute() / "profile"
    folder.mkdir(exist_ok=True)
    asked = json.dumps(dict(PROFILE, output=str(folder)))
    return dict(options, profiling_mode=True, profiling_options=asked)


class Watch:
    """Tells in the words that the ecosystem's tests look for: of graphs that were compiled, and of iterations."""

    def __init__(self, log: Path, npu: NpuConfig, steps: int, report: Report):
        self._graphs, self._npu, self._steps, self._report = CompiledGraphs(log), npu, steps, report
        self._log = log
        self.used: Optional[bool] = None
        """Whether the device was used; None: no step was done yet."""

    def __call__(self, record: Optional[Mapping[str, Any]]) -> None:
        """After the first run of a session, and with each record.

        Raises:
            StepFailed: the NPU has to be used, and nothing says that it was.
        """
        lines = self._graphs.new()
        if self.used is None and self._npu.require:
            until = time.monotonic() + _PATIENCE
            while not lines and time.monotonic() < until:  # files of the toolkit are written now and then
                time.sleep(0.2)
                lines = self._graphs.new()
        for line in lines:
            self._report("line", text=line)
        if self.used is None:
            self.used = bool(lines)
            if not lines:
                self._tell_unused()
        if record:
            self._report(
                "line",
                text=f"Iteration: {record['step']}/{self._steps}, D_loss: {number(record['d_loss'], '.5f')}, "
                f"G_loss: {number(record['g_loss'], '.5f')}, StepTime: {record['seconds_per_step']:.5f}",
            )

    def _tell_unused(self) -> None:
        looked_for = ", ".join(str(path) for path in self._graphs.places())
        text = "nothing says that a graph was compiled for the NPU"
        if self._npu.require:
            raise StepFailed(
                f"--require-npu: {text}", looked_for=looked_for, fix="biggan doctor --device npu", log=str(self._log)
            )
        self._report("warning", text=f"{text}; looked in {looked_for}")


@contextlib.contextmanager
def explained(run: RunDir, watch: Optional[Watch]) -> Iterator[None]:
    """What the adapter and the device raise, as errors of ours; without a watch on them nothing changes.

    Raises:
        NotReady: before the first step was done, when the device is opened and graphs are compiled.
        StepFailed: later.
    """
    try:
        yield
    except Exception as error:
        if watch is None or not isinstance(error, tf.errors.OpError):
            raise
        what = next((line.strip() for line in str(error.message).splitlines() if line.strip()), type(error).__name__)
        log = str(run.path / "npu.log")
        if watch.used is None:
            message = f"--device npu: it failed before the first step was done: {what}"
            raise NotReady(message, log=log, fix="biggan doctor --device npu") from error
        raise StepFailed(
            f"--device npu: {what}", log=log, fix=f"biggan train --resume {run}, from what was saved"
        ) from error


@contextlib.contextmanager
def watched(run: RunDir, train: TrainConfig, npu: NpuConfig, report: Report) -> Iterator[Optional[Watch]]:
    """What the libraries say goes into ``npu.log`` of the run; None on other devices, where they go on as they are."""
    if train.device != "npu":
        yield None
        return
    log = run.path / "npu.log"
    with output_of_libraries_in(log):
        yield Watch(log, npu, train.steps, report)
