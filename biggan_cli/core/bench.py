"""Measure how fast a training step, the sampler or the frozen graph is on this machine, and where the time goes.

Several configurations take turns in one process, so that a busy machine slows all of them, and a ratio holds.

What the numbers of a row are:

=====================  ==============================================================================================
``seconds_per_step``   the median over all measured steps (of ``sample`` and ``frozen``: batches), untraced
``times_first``        images a second against the first row's: the median over the turns
``split_seconds``      that step divided as one traced step was: what ran at once shares the time. ``discriminator``,
                       ``generator``, ``ema`` (averages and moving statistics); ``rest``: power iterations, reading and
                       assigning the variables; ``data``: waiting for pictures with nothing else to do; ``outside``: no
                       operation ran, the call from Python included. ``saving``: a checkpoint's time spread over the
                       steps of ``save_every``, which is not in ``seconds_per_step``
``outside_share``      ``outside`` and ``data`` as a share of the step
``pipeline_…``         the pipeline with nothing else to do: seconds for the pictures and latents of one step, and how
                       many times faster than the step that is
``checkpoint_seconds`` writing one checkpoint, checksums included, into a temporary folder
``flops_per_step``     counted from the graph, see :mod:`biggan_cli.runtime.flops`
``share_of_peak``      the time in which the machine's best rates would do these, as a share of the step. The best
                       rate of a type is that of matrix products of this TensorFlow, measured in every turn
``memory_bytes``       the most that a process with this row alone has in memory until it has done its first step:
                       later rows do one in a process of their own for it. Of a GPU ``gpu_memory_bytes``
=====================  ==============================================================================================

None: the device does not say.
"""

import contextlib
import itertools
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, ContextManager, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import DEVICES, RunConfig
from biggan_cli.core import npu as npus
from biggan_cli.core.bench_subjects import DATA, Subject, freezing, sampling, training
from biggan_cli.core.generators import read_record
from biggan_cli.core.reporting import Report
from biggan_cli.data import datasets
from biggan_cli.data.datasets import Dataset
from biggan_cli.errors import Interrupted, StepFailed, UsageError, is_interrupt
from biggan_cli.presets import PRESETS
from biggan_cli.rundir import RunDir, open_run
from biggan_cli.runtime import workers
from biggan_cli.runtime.device import cpu_cores, require
from biggan_cli.runtime.machine import MemoryMeter, matrix_product
from biggan_cli.runtime.tf import load, tf
from biggan_cli.runtime.trace import OUTSIDE
from biggan_cli.runtime.versions import tensorflow_version
from biggan_cli.settings import DRAW_BATCH, BenchConfig, FreezeConfig, NpuConfig
from biggan_cli.training import precision
from biggan_cli.training.loop import Signals

USUAL_DATA = "digits"


class BenchResult(NamedTuple):
    """A dictionary for each row, see the table above; the last three are of the last row and of the whole command.

    ``peak_flops_per_second`` has the best rate of each type that the rows multiply in.
    """

    what: str
    preset: str
    resolution: int
    base_channels: int
    device: str
    cores: int
    tensorflow: Optional[str]
    rounds: int
    steps_per_round: int
    peak_flops_per_second: Dict[str, float]
    rows: List[Dict[str, Any]]
    images_per_second: float
    seconds_per_step: float
    e2e_seconds: float


class _Row(NamedTuple):
    """One configuration, what does its steps, and the seconds of its measured ones by turns."""

    config: RunConfig
    subject: Subject
    memory_bytes: Optional[int]
    gpu_memory_bytes: Optional[int]
    turns: List[List[float]]


def bench(settings: BenchConfig, report: Report) -> BenchResult:
    """Measure. Nothing is left behind.

    Raises:
        UsageError: a configuration, a run or data that cannot be.
        NotReady: the device is not there, or cannot compute in 16 bits.
        StepFailed: the device fails, or has not enough memory.
        Interrupted: by Ctrl-C, SIGTERM or SIGHUP.
    """
    began = time.perf_counter()
    with _interruptible(), contextlib.ExitStack() as stack:
        planned = _planned(settings)
        train, model = planned[0].train, planned[0].model
        options = npus.check(train, NpuConfig(), 0)
        load()
        for config in planned:
            require(config.train.device)
            precision.check(config.train)
        dataset = _data_of(settings.what, planned[0])
        _announce(settings, planned, dataset, report)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biggan-bench-")))
        stack.enter_context(npus.watched(RunDir(folder), train, NpuConfig(), report))
        stack.enter_context(_explained(train.device))
        rows = _opened(stack, settings, planned, dataset, options, report)
        peaks = _measure(stack, rows, settings, report)
        described = []
        for row in rows:
            report("line", text=f"tracing {_name(row.config)}")
            described.append(_described(row, rows[0], peaks, folder))
    last = described[-1]
    return BenchResult(
        what=settings.what,
        preset=planned[0].preset,
        resolution=model.resolution,
        base_channels=model.base_channels,
        device=train.device,
        cores=cpu_cores(),
        tensorflow=tensorflow_version(),
        rounds=settings.rounds,
        steps_per_round=settings.steps,
        peak_flops_per_second=peaks,
        rows=described,
        images_per_second=last["images_per_second"],
        seconds_per_step=last["seconds_per_step"],
        e2e_seconds=time.perf_counter() - began,
    )


def _planned(settings: BenchConfig) -> List[RunConfig]:
    """The configuration of each row."""
    base = _base(settings)
    usual = dict(precision=base.train.precision, resample=base.train.resample, batch=base.train.batch)
    if settings.what != "train":
        _refuse_training(settings, base.train.device)
        usual.update(precision="fp32", batch=DRAW_BATCH)
    if settings.what == "frozen":
        usual["resample"] = FreezeConfig().resample
    choices = [
        settings.precisions or (usual["precision"],),
        settings.resamples or (usual["resample"],),
        settings.batches or (usual["batch"],),
    ]
    planned = []
    for chosen in itertools.product(*choices):
        values: Dict[str, Any] = dict(zip(usual, chosen))
        if "batch_device" not in dict(settings.values) and base.train.batch_device:
            values["batch_device"] = configs.part_of(values["batch"], base.train.batch_device)
        planned.append(configs.replace(base, train=configs.replace(base.train, **values)))
        configs.validate(planned[-1])
    if base.train.device == "npu" and len(planned) > 1:
        raise UsageError(
            f"--device npu measures one configuration at a time, and these are {len(planned)}: "
            "its options are those of the whole process",
            fix="one value each of --precision, --resample and --batch",
        )
    return planned


def _base(settings: BenchConfig) -> RunConfig:
    """The configuration that the rows vary; of a run only what its speed depends on."""
    values = dict(settings.values, steps=configs.MAX_COUNT)
    if settings.run is None:
        preset = settings.preset or "seed"
        usual = PRESETS.get(preset, PRESETS["seed"]).values
        return configs.resolve(preset, datasets.with_data(usual, values, USUAL_DATA))
    given = [field for field in ("resolution", "base_channels", "d_steps") if field in values]
    given = ["--preset"] * (settings.preset is not None) + [configs.flag_of(field) for field in given]
    if given:
        raise UsageError(f"{given[0]} and --run both say what is measured", fix="leave one of them out")
    config = read_record(open_run(settings.run, Path(settings.outdir), trained=False)).config
    values.update(init_from=None, freeze_classes=False, lr_decay=None)
    values.setdefault("data", config.train.data or USUAL_DATA)
    return configs.replace(config, train=configs.replace(config.train, **values))


def _refuse_training(settings: BenchConfig, device: str) -> None:
    """What a generator that only draws has no use for."""
    what, values = settings.what, dict(settings.values)
    if device not in DEVICES:
        raise UsageError(
            f"biggan bench {what} --device {device}: pictures are drawn on {' or '.join(DEVICES)}",
            fix=f"--device {DEVICES[0]}, or biggan bench train --device {device}",
        )
    other = [name for name in settings.precisions if name != "fp32"]
    given = [f"--precision {name}" for name in other]
    given += [configs.flag_of(field) for field in ("data", "d_steps", "batch_device") if field in values]
    if given:
        raise UsageError(
            f"{given[0]} is for training, and biggan bench {what} draws pictures, in float32",
            fix=f"leave {given[0]} out, or biggan bench train",
        )


def _announce(settings: BenchConfig, planned: Sequence[RunConfig], dataset: Optional[Dataset], report: Report) -> None:
    config = planned[0]
    model, train = config.model, config.train
    step = f"a step of {train.d_steps} discriminator updates and 1 generator update, reading {train.data}"
    what = dict(train=step, sample="a batch of the sampler", frozen="a batch of the frozen graph")[settings.what]
    rows = [
        ("what", what),
        ("network", f"{model.resolution} px, base channels {model.base_channels}, preset {config.preset}"),
        ("rows", ", ".join(_name(one) for one in planned)),
        ("turns", f"{settings.rounds}, of {settings.steps} steps of each row"),
        ("device", f"{train.device}, {cpu_cores()} cores, TensorFlow {tensorflow_version()}"),
    ]
    report("table", title="measuring", rows=rows)


def _name(config: RunConfig) -> str:
    return f"{config.train.precision} {config.train.resample} {config.train.batch}"


def _opened(
    stack: contextlib.ExitStack,
    settings: BenchConfig,
    planned: Sequence[RunConfig],
    dataset: Optional[Dataset],
    options: Mapping,
    report: Report,
) -> List[_Row]:
    """Every row, one step done: the first one compiles."""
    rows: List[_Row] = []
    for config in planned:
        report("line", text=f"building {_name(config)}")
        report("advance", what="building", done=len(rows), total=len(planned))
        elsewhere = (
            workers.alone(_memory_alone, settings.what, config) if rows and config.train.device == "cpu" else None
        )
        meter = MemoryMeter(config.train.device)
        subject = stack.enter_context(_subject(settings.what, config, dataset, options))
        subject.step()
        memory = elsewhere if rows else meter.process_bytes()
        rows.append(_Row(config, subject, memory, meter.gpu_bytes(), []))
    return rows


def _subject(what: str, config: RunConfig, dataset: Optional[Dataset], options: Mapping) -> ContextManager[Subject]:
    model, train = config.model, config.train
    if dataset:
        model = configs.replace(model, num_classes=max(model.num_classes, len(dataset.class_names)))
        return training(configs.replace(config, model=model), dataset, options)
    drawing = sampling if what == "sample" else freezing
    return drawing(model, train.device, train.batch, train.resample == "fused")


def _memory_alone(what: str, config: RunConfig) -> Optional[int]:
    """The most bytes that a process has that only does one step; None where the system does not say."""
    load()
    dataset = _data_of(what, config)
    meter = MemoryMeter(config.train.device)
    with _subject(what, config, dataset, {}) as subject:
        subject.step()
        return meter.process_bytes()


def _data_of(what: str, config: RunConfig) -> Optional[Dataset]:
    if what != "train":
        return None
    return datasets.load(datasets.absolute(config.train.data), config.model.resolution)


def _measure(
    stack: contextlib.ExitStack, rows: Sequence[_Row], settings: BenchConfig, report: Report
) -> Dict[str, float]:
    """Fill the turns of all rows; type → the best FLOP/s of this machine, of a matrix product in each turn."""
    device = rows[0].config.train.device
    types = sorted({dtype for row in rows for dtype in row.subject.flops}) if device in DEVICES else []
    rates = {dtype: stack.enter_context(matrix_product(device, dtype)) for dtype in types}
    peaks = dict.fromkeys(types, 0.0)
    done, total = 0, len(rows) * settings.rounds * settings.steps
    for _ in range(settings.rounds):
        for dtype, rate in rates.items():
            peaks[dtype] = max(peaks[dtype], rate())
        for row in rows:
            row.turns.append([])
            for _ in range(settings.steps):
                began = time.perf_counter()
                row.subject.step()
                row.turns[-1].append(time.perf_counter() - began)
                done += 1
                report("advance", what="measuring", done=done, total=total)
    return peaks


def _described(row: _Row, first: _Row, peaks: Mapping[str, float], folder: Path) -> Dict[str, Any]:
    """What the table above says of a row."""
    train, subject, steps = row.config.train, row.subject, [seconds for turn in row.turns for seconds in turn]
    seconds, total_flops = float(np.median(steps)), sum(subject.flops.values())
    paces = [train.batch / float(np.median(turn)) for turn in row.turns]
    first_paces = [first.config.train.batch / float(np.median(turn)) for turn in first.turns]
    best = None
    if set(subject.flops) <= set(peaks):
        best = sum(number / peaks[dtype] for dtype, number in subject.flops.items())
    shares, alone, saving = subject.shares(), subject.pipeline_seconds(), subject.checkpoint_seconds(folder)
    split = {part: share * seconds for part, share in shares.items()} if shares else None
    if split:
        split["saving"] = saving / train.save_every
    return dict(
        precision=train.precision,
        resample=train.resample,
        batch=train.batch,
        seconds_per_step=seconds,
        seconds_of_steps=row.turns,
        images_per_second=train.batch / seconds,
        times_first=float(np.median([pace / other for pace, other in zip(paces, first_paces)])),
        split_seconds=split,
        outside_share=shares[DATA] + shares[OUTSIDE] if shares else None,
        pipeline_seconds=alone,
        pipeline_times_step=seconds / alone if alone else None,
        checkpoint_seconds=saving,
        flops_per_step=total_flops,
        flops_by_type=dict(subject.flops),
        flops_per_second=total_flops / seconds,
        share_of_peak=best / seconds if best else None,
        memory_bytes=row.memory_bytes,
        gpu_memory_bytes=row.gpu_memory_bytes,
    )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as Ctrl-C does, so that nothing is left behind."""
    with Signals() as signals:
        try:
            yield
        except BaseException as error:
            if isinstance(error, Interrupted) or not is_interrupt(error):
                raise
            raise Interrupted("interrupted; nothing is left behind", signals.received or signal.SIGINT) from error


@contextlib.contextmanager
def _explained(device: str) -> Iterator[None]:
    """What a device raises, as errors of ours.

    Raises:
        StepFailed: it does not fit into its memory, or an NPU fails.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise StepFailed(
            f"--device {device} has not enough memory for it", fix="a smaller --batch, or --batch-device"
        ) from error
    except tf.errors.OpError as error:
        if device != "npu" or is_interrupt(error):
            raise
        what = next((line.strip() for line in str(error.message).splitlines() if line.strip()), type(error).__name__)
        raise StepFailed(f"--device npu: {what}", fix="biggan doctor --device npu") from error
