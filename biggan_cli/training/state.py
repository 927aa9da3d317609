"""What a training run is made of: the name and shape of everything in a checkpoint."""

from typing import Dict, List, Tuple

import numpy as np

from biggan_cli.config import ModelConfig, RunConfig
from biggan_cli.model.architecture import discriminator_weights, generator_weights, sn_u_shapes
from biggan_cli.training import ema

LECAM = ("lecam/real", "lecam/fake")
"""The averages of the logits that LeCam regularisation keeps, where a run has it."""


def powers_of(network: str) -> Tuple[str, str]:
    """The names of the powers of Adam's betas, as TensorFlow calls them: the discriminator's optimizer was first."""
    suffix = {"discriminator": "", "generator": "_1"}[network]
    return f"beta1_power{suffix}", f"beta2_power{suffix}"


def slots_of(name: str) -> Tuple[str, str]:
    """The names of Adam's first and second moment of a weight."""
    return f"{name}/Adam", f"{name}/Adam_1"


def adam_names(model: ModelConfig) -> Dict[str, List[str]]:
    """Network → the names of its optimizer's variables."""
    weights = dict(discriminator=discriminator_weights(model), generator=generator_weights(model))
    return {
        network: [*powers_of(network), *(slot for name in names for slot in slots_of(name))]
        for network, names in weights.items()
    }


def adam_start(config: RunConfig) -> Dict[str, np.ndarray]:
    """Name → value of both optimizers' variables before the first update."""
    shapes = state_shapes(config.model)
    start = {}
    for names in adam_names(config.model).values():
        start.update({name: np.zeros(shapes[name], np.float32) for name in names})
        start.update({names[0]: np.float32(config.train.beta1), names[1]: np.float32(config.train.beta2)})
    return start


def state_shapes(model: ModelConfig) -> Dict[str, Tuple[int, ...]]:
    """Name → shape of every variable of the training graph."""
    g_weights = {name: weight.shape for name, weight in generator_weights(model).items()}
    weights = dict(g_weights, **{name: weight.shape for name, weight in discriminator_weights(model).items()})
    shapes: Dict[str, Tuple[int, ...]] = dict(weights, step=())
    shapes.update(sn_u_shapes(dict(generator_weights(model), **discriminator_weights(model))))
    shapes.update(ema.moving_shapes(model))
    shapes.update({ema.name_of(name): shape for name, shape in g_weights.items()})
    for names in adam_names(model).values():
        shapes.update({name: weights.get(name.rsplit("/", 1)[0], ()) for name in names})
    return shapes
