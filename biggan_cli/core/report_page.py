"""A report as one HTML file that needs nothing else: its sections, from what was read of a run."""

import base64
import hashlib
import time
from pathlib import Path
from string import Template
from typing import List, Optional, Tuple

from biggan_cli import __version__
from biggan_cli.core import report_facts as facts
from biggan_cli.core.markup import Html, Section, definitions, element, escaped, joined, table
from biggan_cli.core.report_curves import curve_sections, score_curves
from biggan_cli.core.report_data import RunData, Verified
from biggan_cli.core.report_drawn import figure, image, morphs, sheets
from biggan_cli.core.report_scores import best, score_tables
from biggan_cli.core.run_states import RUNNING
from biggan_cli.data import classes
from biggan_cli.training.durations import TrainedSeconds, remaining_seconds

_RESOURCES = Path(__file__).parent / "resources"
_ON_PAPER = 4
"""Grids of the history that are printed."""


def page(data: RunData) -> str:
    """The whole file."""
    sections = [section for section in _sections(data) if section]
    contents = [
        element("li", element("a", section.anchor.capitalize(), href=f"#{section.anchor}")) for section in sections
    ]
    style, script = (_resource(name) for name in ("report.css", "report.js"))
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return Template(_resource("report.html")).substitute(
        generator=escaped(f"biggan {__version__}"),
        title=escaped(f"{data.name} · biggan"),
        style_hash=_hash(style),
        script_hash=_hash(script),
        style=style,
        script=script,
        head=_head(data),
        contents=element("nav", element("ul", contents), aria_label="Contents"),
        main=joined([section.html() for section in sections]),
        foot=element("p", f"Made by biggan {__version__}, {made}. This file needs no other: it can be sent as it is."),
    )


def _resource(name: str) -> str:
    return (_RESOURCES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What the page's own policy lets run and style: this text, and none that came from elsewhere."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sections(data: RunData) -> List[Optional[Section]]:
    return [
        _history(data),
        _scores(data),
        _curves(data),
        *sheets(data),
        morphs(data),
        *map(_verified, data.verified),
        _training(data),
        _data_set(data),
        _commands(data),
        _environment(data),
    ]


def _head(data: RunData) -> Html:
    title = element("div", element("p", "biggan report", class_="kind"), element("h1", data.name), _lead(data))
    hero = image(data.hero, f"Samples of {_classes_words(data)} at step {data.standing.step}") if data.hero else None
    top = element("div", title, hero, class_="top" if hero else "top alone")
    problems = facts.warnings(data)
    notes = [
        element("div", element("p", heading), element("ul", [element("li", line) for line in lines]), class_="note")
        for heading, lines in (("Not in this report", data.problems), ("The run's log warns", problems))
        if lines
    ]
    keys = [
        element("div", element("dt", name), element("dd", value, element("small", more) if more else None))
        for name, value, more in _keys(data)
    ]
    columns = 3 if len(keys) % 3 == 0 else min(4, len(keys))
    return joined(top, element("dl", keys, class_=f"keys of{columns}"), notes)


def _lead(data: RunData) -> Html:
    standing, record = data.standing, data.record
    words = []
    if record:
        model, train = record.config.model, record.config.train
        what = f"A class-conditional BigGAN of {model.resolution} px and {model.num_classes} classes"
        source = f"trained on {train.data}" if record.data_digest else "imported from a checkpoint of the reference"
        words.append(f"{what}, {source} with preset {record.config.preset}.")
    reached = f"step {standing.step:,}" + (f" of {standing.steps:,}" if standing.steps else "")
    words.append(f"{standing.state.capitalize()}: {reached}" + (f", {standing.why}." if standing.why else "."))
    return element("p", " ".join(words))


def _keys(data: RunData) -> List[Tuple[str, str, str]]:
    """The numbers that one asks for first: name, value, and how it is meant; an even number of them, so that on a phone
    none stands alone in a row."""
    keys: List[Tuple[str, str, str]] = []
    standing, record = data.standing, data.record
    keys.append(("step", f"{standing.step:,}", f"of {standing.steps:,}" if standing.steps else ""))
    if record and record.data_digest:
        shown = standing.step * record.config.train.batch * record.config.train.d_steps
        keys.append(("real pictures", f"{shown:,}", "shown to the discriminator"))
    seconds = TrainedSeconds(data.ticks).seconds
    if seconds:
        keys.append(
            ("training time", facts.duration_words(seconds), f"on {record.config.train.device}" if record else "")
        )
    last = next((tick for tick in data.ticks[-1:] if isinstance(tick.get("seconds_per_step"), (int, float))), None)
    if last and standing.state == RUNNING and standing.steps:
        left = facts.duration_words(remaining_seconds(last, standing.steps, time.time()))
        keys.append(("time left", left, "when this was made"))
    speed = [tick["seconds_per_step"] for tick in data.ticks if isinstance(tick.get("seconds_per_step"), (int, float))]
    if speed:
        middle = sorted(speed)[len(speed) // 2]
        keys.append(("time a step", f"{middle:.3g} s", "the median"))
    for name, value, how in best(data.scores):
        keys.append((name, value, how))
    if record:
        generator, discriminator = facts.parameters(record)
        keys.append(("parameters", f"{generator:,}", f"generator; discriminator {discriminator:,}"))
    return keys[len(keys) % 2 :] or keys  # the step is in the lead too


def _history(data: RunData) -> Optional[Section]:
    """All grids are in the page, one is shown; on paper a few."""
    if not data.history:
        return None
    last = len(data.history) - 1
    count = min(_ON_PAPER, last + 1)
    paper = {round(place * last / max(count - 1, 1)) if count > 1 else last for place in range(count)}
    frames = [
        element(
            "figure",
            image(grid.picture, f"Grid of samples at step {grid.step}: a row for each class, always the same latents"),
            element("figcaption", f"step {grid.step:,}"),
            class_=" ".join(["frame", *["shown"] * (place == last), *["paper"] * (place in paper)]),
            data_step=f"{grid.step:,}",
        )
        for place, grid in enumerate(data.history)
    ]
    control = None
    if last:
        steps = [grid.step for grid in data.history]
        control = element(
            "div",
            element("label", "Step ", element("output", f"{steps[-1]:,}", id="now", for_="step"), for_="step"),
            element("input", type="range", id="step", min=0, max=last, step=1, value=last),
            element("div", element("span", f"{steps[0]:,}"), element("span", f"{steps[-1]:,}"), class_="ends"),
            class_="control",
            hidden=True,
        )
    said = f"The same latents at {len(data.history)} of the {data.history_total} steps that were drawn."
    if len(data.history) == data.history_total:
        said = f"The same latents at each step that was drawn ({data.history_total})."
    said += " Compressed to fit here." if any(grid.picture.smaller for grid in data.history) else ""
    return Section("samples", "Samples", element("p", said), control, element("div", frames, class_="frames"))


def _scores(data: RunData) -> Optional[Section]:
    if not data.scores:
        return None
    return Section("scores", "Scores", score_tables(data.scores), score_curves(data.scores))


def _curves(data: RunData) -> Optional[Section]:
    drawn = curve_sections(data.ticks)
    return Section("curves", "Curves", drawn) if drawn else None


def _verified(found: Verified) -> Optional[Section]:
    """The precision table: how far each step on the way to the device is from the one before."""
    rows = []
    for entry in found.differences:
        psnr = entry.get("psnr_db")
        cells = [
            (str(entry["step"]), "step"),
            (str(entry["before"]), "compared with"),
            (f"{entry['images']}", "pictures"),
            (f"{entry['max_abs']:.2g}", "largest difference"),
            (f"{entry['mean_abs']:.2g}", "mean difference"),
            ("equal" if psnr is None else f"{psnr:.1f}\u00a0dB", "PSNR"),
            (f"{100 * entry['changed']:.2f}\u00a0%", "changed pixels"),
            ("yes" if entry.get("ok") else "no", "near enough"),
        ]
        rows.append(cells)
    if not rows:
        return None
    said = (
        "The same latents through each step on the way to the device. Differences are of pictures in [−1, 1]; a pixel "
        "is changed where it differs by more than one of 256 levels."
    )
    picture = None
    if found.side_by_side:
        caption = "The same latents, step by step; below each step how far it is from the one before, enlarged"
        picture = figure(found.side_by_side, caption, caption)
    return Section("precision", "Precision on the way to the device", element("p", said), table(rows), picture)


def _training(data: RunData) -> Optional[Section]:
    rows = facts.facts(data)
    if not rows:
        return None
    return Section("training", "How it was trained", definitions(rows))


def _data_set(data: RunData) -> Optional[Section]:
    counts, total = facts.class_counts(data)
    if not counts and not data.reals:
        return None
    items = [
        element("li", element("bdi", name), element("span", f"{count:,}") if count is not None else None)
        for name, count in counts
    ]
    known = any(count is not None for _, count in counts)
    said = f"{total:,} classes" + (", with how many pictures of each were trained on." if known else ".")
    said += f" The first {len(counts)} of them:" if len(counts) < total else ""
    reals = None
    if data.reals:
        reals = figure(
            data.reals,
            "Real pictures: the first of each class",
            "The first pictures of each class, as they are trained on",
        )
    return Section("data", "Data", element("p", said), element("ul", items, class_="classes"), reals)


def _commands(data: RunData) -> Optional[Section]:
    if not data.commands:
        return None
    lines = []
    for command in data.commands:
        lines += [f"# {command.note}"] if command.note else []
        lines += [command.line] if command.line else []
    said = "In this order they make the run and all its results again; each takes the latest run in runs/."
    block = element("pre", element("code", "\n".join([*lines, "biggan report"])), tabindex="0", aria_label="Commands")
    return Section("commands", "The commands that reproduce it", element("p", said), block)


def _environment(data: RunData) -> Section:
    rows, details = facts.environment(data), None
    if data.record:
        summary = element("summary", "The whole configuration, as it is stored")
        details = element("details", summary, definitions(facts.configuration(data.record)))
    return Section("environment", "Environment", definitions(rows) if rows else None, details)


def _classes_words(data: RunData) -> str:
    return classes.listed(data.record.class_names) if data.record else "the classes"
