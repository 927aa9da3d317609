"""Statistics of features in an .npz file, and the features themselves where they are wanted again.

``mu`` float64 [D] and ``sigma`` float64 [D, D] as TTUR's own files have them, so that either reads the other's;
``features`` float32 [N, D] and ``logits`` float32 [N, K]; ``about``, JSON that says what they are of.
"""

import json
import zipfile
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.files import whole_file
from biggan_cli.metrics.fid import Statistics

SCHEMA = 1


class FeatureFile(NamedTuple):
    """What a file holds; the arrays are read when they are asked for. ``about`` is empty where others wrote it.

    ``count`` is that of the features, None where the file has only statistics.
    """

    path: Path
    about: Dict[str, Any]
    size: int
    count: Optional[int]
    has_logits: bool

    def statistics(self) -> Statistics:
        return Statistics(*(array.astype(np.float64) for array in self._arrays("mu", "sigma")))

    def features(self) -> np.ndarray:
        return features_in(self.path)

    def logits(self) -> np.ndarray:
        return self._arrays("logits")[0]

    def _arrays(self, *names: str) -> Tuple[np.ndarray, ...]:
        with np.load(str(self.path), allow_pickle=False) as archive:
            return tuple(archive[name] for name in names)


def write(
    path: Path,
    statistics: Statistics,
    about: Dict[str, Any],
    features: Optional[np.ndarray] = None,
    logits: Optional[np.ndarray] = None,
) -> None:
    """Whole or not at all."""
    arrays = dict(mu=statistics.mean, sigma=statistics.covariance, about=np.asarray(json.dumps(about)))
    arrays.update({name: array for name, array in (("features", features), ("logits", logits)) if array is not None})
    with whole_file(path) as temporary, open(str(temporary), "wb") as handle:
        np.savez(handle, **arrays)


def features_in(path: Path) -> np.ndarray:
    """float32 [N, D] of a file that is known to have them."""
    with np.load(str(path), allow_pickle=False) as archive:
        return archive["features"]


def holds_features(path: Path) -> bool:
    """Whether it is a file of this kind, with whatever else may be wrong with it."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with _opened(path) as archive:
            return bool({"mu", "sigma", "features"}.intersection(archive.files))
    except Exception:  # whatever reads it as pictures says what is wrong
        return False


def read(path: Path, flag: str = "") -> FeatureFile:
    """Look at a file: everything in it is of one size, whole and finite.

    Args:
        flag: what errors name besides the path.

    Raises:
        UsageError: there is no such file, or it holds something else.
        StepFailed: it is cut off or damaged.
    """
    label = f"{flag} {path}".strip()
    if not path.is_file():
        raise UsageError(f"{label} is not a file", fix="biggan stats makes one")
    try:
        with _opened(path) as archive:
            names = archive.files
            held = {name: archive[name] for name in ("mu", "sigma", "about", "features", "logits") if name in names}
    except Exception as error:  # NumPy meets a damaged archive with whatever its parser trips over
        raise StepFailed(f"{label} is cut off, or not an .npz of arrays", fix="biggan stats makes one") from error
    if "mu" not in held or "sigma" not in held:
        known = ", ".join(names[:5])
        raise UsageError(f"{label} has no mu and sigma, but {known}", fix="biggan stats makes one")
    for name in ("mu", "sigma", "features", "logits"):
        if name in held and held[name].dtype.kind != "f":
            raise UsageError(f"{label}: {name} is {held[name].dtype}, not floats", fix="biggan stats makes one")
    mean, covariance, features = held["mu"], held["sigma"], held.get("features")
    size = len(mean) if mean.ndim == 1 else 0
    if not size or covariance.shape != (size, size):
        raise UsageError(
            f"{label}: mu has the shape {mean.shape}, sigma {covariance.shape}", fix="mu [D] and sigma [D, D]"
        )
    if not all(np.isfinite(array).all() for array in (mean, covariance, held.get("logits", mean))):
        raise StepFailed(f"{label} has values that are not finite")
    if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=1e-9 * np.abs(covariance).max()):
        raise StepFailed(f"{label}: sigma is not symmetric: it is no covariance")
    if (np.diagonal(covariance) < 0.0).any():
        raise StepFailed(f"{label}: sigma has negative variances: it is no covariance")
    if features is not None and (features.ndim != 2 or features.shape[1] != size or not np.isfinite(features).all()):
        raise StepFailed(f"{label}: its features {features.shape} do not belong to mu [{size}], or are not finite")
    count = None if features is None else len(features)
    logits = held.get("logits")
    if logits is not None and (logits.ndim != 2 or len(logits) != count):
        raise StepFailed(f"{label} has {count} features, and logits {logits.shape}")
    about = _about(held.get("about"), label)
    if about and count not in (None, about["source"]["count"]):
        raise StepFailed(f"{label} has {count} features, and says that they are {about['source']['count']}")
    return FeatureFile(path, about, size, count, logits is not None)


def _opened(path: Path):
    """An .npz file's arrays; NumPy 1.19 itself leaves a complaint on stderr where the file is none."""
    if not zipfile.is_zipfile(str(path)):
        raise ValueError("not a zip file")
    return np.load(str(path), allow_pickle=False)


def _about(stored: Optional[np.ndarray], label: str) -> Dict[str, Any]:
    if stored is None:
        return {}
    try:
        about = json.loads(str(stored.item()))
        if about["schema"] != SCHEMA:
            raise ValueError(f"schema {about['schema']}, this biggan reads schema {SCHEMA}")
        texts = (about["extractor"]["name"], about["extractor"]["sha256"], about["source"]["name"])
        source = about["source"] = {**dict(how="", facts={}, size=None, lossless=None), **about["source"]}
        numbers = [source["count"], *(source["size"] or (1, 1))]
        sane = (
            all(isinstance(text, str) for text in (*texts, source["how"]))
            and all(isinstance(number, int) and number > 0 for number in numbers)
            and len(numbers) == 3
            and isinstance(source["facts"], dict)
            and source["lossless"] in (True, False, None)
        )
        if not sane:
            raise ValueError("a value has the wrong type")
    except (KeyError, TypeError, ValueError) as error:
        raise StepFailed(f"{label} is damaged, or of another version of biggan: {error}") from error
    return about
