"""Both networks: fused equals plain, sampling leaves no trace, and they build at every resolution."""

import numpy as np
import pytest

from biggan_cli.config import RESOLUTIONS, ModelConfig
from biggan_cli.model.architecture import discriminator_weights, generator_weights, z_chunk_sizes
from biggan_cli.model.discriminator import discriminator
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.model.initial import initial_values
from biggan_cli.runtime.tf import tf


def model_of(resolution):
    return ModelConfig(resolution=resolution, base_channels=8 if resolution > 32 else 2, z_dim=13, shared_dim=5)


def batch_moments(x, name):
    return tf.nn.moments(x, [0, 1, 2])


def constants(specs):
    values = initial_values(specs, np.random.RandomState(0))
    random = np.random.RandomState(1)
    for name in values:  # away from the zeros that hide mistakes
        if name.endswith(("/b", "scale", "beta")):
            values[name] = random.standard_normal(values[name].shape).astype(np.float32)
    return {name: tf.constant(values[name]) for name in specs}


def both_forms(model, with_gradients):
    """[images, logits, gradients of the mean logit …] of the plain and of the fused form."""
    random = np.random.RandomState(2)
    z = random.standard_normal((4, model.z_dim)).astype(np.float32)
    y = np.int32([3, 9, 0, 3])
    for fused in (False, True):
        with tf.Graph().as_default(), tf.Session() as session:
            g_weights, d_weights = constants(generator_weights(model)), constants(discriminator_weights(model))
            embedding = class_embedding(g_weights, y, model)
            images = generator(g_weights, tf.constant(z), embedding, model, batch_moments, fused)
            assert images.shape.as_list() == [4, model.resolution, model.resolution, 3]
            logits = discriminator(d_weights, images, tf.constant(y), model, fused)
            assert logits.shape.as_list() == [4, 1]
            gradients = []
            if with_gradients:
                gradients = tf.gradients(tf.reduce_mean(logits), list(g_weights.values()) + list(d_weights.values()))
                assert all(gradient is not None for gradient in gradients)
            yield session.run([images, logits, *gradients])


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_fused_equals_plain(resolution):
    plain, fused = both_forms(model_of(resolution), with_gradients=False)
    np.testing.assert_allclose(fused[0], plain[0], atol=1e-4)
    np.testing.assert_allclose(fused[1], plain[1], rtol=1e-4, atol=1e-3)


def test_gradients_of_fused_equal_plain():
    """A single layer agrees to 1e-5 (test_layers); through the whole network float32 leaves this."""
    plain, fused = both_forms(model_of(32), with_gradients=True)
    plain, fused = (np.concatenate([part.reshape(-1) for part in parts[2:]]) for parts in (plain, fused))
    assert np.linalg.norm(fused - plain) <= 1e-3 * np.linalg.norm(plain)


def test_the_image_depends_on_class_and_on_every_chunk_of_z():
    model = model_of(32)
    z = np.random.RandomState(3).standard_normal((2, model.z_dim)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        weights = constants(generator_weights(model))
        z_in, y_in = tf.placeholder(tf.float32, [2, model.z_dim]), tf.placeholder(tf.int32, [2])
        images = generator(weights, z_in, class_embedding(weights, y_in, model), model, batch_moments)
        base = session.run(images, {z_in: z, y_in: [0, 1]})
        assert np.abs(session.run(images, {z_in: z, y_in: [0, 2]}) - base)[1].max() > 1e-3
        for place in range(model.z_dim):
            changed = z.copy()
            changed[0, place] += 1.0
            assert np.abs(session.run(images, {z_in: changed, y_in: [0, 1]}) - base)[0].max() > 1e-4, place


def test_the_switch_for_relu_on_the_image():
    """With it, what is dark on every channel does not reach the first block's main path."""
    results = {}
    for relu in (False, True):
        model = ModelConfig(base_channels=2, z_dim=8, shared_dim=4, relu_on_image=relu)
        with tf.Graph().as_default(), tf.Session() as session:
            weights = constants(discriminator_weights(model))
            for part in ("w", "b"):  # without the shortcut, which sees the image itself
                name = "discriminator/block1/shortcut/" + part
                weights[name] = tf.zeros_like(weights[name])
            dark = -np.random.RandomState(0).random_sample((2, 32, 32, 3)).astype(np.float32)
            results[relu] = session.run(discriminator(weights, tf.constant(dark), tf.constant([1, 1]), model))
    assert results[True][0] == pytest.approx(results[True][1], abs=1e-6)
    assert abs(results[False][0] - results[False][1]) > 1e-4


@pytest.mark.parametrize(
    "resolution, z_dim, sizes",
    ((32, 120, [30] * 4), (32, 123, [30, 30, 30, 33]), (64, 33, [6, 6, 6, 6, 9]), (128, 6, [1] * 6)),
)
def test_the_last_chunk_of_z_takes_the_remainder(resolution, z_dim, sizes):
    assert z_chunk_sizes(ModelConfig(resolution=resolution, z_dim=z_dim)) == sizes


def test_the_class_acts_by_projection():
    """Without the dense layer the logit is <row of the class, features>: linear in that row, blind to the others."""
    model = model_of(32)
    images = np.random.RandomState(5).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    y = np.int32([0, 4, 4])
    with tf.Graph().as_default(), tf.Session() as session:
        weights = constants(discriminator_weights(model))
        for name in ("discriminator/dense/w", "discriminator/dense/b"):
            weights[name] = tf.zeros_like(weights[name])
        table = session.run(weights["discriminator/projection/w"])
        table[1] = table[2] = 0.0
        results = []
        for rows in (table, table * np.float32([[3]] + [[-2]] * 9), np.eye(*table.shape, dtype=np.float32)):
            weights["discriminator/projection/w"] = tf.constant(rows)
            results.append(session.run(discriminator(weights, images, y, model))[:, 0])
    logits, scaled, unit = results
    np.testing.assert_allclose(scaled, logits * [3, -2, -2], rtol=1e-4)
    assert (unit >= 0).all() and unit.max() > 0  # one feature each: a sum of ReLUs
