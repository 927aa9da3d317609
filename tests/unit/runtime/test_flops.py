"""Floating-point operations counted from a graph, against what can be counted by hand."""

import numpy as np
import pytest

from biggan_cli.config import ModelConfig
from biggan_cli.inference.sampler import Sampler
from biggan_cli.runtime import flops
from biggan_cli.runtime.tf import tf


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def test_a_convolution_and_its_gradients(graph):
    """A result of 3x4 places from a picture of 6x8 by stride 2: each of the three is the same product."""
    x, w = tf.placeholder(tf.float32, [2, 6, 8, 5]), tf.placeholder(tf.float32, [3, 3, 5, 7])
    y = tf.nn.conv2d(x, w, strides=[1, 2, 2, 1], padding="SAME")
    once = 2 * (2 * 3 * 4 * 7) * (3 * 3 * 5)
    assert flops.count([y]) == {"float32": once}
    of_x, of_w = tf.gradients(tf.reduce_sum(y * y), [x, w])
    assert flops.count([of_x]) == flops.count([of_w]) == {"float32": 2 * once}
    assert flops.count([of_x, of_w.op]) == {"float32": 3 * once}


def test_matrix_products_whichever_factor_is_transposed(graph):
    a, b = tf.placeholder(tf.float32, [4, 5]), tf.placeholder(tf.float32, [5, 6])
    turned = tf.matmul(tf.transpose(a), b, transpose_a=True)
    assert flops.count([tf.matmul(a, b)]) == flops.count([turned]) == {"float32": 2 * 4 * 5 * 6}
    many, others = tf.placeholder(tf.float32, [3, 5, 4]), tf.placeholder(tf.float32, [3, 6, 5])
    both = tf.matmul(many, others, transpose_a=True, transpose_b=True)
    assert flops.count([both]) == {"float32": 2 * 3 * 4 * 5 * 6}


def test_types_apart_and_nothing_that_is_not_needed(graph):
    a = tf.placeholder(tf.float32, [4, 4])
    tf.matmul(a, a, name="for_nobody")
    half = tf.cast(a, tf.bfloat16)
    with tf.control_dependencies([tf.matmul(half, half)]):
        product = tf.matmul(a, a)
    assert flops.count([product]) == {"bfloat16": 128, "float32": 128}
    assert flops.count([a + a]) == {}


def test_a_shape_that_is_not_static(graph):
    a = tf.placeholder(tf.float32, [None, 4], name="free")
    with pytest.raises(ValueError, match="no static shape"):
        flops.count([tf.matmul(a, a, transpose_a=True)])


def test_a_whole_generator():
    """32 px with 8 channels in all three blocks, plain: 4x4 → 8x8 → 16x16 → 32x32, one picture."""
    model = ModelConfig(base_channels=2, z_dim=8, shared_dim=4, num_classes=10)
    channels, conditions = 8, 2 + 4
    dense = 10 * 4 + conditions * 16 * channels + 3 * 2 * 2 * conditions * channels
    convolutions = sum(side * side * (9 + 9 + 1) * channels * channels for side in (8, 16, 32))
    keys = 16 * 16 // 4
    attention = 16 * 16 * channels * (1 + 1 + 4 + 4) + 16 * 16 * keys * (1 + 4)
    image = 32 * 32 * 9 * channels * 3
    expected = 2 * (dense + convolutions + attention + image)
    with Sampler(model, batch=3, fused=False) as sampler:
        assert flops.count([sampler.output()]) == {"float32": 3 * expected}
    with Sampler(model, batch=3) as sampler:
        fused = flops.count([sampler.output()])["float32"]
    assert np.isclose(fused / 3, expected, rtol=0.4) and fused < 3 * expected
