"""Fréchet distance between two sets of features, each taken for a normal distribution. NumPy, float64."""

from typing import NamedTuple

import numpy as np


class Statistics(NamedTuple):
    """Mean [D] and covariance [D, D] of features."""

    mean: np.ndarray
    covariance: np.ndarray


def statistics(features: np.ndarray) -> Statistics:
    """Of features [N, D]; the covariance is the unbiased one, as in the original implementation (TTUR)."""
    features = np.asarray(features, np.float64)
    return Statistics(features.mean(axis=0), np.cov(features, rowvar=False))


def frechet_distance(one: Statistics, other: Statistics) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), at least 0.

    The trace of the root is that of (C1^½ C2 C1^½)^½, whose matrix is symmetric: two eigendecompositions instead
    of the root of a matrix that is not, which SciPy's versions compute differently.
    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ other.covariance @ root)
    difference = one.mean - other.mean
    trace = np.trace(one.covariance) + np.trace(other.covariance) - 2.0 * np.sqrt(np.maximum(mixed, 0.0)).sum()
    return float(max(0.0, difference @ difference + trace))
