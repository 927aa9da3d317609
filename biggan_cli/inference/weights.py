"""Weights as they are used: spectral norm and the statistics of the batch norms folded into them. NumPy."""

from typing import Dict, Mapping, Tuple

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.model.architecture import generator_weights, sn_u_name
from biggan_cli.model.layers import BATCH_NORM_EPSILON

Moments = Mapping[str, Tuple[np.ndarray, np.ndarray]]


def folded_generator(values: Mapping[str, np.ndarray], model: ModelConfig) -> Dict[str, np.ndarray]:
    """Name → float32 weight / sigma for every weight of the generator.

    sigma is what a training step would divide by: one power iteration from the stored ``sn_u``, which itself
    stays as it is.

    Args:
        values: weights under their ``generator/…`` names, whichever set is asked for, and their ``sn_u``.
    """
    folded = {}
    for name, weight in generator_weights(model).items():
        value = np.asarray(values[name], np.float32)
        if weight.output_axis is not None:
            matrix = value.reshape(-1, weight.shape[-1])
            v = _unit(values[sn_u_name(name)] @ matrix.T)
            u = _unit(v @ matrix)
            value = value / (v @ matrix @ u.T).item()
        folded[name] = value.astype(np.float32)
    return folded


def with_moments_folded(folded: Mapping[str, np.ndarray], moments: Moments) -> Dict[str, np.ndarray]:
    """The weights of the given batch norms with which each is ``x * gain + bias``, the 1 of the gain included.

    Args:
        folded: what :func:`folded_generator` gives.
        moments: batch norm name → (mean [C], variance [C]).
    """
    changed = {}
    for name, (mean, variance) in moments.items():
        mean, scale = np.float64(mean), 1.0 / np.sqrt(np.float64(variance) + BATCH_NORM_EPSILON)
        pairs = [("/gain/w", "/bias/w", 0.0), ("/gain/b", "/bias/b", 1.0)]
        for gain, bias, centre in pairs if name + "/gain/w" in folded else [("/gamma", "/beta", 0.0)]:
            changed[name + gain] = (centre + np.float64(folded[name + gain])) * scale
            changed[name + bias] = np.float64(folded[name + bias]) - mean * changed[name + gain]
    return {name: value.astype(np.float32) for name, value in changed.items()}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt(np.maximum(np.sum(vector * vector), 1e-12))
