"""Train a new run, or carry on with one."""

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Optional, Union

import numpy as np

import biggan_cli
from biggan_cli import config as configs
from biggan_cli.config import RunConfig, RunRecord, TrainConfig
from biggan_cli.core import first_values, rollbacks, scoring
from biggan_cli.core import npu as npus
from biggan_cli.core.endings import StateFile, recorded
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.foresight import TrainPlan, foresee
from biggan_cli.core.generators import read_record, record_of
from biggan_cli.core.grids import ProgressGrids, write_reals
from biggan_cli.core.npu import Part
from biggan_cli.core.plan import announce
from biggan_cli.core.reporting import Report, logged
from biggan_cli.core.run_states import last_records
from biggan_cli.core.score_caveats import Job as ScoreJob
from biggan_cli.data import classes, datasets, pipeline
from biggan_cli.data.datasets import Dataset
from biggan_cli.errors import Interrupted, StepFailed, UsageError
from biggan_cli.rundir import RunDir, check_writable, create_run, free_megabytes, open_run, read_json, write_json
from biggan_cli.runtime.device import npu_looped, open_session, require
from biggan_cli.runtime.npu_options import Value
from biggan_cli.runtime.tf import start_values, tf
from biggan_cli.settings import DryRun, NpuConfig
from biggan_cli.training import checkpoints, loop, precision
from biggan_cli.training.checkpoints import Checkpoint
from biggan_cli.training.durations import trained_seconds
from biggan_cli.training.monitor import Records, Ticks
from biggan_cli.training.monitors import Collapsed, Monitors
from biggan_cli.training.step import build


class TrainResult(NamedTuple):
    """Where a run stands when training ends."""

    run: str
    step: int
    checkpoint: str
    seconds: Optional[float]
    """Of training, over all starts, as :mod:`durations` has it; None: there is no record."""
    used_npu: Optional[bool] = None
    """Whether the adapter said so; None on other devices."""
    finished_by: Optional[str] = None
    """Why it ended before its last step, which ``--patience`` may do; None otherwise."""


def no_copy(run: RunDir) -> None:
    """For a run that stays where it is."""


def start(
    config: RunConfig,
    npu: NpuConfig,
    outdir: Path,
    dry_run: Optional[DryRun],
    report: Report,
    after_save: Callable[[RunDir], None] = no_copy,
) -> Union[TrainResult, TrainPlan]:
    """Train a new run. A dry run reports the plan and leaves nothing.

    Args:
        after_save: called when the run begins, and after each checkpoint.

    Raises:
        UsageError: data or a place that cannot be used.
        StepFailed, Interrupted: as the training ends.
    """
    options = npus.check(config.train, npu, 0)
    spec = datasets.absolute(config.train.data)
    extractor = _ready(configs.replace(config.train, data=spec), report)
    dataset = datasets.load(spec, config.model.resolution, _reading(report))
    config = configs.replace(config, train=configs.replace(config.train, data=spec))
    model = configs.replace(config.model, num_classes=len(dataset.class_names))
    config = configs.replace(config, model=model)
    record = RunRecord(config, dataset.class_names, dataset.digest, biggan_cli.__version__)
    first_values.check(record)
    if dry_run:
        check_writable(outdir)
        announce(record, npu, dataset, f"a new run in {outdir}", report)
        return foresee(record, dataset, options, 0, outdir, dry_run, report)
    score_job = scoring.job_of(config, extractor, report)
    name = f"{dataset.name}-{config.model.resolution}-{config.preset}"
    run = create_run(outdir, name)
    with run.lock(), recorded(run, 0, config.train.steps, report) as (signals, state):
        write_json(run.config, configs.to_json(record))
        report = logged(report, run.log)
        announce(record, npu, dataset, str(run), report)
        write_reals(run, dataset)
        after_save(run)
        return _train(_Job(run, record, npu, options, dataset, signals, state, report, after_save, score_job), None)


def resume(
    which: str,
    values: Mapping[str, Any],
    npu: NpuConfig,
    preset: Optional[str],
    other_data: Optional[str],
    outdir: Path,
    dry_run: Optional[DryRun],
    report: Report,
    after_save: Callable[[RunDir], None] = no_copy,
) -> Union[TrainResult, TrainPlan]:
    """Carry on with a run from its latest sound checkpoint, or from the start, under its own configuration.

    Later checkpoints, which are damaged, are kept aside; what was recorded after it is made again, the same.

    Args:
        values: the given flags; those in ``FREE_ON_RESUME`` may differ from the run's own.
        other_data: taken where neither the run nor the flags name any: an imported run has none of its own.
        after_save: as in :func:`start`.

    Raises:
        UsageError: no such run, a conflicting flag, or nothing left to do.
        StepFailed: another process has the run, or all of its checkpoints are damaged.
    """
    run = open_run(which, outdir, trained=False)
    with contextlib.ExitStack() as held:
        gone = None if dry_run else held.enter_context(run.lock())
        stored = read_record(run)
        checkpoint, faults = checkpoints.newest_sound(run)
        if stored.data_digest is None:
            if not checkpoint:
                raise StepFailed(f"the imported checkpoint of {run} is gone", fix="biggan import-checkpoint, again")
            stored = record_of(checkpoint)
        record = configs.replace(stored, config=configs.resume_with(stored, values, preset, str(run)))
        reached, steps = checkpoint.step if checkpoint else 0, record.config.train.steps
        if reached >= steps and (dry_run or _is_over(run)):
            raise UsageError(
                f"{run} is finished: it is at step {reached}, and --steps {steps} asks for no more",
                fix=f"biggan train --resume {run} --steps {2 * reached}",
            )
        options = npus.check(record.config.train, npu, reached)
        spec = datasets.absolute(record.config.train.data or other_data)
        extractor = _ready(configs.replace(record.config.train, data=spec), report)
        dataset = datasets.load(spec, record.config.model.resolution, _reading(report))
        record = _with_data(record, spec, dataset, run)
        where = f"{run}, from step {reached}"
        if dry_run:
            _say_what_is_unsound(run, checkpoint, faults, report)
            announce(record, npu, dataset, where, report)
            return foresee(record, dataset, options, reached, run.path, dry_run, report)
        score_job = scoring.job_of(record.config, extractor, report)
        signals, state = held.enter_context(recorded(run, reached, steps, report))
        report = logged(report, run.log)
        if gone:
            report("line", text=f"{gone} had this run, and is gone without having let go: taken over")
        run.remove_leftovers()
        for folder in (run.checkpoints, run.samples):
            folder.mkdir(exist_ok=True)
        if checkpoint is None:
            _keep_records(run, record.config.train.save_every, report)
        for text in checkpoints.mend_marks(run, checkpoint):
            report("warning", text=text)
        _say_what_is_unsound(run, checkpoint, faults, report)
        if faults:
            checkpoints.go_back(run, checkpoint)
        if stored.data_digest is not None:  # else with the first checkpoint: until then the recipe is open
            write_json(run.config, configs.to_json(record))
        announce(record, npu, dataset, where, report)
        if stored.data_digest is None:
            report("line", text="pictures of the steps from here on use standing statistics; --bn moving is there")
        if stored.data_digest is None or not run.reals.exists():
            write_reals(run, dataset)
        after_save(run)
        job = _Job(run, record, npu, options, dataset, signals, state, report, after_save, score_job)
        return _train(job, checkpoint)


def _ready(train: TrainConfig, report: Report) -> Optional[Extractor]:
    """The network that is to score the run, if any; the device and it are here, before data are read.

    Raises:
        NotReady, UsageError: they are not, or do not fit.
    """
    datasets.check_spec(train.data)
    require(train.device)
    precision.check(train)
    return scoring.extractor_of(train, report)


def _is_over(run: RunDir) -> bool:
    """Whether a run at its last step was ended there; killed before that, its last score may be missing."""
    if not run.state.exists():
        return True
    with contextlib.suppress(StepFailed):
        said = read_json(run.state)
        return isinstance(said, dict) and said.get("state") == "finished"
    return False


def _keep_records(run: RunDir, save_every: int, report: Report) -> None:
    """Records of steps that were saved, of which no checkpoint is there any more, are not written over."""
    last = last_records(run, 1)
    if last and last[-1]["step"] > save_every:
        aside = next(path for path in (run.path / f"stats-{n}.jsonl" for n in itertools.count(1)) if not path.exists())
        os.replace(str(run.stats), str(aside))
        report(
            "warning",
            text=f"{run} has records up to step {last[-1]['step']} and no checkpoint: it starts again, "
            f"and they are kept in {aside}",
        )


def _reading(report: Report) -> Callable[[int, int], None]:
    return lambda done, total: report("advance", what="reading the data", done=done, total=total)


def _with_data(record: RunRecord, spec: str, dataset: Dataset, run: RunDir) -> RunRecord:
    """The record of a resumed run with its data, which are those that it was trained on, if it was trained here.

    Raises:
        UsageError: they are others, or their classes are not those of an imported run.
    """
    train = configs.replace(record.config.train, data=spec)
    record = configs.replace(record, config=configs.replace(record.config, train=train))
    if record.data_digest is not None:
        if dataset.digest == record.data_digest:
            return record
        raise UsageError(
            f"--data {spec} is not what {run} was trained on: "
            f"its digest is {dataset.digest[:12]}, the run's {record.data_digest[:12]}",
            fix="--data with the data of that run, or a new run without --resume",
        )
    names = record.class_names if classes.are_named(record.class_names) else dataset.class_names
    if len(record.class_names) != len(dataset.class_names) or names != dataset.class_names:
        raise UsageError(
            f"--data {spec} has {len(dataset.class_names)} classes ({classes.listed(dataset.class_names)}), "
            f"{run} has {len(record.class_names)} ({classes.listed(record.class_names)})",
            fix="--data with the classes of that run, in that order",
        )
    return configs.replace(record, class_names=names, data_digest=dataset.digest, bn="standing")


def _say_what_is_unsound(run: RunDir, checkpoint: Checkpoint, faults: Mapping[int, str], report: Report) -> None:
    for step, fault in faults.items():
        report(
            "warning",
            text=f"{run.checkpoint_prefix(step).name} is unsound, and kept aside in {run.unsound}: {fault}; "
            f"going on from step {checkpoint.step}",
        )


class _Job(NamedTuple):
    """A run with all that its training needs; ``options`` are those of an NPU's session, ``score`` how it is scored."""

    run: RunDir
    record: RunRecord
    npu: NpuConfig
    options: Mapping[str, Value]
    dataset: Dataset
    signals: loop.Signals
    state: StateFile
    report: Report
    after_save: Callable[[RunDir], None]
    score: Optional[ScoreJob]


def _train(job: _Job, checkpoint: Optional[Checkpoint]) -> TrainResult:
    run, train, ended = job.run, job.record.config.train, None
    job.report("advance", what="loading TensorFlow", done=0, total=None)
    with npus.watched(run, train, job.npu, job.report) as watch, checkpoints.session_for_writing():
        while ended is None:
            try:
                ended = _train_parts(job, checkpoint, watch)
            except Collapsed as error:
                record, checkpoint = rollbacks.back(run, job.record, error, job.report)
                job = job._replace(record=record)
    checkpoint, signal_number = checkpoints.find(run), ended.signal
    if signal_number is not None:
        raise Interrupted(
            f"interrupted at step {checkpoint.step} of {train.steps}; everything up to there is saved",
            signal_number,
            fix=f"biggan train --resume {run}",
        )
    if ended.finished_by:
        job.state.write(why=ended.finished_by)
        job.report("line", text=f"finished at step {checkpoint.step}: {ended.finished_by}; --patience 0 would go on")
    used = watch.used if watch else None
    where = (str(run), checkpoint.step, str(checkpoint.prefix))
    return TrainResult(*where, trained_seconds(run.stats), used, ended.finished_by)


class _Ended(NamedTuple):
    """How training ended: by the number of a signal, for a reason before its last step, or neither, with it."""

    signal: Optional[int] = None
    finished_by: Optional[str] = None


def _train_parts(job: _Job, checkpoint: Optional[Checkpoint], watch: Optional[npus.Watch]) -> _Ended:
    """The sessions from the checkpoint or from the start, up to the last step or to what ends it before."""
    run, first, ended = job.run, checkpoint.step if checkpoint else 0, _Ended()
    records = Records(run, first)
    if records.repaired:
        job.report("line", text=records.repaired)
    records.add_picture("reals", run.reals, first)
    with ProgressGrids(run, job.record) as grids:
        for part in npus.parts(first, job.record.config.train.steps, job.npu.profile):
            if ended == _Ended():
                ended = _train_part(job, checkpoint, part, records, grids, watch)
                checkpoint = checkpoints.find(run)
    return ended


def _train_part(
    job: _Job,
    checkpoint: Optional[Checkpoint],
    part: Part,
    records: Records,
    grids: ProgressGrids,
    watch: Optional[npus.Watch],
) -> _Ended:
    """The steps of one session, from the checkpoint or from the start to a checkpoint."""
    run, record, report, dataset = job.run, job.record, job.report, job.dataset
    config, started = record.config, time.perf_counter()
    graph = tf.Graph()  # first: that of 1.15 complains where it is interrupted
    report("line", text="building the training graph")
    report("advance", what="building the networks", done=0, total=None)
    with graph.as_default():
        source = pipeline.BatchSource(dataset.images, dataset.labels, config.model, config.train)
        start_data, batch = pipeline.iterator(source, config.train, part.first)
        handles = build(config, batch)
    own_options = npus.options_of(part, job.options, run)
    with npus.explained(run, watch), open_session(graph, config.train.device, npu=own_options) as session:
        if checkpoint:
            checkpoints.restore(session, handles.variables, checkpoint, handles.optional)
        else:
            start_values(session, handles.variables, first_values.first_values(record, report))
        session.run(start_data)
        count = job.npu.steps_per_loop
        if count > 1:
            handles = handles._replace(train_op=npu_looped(session, handles.train_op, count))
        remembered = checkpoint.record.get("watch", {}) if checkpoint else {}
        best = remembered.get("scores", {}).get("best", {})
        if any(entry["step"] not in checkpoints.steps(run) for entry in best.values()):
            remembered = dict(remembered, scores={})  # what was best is gone: what comes is measured by itself
        monitors = Monitors(config.train, handles.names, remembered, report)
        scores = scoring.Scoring(run, job.score, config.train.rollbacks, records, report) if job.score else None

        begun = checkpoint.record.get("ticks") if checkpoint else None
        ticks = Ticks(handles.names, config.train.batch, config.train.steps, begun, started, records.trained_seconds)

        def save(step: int, last: bool) -> None:
            arrays = session.run(handles.variables)
            try:
                records.write_to_disk()
                saved = checkpoints.save(
                    lambda prefix: checkpoints.write_arrays(arrays, prefix),
                    run,
                    step,
                    dict(run=configs.to_json(record), ticks=ticks.begun(), watch=monitors.memory()),
                    config.train.keep_checkpoints,
                    rollbacks.last_good(run, monitors.last_good()),
                )
                if read_record(run) != record:
                    write_json(run.config, configs.to_json(record))
            except (StepFailed, OSError) as error:
                unsaved = _unsaved(run, step, arrays, error)
                if last:
                    raise unsaved from error
                report("warning", text=f"{unsaved.message}; {unsaved.hint}; the next save tries again")
                return
            job.state.write(step=step)
            report("line", text=f"saved {saved.prefix}")
            if scores and config.train.scores_at(step):
                scores.score(saved, monitors)
            job.after_save(run)

        def sample(step: int) -> None:
            try:
                path = grids.draw(step, session.run(handles.variables))
            except OSError as error:
                report("warning", text=f"the grid of step {step} is not kept: {error.strerror or error}")
                return
            records.add_picture("samples", path, step)
            report("line", text=f"drew {path}")

        def told(tick: Optional[Mapping[str, Any]]) -> None:
            if watch:
                watch(tick)
            if tick:
                job.state.write(step=tick["step"])

        if checkpoint is None and (config.train.init_from or config.train.on_collapse == "rollback"):
            save(0, False)  # from now on the run needs nobody else's files, and there is something to go back to
        if scores and checkpoint and config.train.scores_at(checkpoint.step):
            scores.score(checkpoint, monitors)  # it may have been interrupted after it was saved
        signal_number = None
        if monitors.finished is None:
            steps = range(part.first + count, part.last + 1, count)
            hooks = (save, sample, told, job.signals, report, monitors)
            signal_number = loop.run(session, handles, config.train, steps, ticks, records, *hooks)
    if part.profiled:
        report("line", text=f"profiled the steps {part.first + 1} to {part.last}: biggan profile {run}")
    return _Ended(signal_number, monitors.finished)


def _unsaved(run: RunDir, step: int, arrays: Mapping[str, np.ndarray], error: Exception) -> StepFailed:
    """What is said where a checkpoint could not be written."""
    name = run.checkpoint_prefix(step).name
    message = f"checkpoint {name} could not be written: {str(getattr(error, 'strerror', None) or error).lower()}"
    needed = sum(array.nbytes for array in arrays.values()) / 1e6
    kept = checkpoints.steps(run)
    return StepFailed(
        error.message if isinstance(error, StepFailed) else message,
        fix=f"make room, then biggan train --resume {run}",
        hint=f"{free_megabytes(run.path):.1f} MB are free there, it needs {needed:.1f} MB; "
        + (f"the checkpoints before it are kept, the last of step {kept[-1]}" if kept else "there is none before it"),
    )
