"""Where pictures to score come from: a run in one of its forms, a folder, a file, a data set, or features kept."""

import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from biggan_cli.config import RunRecord
from biggan_cli.core import generators
from biggan_cli.core.reporting import Report
from biggan_cli.core.run_sources import UNKNOWN, Source, drawn_facts, how_drawn, of_run, seeds_text
from biggan_cli.data import datasets, pictures
from biggan_cli.data.classes import quoted
from biggan_cli.data.pictures import Pictures
from biggan_cli.errors import UsageError
from biggan_cli.files import expanded, read_json
from biggan_cli.metrics import feature_file
from biggan_cli.metrics.feature_file import FeatureFile
from biggan_cli.protocols import Protocol
from biggan_cli.rundir import RunDir, finished_in, is_unchanged, open_run
from biggan_cli.runtime.tf import load as load_tensorflow
from biggan_cli.settings import SOURCES, DrawConfig, PicturesConfig

NATIVE = None
"""The resolution that the data set has."""


class Place(NamedTuple):
    """What the argument of a command names: one of the first four is there; ``sampled``: pictures that sample left."""

    run: Optional[RunDir] = None
    pictures: Optional[Pictures] = None
    features: Optional[FeatureFile] = None
    data: Optional[str] = None
    sampled: Optional["Sampled"] = None

    def data_spec(self) -> Optional[str]:
        """The data that it is, or was trained on."""
        if self.run:
            return generators.read_record(self.run).config.train.data
        return self.sampled.record.config.train.data if self.sampled else self.data


class Sampled(NamedTuple):
    """Pictures that ``biggan sample`` left: what the run is, and what is known of them, as of one that is drawn."""

    record: RunRecord
    facts: Dict[str, Any]


def find(config: PicturesConfig) -> Place:
    """What is meant: a run's directory, number or name, none for the latest; a folder or file; a data set.

    Raises:
        UsageError: it is none of these.
        StepFailed: it is damaged.
    """
    what, outdir = config.what, Path(config.outdir)
    if what is not None and datasets.is_explicit(what):
        datasets.check_spec(what)
        return Place(data=what)
    path = expanded(what) if what is not None else None
    if path is None or (path / "config.json").is_file():
        return Place(run=open_run(what, outdir))
    if not path.exists():
        if path.suffix.lower() not in (".npz", ".npy") and re.fullmatch(r"[\w.-]+", what):
            return Place(run=open_run(what, outdir))
        raise UsageError(f"{what} is not there", fix="a run, a folder of pictures, .npy, .npz, digits or cifar10:DIR")
    if path.is_dir():
        return Place(pictures=pictures.of_folder(path), sampled=_sampled(path))
    if feature_file.holds_features(path):
        found = feature_file.read(path)
        if found.count is None:
            raise UsageError(f"{path} has only statistics: they are a reference, not pictures", fix=f"--ref {path}")
        return Place(features=found)
    return Place(pictures=pictures.of_file(path))


def _sampled(folder: Path) -> Optional[Sampled]:
    """None of a folder that ``biggan sample`` did not leave, or not so."""
    run = RunDir(folder.absolute().parent.parent)
    if not ((folder / "manifest.json").is_file() and run.config.is_file()):
        return None
    left = finished_in(folder / "manifest.json")
    if left.manifest.get("command") != "sample" or not is_unchanged(left):
        return None
    record, asked = generators.read_record(run), left.manifest["config"]["latents"]
    seeds = [entry["seed"] for entry in read_json(folder / "index.json")]
    latents = f"latents of {asked['file']}" if asked["file"] else seeds_text(seeds)
    if asked["classes"]:
        latents += ", classes " + ", ".join(quoted(name) for name, _ in asked["classes"])
    try:
        draw = DrawConfig(**left.manifest["config"]["draw"])
    except TypeError:  # of another version of biggan
        return None
    truncation = UNKNOWN if asked["file"] else draw.truncation
    own_classes = None if asked["file"] else bool(asked["classes"])
    return Sampled(record, drawn_facts(record, int(draw.checkpoint), draw, latents, truncation, own_classes))


def of_data(spec: str, resolution: Optional[int], held_out: bool = False) -> Pictures:
    """The training part of a data set, or the held-out part."""
    datasets.check_spec(spec)
    load_tensorflow()  # before anything large is held
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
    if config.held_out and not place.data:
        raise UsageError("--held-out is for data sets", fix="biggan stats digits --held-out")
    if place.run:
        return of_run(place.run, config, kinds, protocol, num, report)
    _check_only_for_runs(config, kinds, protocol)
    if place.features and protocol:
        raise UsageError(
            f"{config.what} has features, and --protocol says what pictures there must be", fix="leave --protocol out"
        )
    if place.features:
        about = place.features.about["source"]
        return [Source("features", "features", about["name"], about["how"], about["facts"], features=place.features)]
    found = of_data(place.data, NATIVE, config.held_out) if place.data else place.pictures
    if protocol and found.count != protocol.num:
        raise UsageError(
            f"{config.what} has {found.count} pictures, the protocol takes {protocol.num}", fix="leave --protocol out"
        )
    if not place.sampled:
        return [Source("pictures", "pictures", found.name, "", {}, found)]
    facts = place.sampled.facts
    return [Source("pictures", "pictures", found.name, how_drawn(facts), facts, found)]


def _check_only_for_runs(config: PicturesConfig, kinds: Sequence[str], protocol: Optional[Protocol]) -> None:
    """What says how a run draws is not passed over where nothing is drawn."""
    draw = config.draw
    drawn = dict(num=config.num, seeds=config.seeds, om=config.om, checkpoint=draw.checkpoint, bn=draw.bn)
    drawn.update(weights=config.weights, truncation=None if draw.truncation == "run" else draw)
    given = [f"--{name}" for name, value in drawn.items() if value is not None]
    given += ["--source"] if tuple(kinds) != SOURCES[:1] else []
    given += ["--protocol seed"] if protocol and (protocol.floor or protocol.jpeg) else []
    if given:
        raise UsageError(
            f"{given[0]} is for runs, and {config.what} is none: all its pictures are taken as they are",
            fix=f"leave {given[0]} out",
        )
