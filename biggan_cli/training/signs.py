"""Numbers of a training step by which a run that goes wrong can be told: cheap, and outside of what is learnt.

Pictures are looked at as 8x8 averages: what a generator that collapsed still changes from picture to picture is
mostly fine grain, and a thousand classes cost next to nothing.
"""

from typing import Dict, Iterable, List

from biggan_cli.runtime.tf import tf

SATURATED = ("real_saturated", "fake_saturated")
"""The share of logits of a batch at which the hinge is 0: real ones from 1 up, fake ones from -1 down."""
_SIDES = ("real", "fake")
_OF_SIDE = ("variance", "class_squares", "class_freedom")
SPREAD = tuple(f"{side}_{name}" for side in _SIDES for name in _OF_SIDE)
"""Variance within a batch, or within the parts that a device takes of it; the squares within its classes and their
degrees of freedom, which are pooled by sums."""
SIGMAS = ("g_sigma", "d_sigma")
"""The largest singular value of the weights of a network that spectral norm divides by."""
D_SIGNS = (*SATURATED, *SPREAD)
_SIDE = 8


def of_update(real_logits, fake_logits, real, fake, real_y, fake_y, num_classes: int) -> List:
    """The numbers :data:`D_SIGNS` of an update of the discriminator, float32 scalars without gradient.

    Args:
        real, fake: pictures float32 [N, R, R, 3] as they are before augmentation.
        real_y, fake_y: int32 [N].
    """
    saturated = [_share(real_logits >= 1.0), _share(fake_logits <= -1.0)]
    found = saturated + _spread(real, real_y, num_classes) + _spread(fake, fake_y, num_classes)
    return [tf.stop_gradient(number) for number in found]


def largest(sigmas: Iterable):
    """The largest of scalars."""
    return tf.stop_gradient(tf.reduce_max(tf.stack(list(sigmas))))


def class_variances(means: Dict[str, float]) -> Dict[str, float]:
    """The means of a record with the variance within a class, pooled over its steps, in the place of its parts.

    None where no batch had two pictures of a class.
    """
    found = dict(means)
    for side in _SIDES:
        squares, freedom = (found.pop(f"{side}_{name}", None) for name in _OF_SIDE[1:])
        if squares is not None and freedom is not None:
            found[f"{side}_class_variance"] = squares / freedom if freedom > 0.0 else None
    return found


def _share(condition):
    return tf.reduce_mean(tf.cast(condition, tf.float32))


def _spread(images, y, num_classes: int) -> List:
    """Variance of pictures around their mean; squares around the means of their classes, and the freedom of these.

    All are means over the places. A class with one picture has no squares and no freedom, so it does not count.
    """
    count, resolution, _, channels = images.shape.as_list()
    size = resolution // _SIDE
    small = tf.reshape(tf.nn.avg_pool2d(images, size, size, "VALID"), [count, _SIDE * _SIDE * channels])
    variance = _mean_square(small - tf.reduce_mean(small, axis=0, keepdims=True))
    members = tf.one_hot(y, num_classes, dtype=tf.float32)
    counts = tf.reduce_sum(members, axis=0)
    means = tf.matmul(members, small, transpose_a=True) / tf.reshape(tf.maximum(counts, 1.0), [num_classes, 1])
    squares = _mean_square(small - tf.matmul(members, means)) * float(count)
    return [variance, squares, tf.reduce_sum(tf.maximum(counts - 1.0, 0.0))]


def _mean_square(x):
    return tf.reduce_mean(tf.square(x))
