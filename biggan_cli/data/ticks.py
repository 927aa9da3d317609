"""Round numbers for an axis, and numbers in few characters."""

import math
from typing import List


def ticks(low: float, high: float, about: int = 5, log: bool = False) -> List[float]:
    """Round numbers in [low, high], about so many; of a logarithmic axis powers of ten, or 1, 2 and 5 times them."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for parts in ((1,), (1, 2, 5)):
            found = [part * 10.0**power for power in powers for part in parts if low <= part * 10.0**power <= high]
            if len(found) > 1:
                return found[:: math.ceil(len(found) / (about + 2))]
        if high / low > 1e6:
            return found
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12 - math.floor(math.log10(step))) + 0.0 for place in range(first, last + 1)]


def short(value: float, minus: str = "\u2212") -> str:
    """A number in few characters: 0.02, 400, 12k, 1.5M; ``minus`` is the sign that the font has."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}".replace("-", minus)
