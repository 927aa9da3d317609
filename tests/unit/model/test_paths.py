"""Ways between latents, against closed forms: on the sphere, straight, and through nowhere."""

import numpy as np
import pytest

from biggan_cli.model.paths import EASES, Place, count, places, slerp

EXACT = dict(rtol=0, atol=1e-6)  # float32


def directions(rows, dimensions, seed=0):
    drawn = np.random.RandomState(seed).standard_normal((rows, dimensions))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("share", (0.1, 0.25, 0.5, 0.9))
def test_on_the_sphere_it_is_the_formula_of_shoemake(share):
    one, other = directions(6, 12), directions(6, 12, seed=1)
    angle = np.arccos(np.sum(one * other, axis=1, keepdims=True))
    wanted = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    np.testing.assert_allclose(slerp(one, other, share), wanted, **EXACT)


def test_the_ends_are_the_ends():
    z = np.float32(directions(3, 7) * 5), np.float32(directions(3, 7, seed=1) * 3)
    for share, wanted in ((0.0, z[0]), (1.0, z[1])):
        found = slerp(*z, share)
        assert found.dtype == np.float32 and (found == wanted).all()


def test_a_quarter_turn():
    found = slerp(np.float32([[2, 0]]), np.float32([[0, 2]]), 1 / 3)
    np.testing.assert_allclose(found, [[2 * np.cos(np.pi / 6), 2 * np.sin(np.pi / 6)]], **EXACT)


def test_lengths_change_evenly():
    one, other = 2 * directions(5, 9), 6 * directions(5, 9, seed=1)
    np.testing.assert_allclose(np.linalg.norm(slerp(one, other, 0.25), axis=1), 3.0, rtol=1e-6)


def test_parallel_rows_and_zeros_go_straight():
    one = np.float32([[1, 2, 2], [0, 0, 0], [1, 1, 1]])
    other = np.float32([[3, 6, 6], [0, 4, 0], [1, 1, 1]])
    np.testing.assert_allclose(slerp(one, other, 0.25), 0.75 * one + 0.25 * other, **EXACT)


def test_nearly_parallel_rows_are_no_division_by_nothing():
    one = directions(1, 8)
    other = one + 1e-9
    found = slerp(one, other, 0.5)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, one, **EXACT)


@pytest.mark.parametrize("start", ([[3.0, 0.0, 0.0]], [[1.0, 2.0, 2.0]], [[0.0, 0.0, -3.0]]))
def test_opposite_rows_take_half_a_turn(start):
    """Straight, the way would lead through zero."""
    start = np.float32(start)
    for share in (0.25, 0.5, 0.75):
        found = slerp(start, -start, share)
        np.testing.assert_allclose(np.linalg.norm(found), 3.0, rtol=1e-6)
        np.testing.assert_allclose((found @ start.T).item() / 9, np.cos(np.pi * share), atol=1e-6)
    assert (slerp(start, -start, 0.3) == slerp(start, -start, 0.3)).all()


def test_there_and_back_is_the_same_way():
    one, other = 4 * directions(3, 12), 5 * directions(3, 12, seed=1)
    np.testing.assert_allclose(slerp(one, other, 0.3), slerp(other, one, 0.7), rtol=0, atol=1e-6)


def test_every_stop_is_a_frame():
    found = list(places(3, 3, loop=False, ease="linear"))
    assert found == [Place(0, 1, 0), Place(0, 1, 0.5), Place(1, 2, 0), Place(1, 2, 0.5), Place(2, 2, 0)]


def test_a_loop_comes_back_and_shows_no_stop_twice():
    found = list(places(2, 11, loop=True, ease="linear"))
    assert len(found) == 20 and found[0] == Place(0, 1, 0) and found[10] == Place(1, 0, 0)
    assert found[-1] == Place(1, 0, 0.9)


@pytest.mark.parametrize("stops, frames, loop", ((2, 2, False), (2, 2, True), (5, 7, False), (5, 7, True)))
def test_their_number_is_known_before(stops, frames, loop):
    assert count(stops, frames, loop) == len(list(places(stops, frames, loop, "cosine")))


def test_paces():
    shares = np.linspace(0, 1, 101)
    for ease in EASES.values():
        way = np.array([ease(share) for share in shares])
        assert way[0] == 0 and abs(way[-1] - 1) < 1e-12 and (np.diff(way) > 0).all()
        np.testing.assert_allclose(way + way[::-1], 1, atol=1e-12)
    assert EASES["linear"](0.1) == 0.1
    assert EASES["cosine"](0.1) == pytest.approx((1 - np.cos(0.1 * np.pi)) / 2)
