"""Changes of pictures against NumPy that indexes, and what their gradients are."""

import numpy as np
import pytest

from biggan_cli.model import augment
from biggan_cli.runtime.tf import tf

R = 8


def computed(function, images, numbers, *more):
    with tf.Graph().as_default(), tf.Session() as session:
        pictures = tf.constant(images)
        result = function(pictures, tf.constant(numbers), *more)
        return session.run([result, tf.gradients(tf.reduce_sum(result * result), pictures)[0]])


@pytest.fixture(scope="module")
def pictures():
    return np.random.RandomState(0).uniform(-1, 1, [5, R, R, 3]).astype(np.float32)


@pytest.fixture(scope="module")
def changes():
    return augment.draw_changes(np.random.RandomState(1), (5,), R)


def shifted(image, down, right):
    result = np.zeros_like(image)
    for row in range(R):
        for column in range(R):
            if 0 <= row + down < R and 0 <= column + right < R:
                result[row, column] = image[row + down, column + right]
    return result


def test_without_a_policy_pictures_stay(pictures, changes):
    result, gradient = computed(augment.augmented, pictures, changes, ())
    np.testing.assert_array_equal(result, pictures)
    np.testing.assert_array_equal(gradient, 2 * pictures)


def test_translation_is_indexing(pictures, changes):
    result, gradient = computed(augment.augmented, pictures, changes, ("translation",))
    wanted = [shifted(image, int(numbers[3]), int(numbers[4])) for image, numbers in zip(pictures, changes)]
    np.testing.assert_allclose(result, wanted, atol=1e-6)
    kept = [shifted(shifted(image, *map(int, n[3:5])), *map(int, -n[3:5])) for image, n in zip(pictures, changes)]
    np.testing.assert_allclose(gradient, 2 * np.array(kept), atol=1e-6)  # none where a pixel went out


def test_cutout_leaves_a_square_out(pictures, changes):
    result, gradient = computed(augment.augmented, pictures, changes, ("cutout",))
    for image, given, slope, numbers in zip(result, pictures, gradient, changes):
        top, left = (int(number) - R // 4 for number in numbers[5:7])
        wanted = given.copy()
        wanted[max(top, 0) : max(top + R // 2, 0), max(left, 0) : max(left + R // 2, 0)] = 0
        np.testing.assert_array_equal(image, wanted)
        np.testing.assert_array_equal(slope, 2 * wanted)


def test_color_is_that_of_the_source(pictures, changes):
    result, gradient = computed(augment.augmented, pictures, changes, ("color",))
    for image, given, (brightness, saturation, contrast) in zip(result, pictures, changes[:, :3].astype(np.float64)):
        wanted = given + brightness
        grey = wanted.mean(axis=2, keepdims=True)
        wanted = (wanted - grey) * saturation + grey
        wanted = (wanted - wanted.mean()) * contrast + wanted.mean()
        np.testing.assert_allclose(image, wanted, atol=1e-6)
    assert np.abs(gradient).max() > 0


def test_moves_flip_and_shift_and_repeat_the_edge(pictures):
    moves = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, -1, 1], [0, 0, -1]], np.float32)
    result, _ = computed(augment.moved, pictures, moves)
    for image, given, (flip, down, right) in zip(result, pictures, moves.astype(int)):
        rows = np.clip(np.arange(R) + down, 0, R - 1)
        columns = np.arange(R) + right
        columns = np.clip(R - 1 - columns if flip else columns, 0, R - 1)
        np.testing.assert_allclose(image, given[rows][:, columns], atol=1e-6)


@pytest.mark.parametrize("resolution", (32, 64, 128))
def test_what_is_drawn_is_in_its_range(resolution):
    changes = augment.draw_changes(np.random.RandomState(0), (2000,), resolution)
    low, high = changes.min(axis=0), changes.max(axis=0)
    shift = resolution // 8
    assert np.all(low[:3] >= (-0.5, 0, 0.5)) and np.all(high[:3] <= (0.5, 2, 1.5))
    assert list(low[3:5]) == [-shift] * 2 and list(high[3:5]) == [shift] * 2
    assert list(low[5:]) == [0, 0] and list(high[5:]) == [resolution] * 2
    moves = augment.draw_moves(np.random.RandomState(0), (2000,), resolution)
    assert set(moves[:, 0]) == {0, 1} and moves[:, 0].mean() == pytest.approx(0.5, abs=0.05)
    assert np.abs(moves[:, 1:]).max() == shift
