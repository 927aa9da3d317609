"""The Fréchet distance against closed forms, features themselves, and the root of the product by SciPy."""

import numpy as np
import pytest
from scipy import linalg

from biggan_cli.metrics import fid
from biggan_cli.metrics.fid import Statistics, frechet_distance, statistics


def features(seed, count=400, size=12):
    random = np.random.RandomState(seed)
    return random.standard_normal((count, size)) @ random.standard_normal((size, size)) + random.standard_normal(size)


def from_features(x, y):
    """The distance without a covariance: the trace of the root is the sum of the singular values of X Yᵀ."""
    a, b = ((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (x, y))
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return means + np.square(a).sum() + np.square(b).sum() - 2.0 * linalg.svdvals(a @ b.T).sum()


def test_a_known_number():
    """Two points each, half and half: the unbiased covariance makes it 89.0909…, as compare_gan's test has it."""
    real = statistics(np.repeat([[2.0, 1.0], [1.0, 1.0]], 50, axis=0))
    fake = statistics(np.repeat([[9.0, 9.0], [2.0, 9.0]], 50, axis=0))
    found = frechet_distance(real, fake)
    assert found.value == pytest.approx(89.0909, abs=1e-4)
    assert found.value == pytest.approx(80.0 + (0.25 + 12.25 - 3.5) * 100 / 99, rel=1e-12)
    assert found.mean_term == pytest.approx(80.0, rel=1e-12)
    assert found.trace_term == pytest.approx(9.0 * 100 / 99, rel=1e-12)


@pytest.mark.parametrize("count", (400, 5))
def test_equal_sets_have_none(count):
    """With 400 rows, and with 5 rows of 12 values, whose covariance is singular."""
    one = statistics(features(0, count))
    assert frechet_distance(one, one) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_directions_of_very_different_sizes():
    """Variances over ten decades in directions of their own: C^½ C C^½ would leave 5e-6 of a set with itself."""
    random = np.random.RandomState(0)
    basis = np.linalg.qr(random.standard_normal((100, 100)))[0]
    one = statistics(10.0 * (random.standard_normal((400, 100)) * np.logspace(0, -5, 100)) @ basis)
    assert frechet_distance(one, one).value == pytest.approx(0.0, abs=1e-8)


def test_nothing_is_clamped():
    """Rounding leaves some of these below 0 and some above."""
    values = [frechet_distance(one, one).value for one in (statistics(features(seed)) for seed in range(20))]
    assert min(values) < 0.0 < max(values)


def test_a_shift_is_its_square():
    one = statistics(features(1))
    assert frechet_distance(one, one._replace(mean=one.mean + 2.0)).value == pytest.approx(4.0 * 12, rel=1e-12)


def test_all_one_higher_is_the_number_of_features():
    x = features(1)
    assert frechet_distance(statistics(x), statistics(x + 1.0)).value == pytest.approx(12.0, rel=1e-12)


def test_twice_as_far():
    """x against 2x: |m|² + tr C."""
    x = features(2)
    wanted = np.square(x.mean(axis=0)).sum() + x.var(axis=0, ddof=1).sum()
    assert frechet_distance(statistics(x), statistics(2.0 * x)).value == pytest.approx(wanted, rel=1e-12)


def test_2048_features_one_apart():
    identity = np.eye(2048)
    found = frechet_distance(Statistics(np.zeros(2048), identity), Statistics(np.ones(2048), identity))
    assert found.value == pytest.approx(2048.0, abs=1e-9)


def test_commuting_covariances():
    a, b = np.random.RandomState(2).uniform(0.1, 5.0, (2, 8))
    basis = np.linalg.qr(np.random.RandomState(3).standard_normal((8, 8)))[0]
    mean = np.zeros(8)
    one, other = Statistics(mean, (basis * a) @ basis.T), Statistics(mean, (basis * b) @ basis.T)
    wanted = np.square(np.sqrt(a) - np.sqrt(b)).sum()
    assert frechet_distance(one, other).value == pytest.approx(wanted, rel=1e-12)


def test_against_the_root_of_the_product():
    x, y = features(4), features(5)
    one, other = statistics(x), statistics(y)
    root = linalg.sqrtm(one.covariance @ other.covariance).real
    difference = one.mean - other.mean
    wanted = difference @ difference + np.trace(one.covariance + other.covariance - 2.0 * root)
    assert from_features(x, y) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(one, other).value == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(other, one).value == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("fakes", "reals"), ((30, 30), (30, 300), (300, 30)))
def test_fewer_rows_than_features(fakes, reals):
    """100 features: a covariance of 30 rows is singular, and forms with a root of it are off by 1e-6 (1e-5 allowed)."""
    x, y = features(6, fakes, 100), features(7, reals, 100)
    found = frechet_distance(statistics(x), statistics(y)).value
    assert found == pytest.approx(from_features(x, y), rel=1e-11)


def test_dead_features():
    """Two are 0 in one of the sets, one in both. What the product loses in rank may show as 1e-8 (1e-5 allowed)."""
    x, y = features(8), features(9)
    x[:, [0, 3]] = 0.0
    y[:, [3, 5]] = 0.0
    wanted = from_features(x, y)
    assert frechet_distance(statistics(x), statistics(y)).value == pytest.approx(wanted, rel=1e-7)
    assert frechet_distance(statistics(y), statistics(x)).value == pytest.approx(wanted, rel=1e-7)
    one, other = (statistics(np.delete(rows, 3, axis=1)) for rows in (x, y))
    assert frechet_distance(one, other).value == pytest.approx(wanted, rel=1e-7)


def test_a_set_without_variance():
    """Equal rows: the distance is that of the means and the variance of the other, or of the means alone."""
    x, point = features(10), np.arange(12.0)
    one, still = statistics(x), statistics(np.repeat([point], 20, axis=0))
    means = np.square(x.mean(axis=0) - point).sum()
    wanted = (means + x.var(axis=0, ddof=1).sum(), means, x.var(axis=0, ddof=1).sum())
    assert frechet_distance(one, still) == pytest.approx(wanted, rel=1e-12)
    assert frechet_distance(still, one) == pytest.approx(wanted, rel=1e-12)
    assert frechet_distance(still, still._replace(mean=point + 1.0)) == (12.0, 12.0, 0.0)


@pytest.mark.parametrize("count", (2, 99, 1024, 2500))
def test_statistics_equal_those_of_numpy(count):
    """Far from 0, where sums of squares would lose eight digits; 2,500 rows are three blocks, the last one not full."""
    x = (features(11, count) + 1e4).astype(np.float32)
    found, wanted = statistics(x), np.cov(x.astype(np.float64), rowvar=False)
    assert found.mean.dtype == found.covariance.dtype == np.float64
    np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, wanted, rtol=0.0, atol=1e-13 * wanted.max())


def test_blocks_do_not_matter(monkeypatch):
    x = features(12)
    wanted = statistics(x)
    monkeypatch.setattr(fid, "_BLOCK", 7)
    found = statistics(x)
    np.testing.assert_array_equal(found.mean, wanted.mean)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=0.0, atol=1e-13 * wanted.covariance.max())


def test_one_row_has_no_covariance():
    with pytest.raises(ValueError, match="two rows"):
        statistics(features(0, 1))
