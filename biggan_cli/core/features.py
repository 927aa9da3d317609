"""One pass of a network over pictures: their features, and what the Inception Score needs."""

import time
from typing import Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from biggan_cli.core.extractors import Extractor
from biggan_cli.core.reporting import Report
from biggan_cli.data import images
from biggan_cli.data.pictures import Pictures
from biggan_cli.errors import StepFailed, UsageError
from biggan_cli.metrics.inception_score import InceptionScoreSums

GROUP = 32
"""Pictures that a network gets at a time, always the same ones: its last digits depend on a picture's neighbours."""


class Pass(NamedTuple):
    """Features float32 [N, D], logits float32 [N, K] where they are kept, and how long it took."""

    features: np.ndarray
    logits: Optional[np.ndarray]
    seconds: float


def features_of(
    pictures: Pictures,
    extractor: Extractor,
    batch: int,
    what: str,
    report: Report,
    sums: Optional[InceptionScoreSums] = None,
    keep_logits: bool = False,
) -> Pass:
    """Every picture through the network, in order; what batches they come in changes nothing.

    Args:
        what: the word of the progress.
        sums: gets the logits.

    Raises:
        UsageError: the network does not take pictures of this size.
        StepFailed: a feature is not finite, or all pictures give the same.
    """
    started, done = time.perf_counter(), 0
    features = np.empty((pictures.count, extractor.features), np.float32)
    kept = []
    with extractor.open() as network:
        size = resized_to(pictures, extractor)
        for images_u8 in _regrouped(pictures.batches(batch)):
            if size:
                images_u8 = images.resize(images_u8, size)
            found, logits = network.features_and_logits(images_u8)
            _check(found, logits, done, pictures)
            features[done : done + len(found)] = found
            if sums:
                sums.add(logits)
            if keep_logits:
                kept.append(logits)
            done += len(found)
            rate = done / max(time.perf_counter() - started, 1e-9)
            report("advance", what=what, done=done, total=pictures.count, per_second=rate)
    if done != pictures.count:
        raise StepFailed(f"{pictures.name} gave {done} pictures of {pictures.count}: it changed meanwhile")
    if np.ptp(features, axis=0).max() == 0.0:
        raise StepFailed(f"all {done} pictures of {pictures.name} have the same features: they are all one picture")
    return Pass(features, np.concatenate(kept) if kept else None, time.perf_counter() - started)


def groups(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows ``GROUP`` at a time."""
    for start in range(0, len(rows), GROUP):
        yield rows[start : start + GROUP]


def _regrouped(batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same pictures ``GROUP`` at a time, whatever they come in."""
    waiting: List[np.ndarray] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += len(batch)
        if count >= GROUP:
            rows = np.concatenate(waiting)
            whole = count // GROUP * GROUP
            yield from groups(rows[:whole])
            waiting, count = [rows[whole:]], count - whole
    if count:
        yield np.concatenate(waiting)


def resized_to(pictures: Pictures, extractor: Extractor) -> Optional[int]:
    """What pictures are resized to before a network sees them; None: they go in as they are.

    Raises:
        UsageError: the network takes only squares.
    """
    resolution, (height, width) = extractor.resolution, pictures.size
    if resolution is None or pictures.size == (resolution, resolution):
        return None
    if height != width:
        raise UsageError(
            f"the {extractor.title()} takes squares, {pictures.name} has {width}x{height} px",
            fix="--extractor inception",
        )
    return resolution


def _check(features: np.ndarray, logits: np.ndarray, done: int, pictures: Pictures) -> None:
    finite: Tuple[np.ndarray, ...] = tuple(np.isfinite(values).all(axis=1) for values in (features, logits))
    wrong = np.flatnonzero(~(finite[0] & finite[1]))
    if len(wrong):
        raise StepFailed(
            f"picture {done + wrong[0]} of {pictures.name} (from 0, in order) has features that are not finite",
            hint="the graph of --inception may be damaged",
        )
