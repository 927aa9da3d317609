"""Precision and recall of features: how many fakes lie among the reals, and how many reals among the fakes. float64.

Source of the definitions: Kynkäänniemi et al. 2019 (arXiv:1904.06991), section 2. The paper uses features of VGG16;
numbers from other features compare only with each other.
"""

from itertools import count
from typing import Callable, List, NamedTuple, Optional

import numpy as np

_BLOCK = 1024
_ROUNDING = 1e-12  # of |x|² + |y|²: a squared distance below is what float64 leaves of equal rows


class PrecisionRecall(NamedTuple):
    """Shares from 0 to 1: of the fakes (precision) and of the reals (recall)."""

    precision: float
    recall: float


def precision_recall(
    fake: np.ndarray,
    real: np.ndarray,
    neighbours: int = 3,
    progress: Optional[Callable[[int, int], None]] = None,
) -> PrecisionRecall:
    """Of features [N, D] and [M, D]: a row is among a set if it is as near to one of its rows as their k-th neighbour.

    Distances are computed in blocks, each block of a set with itself and of one set with the other once.

    Args:
        neighbours: k; a row is not its own neighbour, a row equal to it is.
        progress: told (blocks done, in all).

    Raises:
        ValueError: a set without so many neighbours.
    """
    for features in (fake, real):
        if len(features) <= neighbours:
            raise ValueError(f"{len(features)} rows of features have no {neighbours} neighbours each")
    fake_blocks, real_blocks = _blocks(len(fake)), _blocks(len(real))
    pairs = len(fake_blocks) * len(real_blocks)
    total = pairs + sum(len(blocks) * (len(blocks) + 1) // 2 for blocks in (fake_blocks, real_blocks))
    done = count(1)

    def tell() -> None:
        if progress:
            progress(next(done), total)

    fake_radii, real_radii = (_squared_radii(features, neighbours, tell) for features in (fake, real))
    fake_inside, real_inside = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for fakes in fake_blocks:
        for reals in real_blocks:
            distances = squared_distances(fake[fakes], real[reals])
            fake_inside[fakes] |= (distances <= real_radii[reals]).any(axis=1)
            real_inside[reals] |= (distances <= fake_radii[fakes, None]).any(axis=0)
            tell()
    return PrecisionRecall(float(fake_inside.mean()), float(real_inside.mean()))


def _blocks(rows: int) -> List[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, rows, _BLOCK)]


def _squared_radii(features: np.ndarray, neighbours: int, tell: Callable[[], None]) -> np.ndarray:
    """Squared distance [N] of each row from its k-th neighbour."""
    nearest = np.full((len(features), neighbours), np.inf)
    blocks = _blocks(len(features))
    for number, rows in enumerate(blocks):
        for columns in blocks[number:]:
            distances = squared_distances(features[rows], features[columns])
            if columns == rows:
                np.fill_diagonal(distances, np.inf)
            else:
                _keep_nearest(nearest[columns], distances.T)
            _keep_nearest(nearest[rows], distances)
            tell()
    return nearest[:, -1]


def _keep_nearest(nearest: np.ndarray, distances: np.ndarray) -> None:
    """Put into ``nearest`` [N, k], whose last column is its largest, what is smaller in ``distances`` [N, M]."""
    closer = distances.min(axis=1) < nearest[:, -1]
    candidates = np.concatenate([nearest[closer], distances[closer]], axis=1)
    neighbours = nearest.shape[1]
    nearest[closer] = np.partition(candidates, neighbours - 1, axis=1)[:, :neighbours]


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|x - y|² [M, N] between features [M, D] and [N, D]; exactly 0 between equal rows."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    sizes = np.einsum("nd,nd->n", one, one)[:, None] + np.einsum("nd,nd->n", other, other)
    distances = sizes - 2.0 * (one @ other.T)
    distances[distances < _ROUNDING * sizes] = 0.0
    return distances
