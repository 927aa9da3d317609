"""When each operation of a graph ran, as TensorFlow itself notes it, and what that says of the parts of a step."""

from collections import Counter
from typing import Callable, Container, Dict, List, NamedTuple, Sequence

from biggan_cli.runtime.tf import tf

OUTSIDE = "outside"


class Span(NamedTuple):
    """An operation's name, and when it began and ended: microseconds of one clock."""

    name: str
    start: int
    end: int


def traced(session, fetches: Sequence) -> List[Span]:
    """The spans of one ``session.run``; none where the device does not say when its operations ran."""
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    session.run(fetches, options=options, run_metadata=metadata)
    return spans_of(metadata.step_stats)


def spans_of(step_stats) -> List[Span]:
    """Of a GPU the times of its kernels count, not those of their launches; ``/host:…`` only repeats the others."""
    devices = {entry.device: entry.node_stats for entry in step_stats.dev_stats}
    streams = [device for device in devices if device.endswith("stream:all")]
    launched_on = [device for device in devices if device.startswith("/job:") and "/device:GPU:" in device]
    if launched_on and not streams:
        return []
    chosen = [device for device in devices if device.startswith("/job:") and device not in launched_on] + streams
    return [
        Span(node.node_name.split(":")[0], node.all_start_micros, node.all_start_micros + node.all_end_rel_micros)
        for device in chosen
        for node in devices[device]
    ]


def split(spans: Sequence[Span], part_of: Callable[[str], str], waiting: Container[str] = ()) -> Dict[str, float]:
    """Part → seconds, which add up to the time from the first beginning to the last end.

    Of a time in which several operations ran at once, each has its share. :data:`OUTSIDE` is when none ran.

    Args:
        part_of: the part that an operation belongs to, by its name.
        waiting: parts that have only the time in which no other part ran.
    """
    events = []
    for span in spans:
        part = part_of(span.name)
        events += [(span.start, 1, part), (span.end, -1, part)]
    events.sort(key=lambda event: event[0])
    running: Counter = Counter()
    found: Counter = Counter()
    for event, following in zip(events, events[1:]):
        running[event[2]] += event[1]
        passed = following[0] - event[0]
        if passed:
            working = {part: number for part, number in running.items() if number and part not in waiting}
            working = working or {part: number for part, number in running.items() if number} or {OUTSIDE: 1}
            total = sum(working.values())
            for part, number in working.items():
                found[part] += passed * number / total
    return {part: microseconds / 1e6 for part, microseconds in found.items()}
