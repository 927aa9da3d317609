"""Neighbours against all distances at once, and what they say of copies made on purpose."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from biggan_cli.metrics.neighbours import likeness, nearest


def rows(count, seed):
    return np.random.RandomState(seed).standard_normal((count, 6))


def blocks(values, size):
    return ((start, values[start : start + size]) for start in range(0, len(values), size))


@pytest.mark.parametrize("size", (1, 7, 50, 64))
def test_as_all_distances_at_once(size):
    queries, training = rows(9, 1), rows(50, 2)
    found = nearest(queries, blocks(training, size), 4)
    distances = cdist(queries, training)
    np.testing.assert_array_equal(found.indices, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :4], rtol=1e-9)


def test_a_copy_is_at_no_distance_and_the_first_of_equals_comes_first():
    training = np.random.RandomState(0).randint(0, 256, (40, 3072)).astype(np.float64)
    training[30] = training[20]
    found = nearest(training[[20]], blocks(training, 8), 3)
    assert found.indices[0, :2].tolist() == [20, 30] and found.distances[0, :2].tolist() == [0.0, 0.0]
    assert found.distances[0, 2] > 1000


def test_what_is_passed_over():
    training = rows(20, 3)
    found = nearest(training, blocks(training, 6), 1, lambda start, stop: [(i, i - start) for i in range(start, stop)])
    distances = cdist(training, training)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(found.indices[:, 0], distances.argmin(axis=1))


def test_more_neighbours_than_rows():
    with pytest.raises(ValueError, match="not 5 rows"):
        nearest(rows(2, 0), blocks(rows(4, 1), 2), 5)


def test_samples_like_the_real_ones_are_no_copies():
    distances = np.abs(rows(400, 4)).ravel() + 1
    found = likeness(distances[:200], distances[200:])
    assert not found.suspicious and found.expected == 2.0 and (found.samples, found.reals) == (200, 2200)
    assert found.below <= 6


def test_a_share_of_copies_with_noise_is_found():
    real = np.random.RandomState(5).uniform(5, 10, 1000)
    samples = np.concatenate([real[:54], np.full(10, 1.0)])
    found = likeness(samples, real)
    assert found.suspicious and found.below >= 10 and found.equal == 0


def test_one_exact_copy_is_enough():
    real = np.random.RandomState(5).uniform(5, 10, 1000)
    found = likeness(np.append(real[500:563], 0.0), real)
    assert found.equal == 1 and found.suspicious
