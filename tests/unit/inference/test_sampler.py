"""The sampler: standing statistics are those of one large batch, and a latent's picture depends on nothing else."""

import numpy as np
import pytest

from biggan_cli.config import ModelConfig
from biggan_cli.data.images import to_uint8
from biggan_cli.errors import StepFailed
from biggan_cli.inference.sampler import Sampler
from biggan_cli.inference.weights import folded_generator
from biggan_cli.model import layers
from biggan_cli.model.architecture import batch_norms, generator_weights, sn_u_name
from biggan_cli.model.generator import class_embedding, generator
from biggan_cli.model.initial import initial_values
from biggan_cli.model.latents import draw_z
from biggan_cli.runtime.tf import tf

MODEL = ModelConfig(base_channels=2, z_dim=8, shared_dim=4)
COUNT = 64


@pytest.fixture(scope="module")
def values():
    random = np.random.RandomState(4)
    values = initial_values(generator_weights(MODEL), random)
    for name in values:
        values[name] = np.float32(values[name] + 0.3 * random.standard_normal(values[name].shape))
    return values


@pytest.fixture(scope="module")
def sampler(values):
    with Sampler(MODEL, batch=16) as sampler:
        sampler.load(folded_generator(values, MODEL))
        yield sampler


def one_large_batch(values, z, y):
    """The training graph's own functions on all latents at once: the picture and the moments at each batch norm."""
    weights, moments = {}, {}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, spec in generator_weights(MODEL).items():
            weights[name] = w = tf.constant(values[name])
            if spec.output_axis is not None:
                u, v = layers.power_iteration(w, tf.constant(values[sn_u_name(name)]), spec)
                weights[name] = layers.spectral_norm(w, u, v, spec)[0]

        def batch_moments(x, name):
            moments[name] = tf.nn.moments(x, [0, 1, 2])
            return moments[name]

        images = generator(weights, tf.constant(z), class_embedding(weights, y, MODEL), MODEL, batch_moments)
        return session.run([images, moments])


def test_standing_moments_are_those_of_one_large_batch(sampler, values):
    standing = sampler.standing_moments(2.0, COUNT)
    assert set(standing) == set(batch_norms(MODEL))
    z = draw_z(np.random.RandomState(1202), (COUNT, MODEL.z_dim), 2.0)  # as the sampler draws them
    y = np.arange(COUNT) % 10
    images, moments = one_large_batch(values, z, y)
    for name, (mean, variance) in moments.items():
        np.testing.assert_allclose(standing[name][0], mean, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(standing[name][1], variance, rtol=1e-4, atol=1e-5, err_msg=name)
    ours = np.concatenate(list(sampler.images(z, y)))
    np.testing.assert_allclose(ours, images, atol=1e-4)


def test_the_moments_depend_on_the_truncation(sampler):
    narrow, wide = sampler.standing_moments(0.3, COUNT), sampler.standing_moments(None, COUNT)
    name = "generator/block1/cbn1"
    assert (narrow[name][1] < wide[name][1]).mean() > 0.9


def test_a_picture_does_not_depend_on_its_company(sampler, values):
    sampler.standing_moments(2.0, COUNT)
    z = draw_z(np.random.RandomState(0), (21, MODEL.z_dim), 2.0)
    y = np.arange(21) % 10
    together = to_uint8(np.concatenate(list(sampler.images(z, y))))
    alone = to_uint8(np.concatenate([next(sampler.images(z[i : i + 1], y[i : i + 1])) for i in range(21)]))
    np.testing.assert_array_equal(alone, together)
    with Sampler(MODEL, batch=5) as other:
        other.load(folded_generator(values, MODEL))
        other.standing_moments(2.0, COUNT)
        np.testing.assert_array_equal(to_uint8(np.concatenate(list(other.images(z, y)))), together)


def test_values_that_are_not_finite_are_no_pictures(sampler):
    sampler.standing_moments(2.0, COUNT)
    with pytest.raises(StepFailed):
        list(sampler.images(np.full((1, MODEL.z_dim), 1e38, np.float32), np.int32([0])))


def test_embeddings_of_classes_give_the_pictures_of_classes(sampler):
    sampler.standing_moments(2.0, COUNT)
    z = draw_z(np.random.RandomState(0), (6, MODEL.z_dim), 2.0)
    y = np.arange(6)
    of_classes = np.concatenate(list(sampler.images(z, y)))
    of_embeddings = np.concatenate(list(sampler.images_of_embedding(z, sampler.embedding(y))))
    np.testing.assert_allclose(of_embeddings, of_classes, atol=1e-6)
