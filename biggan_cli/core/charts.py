"""Line charts as SVG, made of arrays alone: axes with round numbers, a legend, gaps where there is no value.

Colours come from the page's style (classes ``line a`` … ``line d``); a dash tells lines apart in print. Text keeps its
size: the picture is about as wide as a phone, and a page shows two of them beside each other.
"""

import json
import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from biggan_cli.core.markup import Html, element
from biggan_cli.data.ticks import short, ticks

WIDTH, HEIGHT = 400, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 30, 36
_CLASSES = "abcd"
MOST_SERIES = len(_CLASSES)
_LETTER = 6.2
"""About how wide a letter of a legend is."""
MOST_POINTS = 400
"""Of a line; a longer one is thinned to the lowest and highest value of each part."""
_OUTLIERS = 8.0
"""How many times higher than its bulk a chart must be before what sticks out is cut."""
_FROM_ZERO = 0.6
"""An axis begins at 0 where its lowest value is below this part of the highest."""
_FEW = 20
_MARKED = 30
"""Values of a line up to which each has a dot: they are few enough to be seen one by one."""
_BULK = (2.0, 98.0)


class Series(NamedTuple):
    """A line: values over steps; what is None or not finite is a gap."""

    label: str
    steps: Sequence[float]
    values: Sequence[Optional[float]]


class Chart(NamedTuple):
    """A drawn chart: the picture, and what must be said below it."""

    svg: Html
    notes: List[str]


class _Scale(NamedTuple):
    """From values to pixels, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values):
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log10(values), math.log10(low), math.log10(high)
        return self.start + (np.asarray(values, float) - low) / (high - low) * (self.end - self.start)


def line_chart(title: str, unit: str, series: Sequence[Series], log: bool = False, most: int = MOST_POINTS) -> Chart:
    """Draw up to :data:`MOST_SERIES` lines over the same steps.

    Args:
        title: read out to those who do not see the picture, with the last values.
        unit: stands at the vertical axis.
        log: the vertical axis counts powers of ten; values of 0 and less are gaps.

    Raises:
        ValueError: there is no value to draw, or too many lines.
    """
    if len(series) > MOST_SERIES:
        raise ValueError(f"{len(series)} lines, and {MOST_SERIES} can be told apart")
    lines = [_arrays(entry, log) for entry in series]
    every = np.concatenate([values for _, values in lines])
    every = every[np.isfinite(every)]
    if not len(every):
        raise ValueError("there is no value to draw")
    steps = np.concatenate([steps for steps, _ in lines])
    low, high = _widened(steps.min(), steps.max())
    across = _Scale(low, high, _LEFT, WIDTH - _RIGHT)
    low, high, cut = limits(every, log)
    up = _Scale(low, high, HEIGHT - _BOTTOM, _TOP, log)
    notes = _notes(lines, most, cut, every)
    drawn = [(entry.label, *thinned(*line, most)) for entry, line in zip(series, lines)]
    parts = [_axes(across, up, unit), _legend([label for label, _, _ in drawn])]
    for number, (_, steps, values) in enumerate(drawn):
        xs, ys = across(steps), up(np.clip(values, low, high))
        parts.append(element("path", d=_path(xs, ys), class_=f"line {_CLASSES[number]}"))
        dots = _dots(xs, ys)
        parts += [element("path", d=dots, class_=f"dots {_CLASSES[number]}")] if dots else []
    cursor = [element("line", class_="cursor", y1=_TOP, y2=HEIGHT - _BOTTOM, visibility="hidden")]
    described = f"{title}: {_in_words(series, lines)}"
    svg = element(
        "svg",
        parts,
        cursor,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=described,
        class_="chart",
        tabindex="0",
        data_chart=json.dumps(_for_script(across, up, drawn), separators=(",", ":")),
    )
    return Chart(svg, notes)


def thinned(steps: np.ndarray, values: np.ndarray, most: int) -> Tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points with the same outline: of each of equal parts its lowest and highest, and the ends.

    A part without any value gives one gap.
    """
    count = len(steps)
    if count <= most:
        return steps, values
    edges = np.linspace(1, count - 1, (most - 2) // 2 + 1).astype(int)
    chosen = [0, count - 1]
    for start, end in zip(edges[:-1], edges[1:]):
        part = values[start:end]
        finite = np.flatnonzero(np.isfinite(part))
        if len(finite):
            chosen += [start + finite[part[finite].argmin()], start + finite[part[finite].argmax()]]
        elif end > start:
            chosen.append(start)
    places = np.unique(chosen)
    return steps[places], values[places]


def limits(values: np.ndarray, log: bool = False) -> Tuple[float, float, bool]:
    """(lowest, highest, whether something is cut) of an axis for finite values.

    A few values far from all others would make a flat line of the rest: they are cut, and the chart says so.
    """
    scaled = np.log10(values) if log else values
    low, high = float(scaled.min()), float(scaled.max())
    cut = False
    if len(values) >= _FEW:
        bulk_low, bulk_high = (float(value) for value in np.percentile(scaled, _BULK))
        span = bulk_high - bulk_low
        if span > 0 and high - low > _OUTLIERS * span:
            low, high, cut = max(low, bulk_low - span), min(high, bulk_high + span), True
    low, high = _widened(low, high)
    room = 0.04 * (high - low)
    low, high = low - room, high + room
    if log:
        return 10.0**low, 10.0**high, cut
    least = float(values.min())
    if least >= 0 and (low < 0 or low < _FROM_ZERO * high):  # no negative numbers where there are none
        low = 0.0
    return low, high, cut


def _arrays(series: Series, log: bool) -> Tuple[np.ndarray, np.ndarray]:
    """float64 steps and values in the order of the steps; a gap is NaN."""
    steps = np.array(series.steps, np.float64)
    values = np.array([np.nan if value is None else value for value in series.values], np.float64)
    values[~np.isfinite(values)] = np.nan
    if log:
        with np.errstate(invalid="ignore"):
            values[values <= 0] = np.nan
    order = np.argsort(steps, kind="stable")
    return steps[order], values[order]


def _widened(low: float, high: float) -> Tuple[float, float]:
    """A span that can be divided by, also of one value."""
    if high > low:
        return float(low), float(high)
    room = abs(low) * 0.5 or 1.0
    return float(low - room), float(high + room)


def _axes(across: _Scale, up: _Scale, unit: str) -> List[Html]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for value in ticks(up.low, up.high, 4, up.log):
        y = _pixel(up(value))
        parts.append(element("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="rule"))
        parts.append(element("text", short(value), x=_LEFT - 6, y=y, class_="tick y"))
    for value in ticks(across.low, across.high, 5):
        if value == int(value):
            x = _pixel(across(value))
            parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis"))
            parts.append(element("text", short(value), x=x, y=bottom + 16, class_="tick x"))
    parts.append(element("line", x1=_LEFT, x2=right, y1=bottom, y2=bottom, class_="axis"))
    parts.append(element("text", "step", x=right, y=HEIGHT - 4, class_="name end"))
    scale = " (log scale)" if up.log else ""
    parts.append(element("text", unit + scale, x=2, y=11, class_="name"))
    return parts


def _legend(labels: Sequence[str]) -> List[Html]:
    """Ends at the right edge, above the lines; of one line there is none."""
    if len(labels) < 2:
        return []
    parts, x = [], WIDTH - _RIGHT - sum(len(label) * _LETTER + 34 for label in labels) + 10
    for number, label in enumerate(labels):
        parts.append(element("line", x1=_pixel(x), x2=_pixel(x + 18), y1=8, y2=8, class_=f"line {_CLASSES[number]}"))
        parts.append(element("text", label, x=_pixel(x + 22), y=11.5, class_="name"))
        x += len(label) * _LETTER + 34
    return parts


def _path(xs: np.ndarray, ys: np.ndarray) -> str:
    """Straight lines between neighbours that have values."""
    words, pen_down = [], False
    there = np.isfinite(ys)
    for place in range(len(xs)):
        if there[place]:
            words.append(f"{'L' if pen_down else 'M'}{_pixel(xs[place])} {_pixel(ys[place])}")
        pen_down = bool(there[place])
    return "".join(words)


def _dots(xs: np.ndarray, ys: np.ndarray) -> str:
    """Points for a round pen: of a line of few values all of them, else those without a neighbour."""
    there = np.isfinite(ys)
    around = np.concatenate([[False], there, [False]])
    shown = there & (~(around[:-2] | around[2:]) | (there.sum() <= _MARKED))
    return "".join(f"M{_pixel(x)} {_pixel(y)}h.01" for x, y in zip(xs[shown], ys[shown]))


def _pixel(value: float) -> str:
    return f"{float(value):.1f}".rstrip("0").rstrip(".")


def _notes(lines, most: int, cut: bool, every: np.ndarray) -> List[str]:
    notes = []
    longest = max(len(steps) for steps, _ in lines)
    if longest > most:
        notes.append(f"{longest:,} records; drawn are the lowest and the highest of each {longest * 2 // most or 1}")
    if cut:
        notes.append(f"values far off are cut at the edge: they go from {short(every.min())} to {short(every.max())}")
    return notes


def _in_words(series: Sequence[Series], lines) -> str:
    """The last value of each line."""
    words = []
    for entry, (steps, values) in zip(series, lines):
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite):
            words.append(f"{entry.label} {values[finite[-1]]:.4g} at step {steps[finite[-1]]:.0f}")
        else:
            words.append(f"{entry.label} without values")
    return ", ".join(words)


def _for_script(across: _Scale, up: _Scale, drawn) -> Dict[str, Any]:
    """What the page's script shows under a pointer: four digits of each point."""
    lines = []
    for label, steps, values in drawn:
        shown = [float(f"{value:.4g}") if math.isfinite(value) else None for value in values.tolist()]
        lines.append(dict(label=label, x=[int(step) for step in steps.tolist()], y=shown))
    return dict(x=[across.low, across.high, across.start, across.end], lines=lines)
