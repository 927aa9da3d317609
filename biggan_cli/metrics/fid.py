"""Fréchet distance between two sets of features, each taken for a normal distribution. NumPy, float64."""

from typing import NamedTuple

import numpy as np

_BLOCK = 1024


class Statistics(NamedTuple):
    """Mean [D] and covariance [D, D] of features, float64."""

    mean: np.ndarray
    covariance: np.ndarray


class FrechetDistance(NamedTuple):
    """``value`` is the sum of |m1 - m2|² and the term of the covariances; rounding may leave it below 0."""

    value: float
    mean_term: float
    trace_term: float


def statistics(features: np.ndarray) -> Statistics:
    """Of features [N, D]; the covariance is the unbiased one, as in the original implementation (TTUR).

    The numbers of ``np.cov``, from blocks of rows: features are never copied to float64 all at once.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(features) < 2:
        raise ValueError(f"a covariance needs two rows of features, not {len(features)}")
    mean = np.mean(features, axis=0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), _BLOCK):
        centred = features[start : start + _BLOCK] - mean
        covariance += centred.T @ centred
    covariance /= len(features) - 1
    return Statistics(mean, covariance)


def frechet_distance(one: Statistics, other: Statistics) -> FrechetDistance:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½).

    The trace of the root is that of (Fᵀ C2 F)^½ for any F with F Fᵀ = C1: a symmetric matrix, where C1 C2 has a root
    that SciPy's versions compute differently. Where one covariance is singular, as of fewer rows than features, it
    gives F, which has as many columns as its rank: eigenvalues that should be 0 would add the roots of their rounding
    errors, some 1e-6 of the distance.
    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.

    Raises:
        ValueError: the values are so large that it is not finite.
    """
    if _is_singular(other.covariance):
        one, other = other, one
    factor = _factor(one.covariance)
    with np.errstate(over="ignore", invalid="ignore"):
        product = factor.T @ other.covariance @ factor
        difference = one.mean - other.mean
        mean_term = float(difference @ difference)
    if not np.isfinite(product).all() or not np.isfinite(mean_term):
        raise ValueError("the values are too large for float64")
    mixed = np.linalg.eigvalsh(product)
    root_trace = np.sqrt(np.maximum(mixed, 0.0)).sum()
    trace_term = float(np.trace(one.covariance) + np.trace(other.covariance) - 2.0 * root_trace)
    return FrechetDistance(mean_term + trace_term, mean_term, trace_term)


def _is_singular(covariance: np.ndarray) -> bool:
    """Whether it has no Cholesky decomposition: much quicker to see than eigenvalues, and only a choice hangs on it."""
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return True
    return False


def _factor(covariance: np.ndarray) -> np.ndarray:
    """F [D, rank] with F Fᵀ = covariance; eigenvalues within the rounding of the largest one count as 0.

    The largest comes first: of products graded like that, LAPACK finds the small eigenvalues more exactly.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = np.flatnonzero(values > values[-1] * len(values) * np.finfo(np.float64).eps)[::-1]
    return vectors[:, kept] * np.sqrt(values[kept])
