"""The numbers that monitors look at, against NumPy."""

import numpy as np
import pytest

from biggan_cli.runtime.tf import tf
from biggan_cli.training import signs

COUNT, CLASSES = 12, 5


def measured(real, fake, y, logits=None):
    """Name → number of an update, run by TensorFlow."""
    logits = np.zeros((COUNT, 1), np.float32) if logits is None else logits
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(array) for array in (logits, logits, real, fake, y, y)]
        return dict(zip(signs.D_SIGNS, session.run(signs.of_update(*tensors, CLASSES))))


def averages(images):
    """8x8 averages, as float64 [N, 192]."""
    size = images.shape[1] // 8
    blocks = images.astype(np.float64).reshape(len(images), 8, size, 8, size, 3)
    return blocks.mean(axis=(2, 4)).reshape(len(images), -1)


@pytest.fixture(scope="module")
def pictures():
    random = np.random.RandomState(1)
    y = np.array([0, 1, 1, 2, 2, 2, 4, 4, 4, 4, 4, 4], np.int32)  # one of class 0, none of class 3
    shapes = random.uniform(-1, 1, (CLASSES, 64, 64, 3))[y] + random.uniform(-0.5, 0.5, (COUNT, 64, 64, 3))
    return shapes.astype(np.float32), y


def test_variances_within_the_batch_and_within_its_classes(pictures):
    images, y = pictures
    small = averages(images)
    found = measured(images, images * 0.5, y)
    assert found["real_variance"] == pytest.approx(small.var(axis=0).mean(), rel=1e-4)
    within = [(small[y == label] - small[y == label].mean(axis=0)) ** 2 for label in (1, 2, 4)]
    squares = np.concatenate(within).sum(axis=0).mean()
    assert found["real_class_squares"] == pytest.approx(squares, rel=1e-4)
    assert found["real_class_freedom"] == found["fake_class_freedom"] == 1 + 2 + 5
    for name in ("variance", "class_squares"):
        assert found[f"fake_{name}"] == pytest.approx(0.25 * found[f"real_{name}"], rel=1e-4)
    pooled = signs.class_variances(found)
    assert pooled["real_class_variance"] == pytest.approx(squares / 8, rel=1e-4)
    assert "real_class_squares" not in pooled


def test_pictures_that_are_alike(pictures):
    """All of a batch; all of each class, whose batch still varies; and classes of one picture each."""
    images, y = pictures
    alike = np.tile(images[:1], (COUNT, 1, 1, 1))
    by_class = images[[np.flatnonzero(y == label)[0] for label in y]]
    found = measured(alike, by_class, y)
    assert found["real_variance"] < 1e-10 and found["real_class_squares"] < 1e-10
    assert found["fake_variance"] > 0.001 and found["fake_class_squares"] < 1e-10
    single = measured(images[:5], images[:5], np.arange(5, dtype=np.int32), np.zeros((5, 1), np.float32))
    assert single["real_class_freedom"] == 0 and single["real_class_squares"] < 1e-10
    assert signs.class_variances(single)["real_class_variance"] is None


def test_saturated_logits(pictures):
    images, y = pictures
    logits = np.array([[1.0], [2.0], [0.99], [-1.0], [-0.5], [-3.0], [-2.0], [0], [0], [0], [0], [0]], np.float32)
    found = measured(images, images, y, logits)
    assert found["real_saturated"] == pytest.approx(2 / 12) and found["fake_saturated"] == pytest.approx(3 / 12)
