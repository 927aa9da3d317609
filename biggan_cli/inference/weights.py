"""Weights as they are used: spectral norm, and for a frozen graph the statistics too, folded into them. NumPy."""

from typing import Dict, Mapping

import numpy as np

from biggan_cli.config import ModelConfig
from biggan_cli.model.architecture import batch_norms, generator_weights, sn_u_name
from biggan_cli.model.layers import BATCH_NORM_EPSILON


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


def with_moments_folded(
    folded: Mapping[str, np.ndarray], moments: Mapping, model: ModelConfig
) -> Dict[str, np.ndarray]:
    """The weights with which every batch norm is ``x * gain + bias`` (``generator`` with ``moments=None``).

    Args:
        folded: what :func:`folded_generator` gives.
        moments: batch norm name → (mean [C], variance [C]).
    """
    weights = {name: np.asarray(value, np.float64) for name, value in folded.items()}
    for name in batch_norms(model):
        mean, variance = (np.asarray(moment, np.float64) for moment in moments[name])
        scale = 1.0 / np.sqrt(variance + BATCH_NORM_EPSILON)
        if name + "/gamma" in weights:
            weights[name + "/gamma"] = weights[name + "/gamma"] * scale
            weights[name + "/beta"] = weights[name + "/beta"] - mean * weights[name + "/gamma"]
            continue
        weights[name + "/gain/w"] = weights[name + "/gain/w"] * scale
        weights[name + "/gain/b"] = (1.0 + weights[name + "/gain/b"]) * scale
        for part in ("w", "b"):
            weights[f"{name}/bias/{part}"] = weights[f"{name}/bias/{part}"] - mean * weights[f"{name}/gain/{part}"]
    return {name: value.astype(np.float32) for name, value in weights.items()}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt(np.maximum(np.sum(vector * vector), 1e-12))
