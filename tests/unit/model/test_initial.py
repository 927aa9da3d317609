"""Start values: orthogonal, scaled, and a function of the seed."""

import numpy as np
import pytest

from biggan_cli.config import ModelConfig
from biggan_cli.model.architecture import generator_weights, sn_u_shapes
from biggan_cli.model.initial import initial_values, orthogonal

MODEL = ModelConfig(base_channels=2, z_dim=8, shared_dim=4)


@pytest.mark.parametrize("shape", ((3, 3, 4, 8), (1, 1, 4, 16), (10, 4), (4, 10)))
def test_orthogonal(shape):
    matrix = orthogonal(shape, np.random.RandomState(0)).reshape(-1, shape[-1]).astype(np.float64)
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)


def test_every_weight_and_vector_has_a_start():
    weights = generator_weights(MODEL)
    values = initial_values(weights, np.random.RandomState(0))
    assert {name: value.shape for name, value in values.items()} == dict(
        {name: weight.shape for name, weight in weights.items()}, **sn_u_shapes(weights)
    )
    assert all(value.dtype == np.float32 for value in values.values())
    assert (values["generator/bn/gamma"] == 1).all()
    assert values["generator/attention/scale"] == 0
    assert not values["generator/conv/b"].any()


def test_the_seed_decides():
    weights = generator_weights(MODEL)
    one, again, other = (initial_values(weights, np.random.RandomState(seed)) for seed in (1, 1, 2))
    name = "generator/dense/w"
    np.testing.assert_array_equal(one[name], again[name])
    assert np.abs(one[name] - other[name]).max() > 0.01
