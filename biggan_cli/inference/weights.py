"""Weights as they are used: spectral norm folded into them. NumPy."""

from typing import Dict, Mapping

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.model.architecture import generator_weights, sn_u_name


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


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt(np.maximum(np.sum(vector * vector), 1e-12))
