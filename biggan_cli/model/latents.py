"""Latents: z from a seed. NumPy only, and the same numbers on every machine and version (RandomState is frozen)."""

from typing import Optional, Sequence, Tuple

import numpy as np
from scipy import special


def draw_z(random: np.random.RandomState, shape: Tuple[int, ...], truncation: Optional[float]) -> np.ndarray:
    """Standard normal z, float32; values beyond ``truncation`` standard deviations are redrawn.

    A redrawn value comes from the normal distribution between the thresholds, by its inverse distribution
    function: the law of drawing again until the value fits, at a fixed cost. ``None`` redraws nothing.
    Source: the truncation trick, Brock et al. 2019 (arXiv:1809.11096), section 3.1. TensorFlow Hub's BigGAN
    calls a factor on z "truncation": something else.
    """
    z = random.standard_normal(shape)
    redraw = random.random_sample(shape)
    if truncation is not None:
        tail = special.ndtr(-truncation)
        z = np.where(np.abs(z) > truncation, special.ndtri(tail + redraw * (1.0 - 2.0 * tail)), z)
    return z.astype(np.float32)


def z_of_seeds(seeds: Sequence[int], z_dim: int, truncation: Optional[float]) -> np.ndarray:
    """float32 [len(seeds), z_dim]; row i depends on seed i alone."""
    return np.stack([draw_z(np.random.RandomState(seed), (z_dim,), truncation) for seed in seeds])


def classes_of_seeds(seeds: Sequence[int], num_classes: int) -> np.ndarray:
    """int32 [len(seeds)]: the class that a seed makes unless another is asked for, seed modulo classes."""
    return (np.asarray(seeds, np.int64) % num_classes).astype(np.int32)
