"""Changes of pictures before the discriminator sees them: differentiable, of fixed shapes, drawn on the host.

``color``        brightness, saturation and contrast
``translation``  a shift of up to an eighth of the side; what comes in is 0
``cutout``       a square of half the side becomes 0

Source: Zhao et al. 2020 (arXiv:2006.10738), DiffAugment, and its official code for the ranges. Consistency is asked
for between a picture and its flipped and shifted self, as Zhang et al. 2020 (arXiv:1910.12027) have it.
"""

from typing import Sequence, Tuple

import numpy as np

from biggan_cli.runtime.tf import tf

POLICIES = ("color", "translation", "cutout")
CHANGES = 7
"""Numbers that one picture needs: brightness, saturation, contrast, shift down and right, centre of the square."""
MOVES = 3
"""Numbers for one picture's consistency: flipped or not, shift down and right."""


def draw_changes(random: np.random.RandomState, shape: Tuple[int, ...], resolution: int) -> np.ndarray:
    """float32 [*shape, 7] for :func:`augmented`: the same numbers whatever the policy."""
    shift, square = _shift_and_square(resolution)
    return np.stack(
        [
            random.uniform(-0.5, 0.5, shape),
            random.uniform(0.0, 2.0, shape),
            random.uniform(0.5, 1.5, shape),
            *(random.randint(-shift, shift + 1, shape) for _ in range(2)),
            *(random.randint(0, resolution + 1 - square % 2, shape) for _ in range(2)),
        ],
        axis=-1,
    ).astype(np.float32)


def draw_moves(random: np.random.RandomState, shape: Tuple[int, ...], resolution: int) -> np.ndarray:
    """float32 [*shape, 3] for :func:`moved`."""
    shift, _ = _shift_and_square(resolution)
    parts = [random.randint(0, 2, shape), *(random.randint(-shift, shift + 1, shape) for _ in range(2))]
    return np.stack(parts, axis=-1).astype(np.float32)


def augmented(images, changes, policy: Sequence[str]):
    """Pictures float32 [N, R, R, 3] after the parts of the policy; none: as they are.

    Args:
        changes: float32 [N, 7], see :func:`draw_changes`.
    """
    columns = [tf.reshape(column, [-1, 1, 1, 1]) for column in tf.unstack(changes, axis=1)]
    brightness, saturation, contrast = columns[:3]
    resolution = images.shape.as_list()[1]
    if "color" in policy:
        images = images + brightness
        grey = tf.reduce_mean(images, axis=3, keepdims=True)
        images = (images - grey) * saturation + grey
        mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
        images = (images - mean) * contrast + mean
    if "translation" in policy:
        rows, places = _places(resolution)
        images = _gathered(images, *(rows + tf.reshape(shift, [-1, 1, 1]) for shift in columns[3:5]), places)
    if "cutout" in policy:
        _, square = _shift_and_square(resolution)
        inside = []
        for centre in columns[5:7]:
            middle = tf.reshape(centre, [-1, 1]) - float(square // 2) + 0.5 * (square - 1)
            distance = tf.abs(tf.constant(np.arange(resolution, dtype=np.float32)[None]) - middle)
            inside.append(tf.cast(tf.less(distance, 0.5 * square), tf.float32))
        mask = 1.0 - tf.expand_dims(inside[0], 2) * tf.expand_dims(inside[1], 1)
        images = images * tf.expand_dims(mask, 3)
    return images


def moved(images, moves):
    """Pictures float32 [N, R, R, 3], flipped and shifted; at the edges the last pixel goes on.

    Args:
        moves: float32 [N, 3], see :func:`draw_moves`.
    """
    last = float(images.shape.as_list()[1] - 1)
    rows, places = _places(images.shape.as_list()[1])
    flip, down, right = (tf.reshape(column, [-1, 1, 1]) for column in tf.unstack(moves, axis=1))
    columns = rows + right
    columns = columns + flip * (last - 2.0 * columns)
    inside = [tf.minimum(tf.maximum(source, 0.0), last) for source in (rows + down, columns)]
    return _gathered(images, *inside, places)


def _shift_and_square(resolution: int) -> Tuple[int, int]:
    return int(resolution * 0.125 + 0.5), int(resolution * 0.5 + 0.5)


def _places(resolution: int):
    """[1, R, 1] and [1, 1, R]: 0 … R - 1."""
    places = np.arange(resolution, dtype=np.float32)
    return tf.constant(places[None, :, None]), tf.constant(places[None, None, :])


def _gathered(images, rows, columns, places):
    """Row i and column j of a picture from the row ``rows[i]`` and the column ``columns[j]``; 0 where there is none.

    Two products with matrices of 0 and 1: gathering has no gradient that every device computes.

    Args:
        rows, columns: whole numbers float32 [N, R, 1].
    """
    count, side, _, channels = images.shape.as_list()
    for source in (rows, columns):
        chosen = tf.cast(tf.less(tf.abs(places - source), 0.5), tf.float32)
        images = tf.matmul(chosen, tf.reshape(images, [count, side, side * channels]))
        images = tf.transpose(tf.reshape(images, [count, side, side, channels]), [0, 2, 1, 3])
    return images
