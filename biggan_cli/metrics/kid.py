"""Kernel distance (KID) between two sets of features. NumPy, float64."""

from typing import Callable, NamedTuple, Optional

import numpy as np


class KernelDistance(NamedTuple):
    """Mean and standard deviation (ddof 0) over the subsets. Sets that are alike may come out below 0."""

    mean: float
    std: float


def kernel_distance(
    fake: np.ndarray,
    real: np.ndarray,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 2020,
    progress: Optional[Callable[[int, int], None]] = None,
) -> KernelDistance:
    """Unbiased squared MMD of features [N, D] and [M, D] with the kernel (x·y / D + 1)³, over random subsets.

    Sources: Bińkowski et al. 2018 (arXiv:1801.01401), section 4; subsets are drawn in the order of torch-fidelity:
    from one generator, for each subset first of the fakes, then of the reals, without replacement.

    Args:
        size: rows in each subset, at least 2.
        progress: told (subsets done, in all).

    Raises:
        ValueError: fewer rows than ``size``.
    """
    random = np.random.RandomState(seed)
    values = []
    for number in range(subsets):
        x, y = (
            features[random.choice(len(features), size, replace=False)].astype(np.float64) for features in (fake, real)
        )
        values.append(_squared_mmd(x, y))
        if progress:
            progress(number + 1, subsets)
    return KernelDistance(float(np.mean(values)), float(np.std(values)))


def _squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate from as many rows of each, [n, D]: pairs of a row with itself are left out."""
    pairs = len(x) * (len(x) - 1)
    within = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(x, x), _kernel(y, y)))
    return within / pairs - 2.0 * _kernel(x, y).mean()


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    product = x @ y.T / x.shape[1] + 1.0
    return product * product * product
