"""The Fréchet distance against closed forms and against the root of the product by SciPy."""

import numpy as np
import pytest
from scipy import linalg

from biggan_cli.metrics.fid import Statistics, frechet_distance, statistics


def features(seed, count=400, size=12):
    random = np.random.RandomState(seed)
    return random.standard_normal((count, size)) @ random.standard_normal((size, size)) + random.standard_normal(size)


def test_a_known_number():
    """Two points each, half and half: the unbiased covariance makes it 89.0909…"""
    real = statistics(np.repeat([[2.0, 1.0], [1.0, 1.0]], 50, axis=0))
    fake = statistics(np.repeat([[9.0, 9.0], [2.0, 9.0]], 50, axis=0))
    assert frechet_distance(real, fake) == pytest.approx(80.0 + 0.25 * 100 / 99 + 12.25 * 100 / 99 - 3.5 * 100 / 99)


def test_equal_sets_have_none():
    one = statistics(features(0))
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-9)


def test_a_shift_is_its_square():
    one = statistics(features(1))
    assert frechet_distance(one, one._replace(mean=one.mean + 2.0)) == pytest.approx(4.0 * 12)


def test_commuting_covariances():
    a, b = np.random.RandomState(2).uniform(0.1, 5.0, (2, 8))
    basis = np.linalg.qr(np.random.RandomState(3).standard_normal((8, 8)))[0]
    mean = np.zeros(8)
    one, other = Statistics(mean, (basis * a) @ basis.T), Statistics(mean, (basis * b) @ basis.T)
    assert frechet_distance(one, other) == pytest.approx(np.square(np.sqrt(a) - np.sqrt(b)).sum())


def test_against_the_root_of_the_product():
    one, other = statistics(features(4)), statistics(features(5))
    root = linalg.sqrtm(one.covariance @ other.covariance).real
    difference = one.mean - other.mean
    wanted = difference @ difference + np.trace(one.covariance + other.covariance - 2.0 * root)
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(wanted, rel=1e-9)
