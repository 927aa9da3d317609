"""What a training is going to take: operations, memory, disk, hours."""

import contextlib
import math
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import ModelConfig, RunConfig, RunRecord
from biggan_cli.core.bench import explained, interruptible
from biggan_cli.core.bench_subjects import flops_of_training, training
from biggan_cli.core.grids import bytes_of_reals
from biggan_cli.core.reporting import Report, duration
from biggan_cli.data.datasets import Dataset
from biggan_cli.model.architecture import discriminator_weights, generator_weights, parameter_count
from biggan_cli.runtime.machine import MemoryMeter
from biggan_cli.runtime.tf import load
from biggan_cli.settings import DryRun
from biggan_cli.training import ema
from biggan_cli.training.state import adam_names, state_shapes

MEASURED_STEPS = 3
_BEST = 2
"""Checkpoints that are kept besides the last ones: the best by FID and by IS."""
_RECORD_BYTES = 1600
"""Of one record: its line, and the same for TensorBoard."""
_ENTRY_BYTES, _DESCRIPTION_BYTES = 33, 2000
"""Of a checkpoint besides its values: an entry for each name, and what is said of the run."""


class TrainPlan(NamedTuple):
    """What a dry run found.

    Attributes:
        plan: the content of ``config.json``.
        parameters: network → weights.
        variables_bytes: what a checkpoint holds, by kind, and ``all`` of it.
        disk: bytes by what they are for, their sum ``total_bytes`` and ``free_bytes``.
        flops_per_step: None where nothing was measured.
        measured: on this machine and device: seconds of a step and of a checkpoint, bytes of memory at most; None where
            no step was taken.
        predicted_hours: of all steps that are left and their checkpoints; None without measured steps.
    """

    plan: Mapping[str, Any]
    parameters: Dict[str, int]
    variables_bytes: Dict[str, int]
    disk: Dict[str, Any]
    flops_per_step: Optional[int] = None
    measured: Optional[Dict[str, Any]] = None
    predicted_hours: Optional[float] = None


def foresee(
    record: RunRecord,
    dataset: Dataset,
    options: Mapping,
    reached: int,
    place: Path,
    dry_run: DryRun,
    report: Report,
) -> TrainPlan:
    """Tell what the steps after ``reached`` take. Measuring takes one step that compiles, three more, and a checkpoint.

    Nothing is left behind. Of an NPU only the operations are counted: its time and memory are not the host's.

    Raises:
        StepFailed: the device has not enough memory.
        Interrupted: by Ctrl-C, SIGTERM or SIGHUP.
    """
    config = record.config
    left = config.train.steps - reached
    disk = _disk(config, dataset, left, place)
    plan = TrainPlan(
        plan=configs.to_json(record),
        parameters=dict(
            generator=parameter_count(generator_weights(config.model)),
            discriminator=parameter_count(discriminator_weights(config.model)),
        ),
        variables_bytes=variables_bytes(config.model),
        disk=disk,
    )
    if dry_run.measure:
        plan = _with_measured(plan, config, dataset, options, left, report)
    report("table", title="what it takes", rows=_rows(plan, config, left, dry_run))
    if disk["total_bytes"] > disk["free_bytes"]:
        needed, free = _bytes(disk["total_bytes"]), _bytes(disk["free_bytes"])
        fix = "fewer --keep-checkpoints, or another --outdir"
        report("warning", text=f"{needed} are more than the {free} free in {disk['place']}: {fix}")
    return plan


def variables_bytes(model: ModelConfig) -> Dict[str, int]:
    """Bytes of all that a training holds between its steps, by kind: float32, and the step."""
    shapes = state_shapes(model)
    weights = {**generator_weights(model), **discriminator_weights(model)}
    adam = {name for names in adam_names(model).values() for name in names}
    found = dict.fromkeys(("weights", "adam", "averages", "others"), 0)
    for name, shape in shapes.items():
        averaged = name.startswith(ema.PREFIX)
        kind = "averages" if averaged else "adam" if name in adam else "weights" if name in weights else "others"
        found[kind] += 4 * int(np.prod(shape, dtype=np.int64))
    return dict(found, all=sum(found.values()))


def checkpoint_bytes(model: ModelConfig) -> int:
    """About what one checkpoint takes on the disk."""
    return variables_bytes(model)["all"] + _ENTRY_BYTES * len(state_shapes(model)) + _DESCRIPTION_BYTES


def _disk(config: RunConfig, dataset: Dataset, left: int, place: Path) -> Dict[str, Any]:
    train = config.train
    kept = min(train.keep_checkpoints, math.ceil(left / train.save_every)) + _BEST
    grids, records = math.ceil(left / train.sample_every), math.ceil(left / train.log_every)
    where = next(path for path in (place, *place.absolute().parents) if path.exists())
    one = checkpoint_bytes(config.model)
    disk: Dict[str, Any] = dict(
        checkpoint_bytes=one,
        checkpoints=kept,
        checkpoints_bytes=(kept + 1) * one,
        grids=grids,
        grids_bytes=2 * grids * bytes_of_reals(dataset),
        records=records,
        records_bytes=records * _RECORD_BYTES,
    )
    total = sum(disk[name] for name in ("checkpoints_bytes", "grids_bytes", "records_bytes"))
    return dict(disk, total_bytes=total, free_bytes=shutil.disk_usage(str(where)).free, place=str(place))


def _with_measured(
    plan: TrainPlan, config: RunConfig, dataset: Dataset, options: Mapping, left: int, report: Report
) -> TrainPlan:
    # The values that it starts with change nothing here, and fewer steps than are measured would end the data.
    train = configs.replace(config.train, init_from=None, steps=configs.MAX_COUNT)
    config = configs.replace(config, train=train)
    load()
    if train.device == "npu":
        return plan._replace(flops_per_step=sum(flops_of_training(config, dataset).values()))

    def told(done: int) -> None:
        report("advance", what="measuring steps", done=done, total=MEASURED_STEPS + 1)

    told(0)
    meter, seconds = MemoryMeter(train.device), []
    with contextlib.ExitStack() as stack:
        stack.enter_context(interruptible())
        stack.enter_context(explained(train.device))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biggan-plan-")))
        subject = stack.enter_context(training(config, dataset, options))
        for number in range(MEASURED_STEPS + 1):
            began = time.perf_counter()
            subject.step()
            seconds.append(time.perf_counter() - began)
            told(number + 1)
        saving, total = subject.checkpoint_seconds(folder), sum(subject.flops.values())
    step = float(np.median(seconds[1:]))
    measured = dict(
        device=train.device,
        seconds_of_steps=seconds[1:],
        seconds_of_first_step=seconds[0],
        seconds_per_step=step,
        images_per_second=train.batch / step,
        checkpoint_seconds=saving,
        memory_bytes=meter.process_bytes(),
        gpu_memory_bytes=meter.gpu_bytes(),
    )
    hours = (left * step + math.ceil(left / train.save_every) * saving + seconds[0] - step) / 3600
    return plan._replace(flops_per_step=total, measured=measured, predicted_hours=hours)


def _rows(plan: TrainPlan, config: RunConfig, left: int, dry_run: DryRun) -> List[Tuple[str, str]]:
    held, disk, measured = plan.variables_bytes, plan.disk, plan.measured
    kinds = ", ".join(f"{name} {_bytes(held[name])}" for name in ("weights", "adam", "averages", "others"))
    variables = f"variables {_bytes(held['all'])}: {kinds}"
    kept = f"the last {disk['checkpoints'] - _BEST}, the best two, one being written"
    on_disk = (
        f"{_bytes(disk['total_bytes'])}: checkpoints of {_bytes(disk['checkpoint_bytes'])} ({kept}), "
        f"{disk['grids']} grids {_bytes(disk['grids_bytes'])}, {disk['records']} records "
        f"{_bytes(disk['records_bytes'])}; {_bytes(disk['free_bytes'])} are free"
    )
    rows = [] if plan.flops_per_step is None else [("operations", f"{plan.flops_per_step / 1e9:,.2f} GFLOP a step")]
    if measured is None:
        why = "the NPU is not this host" if dry_run.measure else "--no-measure"
        return [*rows, ("memory", variables), ("disk", on_disk), ("time", f"not measured: {why}")]
    most = [
        f"{_bytes(measured[name])} {where} at most"
        for name, where in (("memory_bytes", "of this process"), ("gpu_memory_bytes", "of the GPU"))
        if measured[name] is not None
    ]
    memory = f"measured {' and '.join(most)}, in {MEASURED_STEPS + 1} steps and a checkpoint; " if most else ""
    pace = f"{measured['seconds_per_step']:.3g} s a step, {measured['images_per_second']:.1f} images/s"
    return [
        *rows,
        ("memory", memory + variables),
        ("disk", on_disk),
        (
            "time",
            f"{plan.predicted_hours:.2f} hours ({duration(3600 * plan.predicted_hours)}) for {left} steps: "
            f"{pace}, measured in {MEASURED_STEPS} steps; {measured['checkpoint_seconds']:.2g} s a checkpoint; "
            "grids and scores come on top",
        ),
    ]


def _bytes(number: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.0f} kB"
