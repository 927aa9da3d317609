"""Losses against their formulas in NumPy."""

import numpy as np
import pytest

from biggan_cli.model import losses
from biggan_cli.runtime.tf import tf


def value(tensor):
    with tf.Session(graph=tensor.graph) as session:
        return session.run(tensor)


def test_hinge():
    real, fake = np.float32([[2.0], [0.5], [-1.0]]), np.float32([[-2.0], [0.0], [3.0]])
    with tf.Graph().as_default():
        d_loss = losses.discriminator_hinge(tf.constant(real), tf.constant(fake))
        g_loss = losses.generator_hinge(tf.constant(fake))
        assert abs(value(d_loss) - ((0 + 0.5 + 2) / 3 + (0 + 1 + 4) / 3)) < 1e-6
        assert abs(value(g_loss) - (-1 / 3)) < 1e-6


def test_orthogonal_regularization():
    random = np.random.RandomState(0)
    kernels = [random.standard_normal((3, 3, 2, 4)).astype(np.float32), np.eye(4, dtype=np.float32)[None, None]]
    rows = kernels[0].reshape(-1, 4).T.astype(np.float64)
    gram = rows @ rows.T
    expected = 0.5 * np.sum(np.square(gram - np.diag(np.diag(gram))))
    with tf.Graph().as_default():
        ours = value(losses.orthogonal_regularization([tf.constant(kernel) for kernel in kernels]))
    assert abs(ours / expected - 1) < 1e-5


def test_lecam_by_hand():
    """Reals above the fakes' average, and fakes below the reals', cost the square of the distance."""
    real, fake = np.float32([[2.0], [-1.0]]), np.float32([[-3.0], [1.5]])
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(losses.lecam(real, fake, 1.0, 0.5))
    assert found == pytest.approx((1.5**2 + 0) / 2 + (4.0**2 + 0) / 2)
