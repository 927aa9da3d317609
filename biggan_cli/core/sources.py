"""Where pictures to score come from: a run in one of its forms, a folder, a file, a data set, or features kept."""

import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli import config as configs
from biggan_cli.config import RunRecord
from biggan_cli.core import generators
from biggan_cli.core.deployed import device_runs, label_of, latents_of
from biggan_cli.core.reporting import Report, without_tables
from biggan_cli.data import datasets, images, pictures
from biggan_cli.data.pictures import Pictures
from biggan_cli.deploy.bins import outputs, read_index
from biggan_cli.deploy.spec import GraphSpec, read_spec
from biggan_cli.errors import UsageError
from biggan_cli.inference.frozen import FrozenGenerator, read_graph
from biggan_cli.metrics import feature_file
from biggan_cli.metrics.feature_file import FeatureFile
from biggan_cli.model.latents import classes_of_seeds, z_of_seeds
from biggan_cli.protocols import Protocol
from biggan_cli.rundir import Finished, RunDir, open_run
from biggan_cli.settings import SOURCES, PicturesConfig

NATIVE = 32
"""The resolution of both built-in data sets."""


class Place(NamedTuple):
    """What the argument of a command names: exactly one of the four is there."""

    run: Optional[RunDir] = None
    pictures: Optional[Pictures] = None
    features: Optional[FeatureFile] = None
    data: Optional[str] = None

    def record(self) -> Optional[RunRecord]:
        return generators.read_record(self.run) if self.run else None

    def data_spec(self) -> Optional[str]:
        """The data that it is, or was trained on."""
        record = self.record()
        return record.config.train.data if record else self.data


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
    def lossless(self) -> bool:
        return self.pictures.lossless if self.pictures else bool(self.features.about["source"].get("lossless"))


def find(config: PicturesConfig) -> Place:
    """What is meant: a run's directory, number or name, none for the latest; a folder or file; a data set.

    Raises:
        UsageError: it is none of these.
        StepFailed: it is damaged.
    """
    what, outdir = config.what, Path(config.outdir)
    if what is not None and re.match(r"(digits$|cifar10:)", what):
        datasets.check_spec(what)
        return Place(data=what)
    path = Path(what).expanduser() if what is not None else None
    if path is None or (path / "config.json").is_file() or not path.exists():
        looks_like_a_file = path is not None and path.suffix.lower() in (".npz", ".npy")
        if not looks_like_a_file:
            return Place(run=open_run(what, outdir))
    if path.is_dir():
        return Place(pictures=pictures.of_folder(path))
    if feature_file.holds_features(path):
        found = feature_file.read(path)
        if found.count is None:
            raise UsageError(f"{path} has only statistics: they are a reference, not pictures", fix=f"--ref {path}")
        return Place(features=found)
    return Place(pictures=pictures.of_file(path))


def of_data(spec: str, resolution: int, held_out: bool = False) -> Pictures:
    """The training part of a data set, or the held-out part."""
    dataset = datasets.load(spec, resolution)
    array = dataset.held_out_images if held_out else dataset.images
    return pictures.of_array(f"{dataset.name}, {'held-out' if held_out else 'training'} set", array)


def of_place(
    place: Place, config: PicturesConfig, kinds: Sequence[str], protocol: Optional[Protocol], num: int, report: Report
) -> List[Source]:
    """The sources of each kind, all checked, nothing drawn yet.

    Args:
        num: how many pictures a run draws where nobody says.

    Raises:
        UsageError: a form that the run does not have yet, or options that do not go together.
        StepFailed: a damaged file.
    """
    if place.run:
        return _of_run(place.run, config, kinds, protocol, num, report)
    drawn = dict(num=config.num, seeds=config.seeds, om=config.om)
    given = [f"--{name}" for name, value in drawn.items() if value is not None]
    if given or tuple(kinds) != SOURCES[:1]:
        raise UsageError(f"{given[0] if given else '--source'} is for runs, {config.what} is none")
    if place.features:
        about = place.features.about["source"]
        how, facts = about.get("how", ""), about.get("facts", {})
        return [Source("features", "features", about["name"], how, facts, features=place.features)]
    found = of_data(place.data, NATIVE) if place.data else place.pictures
    if protocol and found.count != protocol.num:
        raise UsageError(f"{config.what} has {found.count} pictures, the protocol takes {protocol.num}")
    return [Source("pictures", "pictures", found.name, "", {}, found)]


def _of_run(
    run: RunDir, config: PicturesConfig, kinds: Sequence[str], protocol: Optional[Protocol], num: int, report: Report
) -> List[Source]:
    asked = config.draw
    if protocol:
        asked = configs.replace(asked, truncation=protocol.truncation)
    spec, ran = None, None
    if set(kinds) != {"checkpoint"}:
        spec = read_spec(run)
        asked = generators.as_frozen(spec, asked)
    if "om" in kinds:
        ran = _device_run(run, spec, config.om)
    checkpoint, record, draw = generators.decide(run, asked)
    if protocol and protocol.truncation not in ("run", draw.truncation):
        raise UsageError(
            f"the graph was frozen for truncation {configs.truncation_text(draw.truncation)}, "
            f"the protocol takes {protocol.truncation:g}",
            fix=f"biggan freeze {run} --truncation {protocol.truncation:g}",
        )
    z_y, latents, count = _latents(run, spec, ran, config, record, draw.truncation, num, protocol)
    to_u8 = _quantised(protocol)
    trained = record.config.train.truncation
    facts = dict(
        step=checkpoint.step,
        weights=draw.weights,
        batch_norm=draw.bn,
        truncation=draw.truncation,
        trained_truncation=trained,
        latents=latents,
        classes="in turn" if latents.startswith("seeds") else "given with the latents",
        quantisation="down" if protocol and protocol.floor else "nearest",
        jpeg=protocol.jpeg if protocol else None,
    )
    how = f"step {checkpoint.step}, {generators.described(draw)}, {latents}"
    size = (record.config.model.resolution,) * 2

    def source(kind: str, label: str, floats: Callable[[int], Iterator[np.ndarray]], **more) -> Source:
        found = Pictures(str(run), count, size, not (protocol and protocol.jpeg), "", lambda n: map(to_u8, floats(n)))
        return Source(kind, label, str(run), how, dict(facts, **more), found)

    def of_checkpoint(batch: int) -> Iterator[np.ndarray]:
        batched = configs.replace(draw, batch=batch)
        with generators.open_generator(run, batched, [], without_tables(report)) as opened:
            yield from opened.sampler.images(*z_y())

    def of_graph(batch: int) -> Iterator[np.ndarray]:
        with FrozenGenerator(read_graph(run.frozen_graph), spec, draw.device) as generator:
            yield from generator.images(*z_y())

    def of_device(batch: int) -> Iterator[np.ndarray]:
        return outputs(ran.folder, read_index(ran.folder), spec, count)

    found = []
    for kind in kinds:
        if kind == "checkpoint":
            found.append(source(kind, "checkpoint", of_checkpoint, files=checkpoint.inputs()))
        elif kind == "pb":
            found.append(source(kind, "frozen graph", of_graph, graph_sha256=spec.sha256))
        else:
            details = {key: ran.manifest["details"][key] for key in ("model", "soc", "precision", "emulated")}
            found.append(source(kind, label_of(ran), of_device, graph_sha256=spec.sha256, **details))
    return found


def _device_run(run: RunDir, spec: GraphSpec, model: Optional[str]) -> Finished:
    """What ``msame-run`` left last, of the offline model that is meant."""
    ran = device_runs(run, spec)
    if not ran:
        raise UsageError(
            f"no offline model of this graph ran yet in {run}",
            looked_for=str(run.path / "msame"),
            fix=f"biggan atc {run}, then biggan msame-run {run}",
        )
    for entry in reversed(ran):
        if model in (None, entry.manifest["details"]["model"]):
            return entry
    known = ", ".join(entry.manifest["details"]["model"] for entry in ran)
    raise UsageError(f"--om {model} did not run on the latest input files", hint=f"what did: {known}")


def _latents(
    run: RunDir,
    spec: Optional[GraphSpec],
    ran: Optional[Finished],
    config: PicturesConfig,
    record: RunRecord,
    truncation: Optional[float],
    num: int,
    protocol: Optional[Protocol],
) -> Tuple[Callable[[], Tuple[np.ndarray, np.ndarray]], str, int]:
    """What makes z [N, z_dim] and y [N] when they are needed, what they are in words, and N."""
    wanted = config.num or (protocol.num if protocol else None)
    if ran:
        index, name = read_index(ran.folder), ran.manifest["details"]["bins"]
        if config.seeds is not None:
            raise UsageError("--seeds does not go with --source om, whose latents are those that it ran on")
        if (wanted or 0) > index.num:
            raise UsageError(
                f"{wanted} pictures are asked for, and {ran.folder} has {index.num}",
                fix=f"biggan to-bin {run} --num {wanted}, then biggan msame-run {run}",
            )
        count = wanted or index.num
        in_turn = index.seeds == tuple(range(index.num)) and index.labels == tuple(
            seed % len(record.class_names) for seed in index.seeds
        )
        latents = _seeds_text(index.seeds[:count]) if in_turn else f"the first {count} latents of bin/{name}"
        return lambda: latents_of(run, spec, ran, count), latents, count
    seeds = config.seeds if config.seeds is not None else range(wanted or num)
    if wanted not in (None, len(seeds)):
        raise UsageError(
            f"--num {wanted} does not fit the {len(seeds)} seeds of --seeds"
            if config.num
            else f"the protocol takes {wanted} pictures, --seeds has {len(seeds)}",
            fix="leave one of them out",
        )
    model = record.config.model

    def drawn() -> Tuple[np.ndarray, np.ndarray]:
        return z_of_seeds(seeds, model.z_dim, truncation), classes_of_seeds(seeds, model.num_classes)

    return drawn, _seeds_text(seeds), len(seeds)


def _seeds_text(seeds: Sequence[int]) -> str:
    if tuple(seeds) == tuple(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"seeds {', '.join(str(seed) for seed in seeds[:10])}{', …' if len(seeds) > 10 else ''}"


def _quantised(protocol: Optional[Protocol]) -> Callable[[np.ndarray], np.ndarray]:
    """float [-1, 1] → uint8, rounded, or as the seed had it."""
    if protocol is None or not (protocol.floor or protocol.jpeg):
        return images.to_uint8
    return lambda batch: images.through_jpeg(images.to_uint8(batch, down=protocol.floor), protocol.jpeg)
