"""The curves of a report: of the records of training, and of scores over steps."""

import statistics
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from biggan_cli.core.charts import Series, line_chart
from biggan_cli.core.markup import Html, element, joined
from biggan_cli.core.report_scores import Record, groups
from biggan_cli.core.score_words import numbers

_CHARTS = (
    ("Losses", "loss", (("discriminator", "d_loss"), ("generator", "g_loss"))),
    ("Logits", "mean logit", (("real", "real_logit"), ("generated", "fake_logit"))),
    ("Step time", "seconds a step", (("seconds a step", "seconds_per_step"),)),
    ("Gradients", "norm", (("discriminator", "d_grad_norm"), ("generator", "g_grad_norm"))),
)
_NOT_DRAWN = {
    *("step", "steps_in_record", "images_per_second", "maintenance_seconds"),
    *("maintenance_seconds_per_step", "elapsed_seconds", "remaining_seconds"),
    "epoch_seconds",
}
_LOG_FROM = 10.0
"""How many times the median the highest value is where an axis of powers of ten shows more."""
_MORE = 16
"""Further curves at most."""


def curve_sections(ticks: Sequence[Mapping[str, Any]]) -> Optional[Html]:
    """The charts of training; what has a name that is not known here comes after them, folded. None of no records."""
    known = {name for _, _, parts in _CHARTS for _, name in parts}
    names = dict.fromkeys(name for tick in ticks for name in tick)
    others = [name for name in names if name not in known and name not in _NOT_DRAWN]
    drawn = [_chart(title, unit, _series(ticks, parts)) for title, unit, parts in _CHARTS]
    more = [_chart(name.replace("_", " "), name.replace("_", " "), _series(ticks, [(name, name)])) for name in others]
    drawn, more = ([figure for figure in figures if figure] for figures in (drawn, more))
    if not drawn and not more:
        return None
    folded = None
    if more:
        said = element("p", f"The first {_MORE} of {len(more)}.") if len(more) > _MORE else None
        charts = element("div", more[:_MORE], class_="charts")
        folded = element("details", element("summary", "More of what was recorded"), said, charts)
    return joined(element("div", drawn, class_="charts"), folded)


def score_curves(scores: Sequence[Record]) -> Optional[Html]:
    """FID and the others over steps, wherever several steps were scored alike."""
    figures: List[Html] = []
    for group in groups(scores):
        lines: Dict[str, Dict[int, float]] = {}
        for record in group.records:
            step = record["samples"].get("step")
            if record["source"] == "checkpoint" and isinstance(step, int):
                for name, value, _ in numbers(record):
                    lines.setdefault(name, {})[step] = float(value.split()[0])  # the last of a step
        for name, found in lines.items():
            if len(found) > 1:
                steps = sorted(found)
                series = [Series(name, steps, [found[step] for step in steps])]
                figures.append(_chart(f"{name} over steps", name, series, group.title))
    return element("div", figures, class_="charts") if figures else None


def _series(ticks: Sequence[Mapping[str, Any]], parts: Sequence[Tuple[str, str]]) -> List[Series]:
    found = []
    for label, name in parts:
        there = [tick for tick in ticks if name in tick]
        values = [_number(tick[name]) for tick in there]
        if any(value is not None for value in values):
            found.append(Series(label, [tick["step"] for tick in there], values))
    return found


def _number(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _chart(title: str, unit: str, series: Sequence[Series], more: str = "") -> Optional[Html]:
    """A chart as a figure; None where there is nothing to draw."""
    values = [value for entry in series for value in entry.values if value is not None]
    log = bool(values) and min(values) > 0 and max(values) > _LOG_FROM * statistics.median(values)
    try:
        chart = line_chart(title, unit, series, log)
    except ValueError:  # not one finite value
        return None
    notes = "; ".join(note for note in (more, *chart.notes) if note)
    caption = element("figcaption", notes[:1].upper() + notes[1:] + ".") if notes else None
    return element("figure", element("h3", title), chart.svg, caption)
