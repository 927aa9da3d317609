"""A watched run in words and bars, for a terminal of any width; and line by line, for a pipe."""

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from biggan_cli.core.reporting import duration, plain_text
from biggan_cli.core.run_states import FAILED, FINISHED, RUNNING, RunState
from biggan_cli.core.watch import View
from biggan_cli.errors import visible
from biggan_cli.training.durations import is_number, remaining_seconds
from biggan_cli.training.monitor import status
from biggan_cli.training.signs import SATURATED, SIGMAS

Line = List[Tuple[str, str]]
"""Parts of a line: words and their style."""
BLOCKS, PLAIN_BLOCKS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
_NAMES = dict(d_loss="D loss", g_loss="G loss", real_logit="real", fake_logit="fake", fid="FID")
_STYLES = {RUNNING: "bold", FINISHED: "bold green", FAILED: "bold red"}
_LABEL, _NUMBERS = 8, 32
_LOG_LINES = 6


def drawn(view: View, width: int, height: int = 40, blocks: str = BLOCKS) -> List[Line]:
    """The whole view, at most ``width`` wide and ``height`` high; what has to go is the log.

    Args:
        blocks: eight characters from low to high.
    """
    state = view.state
    lines: List[Line] = [_title(view), _bar(view, width, blocks), [("", "")]]
    if view.last is None:
        lines.append([("no record yet: the first steps take the longest", "dim")])
    else:
        lines += [[(status(view.last), "")], [(_facts(view), "dim")], [("", "")]]
    lines += [_curve(_NAMES[name], view.curves[name], width, blocks) for name in view.curves if view.last is not None]
    lines += [[(name.ljust(_LABEL), ""), (words, "")] for name, words in signs(view.last or {})]
    scored = [(score.step, score.values["fid"]) for score in view.scores if "fid" in score.values]
    if scored:
        lines.append(_curve(_NAMES["fid"], [value for _, value in scored], width, blocks))
    if view.best:
        lines.append([("best".ljust(_LABEL), ""), (best_words(view), "")])
    if state.ended and state.why:
        lines += [[("", "")], [(state.why, "")]]
    room = min(_LOG_LINES, height - len(lines) - 2)
    if view.log and room > 0:
        lines += [[("", "")], *([(line, "dim")] for line in view.log[-room:])]
    return [_cut(line, width) for line in lines]


def signs(record: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """What the monitors look at, of a record: rows of those numbers that it has.

    How much fakes vary, as a share of what real pictures do; the largest singular values; and the shares of pictures
    that the discriminator is certain of.
    """

    def numbers(*names: str) -> Optional[List[float]]:
        values = [record.get(name) for name in names]
        return values if all(map(is_number, values)) else None

    spread = []
    for what, inside in (("", "variance"), ("within classes ", "class_variance")):
        found = numbers(f"fake_{inside}", f"real_{inside}")
        if found and found[1] > 0.0:
            spread.append(f"{what}{found[0] / found[1]:.3f}")
    sigmas, certain = numbers(*SIGMAS), numbers(*SATURATED)
    rows = [("spread", f"fakes vary {' and '.join(spread)} times as much as reals")] if spread else []
    if sigmas:
        rows.append(("sigma", f"G {sigmas[0]:.3g}, D {sigmas[1]:.3g} at most"))
    if certain:
        rows.append(("certain", f"D of {certain[0]:.0%} of reals and {certain[1]:.0%} of fakes"))
    return rows


def best_words(view: View) -> str:
    """``FID 12.34 at step 300 (digits)``, and the other scores."""
    parts = []
    for name, best in view.best.items():
        at = "" if best.step is None else f" at step {best.step}"
        whose = f" ({best.extractor})" if best.extractor not in ("", "inception") else ""
        parts.append(f"{name.upper() if len(name) < 4 else name} {best.value:.4g}{at}{whose}")
    return ", ".join(parts)


def told(view: View) -> List[str]:
    """What is new in a view, a line each."""
    lines = [] if view.back_to is None else [f"the run went back to step {view.back_to}"]
    lines += [record_line(record, view.state.steps) for record in view.new]
    for score in view.new_scores:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in score.values.items())
        lines.append(f"scored{'' if score.step is None else f' step {score.step}'}: {numbers} ({score.extractor})")
    return lines


def record_line(record: Mapping[str, Any], steps: int) -> str:
    """A record as the training itself prints it."""
    return plain_text(
        "tick",
        step=record["step"],
        total=steps,
        status=status(record),
        remaining_seconds=remaining_seconds(record, steps),
    )


def how_it_ended(state: RunState) -> str:
    """``stopped at step 120 of 400: interrupted``."""
    return f"{state.state} at step {state.step} of {state.steps}" + (f": {state.why}" if state.why else "")


def sparkline(values: Sequence[Optional[float]], width: int, blocks: str = BLOCKS) -> str:
    """The course of values in at most ``width`` characters: means where there are more, a space where there is none.

    The lowest of these is the lowest block, the highest the highest; all the same: the middle.
    """
    count = min(width, len(values))
    means: List[Optional[float]] = []
    for place in range(count):
        part = values[place * len(values) // count : (place + 1) * len(values) // count]
        known = [value for value in part if value is not None]
        means.append(sum(known) / len(known) if known else None)
    known = [value for value in means if value is not None]
    low, span = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    top = len(blocks) - 1

    def block(value: Optional[float]) -> str:
        if value is None:
            return " "
        return blocks[round((value - low) / span * top) if span else top // 2]

    return "".join(map(block, means))


def _title(view: View) -> Line:
    state = view.state
    who = f"   {state.holder}" if state.holder and state.state == RUNNING else ""
    return [
        (view.run.path.name, "bold"),
        ("   ", ""),
        (state.state, _STYLES.get(state.state, "bold yellow")),
        (who, ""),
    ]


def _bar(view: View, width: int, blocks: str) -> Line:
    state = view.state
    share = min(1.0, view.step / state.steps) if state.steps > 0 else 0.0
    words = f"  {view.step}/{state.steps}  {100 * share:.0f} %"
    left = view.remaining_seconds
    words += "" if left is None else f"  ETA {duration(left)}"
    room = max(0, width - len(words))
    full = int(share * room)
    empty = "─" if blocks == BLOCKS else "-"
    return [(blocks[-1] * full, ""), (empty * (room - full), "dim"), (words, "")]


def _facts(view: View) -> str:
    last, facts = view.last or {}, []
    if last.get("resident_bytes"):
        facts.append(f"memory {last['resident_bytes'] / 1e6:.0f} MB")
    if view.trained_seconds is not None:
        facts.append(f"trained for {duration(view.trained_seconds)}")
    if view.age_seconds is not None:
        facts.append(f"last record {duration(view.age_seconds)} ago")
    return ", ".join(facts)


def _curve(name: str, values: Sequence[Optional[float]], width: int, blocks: str) -> Line:
    known = [value for value in values if value is not None]
    numbers = f"  {known[-1]:9.4g}  {min(known):9.4g} … {max(known):.4g}" if known else ""
    course = sparkline(values, max(8, width - _LABEL - _NUMBERS), blocks)
    return [(name.ljust(_LABEL), ""), (course.ljust(max(8, width - _LABEL - _NUMBERS)), ""), (numbers, "")]


def _cut(line: Line, width: int) -> Line:
    cut, room = [], width
    for words, style in line:
        words = visible(words)
        if len(words) > room:
            words = words[: max(0, room - 1)] + "…" if room else ""
        cut.append((words, style))
        room -= len(words)
    return cut
