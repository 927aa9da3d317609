"""Ways between latents: from stop to stop, with a pace. NumPy only."""

from typing import Callable, Dict, Iterator, NamedTuple

import numpy as np

_SMALL = 1e-6
"""Sine of an angle below which two directions do not say in which plane the way between them lies."""

EASES: Dict[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "cosine": lambda share: (1.0 - float(np.cos(np.pi * share))) / 2.0,
}
"""Share of the time, from 0 to 1, → share of the way: at one speed, or slow near the stops."""


class Place(NamedTuple):
    """Where a frame is: ``share`` of the way from stop ``start`` to stop ``end``, from 0 to below 1."""

    start: int
    end: int
    share: float


def places(stops: int, frames: int, loop: bool, ease: str) -> Iterator[Place]:
    """Frame after frame: ``frames`` of them from a stop to the next, both counted.

    A loop goes on from the last stop to the first, whose frame is not there twice: it follows by itself.
    """
    for start in range(stops if loop else stops - 1):
        for frame in range(frames - 1):
            yield Place(start, (start + 1) % stops, EASES[ease](frame / (frames - 1)))
    if not loop:
        yield Place(stops - 1, stops - 1, 0.0)


def count(stops: int, frames: int, loop: bool) -> int:
    """How many :func:`places` gives."""
    return (stops if loop else stops - 1) * (frames - 1) + (not loop)


def slerp(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Between rows of z [N, D]: their directions turn at one speed in their plane, their lengths change evenly.

    A normal z is of nearly the same length everywhere; a straight way would lead through shorter ones, which a
    generator has not seen. Rows that point the same way, and rows of zeros, go straight. Opposite rows have no plane
    of their own: the way goes by an axis on which ``start`` hardly lies, always the same one.

    Source: Shoemake 1985, Animating rotation with quaternion curves, section 3.3.

    Returns:
        float32 [N, D]; ``start`` itself where ``share`` is 0, ``end`` itself where it is 1.
    """
    if share in (0.0, 1.0):
        return np.asarray(end if share else start, np.float32)
    one, other = np.asarray(start, np.float64), np.asarray(end, np.float64)
    straight = (1.0 - share) * one + share * other
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (one, other)]
    directed = (lengths[0] > 0) & (lengths[1] > 0)
    u, v = (rows / np.where(directed, length, 1.0) for rows, length in zip((one, other), lengths))
    cosine = np.sum(u * v, axis=1, keepdims=True)
    across = v - cosine * u
    sine = np.linalg.norm(across, axis=1, keepdims=True)
    opposite = (sine < _SMALL) & (cosine < 0)
    axis = np.eye(u.shape[1])[np.argmin(np.abs(u), axis=1)]
    across = np.where(opposite, axis - np.sum(axis * u, axis=1, keepdims=True) * u, across)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    angle = share * np.where(opposite, np.pi, np.arctan2(sine, cosine))
    turned = ((1.0 - share) * lengths[0] + share * lengths[1]) * (np.cos(angle) * u + np.sin(angle) * across)
    return np.where(directed & ((sine >= _SMALL) | opposite), turned, straight).astype(np.float32)
