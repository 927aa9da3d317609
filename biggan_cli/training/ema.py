"""Averages over the steps: the generator's weights (EMA) and the moments of its batch norms."""

from typing import Dict, Mapping, Tuple

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


def decay_at(step, decay: float, start: int = 0):
    """min(decay, (1 + step) / (10 + step)), and 0 before step ``start``: the first averages follow quickly.

    Args:
        step: int32, the updates before this one.
    """
    count = tf.cast(step, tf.float32)
    warm = tf.minimum(decay, (1.0 + count) / (10.0 + count))
    return warm * tf.cast(step >= start, tf.float32) if start else warm


def named_moments(moments: Mapping) -> Dict:
    """Batch norm → (mean, variance) as name of its moving average → value."""
    named = {}
    for name, (mean, variance) in moments.items():
        named.update({name + "/moving_mean": mean, name + "/moving_variance": variance})
    return named


def average(before, value, decay):
    """decay * before + (1 - decay) * value"""
    return decay * before + (1.0 - decay) * value
