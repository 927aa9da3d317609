"""The pictures of a run to score: drawn from a checkpoint or its frozen graph, or as its offline model left them.

Several forms of one run are drawn from the same latents, so that what differs is the form.
"""

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import ModelConfig, RunRecord
from biggan_cli.core import generators
from biggan_cli.core.deployed import check_outputs, device_runs, label_of, latents_of
from biggan_cli.core.reporting import Report, without_tables
from biggan_cli.data import datasets, images
from biggan_cli.data.pictures import Pictures
from biggan_cli.deploy.bins import outputs, read_index
from biggan_cli.deploy.spec import GraphSpec, read_spec
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.inference.frozen import FrozenGenerator, read_graph
from biggan_cli.metrics.feature_file import FeatureFile
from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from biggan_cli.protocols import Protocol
from biggan_cli.rundir import Finished, RunDir
from biggan_cli.settings import DrawConfig, PicturesConfig
from biggan_cli.training.checkpoints import Checkpoint

UNKNOWN = "unknown"
Truncation = Union[float, str, None]
"""Of z: a number, None for none, :data:`UNKNOWN` of latents that came from a file."""


class Source(NamedTuple):
    """Pictures with what is known of them: ``facts`` for records, ``how`` in words.

    ``kind`` is a form of a run, as ``--source`` has it, or ``pictures`` or ``features``.
    """

    kind: str
    label: str
    name: str
    how: str
    facts: Dict[str, Any]
    pictures: Optional[Pictures] = None
    features: Optional[FeatureFile] = None

    @property
    def count(self) -> int:
        return self.pictures.count if self.pictures else self.features.count

    @property
    def size(self) -> Optional[Tuple[int, int]]:
        """Height, width."""
        if self.pictures:
            return self.pictures.size
        size = self.features.about["source"].get("size")
        return tuple(size) if size else None

    @property
    def lossless(self) -> Optional[bool]:
        """None where nobody knows."""
        return self.pictures.lossless if self.pictures else self.features.about["source"].get("lossless")


class _Latents(NamedTuple):
    """``make`` gives z [N, z_dim] and y [N] when they are needed; ``words`` say which.

    ``own_classes``: somebody chose them; None: nobody knows.
    """

    count: int
    words: str
    truncation: Truncation
    own_classes: Optional[bool]
    make: Callable[[], Tuple[np.ndarray, np.ndarray]]


class _Form(NamedTuple):
    """One way to the same pictures: ``floats`` gives them in [-1, 1], ``facts`` are its own, ``fix`` helps it."""

    kind: str
    label: str
    facts: Dict[str, Any]
    fix: str
    floats: Callable[[int], Iterator[np.ndarray]]


def of_run(
    run: RunDir, config: PicturesConfig, kinds: Sequence[str], protocol: Optional[Protocol], num: int, report: Report
) -> List[Source]:
    """A source for each kind, all checked, nothing drawn yet.

    A frozen graph and an offline model have all that they need: the checkpoint that they were made from may be gone.

    Args:
        num: how many pictures are drawn where nobody says.

    Raises:
        UsageError: a form that the run does not have yet, or options that do not go together.
        StepFailed: a damaged file.
    """
    asked = configs.replace(config.draw, truncation=protocol.truncation) if protocol else config.draw
    record, spec, ran, checkpoint = generators.read_record(run), None, None, None
    if set(kinds) != {"checkpoint"}:
        spec = read_spec(run)
        generators.check_frozen(run, spec, asked, config.weights)
        draw = asked = generators.as_frozen(spec, asked)
        if "checkpoint" in kinds:
            generators.require_frozen_checkpoint(run, spec)
    if "om" in kinds:
        ran = _device_run(run, spec, config.om)
    elif config.om is not None:
        raise UsageError(f"--om {config.om} is for --source om", fix="--source om")
    if "checkpoint" in kinds:
        checkpoint, record, draw = generators.decide(run, asked)
    model, wanted = record.config.model, config.num or (protocol.num if protocol else None)
    if ran:
        latents = _latents_of_device(run, spec, ran, config, wanted, len(record.class_names))
        if protocol and (latents.truncation != spec.truncation or latents.own_classes is not False):
            raise UsageError(
                f"{ran.folder} ran on {latents.words}, truncation {truncation_words(latents.truncation)}: "
                f"--protocol takes seeds, truncation {configs.truncation_text(spec.truncation)}",
                fix=f"biggan to-bin {run} --num {protocol.num}, then biggan msame-run {run}",
            )
    else:
        latents = _latents_of_seeds(config, wanted, num, model, draw.truncation)
    step = checkpoint.step if checkpoint else spec.step
    facts = drawn_facts(record, step, draw, latents.words, latents.truncation, latents.own_classes, protocol)
    forms = dict(
        checkpoint=lambda: _from_checkpoint(run, asked, checkpoint, latents, report),
        pb=lambda: _from_graph(run, spec, draw, latents),
        om=lambda: _from_device(run, spec, ran, latents),
    )

    def source(form: _Form) -> Source:
        pictures = Pictures(
            name=str(run),
            count=latents.count,
            size=(model.resolution,) * 2,
            lossless=facts["jpeg"] is None,
            digest="",
            batches=lambda batch: map(_levels(protocol), _finite(form, run, form.floats(batch))),
        )
        return Source(form.kind, form.label, str(run), how_drawn(facts), dict(facts, **form.facts), pictures)

    return [source(forms[kind]()) for kind in kinds]


def _from_checkpoint(
    run: RunDir, asked: DrawConfig, checkpoint: Checkpoint, latents: _Latents, report: Report
) -> _Form:
    def floats(batch: int) -> Iterator[np.ndarray]:
        settings = configs.replace(asked, batch=batch)
        with generators.open_generator(run, settings, [], without_tables(report)) as opened:
            yield from opened.sampler.images(*latents.make())

    return _Form("checkpoint", "checkpoint", dict(files=checkpoint.inputs()), "another --checkpoint", floats)


def _from_graph(run: RunDir, spec: GraphSpec, draw: DrawConfig, latents: _Latents) -> _Form:
    def floats(batch: int) -> Iterator[np.ndarray]:
        with FrozenGenerator(read_graph(run.frozen_graph), spec, draw.device) as generator:
            yield from generator.images(*latents.make())

    return _Form("pb", "frozen graph", dict(graph_sha256=spec.sha256), f"biggan freeze {run}, of another step", floats)


def _from_device(run: RunDir, spec: GraphSpec, ran: Finished, latents: _Latents) -> _Form:
    def floats(batch: int) -> Iterator[np.ndarray]:
        return outputs(ran.folder, read_index(ran.folder), spec, latents.count)

    details = {key: ran.manifest["details"][key] for key in ("model", "soc", "precision", "emulated")}
    fix = f"biggan verify {run}, which tells what the model loses"
    return _Form("om", label_of(ran), dict(graph_sha256=spec.sha256, **details), fix, floats)


def _finite(form: _Form, run: RunDir, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same; what is not a number would become a level.

    Raises:
        StepFailed: a value is not finite; names the picture.
    """
    done = 0
    for floats in batches:
        wrong = np.flatnonzero(~np.isfinite(floats).all(axis=(1, 2, 3)))
        if len(wrong):
            raise StepFailed(
                f"picture {done + wrong[0]} (from 0) from the {form.label} of {run} has values that are not finite",
                fix=form.fix,
            )
        done += len(floats)
        yield floats


def drawn_facts(
    record: RunRecord,
    step: int,
    draw: DrawConfig,
    latents: str,
    truncation: Truncation,
    own_classes: Optional[bool],
    protocol: Optional[Protocol] = None,
) -> Dict[str, Any]:
    """What is known of drawn pictures; the statistics of the batch norms have a truncation of their own."""
    train = record.config.train
    return dict(
        trained_on=datasets.kind_of(train.data) if train.data else None,
        step=step,
        weights=draw.weights,
        batch_norm=draw.bn,
        batch_norm_truncation=draw.truncation if draw.bn == "standing" else None,
        truncation=truncation,
        trained_truncation=train.truncation,
        latents=latents,
        own_classes=own_classes,
        quantisation="down" if protocol and protocol.floor else "nearest",
        jpeg=protocol.jpeg if protocol else None,
    )


def how_drawn(facts: Dict[str, Any]) -> str:
    """The same in words."""
    weights = "EMA" if facts["weights"] == "ema" else facts["weights"]
    statistics = f"{facts['batch_norm']} batch-norm statistics"
    truncation, measured = facts["truncation"], facts["batch_norm_truncation"]
    if facts["batch_norm"] == "standing" and measured != truncation:
        statistics += f" of truncation {configs.truncation_text(measured)}"
    words = "no truncation" if truncation is None else f"truncation {truncation_words(truncation)}"
    return f"step {facts['step']}, {weights} weights, {statistics}, {words}, {facts['latents']}"


def truncation_words(truncation: Truncation) -> str:
    """``2``, ``none`` or ``unknown``."""
    return UNKNOWN if truncation == UNKNOWN else configs.truncation_text(truncation)


def _device_run(run: RunDir, spec: GraphSpec, name: Optional[str]) -> Finished:
    """What ``msame-run`` left: the latest, or that of an offline model or of its own name."""
    ran = device_runs(run, spec)
    if not ran:
        raise UsageError(
            f"no offline model of this graph ran yet in {run}",
            looked_for=str(run.path / "msame"),
            fix=f"biggan atc {run}, then biggan msame-run {run}",
        )
    for entry in reversed(ran):
        if name in (None, entry.name, entry.manifest["details"]["model"]):
            check_outputs(run, spec, entry)
            return entry
    raise UsageError(f"--om {name} did not run in {run}", hint=f"what did: {', '.join(entry.name for entry in ran)}")


def _latents_of_device(
    run: RunDir, spec: GraphSpec, ran: Finished, config: PicturesConfig, wanted: Optional[int], num_classes: int
) -> _Latents:
    """Those that the offline model ran on: all of them, or the first."""
    index, details = read_index(ran.folder), ran.manifest["details"]
    if "latents_file" not in details:
        raise StepFailed(
            f"{ran.folder} was left by an earlier biggan, which did not say what it ran on",
            fix=f"biggan msame-run {run} --bins {details['bins']}",
        )
    if config.seeds is not None:
        raise UsageError("--seeds does not go with --source om, whose latents are those that it ran on")
    truncation = UNKNOWN if details["latents_file"] else details["truncation"]
    if config.draw.truncation not in ("run", truncation):
        asked, own = configs.truncation_text(config.draw.truncation), truncation_words(truncation)
        raise UsageError(
            f"--truncation {asked} is not that of {ran.folder}, which is {own}", fix="leave --truncation out"
        )
    if (wanted or 0) > index.num:
        raise UsageError(
            f"{wanted} pictures are asked for, and {ran.folder} has {index.num}",
            fix=f"biggan to-bin {run} --num {wanted}, then biggan msame-run {run}",
        )
    count = wanted or index.num
    seeds = index.seeds[:count]
    own_classes = None
    if details["latents_file"]:
        words = f"latents of {details['latents_file']}"
    else:
        words = f"{seeds_text(seeds)} of bin/{Path(details['bins']).name}"
        own_classes = index.labels[:count] != tuple(classes_of_seeds(seeds, num_classes).tolist())
        words += " with its classes" if own_classes else ""
    return _Latents(count, words, truncation, own_classes, lambda: latents_of(run, spec, ran, count))


def _latents_of_seeds(
    config: PicturesConfig, wanted: Optional[int], num: int, model: ModelConfig, truncation: Optional[float]
) -> _Latents:
    seeds = config.seeds if config.seeds is not None else range(wanted or num)
    if wanted not in (None, len(seeds)):
        raise UsageError(
            f"{'--num' if config.num else '--protocol'} asks for {wanted} pictures, --seeds for {len(seeds)}",
            fix="leave one of them out",
        )

    def make() -> Tuple[np.ndarray, np.ndarray]:
        return z_of_seeds(seeds, model.z_dim, truncation), classes_of_seeds(seeds, model.num_classes)

    return _Latents(len(seeds), seeds_text(seeds), truncation, False, make)


def seeds_text(seeds: Sequence[int]) -> str:
    """``seeds 0-49999``; of others the first."""
    if tuple(seeds) == tuple(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"seeds {', '.join(str(seed) for seed in seeds[:10])}{', …' if len(seeds) > 10 else ''}"


def _levels(protocol: Optional[Protocol]) -> Callable[[np.ndarray], np.ndarray]:
    """float [-1, 1] → uint8, rounded, or as the seed had it."""
    if protocol is None or not (protocol.floor or protocol.jpeg):
        return images.to_uint8
    return lambda batch: images.through_jpeg(images.to_uint8(batch, down=protocol.floor), protocol.jpeg)
