"""The nearest rows of a large set, block by block, and what nearness says of copies. float64."""

from typing import Callable, Iterable, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy import stats

from biggan_cli.metrics.precision_recall import squared_distances

SHARE = 0.01
"""Of real pictures that were not trained on: the nearest to the training set, to which samples are compared."""
_CHANCE = 0.999


class Nearest(NamedTuple):
    """Of each query the nearest rows, the nearest first: indices int64 [Q, K] and distances float64 [Q, K]."""

    indices: np.ndarray
    distances: np.ndarray


def nearest(
    queries: np.ndarray,
    blocks: Iterable[Tuple[int, np.ndarray]],
    count: int,
    passed_over: Optional[Callable[[int, int], Sequence[Tuple[int, int]]]] = None,
) -> Nearest:
    """Euclidean, exactly 0 of equal rows; of equally near rows the first.

    Args:
        queries: [Q, D].
        blocks: (index of the first row, rows [N, D]), in order.
        passed_over: of a block from an index to another, the (query, row in the block) that do not count.

    Raises:
        ValueError: fewer than ``count`` rows.
    """
    distances = np.full((len(queries), count), np.inf)
    indices = np.full((len(queries), count), -1, np.int64)
    for start, rows in blocks:
        found = squared_distances(queries, rows)
        for query, row in passed_over(start, start + len(rows)) if passed_over else ():
            found[query, row] = np.inf
        numbers = np.broadcast_to(np.arange(start, start + len(rows)), found.shape)
        found, numbers = np.concatenate([distances, found], axis=1), np.concatenate([indices, numbers], axis=1)
        order = np.argsort(found, axis=1, kind="stable")[:, :count]
        distances, indices = np.take_along_axis(found, order, 1), np.take_along_axis(numbers, order, 1)
    if not np.isfinite(distances).all():
        raise ValueError(f"there are not {count} rows to be near")
    return Nearest(indices, np.sqrt(distances))


class Likeness(NamedTuple):
    """How near samples are to the training set, beside real pictures that were not trained on.

    ``threshold`` is the distance below which only ``SHARE`` of the real ones are, ``below`` the samples that are
    nearer, ``expected`` how many would be if they were like the real ones, ``suspicious`` whether chance does not
    explain so many, ``equal`` how many samples are training pictures themselves.
    """

    samples: int
    reals: int
    median: float
    real_median: float
    threshold: float
    below: int
    expected: float
    suspicious: bool
    equal: int


def likeness(samples: np.ndarray, reals: np.ndarray) -> Likeness:
    """Of distances [N] and [M] to the nearest training picture.

    Source of the idea: Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675): a generator copies where its samples are
    nearer to the training set than real pictures of a set held out.
    """
    threshold = float(np.quantile(reals, SHARE))
    below, count = int(np.sum(samples < threshold)), len(samples)
    equal = int(np.sum(samples == 0.0))
    by_chance = stats.binom.ppf(_CHANCE, count, SHARE)
    return Likeness(
        count,
        len(reals),
        float(np.median(samples)),
        float(np.median(reals)),
        threshold,
        below,
        SHARE * count,
        bool(below > by_chance or equal),
        equal,
    )
