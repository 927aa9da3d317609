"""Precision and recall against brute force, and what they must say of sets that are known."""

import numpy as np
import pytest

from biggan_cli.metrics import precision_recall as module
from biggan_cli.metrics.precision_recall import precision_recall


def features(seed, count, size=8, spread=1.0):
    return (np.random.RandomState(seed).standard_normal((count, size)) * spread).astype(np.float32)


def clusters(seed, count, centres, spread=0.05):
    """As many rows at each of the centres, of which there may be 8, far from each other."""
    rows = features(seed, count * len(centres), spread=spread)
    rows[np.arange(len(rows)), np.repeat(centres, count)] += 10.0
    return rows


def brute_force(fake, real, neighbours):
    """By the paper's words, distance by distance."""

    def share(rows, balls):
        inside = 0
        for row in rows:
            for number, ball in enumerate(balls):
                others = sorted(np.linalg.norm(ball - other) for i, other in enumerate(balls) if i != number)
                if np.linalg.norm(row - ball) <= others[neighbours - 1]:
                    inside += 1
                    break
        return inside / len(rows)

    fake, real = fake.astype(np.float64), real.astype(np.float64)
    return share(fake, real), share(real, fake)


@pytest.mark.parametrize("neighbours", (1, 3, 5))
def test_against_brute_force(neighbours):
    found = set()
    for seed in range(5):
        fake, real = features(seed, 20, size=4, spread=0.7), features(seed + 50, 25, size=4)
        assert precision_recall(fake, real, neighbours) == brute_force(fake, real, neighbours)
        found.update(precision_recall(fake, real, neighbours))
    assert len(found) > 3  # and they say something


def test_three_neighbours_unless_asked_otherwise():
    fake, real = features(0, 20, size=4, spread=0.7), features(50, 25, size=4)
    assert precision_recall(fake, real) == brute_force(fake, real, 3)
    assert precision_recall(fake, real) != brute_force(fake, real, 2)
    assert precision_recall(fake, real) != brute_force(fake, real, 4)


def test_far_from_zero():
    """Distances some 2,000 times smaller than the features: float32 squares and products would not show them."""
    fake, real = features(0, 40, spread=0.7) + np.float32(1e3), features(1, 40) + np.float32(1e3)
    assert precision_recall(fake, real) == brute_force(fake, real, 3)


def test_equal_sets():
    x = features(0, 50)
    assert precision_recall(x, x) == (1.0, 1.0)


def test_sets_far_apart():
    assert precision_recall(features(0, 30), features(1, 30) + np.float32(100.0)) == (0.0, 0.0)


def test_on_the_ball_is_inside():
    """Reals 0, 1, 2, …: the second neighbour is 1 away, at the ends 2, in whole numbers, which are exact."""
    real = np.arange(10, dtype=np.float32)[:, None]
    fake = np.asarray([[-2.0], [11.0], [-2.5], [11.5]], np.float32)
    assert precision_recall(fake, real, neighbours=2).precision == 0.5
    assert precision_recall(fake, real, neighbours=1).precision == 0.0


def test_mode_collapse():
    """One mode of eight: what is drawn is real, most of what is real is never drawn."""
    precision, recall = precision_recall(clusters(0, 200, [0], spread=0.03), clusters(1, 60, range(8)))
    assert precision > 0.8
    assert recall < 0.3


def test_direction():
    """Fakes that are some of the reals: all of them are among the reals, not all reals among them."""
    real = clusters(0, 30, [0, 1, 2])
    assert precision_recall(real[:60], real) == (1.0, pytest.approx(2 / 3, abs=0.02))
    assert precision_recall(real, real[:60]) == (pytest.approx(2 / 3, abs=0.02), 1.0)


@pytest.mark.parametrize("size", (3, 2048))
def test_collapsed_sets(size):
    """Equal rows: radius 0, and rounding must not put a row off itself, whatever its size and how many there are."""
    rows = features(0, 2, size, spread=100.0)
    point, other = np.repeat(rows[:1], 12, axis=0), np.repeat(rows[1:], 12, axis=0)
    assert precision_recall(point, point[:5]) == (1.0, 1.0)
    assert precision_recall(point, other) == (0.0, 0.0)
    assert precision_recall(point, np.concatenate([point[:6], other])) == (1.0, pytest.approx(6 / 18))


def test_equal_rows_have_no_distance():
    """Exactly none: |x|² + |y|² - 2 x·y leaves some 1e-12 of most of these, and which ball they are in to chance."""
    points = features(0, 50, 2048)
    distances = module.squared_distances(points, np.concatenate([points[25:], points[:25]]))
    assert np.array_equal(distances == 0.0, np.roll(np.eye(50, dtype=bool), 25, axis=1))
    assert precision_recall(points, np.repeat(points, 4, axis=0)) == (1.0, 1.0)


def test_duplicates_are_neighbours():
    """Each real twice: the first neighbour is at 0, the second is not."""
    real = np.repeat(features(0, 20), 2, axis=0)
    fake = real[::2] + np.float32(1e-3)
    assert precision_recall(fake, real, neighbours=1).precision == 0.0
    assert precision_recall(fake, real, neighbours=2).precision == 1.0


@pytest.mark.parametrize("block", (1, 7, 30))
def test_blocks_do_not_matter(monkeypatch, block):
    fake, real = features(0, 40, spread=0.7), features(1, 53)
    wanted = precision_recall(fake, real)
    assert 0.1 < wanted.recall < wanted.precision
    monkeypatch.setattr(module, "_BLOCK", block)
    assert precision_recall(fake, real) == wanted


def test_progress(monkeypatch):
    """5 blocks of fakes, 2 of reals: 15 pairs of the first, 3 of the second, 10 of both."""
    monkeypatch.setattr(module, "_BLOCK", 8)
    told = []
    precision_recall(features(0, 40), features(1, 13), progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 28) for done in range(1, 29)]


@pytest.mark.parametrize(("fakes", "reals"), ((3, 10), (10, 3)))
def test_too_few_for_neighbours(fakes, reals):
    with pytest.raises(ValueError, match="3 rows of features have no 3 neighbours each"):
        precision_recall(features(0, fakes), features(1, reals))
