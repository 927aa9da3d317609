"""Names, shapes and parameter counts of both networks, for every resolution.

The counts at 96 channels and 32 px are those of the documented model; the stored files pin every name and
shape. To store them anew after a deliberate change: ``python tests/golden/test_structure.py``.
"""

import json
from pathlib import Path

import pytest

from biggan_cli.config import RESOLUTIONS, ModelConfig
from biggan_cli.model.architecture import (
    batch_norms,
    discriminator_weights,
    generator_weights,
    parameter_count,
    sn_u_shapes,
    z_chunk_sizes,
)

FOLDER = Path(__file__).parent
PARAMETERS = {32: (10315428, 9937442), 64: (73411236, 43991498), 128: (73468116, 88822730)}


def structure(resolution):
    """Everything that a checkpoint of 8 channels and an uneven z has, by name."""
    model = ModelConfig(resolution=resolution, base_channels=8, z_dim=125, num_classes=7)
    weights = dict(generator_weights(model), **discriminator_weights(model))
    return dict(
        weights={name: list(weight.shape) for name, weight in weights.items()},
        power_iteration={name: list(shape) for name, shape in sn_u_shapes(weights).items()},
        batch_norms=batch_norms(model),
        z_chunks=z_chunk_sizes(model),
    )


def stored(resolution):
    return FOLDER / f"structure_{resolution}.json"


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_names_and_shapes(resolution):
    assert structure(resolution) == json.loads(stored(resolution).read_text())


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_parameter_counts(resolution):
    model = ModelConfig(resolution=resolution)
    counts = parameter_count(generator_weights(model)), parameter_count(discriminator_weights(model))
    assert counts == PARAMETERS[resolution]


def test_the_last_chunk_of_z_takes_the_remainder():
    assert z_chunk_sizes(ModelConfig(resolution=32, z_dim=125)) == [31, 31, 31, 32]
    assert z_chunk_sizes(ModelConfig(resolution=128, z_dim=120)) == [20] * 6


if __name__ == "__main__":
    for resolution in RESOLUTIONS:
        stored(resolution).write_text(json.dumps(structure(resolution), indent=1) + "\n")
