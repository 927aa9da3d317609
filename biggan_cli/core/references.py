"""What generated pictures are compared with: statistics in a file, or those of real pictures, kept for next time."""

import difflib
import re
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.core import sources
from biggan_cli.core.extractors import Extractor
from biggan_cli.core.features import features_of
from biggan_cli.core.reporting import Report
from biggan_cli.data import datasets, pictures
from biggan_cli.data.pictures import Pictures
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import expanded, sha256
from biggan_cli.metrics import digit_classifier, feature_file, published
from biggan_cli.metrics.feature_file import FeatureFile
from biggan_cli.metrics.fid import Statistics, statistics
from biggan_cli.protocols import CIFAR10_SIZE, CIFAR10_TEST, CIFAR10_TRAIN, FULL, TEST
from biggan_cli.runtime import cache
from biggan_cli.settings import ReferenceConfig

SETS = dict(train=False, test=True)
"""The parts of a data set → whether it is the held-out one."""


class Reference(NamedTuple):
    """Real pictures as features see them. ``published`` is the name under which others compare with the same.

    ``lossless`` is None where nobody knows. ``features`` gives float32 [N, D] when they are needed, for they are
    large; None where only statistics are known.
    """

    name: str
    origin: str
    count: Optional[int]
    size: Optional[Tuple[int, int]]
    lossless: Optional[bool]
    digest: str
    published: Optional[str]
    statistics: Statistics
    features: Optional[Callable[[], np.ndarray]]
    kept: Optional[Path] = None
    """Where an earlier call had left them."""

    def about(self) -> Dict[str, Any]:
        """For records."""
        return dict(name=self.name, count=self.count, sha256=self.digest, origin=self.origin)


class _Wanted(NamedTuple):
    """Real pictures, not yet looked at."""

    name: str
    origin: str
    pictures: Pictures
    published: Optional[str]


def default_name(settings: ReferenceConfig, place: sources.Place, extractor: Extractor) -> str:
    """What pictures are compared with where nobody says: what they were trained on, else digits or CIFAR-10."""
    spec = settings.data or place.data_spec() or ""
    if spec and datasets.kind_of(spec) != "cifar10":
        return "train"
    return "digits" if extractor.name == digit_classifier.NAME else CIFAR10_TRAIN


def open_reference(
    settings: ReferenceConfig,
    place: sources.Place,
    extractor: Extractor,
    size: Optional[Tuple[int, int]],
    need_features: bool,
    batch: int,
    report: Report,
) -> Reference:
    """The reference by its name: ``train`` or ``test`` of the data, ``cifar10-train`` or ``cifar10-test``, a data set,
    an .npz file, a folder. What had to be computed is kept in the cache.

    Args:
        size: of the pictures that are compared with it, to which a data set is resized as for training; not where
            the network takes one size only.
        need_features: statistics alone do not do.

    Raises:
        UsageError: there is none of this name, it was made with another network, or it has no features.
        StepFailed: it is damaged.
        NotReady: it could not be fetched.
    """
    name = settings.name or default_name(settings, place, extractor)
    with_ttur = name == CIFAR10_TRAIN and extractor.official and not need_features
    if settings.fetch and not with_ttur:
        raise UsageError(
            f"--fetch-stats brings statistics of {CIFAR10_TRAIN} by the official Inception graph",
            hint="--kid and --pr need features" if need_features else f"the {extractor.title()} compares with {name}",
            fix="leave --fetch-stats out",
        )
    if settings.fetch and settings.data:
        raise UsageError("--data has the pictures whose statistics --fetch-stats would bring", fix="leave one out")
    if with_ttur and not settings.data:
        if settings.fetch:
            published.fetch_ttur(lambda done, total: report("advance", what="fetching", done=done, total=total))
        kept = published.ttur_file()
        if kept:
            return _of_file(kept, extractor, False, flag="")
    path = expanded(name)
    if path.suffix.lower() == ".npz" and (not path.is_file() or feature_file.holds_features(path)):
        _check_no_data(settings, name)
        return _of_file(path, extractor, need_features, flag="--ref")
    can_fetch = with_ttur and not settings.fetch
    wanted = _wanted(name, settings, place, (extractor.resolution,) * 2 if extractor.resolution else size, can_fetch)
    return _of_pictures(wanted, extractor, need_features, batch, report)


def _check_no_data(settings: ReferenceConfig, name: str) -> None:
    """``--data`` is not passed over where the reference has its own pictures."""
    if settings.data:
        parts = ", ".join([CIFAR10_TRAIN, CIFAR10_TEST, *SETS])
        raise UsageError(f"--data is for --ref {parts}, not for --ref {name}", fix="leave one of them out")


def check_made_with(file: FeatureFile, extractor: Extractor, label: str) -> None:
    """Statistics compare only with those of the same network.

    Raises:
        UsageError: they are of another.
    """
    made_by = file.about.get("extractor", {}).get("sha256")
    if made_by not in (None, extractor.sha256):
        raise UsageError(
            f"{label} was made with another network: sha256 {made_by[:12]}…, this one has {extractor.sha256[:12]}…",
            fix="make it again: biggan stats",
        )
    if file.size != extractor.features:
        raise UsageError(
            f"{label} is of {file.size} features, the {extractor.title()} gives {extractor.features}",
            fix="biggan stats makes one that fits",
        )


def _of_file(path: Path, extractor: Extractor, need_features: bool, flag: str) -> Reference:
    label = f"{flag} {path}".strip()
    file = feature_file.read(path, flag)
    ttur = published.is_ttur_file(path)
    if path.name == published.TTUR and not ttur:
        raise UsageError(
            f"{label} is not TTUR's file: its git blob id is not {published.TTUR_BLOB}",
            hint="another of the same name is of a PyTorch network, whose numbers are others",
            fix=f"{'another --ref' if flag else 'remove it'}; --fetch-stats, or --data cifar10:DIR to compute them",
        )
    if ttur and not extractor.official:
        raise UsageError(
            f"{label} was made with the official Inception graph, not with the {extractor.title()}",
            fix="--data cifar10:DIR, to compute the statistics",
        )
    check_made_with(file, extractor, label)
    if need_features and file.count is None:
        raise UsageError(
            f"{label} has only statistics: --kid and --pr need the features",
            fix="biggan stats SOURCE --features, or name the pictures themselves",
        )
    if ttur:
        origin, known = f"TTUR's {published.TTUR}", dict(name=CIFAR10_TRAIN, count=50000, size=CIFAR10_SIZE)
    else:
        known = file.about.get("source", {})
        origin = "statistics in a file" if known else "statistics in a file that does not say of what"
    return Reference(
        known.get("name", str(path)),
        origin,
        known.get("count", file.count),
        tuple(known["size"]) if known.get("size") else None,
        known.get("lossless"),
        sha256(path),
        known.get("published", CIFAR10_TRAIN if ttur else None),
        file.statistics(),
        _later(path) if file.count is not None else None,
    )


def _later(path: Path) -> Callable[[], np.ndarray]:
    """The features of a file that was looked at, when they are needed."""

    def features() -> np.ndarray:
        try:
            return feature_file.features_in(path)
        except Exception as error:  # NumPy meets a damaged archive with whatever its parser trips over
            raise StepFailed(f"{path} changed meanwhile: {error}", fix="the same command again") from error

    return features


def _wanted(
    name: str, settings: ReferenceConfig, place: sources.Place, size: Optional[Tuple[int, int]], can_fetch: bool
) -> _Wanted:
    """The real pictures of a name."""
    square = size[0] if size and size[0] == size[1] else sources.NATIVE
    if name in (CIFAR10_TRAIN, CIFAR10_TEST):
        if settings.data and datasets.kind_of(settings.data) != "cifar10":
            raise UsageError(f"--ref {name} is not a part of --data {settings.data}", fix="--data cifar10:DIR")
        known = (settings.data, place.data_spec(), settings.default_data)
        spec = next((spec for spec in known if spec and datasets.kind_of(spec) == "cifar10"), None)
        if spec is None:
            raise UsageError(
                f"there is nothing to make {name} of",
                looked_for=f"--data, the run's data, BIGGAN_DATA{_or_ttur(name)}",
                fix=f"--data cifar10:DIR{', or --fetch-stats' if can_fetch else ''}, or another --ref",
                hint=f"the run was trained on {place.data_spec()}: --ref train"
                if place.run and place.data_spec()
                else None,
            )
        return _part(spec, name == CIFAR10_TEST, sources.NATIVE, name)
    if name in SETS:
        spec = settings.data or place.data_spec() or settings.default_data
        if not spec:
            raise UsageError(
                f"--ref {name} is a part of a data set, and no data is named",
                looked_for="--data, the run's data, BIGGAN_DATA",
                fix="--data digits or --data cifar10:DIR",
            )
        return _part(spec, SETS[name], square)
    _check_no_data(settings, name)
    if datasets.is_explicit(name):
        return _part(name, False, square)
    path = expanded(name)
    if (path / "config.json").is_file():
        fix = f"biggan stats {name} --features --out F.npz, then --ref F.npz"
        raise UsageError(f"--ref {name} is a run, not pictures", fix=fix)
    if path.is_dir():
        return _Wanted(name, "computed from a folder", pictures.of_folder(path), None)
    if path.is_file():
        return _Wanted(name, "computed from a file", pictures.of_file(path), None)
    nearest = difflib.get_close_matches(name, [CIFAR10_TRAIN, CIFAR10_TEST, *SETS, "digits"], n=1)
    raise UsageError(
        f"--ref {name} is nothing that is known",
        looked_for=f"{CIFAR10_TRAIN}, {CIFAR10_TEST}, train, test, {datasets.SPECS}, a file, a folder",
        fix=f"--ref {nearest[0]}" if nearest else "one of these",
    )


def _part(spec: str, held_out: bool, resolution: Optional[int], name: Optional[str] = None) -> _Wanted:
    """The training or held-out part of a data set."""
    found = sources.of_data(spec, resolution, held_out)
    return _Wanted(name or found.name, f"computed from {spec}", found, published_as(spec, held_out, found))


def published_as(spec: str, held_out: bool, found: Pictures) -> Optional[str]:
    """The name under which others compare with these pictures; None of parts of a set, or of others."""
    whole = found.count == (TEST if held_out else FULL) and found.size == CIFAR10_SIZE
    if datasets.kind_of(spec) != "cifar10" or not whole:
        return None
    return CIFAR10_TEST if held_out else CIFAR10_TRAIN


def _or_ttur(name: str) -> str:
    return f", {cache.folder() / 'stats' / published.TTUR}" if name == CIFAR10_TRAIN else ""


def _of_pictures(wanted: _Wanted, extractor: Extractor, need_features: bool, batch: int, report: Report) -> Reference:
    """Statistics of real pictures: those kept from the last time, or computed and kept."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", Path(wanted.pictures.name).absolute().name).strip("-").lower()
    stem = f"{slug}-{extractor.sha256[:12]}-{wanted.pictures.digest[:12]}"
    with_features, kept = (cache.folder() / "stats" / f"{stem}{end}.npz" for end in ("-features", ""))
    about = dict(
        schema=feature_file.SCHEMA,
        extractor=extractor.about(),
        source=dict(
            name=wanted.name,
            count=wanted.pictures.count,
            size=list(wanted.pictures.size),
            lossless=wanted.pictures.lossless,
            sha256=wanted.pictures.digest,
            published=wanted.published,
        ),
    )

    def reference(found: Statistics, features: Optional[Callable[[], np.ndarray]], place: Optional[Path]) -> Reference:
        return Reference(
            wanted.name,
            wanted.origin,
            wanted.pictures.count,
            wanted.pictures.size,
            wanted.pictures.lossless,
            wanted.pictures.digest,
            wanted.published,
            found,
            features,
            place,
        )

    for place in (with_features,) if need_features else (kept, with_features):
        found = _kept(place, about)
        if found:
            return reference(found, _later(place) if need_features else None, place)
    passed = features_of(wanted.pictures, extractor, batch, "reference", report)
    computed, place = statistics(passed.features), with_features if need_features else kept
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        feature_file.write(place, computed, about, passed.features if need_features else None)
    except OSError as error:
        report("warning", text=f"the reference's statistics are not kept: {place}: {error.strerror}")
        features = passed.features
        return reference(computed, lambda: features, None)
    return reference(computed, _later(place) if need_features else None, None)


def _kept(path: Path, about: Dict[str, Any]) -> Optional[Statistics]:
    """What an earlier call kept; None where it is missing, damaged, or of something else."""
    if not path.is_file():
        return None
    try:
        file = feature_file.read(path)
        of = file.about["source"]
        same = file.about["extractor"] == about["extractor"] and of["sha256"] == about["source"]["sha256"]
        return file.statistics() if same else None
    except Exception:  # whatever is wrong with a cache, it is made again
        return None
