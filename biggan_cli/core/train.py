"""Train a new run, or carry on with one: what is decided and checked before the first step."""

import contextlib
import itertools
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Union

import biggan_cli
from biggan_cli import config as configs
from biggan_cli.config import RunConfig, RunRecord, TrainConfig
from biggan_cli.core import first_values, scoring
from biggan_cli.core import npu as npus
from biggan_cli.core.endings import recorded
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.foresight import TrainPlan, foresee
from biggan_cli.core.generators import read_record, record_of
from biggan_cli.core.grids import write_reals
from biggan_cli.core.plan import announce
from biggan_cli.core.reporting import Report, logged
from biggan_cli.core.run_states import last_records
from biggan_cli.core.sessions import Job, TrainResult, to_the_end
from biggan_cli.data import classes, datasets
from biggan_cli.data.datasets import Dataset
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import read_json, write_json
from biggan_cli.rundir import RunDir, check_writable, create_run, open_run
from biggan_cli.runtime.device import require
from biggan_cli.settings import DryRun, NpuConfig
from biggan_cli.training import checkpoints, precision
from biggan_cli.training.checkpoints import Checkpoint


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
        return to_the_end(Job(run, record, npu, options, dataset, signals, state, report, after_save, score_job), None)


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
        where = f"{run}, from step {reached}" if checkpoint else f"{run}, from step 0: it has no checkpoint yet"
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
        job = Job(run, record, npu, options, dataset, signals, state, report, after_save, score_job)
        return to_the_end(job, checkpoint)


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
