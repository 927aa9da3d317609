"""A watched run in words and bars, for a terminal of any width; and line by line, for a pipe."""

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from biggan_cli.core.reporting import duration, plain_text
from biggan_cli.core.run_states import FAILED, FINISHED, RUNNING, RunState
from biggan_cli.core.watch import View
from biggan_cli.errors import visible
from biggan_cli.training.durations import remaining_seconds
from biggan_cli.training.monitor import status

Line = List[Tuple[str, str]]
"""Parts of a line: words and their style."""
BLOCKS, PLAIN_BLOCKS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
_NAMES = dict(d_loss="D loss", g_loss="G loss", real_logit="real", fake_logit="fake", fid="FID")
_STYLES = {RUNNING: "bold cyan", FINISHED: "bold green", FAILED: "bold red"}
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
    step = max([state.step, *view.record_steps[-1:]]) if state.state == RUNNING else state.step
    share = min(1.0, step / state.steps) if state.steps > 0 else 0.0
    words = f"  {step}/{state.steps}  {100 * share:.0f} %"
    left = left_of(view)
    words += "" if left is None else f"  ETA {duration(left)}"
    room = max(0, width - len(words))
    full = int(share * room)
    empty = "─" if blocks == BLOCKS else "-"
    return [(blocks[-1] * full, "cyan"), (empty * (room - full), "dim"), (words, "")]


def left_of(view: View) -> Optional[float]:
    """Seconds that are left; None where the run does not go on, or nobody knows."""
    if view.state.state != RUNNING or view.last is None:
        return None
    return remaining_seconds(view.last, view.state.steps, view.seen)


def _age(view: View) -> Optional[float]:
    """Seconds since the last record; None where it does not say, or the clocks do not agree."""
    made = (view.last or {}).get("epoch_seconds")
    return view.seen - made if isinstance(made, float) and view.seen >= made else None


def _facts(view: View) -> str:
    last, facts = view.last or {}, []
    if last.get("resident_bytes"):
        facts.append(f"memory {last['resident_bytes'] / 1e6:.0f} MB")
    if view.trained_seconds is not None:
        facts.append(f"trained for {duration(view.trained_seconds)}")
    age = _age(view)
    if age is not None:
        facts.append(f"last record {duration(age)} ago")
    return ", ".join(facts)


def _curve(name: str, values: Sequence[Optional[float]], width: int, blocks: str) -> Line:
    known = [value for value in values if value is not None]
    numbers = f"  {known[-1]:9.4g}  {min(known):9.4g} … {max(known):.4g}" if known else ""
    course = sparkline(values, max(8, width - _LABEL - _NUMBERS), blocks)
    return [(name.ljust(_LABEL), ""), (course.ljust(max(8, width - _LABEL - _NUMBERS)), "cyan"), (numbers, "")]


def _cut(line: Line, width: int) -> Line:
    cut, room = [], width
    for words, style in line:
        words = visible(words)
        if len(words) > room:
            words = words[: max(0, room - 1)] + "…" if room else ""
        cut.append((words, style))
        room -= len(words)
    return cut
