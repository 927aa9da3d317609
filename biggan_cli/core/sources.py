"""Where pictures to score come from: a run in one of its forms, a folder, a file, a data set, or features kept."""

import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from biggan_cli.config import RunRecord
from biggan_cli.core import generators
from biggan_cli.core.reporting import Report
from biggan_cli.core.run_sources import Source, of_run
from biggan_cli.data import datasets, pictures
from biggan_cli.data.pictures import Pictures
from biggan_cli.errors import UsageError
from biggan_cli.metrics import feature_file
from biggan_cli.metrics.feature_file import FeatureFile
from biggan_cli.protocols import Protocol
from biggan_cli.rundir import RunDir, open_run
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
        return of_run(place.run, config, kinds, protocol, num, report)
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
