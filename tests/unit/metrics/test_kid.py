"""The kernel distance against double loops, closed forms and the order in which torch-fidelity draws."""

import numpy as np
import pytest

from biggan_cli.metrics.kid import kernel_distance


def features(seed, count, size=8, shift=0.0):
    return (np.random.RandomState(seed).standard_normal((count, size)) + shift).astype(np.float32)


def by_loops(x, y):
    """The unbiased estimate, pair by pair, in Python's own floats."""

    def kernel(a, b):
        return (sum(float(i) * float(j) for i, j in zip(a, b)) / len(a) + 1.0) ** 3

    n = len(x)
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j)
    between = sum(kernel(x[i], y[j]) for i in range(n) for j in range(n))
    return within / (n * (n - 1)) - 2.0 * between / (n * n)


def test_against_a_double_loop():
    """A subset of all five rows is all five rows, in whatever order."""
    x, y = features(0, 5), features(1, 5, shift=0.5)
    wanted = by_loops(x, y)
    assert kernel_distance(x, y, subsets=1, size=5) == pytest.approx((wanted, 0.0), rel=1e-12)
    assert kernel_distance(y, x, subsets=1, size=5) == pytest.approx((wanted, 0.0), rel=1e-12)


def test_two_points():
    """All fakes at a = 2, all reals at b = 3: (a² + 1)³ + (b² + 1)³ - 2 (a b + 1)³."""
    x, y = np.full((9, 1), 2.0, np.float32), np.full((9, 1), 3.0, np.float32)
    assert kernel_distance(x, y, subsets=3, size=4) == pytest.approx((125.0 + 1000.0 - 686.0, 0.0), abs=1e-9)


def test_subsets_are_drawn_as_torch_fidelity_draws_them():
    fake, real = features(2, 30), features(3, 40, shift=0.3)
    random = np.random.RandomState(2020)
    values = []
    for _ in range(7):
        x = fake[random.choice(30, 11, replace=False)]
        y = real[random.choice(40, 11, replace=False)]
        values.append(by_loops(x, y))
    found = kernel_distance(fake, real, subsets=7, size=11)
    assert found == pytest.approx((np.mean(values), np.std(values)), rel=1e-11)
    assert kernel_distance(fake, real, subsets=7, size=11, seed=1).mean != pytest.approx(found.mean, rel=1e-3)
    assert kernel_distance(real, fake, subsets=7, size=11).mean != pytest.approx(found.mean, rel=1e-3)


def test_the_mean_does_not_know_the_sample_size():
    """Halves of one set: 0 on average over 200 of them, within four standard errors, and about half of them below 0."""
    values = []
    for seed in range(200):
        x = features(seed, 40)
        values.append(kernel_distance(x[:20], x[20:], subsets=1, size=20).mean)
    assert abs(np.mean(values)) < 4.0 * np.std(values) / np.sqrt(200)
    assert 60 < np.count_nonzero(np.less(values, 0.0)) < 140
    assert kernel_distance(features(0, 20), features(1, 20, shift=0.5), subsets=1, size=20).mean > np.max(values)


def test_below_zero_is_kept():
    """The biased estimate of two equal sets is 0; without the pairs of a row with itself it is below."""
    x = features(4, 12)
    assert kernel_distance(x, x, subsets=1, size=12).mean == pytest.approx(by_loops(x, x), rel=1e-12)
    assert by_loops(x, x) < -0.5


def test_float32_features_are_computed_in_float64():
    """(1e4² + 1)³ is 1e24: float32 would leave an error of 1e16 in differences of some 1e21."""
    x, y = features(5, 6, size=1, shift=1e4), features(6, 6, size=1, shift=1e4)
    found = kernel_distance(x, y, subsets=1, size=6).mean
    assert found == pytest.approx(kernel_distance(x.astype(np.float64), y.astype(np.float64), subsets=1, size=6).mean)
    assert found == pytest.approx(by_loops(x, y), abs=1e10)


def test_progress():
    told = []
    x = features(7, 10)
    kernel_distance(x, x, subsets=3, size=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("fakes", "reals"), ((9, 10), (10, 9)))
def test_a_subset_larger_than_a_set(fakes, reals):
    with pytest.raises(ValueError):
        kernel_distance(features(0, fakes), features(1, reals), size=10)
