"""When the operations of a graph ran, and how the time is divided."""

import pytest

from biggan_cli.runtime.device import open_session
from biggan_cli.runtime.tf import tf
from biggan_cli.runtime.trace import OUTSIDE, Span, spans_of, split, traced


def parts(*spans, waiting=()):
    """The division in microseconds of (part, start, end)."""
    found = split([Span(*span) for span in spans], lambda name: name, waiting)
    return {part: pytest.approx(seconds * 1e6) for part, seconds in found.items()}


def test_one_after_the_other_with_a_gap():
    assert parts(("a", 0, 10), ("b", 10, 30), ("a", 35, 40)) == {"a": 15, "b": 20, OUTSIDE: 5}


def test_what_runs_at_once_shares_the_time():
    assert parts(("a", 0, 10), ("b", 4, 20)) == {"a": 4 + 3, "b": 3 + 10}
    assert parts(("a", 0, 9), ("a", 0, 9), ("b", 0, 9)) == {"a": 6, "b": 3}


def test_waiting_counts_only_where_nothing_else_runs():
    assert parts(("w", 0, 10), ("a", 2, 5), ("w", 12, 13), waiting=("w",)) == {"w": 2 + 5 + 1, "a": 3, OUTSIDE: 2}


def test_nothing_and_what_takes_no_time():
    assert parts() == {}
    assert parts(("a", 3, 3), ("b", 3, 5)) == {"b": 2}


def test_the_parts_add_up_to_the_whole():
    spans = [("abc"[number % 3], number * 7 % 50, number * 7 % 50 + number % 11) for number in range(60)]
    last = max(end for _, _, end in spans)
    found = split([Span(*span) for span in spans], lambda name: name, ("c",))
    assert sum(found.values()) * 1e6 == pytest.approx(last - min(start for _, start, _ in spans))


def stats(**devices):
    """Device → operations that all took from 5 to 7; ``:`` is ``_`` in a keyword, ``/`` two of them."""
    metadata = tf.RunMetadata()
    for device, names in devices.items():
        entry = metadata.step_stats.dev_stats.add(device=device.replace("__", "/").replace("_", ":"))
        for name in names:
            entry.node_stats.add(node_name=name, all_start_micros=5, all_end_rel_micros=2)
    return metadata.step_stats


def test_of_a_gpu_the_kernels_count_and_not_their_launches():
    cpu = dict(__job_a__device_CPU_0=["x"], __host_CPU=["x:Mul"])
    assert spans_of(stats(**cpu)) == [Span("x", 5, 7)]
    launched = dict(cpu, __job_a__device_GPU_0=["y"])
    assert spans_of(stats(**launched)) == []
    assert spans_of(stats(**launched, __device_GPU_0__stream_all=["y:Conv2D"])) == [Span("x", 5, 7), Span("y", 5, 7)]


def test_a_graph_that_runs():
    with tf.Graph().as_default() as graph, tf.name_scope("part"):
        a = tf.random_uniform([64, 64])  # what is constant is computed before
        product = tf.matmul(a, a, name="product")
    with open_session(graph, "cpu") as session:
        found = traced(session, [product])
    (span,) = (span for span in found if span.name == "part/product")
    assert 0 <= span.end - span.start < 60e6
