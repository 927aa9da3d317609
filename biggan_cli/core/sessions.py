"""The sessions of a training, one after the other: steps, checkpoints, grids, scores, and ways back."""

import time
from typing import Any, Callable, Mapping, NamedTuple, Optional

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core import first_values, rollbacks, scoring
from biggan_cli.core import npu as npus
from biggan_cli.core.endings import StateFile
from biggan_cli.core.generators import read_record
from biggan_cli.core.grids import ProgressGrids
from biggan_cli.core.npu import Part
from biggan_cli.core.reporting import Report
from biggan_cli.core.score_caveats import Job as ScoreJob
from biggan_cli.data import pipeline
from biggan_cli.data.datasets import Dataset
from biggan_cli.errors import Interrupted, StepFailed
from biggan_cli.files import FULL, READ_ONLY, free_space, write_json
from biggan_cli.rundir import RunDir
from biggan_cli.runtime.device import npu_looped, open_session
from biggan_cli.runtime.npu_options import Value
from biggan_cli.runtime.tf import start_values, tf
from biggan_cli.settings import NpuConfig
from biggan_cli.training import checkpoints, loop
from biggan_cli.training.checkpoints import Checkpoint
from biggan_cli.training.durations import trained_seconds
from biggan_cli.training.monitor import Records, Ticks
from biggan_cli.training.monitors import Collapsed, Monitors
from biggan_cli.training.step import TrainingGraph, build


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


class Job(NamedTuple):
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


def to_the_end(job: Job, checkpoint: Optional[Checkpoint]) -> TrainResult:
    """Train from a checkpoint or from the start, and back from what a monitor finds spoilt.

    Raises:
        Interrupted: by a signal, after everything was saved.
        StepFailed: it cannot be saved, or a monitor ended it.
    """
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


def _train_parts(job: Job, checkpoint: Optional[Checkpoint], watch: Optional[npus.Watch]) -> _Ended:
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
    job: Job,
    checkpoint: Optional[Checkpoint],
    part: Part,
    records: Records,
    grids: ProgressGrids,
    watch: Optional[npus.Watch],
) -> _Ended:
    """The steps of one session, from the checkpoint or from the start to a checkpoint."""
    run, train, report, started = job.run, job.record.config.train, job.report, time.perf_counter()
    graph = tf.Graph()  # first: that of 1.15 complains where it is interrupted
    report("line", text="building the training graph")
    report("advance", what="building the networks", done=0, total=None)
    with graph.as_default():
        source = pipeline.BatchSource(job.dataset.images, job.dataset.labels, job.record.config.model, train)
        start_data, batch = pipeline.iterator(source, train, part.first)
        handles = build(job.record.config, batch)
    own_options = npus.options_of(part, job.options, run)
    with npus.explained(run, watch), open_session(graph, train.device, npu=own_options) as session:
        if checkpoint:
            checkpoints.restore(session, handles.variables, checkpoint, handles.optional)
        else:
            start_values(session, handles.variables, first_values.first_values(job.record, report))
        session.run(start_data)
        count = job.npu.steps_per_loop
        if count > 1:
            handles = handles._replace(train_op=npu_looped(session, handles.train_op, count))
        kept = _Kept(job, checkpoint, session, handles, records, grids, started)
        monitors = kept.monitors
        if checkpoint is None and (train.init_from or train.on_collapse == "rollback"):
            kept.save(0, False)  # from now on the run needs nobody else's files, and there is something to go back to
        if checkpoint:
            kept.finish(checkpoint)
        signal_number = None
        if monitors.finished is None:

            def told(tick: Optional[Mapping[str, Any]]) -> None:
                if watch:
                    watch(tick)
                if tick:
                    job.state.write(step=tick["step"])

            steps = range(part.first + count, part.last + 1, count)
            hooks = (kept.save, kept.sample, told, job.signals, report, monitors)
            signal_number = loop.run(session, handles, train, steps, kept.ticks, records, *hooks)
    if part.profiled:
        report("line", text=f"profiled the steps {part.first + 1} to {part.last}: biggan profile {run}")
    return _Ended(signal_number, monitors.finished)


class _Kept:
    """What is kept of a session: its checkpoints with their scores, and its grids.

    Attributes:
        ticks, monitors: as they were at the checkpoint that the session goes on from.
    """

    def __init__(
        self,
        job: Job,
        checkpoint: Optional[Checkpoint],
        session,
        graph: TrainingGraph,
        records: Records,
        grids: ProgressGrids,
        started: float,
    ):
        self._job, self._records, self._grids = job, records, grids
        self._values = lambda: session.run(graph.variables)
        train, before = job.record.config.train, checkpoint.record if checkpoint else {}
        remembered = before.get("watch", {})
        best = remembered.get("scores", {}).get("best", {})
        if any(entry["step"] not in checkpoints.steps(job.run) for entry in best.values()):
            remembered = dict(remembered, scores={})  # what was best is gone: what comes is measured by itself
        self.monitors = Monitors(train, graph.names, remembered, job.report)
        self.ticks = Ticks(graph.names, train.batch, train.steps, before.get("ticks"), started, records.trained_seconds)
        self._scores = scoring.Scoring(job.run, job.score, train.rollbacks, records, job.report) if job.score else None

    def finish(self, checkpoint: Checkpoint) -> None:
        """What a process did not come to that was killed right after it saved the checkpoint."""
        if self._scores and self._job.record.config.train.scores_at(checkpoint.step):
            self._scores.score(checkpoint, self.monitors)
        if self.monitors.finished and not self._job.run.sample_grid(checkpoint.step).exists():
            self.sample(checkpoint.step)

    def save(self, step: int, last: bool) -> None:
        """A checkpoint; where it cannot be written, that is the end of the run only if it is the ``last`` one.

        Raises:
            StepFailed: the last one cannot be written.
            Collapsed: its score is much worse than the best.
        """
        job, arrays = self._job, self._values()
        about = dict(run=configs.to_json(job.record), ticks=self.ticks.begun(), watch=self.monitors.memory())
        try:
            self._records.write_to_disk()
            saved = checkpoints.save(lambda prefix: checkpoints.write_arrays(arrays, prefix), job.run, step, about)
        except (StepFailed, OSError) as error:
            unsaved = _unsaved(job.run, step, sum(array.nbytes for array in arrays.values()), error)
            if last:
                raise unsaved from error
            job.report("warning", text=f"{unsaved.message}; {unsaved.hint}; the next save tries again")
            return
        job.state.write(step=step)
        job.report("line", text=f"saved {saved.prefix}")
        self._tidy(step)
        if self._scores and job.record.config.train.scores_at(step):
            self._scores.score(saved, self.monitors)
        job.after_save(job.run)

    def sample(self, step: int) -> None:
        """A grid; where it cannot be written, training goes on."""
        try:
            path = self._grids.draw(step, self._values())
        except OSError as error:
            self._job.report("warning", text=f"the grid of step {step} is not kept: {error.strerror or error}")
            return
        self._records.add_picture("samples", path, step)
        self._job.report("line", text=f"drew {path}")

    def _tidy(self, step: int) -> None:
        """What follows from a new checkpoint; what cannot be done now is done after the next one."""
        run, record = self._job.run, self._job.record
        try:
            if read_record(run) != record:
                write_json(run.config, configs.to_json(record))
            spared = rollbacks.last_good(run, self.monitors.last_good())
            checkpoints.remove_old(run, record.config.train.keep_checkpoints, spared)
        except (StepFailed, OSError) as error:
            text = f"step {step} is saved, but what is old could not be changed or removed"
            self._job.report("warning", text=f"{text}: {getattr(error, 'strerror', None) or error}")


def _unsaved(run: RunDir, step: int, needed: int, error: Exception) -> StepFailed:
    """What is said where a checkpoint of ``needed`` bytes could not be written."""
    name, kept = run.checkpoint_prefix(step).name, checkpoints.steps(run)
    message = f"checkpoint {name} could not be written: {str(getattr(error, 'strerror', None) or error).lower()}"
    number, cause = getattr(error, "errno", None), error.__cause__  # what TensorFlow writes has an error of its own
    full = number in FULL or isinstance(cause, (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError))
    first = "make room, then " if full else "make it writable, then " if number in READ_ONLY else ""
    return StepFailed(
        error.message if isinstance(error, StepFailed) else message,
        fix=f"{first}biggan train --resume {run}",
        hint=f"{free_space(run.path)}, it needs {needed / 1e6:.1f} MB; "
        + (f"the checkpoints before it are kept, the last of step {kept[-1]}" if kept else "there is none before it"),
    )
