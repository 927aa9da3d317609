"""How a network starts, in NumPy on the host: the same values whatever the device."""

from typing import Dict

import numpy as np

from biggan_cli.model.architecture import Weight, Weights, sn_u_shapes


def initial_values(weights: Weights, random: np.random.RandomState) -> Dict[str, np.ndarray]:
    """Name → float32 start value of every weight and of its power-iteration vector, drawn in order."""
    values = {name: _initial(weight, random) for name, weight in weights.items()}
    for name, shape in sn_u_shapes(weights).items():
        values[name] = random.standard_normal(shape).astype(np.float32)
    return values


def _initial(weight: Weight, random: np.random.RandomState) -> np.ndarray:
    if weight.initializer == "orthogonal":
        return orthogonal(weight.shape, random)
    return {"zeros": np.zeros, "ones": np.ones}[weight.initializer](weight.shape, np.float32)


def orthogonal(shape, random: np.random.RandomState) -> np.ndarray:
    """float32, orthonormal rows or columns (whichever are fewer) as a matrix [everything else, last axis].

    The Q of a normal matrix with the signs of R's diagonal, so that the draw is uniform.
    Source: Saxe et al. 2014 (arXiv:1312.6120).
    """
    columns = shape[-1]
    rows = int(np.prod(shape)) // columns
    q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape).astype(np.float32)
