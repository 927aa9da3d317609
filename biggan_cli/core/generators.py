"""A run's generator, ready to draw: the one way from a checkpoint to pictures."""

import contextlib
from typing import Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core.reporting import Report
from biggan_cli.deploy.spec import GraphSpec
from biggan_cli.errors import UsageError
from biggan_cli.files import whole_file
from biggan_cli.inference.sampler import STANDING_VERSION, Sampler, standing_images
from biggan_cli.inference.weights import Moments, folded_generator
from biggan_cli.model.architecture import batch_norms
from biggan_cli.rundir import RunDir
from biggan_cli.settings import DrawConfig
from biggan_cli.training import checkpoints, ema
from biggan_cli.training.checkpoints import Checkpoint


class RunGenerator(NamedTuple):
    """What :func:`open_generator` gives; ``draw`` is what was asked for with everything decided.

    ``folded`` and ``moments`` are what the sampler was loaded with.
    """

    sampler: Sampler
    checkpoint: Checkpoint
    draw: DrawConfig
    folded: Dict[str, np.ndarray]
    moments: Moments


def read_record(run: RunDir) -> RunRecord:
    """What a run is, from its ``config.json``."""
    return configs.from_json(run.read_config(), str(run.config))


def record_of(checkpoint: Checkpoint) -> RunRecord:
    """What the run was when the checkpoint was saved."""
    return configs.from_json(checkpoint.record["run"], str(checkpoint.prefix) + ".json")


def decide(run: RunDir, settings: DrawConfig) -> Tuple[Checkpoint, RunRecord, DrawConfig]:
    """The checkpoint that is meant, what the run was then, and the settings with everything decided.

    Raises:
        UsageError: no such checkpoint.
        StepFailed: its record is damaged.
    """
    checkpoint = checkpoints.find(run, settings.checkpoint)
    record = record_of(checkpoint)
    truncation = settings.truncation_for(record.config.train.truncation)
    bn = settings.bn or record.bn
    return checkpoint, record, configs.replace(settings, checkpoint=str(checkpoint.step), truncation=truncation, bn=bn)


def as_frozen(spec: GraphSpec, draw: DrawConfig) -> DrawConfig:
    """The settings that draw what a frozen graph was made from."""
    return configs.replace(
        draw, checkpoint=str(spec.step), weights=spec.weights, bn=spec.bn, truncation=spec.truncation
    )


def require_frozen_checkpoint(run: RunDir, spec: GraphSpec) -> None:
    """That the checkpoint is still there which the frozen graph was made from.

    Raises:
        UsageError: it is not: training went on and rotated it away, or the run was carried here without it.
    """
    if spec.step not in checkpoints.steps(run):
        raise UsageError(
            f"step {spec.step}, which {run.frozen_graph} was made from, is no checkpoint of {run} any more",
            fix=f"biggan freeze {run}, and the steps after it; or where its checkpoints are",
        )


def check_frozen(run: RunDir, spec: GraphSpec, asked: DrawConfig, weights: Optional[str]) -> None:
    """A frozen graph is what it was made: options that say otherwise are not passed over.

    Args:
        weights: those of ``asked`` if they were asked for.

    Raises:
        UsageError: one of them does.
    """
    given = [("--truncation", asked.truncation, spec.truncation)] if asked.truncation != "run" else []
    given += [("--checkpoint", asked.checkpoint, str(spec.step))] if asked.checkpoint not in (None, "latest") else []
    given += [("--bn", asked.bn, spec.bn)] if asked.bn is not None else []
    given += [("--weights", weights, spec.weights)] if weights is not None else []
    for flag, value, frozen in given:
        if value != frozen:
            if flag == "--truncation":
                value, frozen = configs.truncation_text(value), configs.truncation_text(frozen)
            raise UsageError(
                f"the graph in {run} was frozen with {flag} {frozen}, not {value}",
                fix=f"biggan freeze {run} {flag} {value}",
            )


def described(draw: DrawConfig) -> str:
    """How pictures are drawn, in words, of settings that :func:`decide` gave."""
    return f"{draw.weights} weights, {draw.bn} statistics, truncation {configs.truncation_text(draw.truncation)}"


@contextlib.contextmanager
def open_generator(
    run: RunDir, settings: DrawConfig, asked: Sequence[Tuple[str, str]], report: Report
) -> Iterator[RunGenerator]:
    """The generator of a checkpoint with the asked weights and statistics.

    Args:
        asked: rows that say what is to be drawn, shown together with how.

    Raises:
        UsageError: no such checkpoint.
        StepFailed: it is damaged.
    """
    checkpoint, record, decided = decide(run, settings)
    model = record.config.model
    report(
        "table", title=f"drawing from {run}", rows=[*asked, ("with", f"step {checkpoint.step}, {described(decided)}")]
    )
    values = checkpoints.generator_values(checkpoints.read(checkpoint.prefix), settings.weights)
    with Sampler(model, settings.device, settings.batch) as sampler:
        folded = folded_generator(values, model)
        sampler.load(folded)
        if decided.bn == "moving":
            moments = ema.moving_moments(values, model)
        else:
            moments = _standing_moments(sampler, checkpoint, decided, record, report)
        sampler.set_moments(moments)
        yield RunGenerator(sampler, checkpoint, decided, folded, moments)


def _standing_moments(
    sampler: Sampler, checkpoint: Checkpoint, draw: DrawConfig, record: RunRecord, report: Report
) -> Moments:
    """The statistics kept beside the checkpoint, or measured and kept."""
    key = f"standing-{draw.weights}-{configs.truncation_text(draw.truncation)}"
    kept = checkpoint.prefix.with_name(f"{checkpoint.prefix.name}.{key}.npz")
    names = list(batch_norms(record.config.model))
    count = standing_images(record.config.model.num_classes)
    source = _source_of(checkpoint, count)
    moments = _read_moments(kept, names, source)
    if moments is not None:
        return moments
    report("line", text=f"measuring the standing statistics over {count} latents")
    moments = sampler.standing_moments(
        draw.truncation, progress=lambda done, total: report("advance", what="measuring", done=done, total=total)
    )
    arrays = {"source": np.asarray(source)}
    for name, (mean, variance) in moments.items():
        arrays.update({name + "/mean": mean, name + "/variance": variance})
    try:
        with whole_file(kept) as temporary:
            np.savez(str(temporary), **arrays)
    except OSError as error:
        report("warning", text=f"the standing statistics are not kept: {kept}: {error.strerror}")
    return moments


def _source_of(checkpoint: Checkpoint, count: int) -> str:
    """What kept statistics must have been made from: these very files, in the way that this version measures."""
    sums = [file["sha256"] for _, file in sorted(checkpoint.record["files"].items())]
    return " ".join([f"{STANDING_VERSION}:{count}", *sums])


def _read_moments(path, names, source: str) -> Optional[Moments]:
    """What an earlier call kept; None where it is missing, damaged or made from something else."""
    try:
        with np.load(str(path), allow_pickle=False) as kept:
            if kept["source"].item() != source:
                return None
            return {name: (kept[name + "/mean"], kept[name + "/variance"]) for name in names}
    except Exception:  # whatever is wrong with a cache, it is made again
        return None
