"""Averages over the steps: the generator's weights (EMA) and the moments of its batch norms."""

from typing import Dict, List, Mapping, Tuple

from biggan_cli.config import ModelConfig
from biggan_cli.model.architecture import batch_norms
from biggan_cli.runtime.tf import tf

PREFIX = "ema/"


def name_of(weight_name: str) -> str:
    """Where the average of a weight is stored: ``generator/…`` → ``ema/generator/…``."""
    return PREFIX + weight_name


def moving_shapes(model: ModelConfig) -> Dict[str, Tuple[int]]:
    """Name → shape of the moving averages of every batch norm of the generator."""
    return {
        f"{name}/moving_{moment}": (channels,)
        for name, channels in batch_norms(model).items()
        for moment in ("mean", "variance")
    }


def moving_moments(values: Mapping, model: ModelConfig) -> Dict[str, Tuple]:
    """Batch norm → (mean, variance) among the ``values`` of a checkpoint."""
    return {name: (values[name + "/moving_mean"], values[name + "/moving_variance"]) for name in batch_norms(model)}


def update(averages: Mapping, variables: Mapping, step, decay: float) -> List:
    """average ← d * average + (1 - d) * variable, with d = min(decay, (1 + step) / (10 + step)).

    The warm-up lets the first averages follow quickly; ``step`` counts the updates before this one.
    """
    count = tf.cast(step.read_value(), tf.float32)
    d = tf.minimum(decay, (1.0 + count) / (10.0 + count))
    return [_average(averages[name_of(name)], variable.read_value(), d) for name, variable in variables.items()]


def update_moving(moving: Mapping, moments: Mapping, decay: float) -> List:
    """The same for the batch moments, with a fixed decay."""
    updates = []
    for name, (mean, variance) in moments.items():
        updates.append(_average(moving[name + "/moving_mean"], mean, decay))
        updates.append(_average(moving[name + "/moving_variance"], variance, decay))
    return updates


def _average(average, value, decay):
    return average.assign(decay * average.read_value() + (1.0 - decay) * value)
