"""Charts: where a value is drawn, what is a gap, round numbers at the axes, and what thinning keeps."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from biggan_cli.core.charts import HEIGHT, WIDTH, Series, limits, line_chart, thinned
from biggan_cli.data.ticks import short, ticks


def drawn(*series, **how):
    """The parsed picture; it is well-formed XML."""
    return ElementTree.fromstring(line_chart("Losses", "loss", series, **how).svg)


def paths(svg):
    """Of each line its strokes, each a list of (x, y)."""
    lines = [node.get("d") for node in svg.iter("path") if node.get("class").startswith("line")]
    return [
        [[tuple(map(float, point.split())) for point in stroke.split("L") if point] for stroke in d.split("M")[1:]]
        for d in lines
    ]


def tick_labels(svg, axis):
    return [node.text for node in svg.iter("text") if node.get("class") == f"tick {axis}"]


def value_at(svg, y):
    """The value that stands at a height: from the axis's own labels and rules, not from the code that drew them."""
    labels = [float(text.replace("\u2212", "-")) for text in tick_labels(svg, "y")]
    heights = [float(node.get("y1")) for node in svg.iter("line") if node.get("class") == "rule"]
    slope, start = np.polyfit(heights, labels, 1)
    return slope * y + start


def test_values_stand_where_the_axes_say():
    steps, values = [0, 100, 200, 300], [1.0, 4.0, 2.0, -3.0]
    svg = drawn(Series("generator", steps, values))
    ((stroke,),) = paths(svg)
    assert [value_at(svg, y) for _, y in stroke] == pytest.approx(values, abs=0.05)
    places = {node.text: float(node.get("x")) for node in svg.iter("text") if node.get("class") == "tick x"}
    assert [places[text] for text in ("0", "100", "200", "300")] == pytest.approx([x for x, _ in stroke], abs=0.1)


def test_everything_is_inside_the_picture():
    rng = np.random.default_rng(0)
    svg = drawn(Series("a", range(50), rng.normal(size=50) * 1e3), Series("b", range(50), [None, 7.0] * 25))
    points = [point for line in paths(svg) for stroke in line for point in stroke[:1]]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_what_is_no_number_is_a_gap_and_a_value_alone_is_a_dot():
    values = [1.0, 2.0, None, float("nan"), 3.0, float("inf"), 4.0, 5.0]
    svg = drawn(Series("a", range(8), values))
    (strokes,) = paths(svg)
    assert [len(stroke) for stroke in strokes] == [2, 1, 2]
    assert dots(svg) == [5]


def dots(svg):
    """How many values of each line have a dot."""
    return [path.get("d").count("h.01") for path in svg.iter("path") if path.get("class").startswith("dots")]


def test_each_of_a_few_values_has_a_dot_and_of_many_those_alone():
    few, many = list(range(30)), [None if place in (3, 5) else 1.0 for place in range(100)]
    assert dots(drawn(Series("a", few, few), Series("b", range(100), many))) == [30, 1]
    assert dots(drawn(Series("a", range(31), range(31)))) == []


def test_lines_that_have_no_value_at_all():
    with pytest.raises(ValueError, match="no value"):
        drawn(Series("a", [1, 2], [None, float("nan")]))
    one, none = paths(drawn(Series("a", [1, 2], [1.0, 2.0]), Series("b", [1, 2], [None, None])))
    assert one and not none


def test_a_single_value_and_a_constant_have_an_axis():
    for values in ([5.0], [0.0], [5.0, 5.0, 5.0]):
        svg = drawn(Series("a", range(len(values)), values))
        assert len(tick_labels(svg, "y")) >= 2


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors_and_no_place_for_zero():
    svg = drawn(Series("a", range(5), [1.0, 10.0, 100.0, 0.0, 1000.0]), log=True)
    first, last = paths(svg)[0]
    heights = [y for _, y in first]
    assert np.diff(heights)[0] == pytest.approx(np.diff(heights)[1], abs=0.2)
    assert len(last) == 1 and tick_labels(svg, "y") == ["1", "10", "100", "1000"]
    assert any("log scale" in (node.text or "") for node in svg.iter("text"))


def test_the_lines_are_named_and_read_out():
    svg = drawn(Series("real", [1, 2], [1.0, 2.5]), Series("<fake> & co", [1, 2], [3.0, None]))
    names = [node.text for node in svg.iter("text") if node.get("class") == "name"]
    assert "real" in names and "<fake> & co" in names and "loss" in names
    assert svg.get("aria-label") == "Losses: real 2.5 at step 2, <fake> & co 3 at step 1"
    lines = json.loads(svg.get("data-chart"))["lines"]
    assert [line["label"] for line in lines] == ["real", "<fake> & co"]
    assert lines[1]["x"] == [1, 2] and lines[1]["y"] == [3.0, None]


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 7), (0.0001, 0.00042), (17, 123456), (-1e-9, 1e-9), (99.5, 100.5)])
def test_ticks_are_round_inside_and_even(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 11 and low <= found[0] and found[-1] <= high
    gaps = np.diff(found)
    assert gaps == pytest.approx(gaps[0])
    assert f"{gaps[0]:.1e}"[:3] in ("1.0", "2.0", "2.5", "5.0")


def test_numbers_in_few_characters():
    numbers = [0, 0.02, 400, 9999, 12000, 1.5e6, -3.25]
    assert [short(number) for number in numbers] == ["0", "0.02", "400", "9999", "12k", "1.5M", "\u22123.25"]


def test_thinning_keeps_the_outline():
    """Every spike of 20,000 values is still there, and no value that was not."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=20000)
    values[[777, 15001]] = 100.0, -100.0
    values[3000:9000] = np.nan
    steps, kept = thinned(np.arange(20000.0), values, 400)
    assert len(steps) <= 400 and steps[0] == 0 and steps[-1] == 19999
    assert np.nanmax(kept) == 100.0 and np.nanmin(kept) == -100.0
    np.testing.assert_array_equal(kept, values[steps.astype(int)])
    assert np.isnan(kept).any() and (np.diff(steps) > 0).all()


def test_a_long_chart_says_that_it_is_thinned():
    chart = line_chart("Losses", "loss", [Series("a", range(5000), np.sin(np.arange(5000)))])
    assert len(chart.svg) < 20000 and "5,000 records" in chart.notes[0]
    assert not line_chart("Losses", "loss", [Series("a", range(50), np.sin(np.arange(50)))]).notes


def test_a_value_far_off_does_not_flatten_the_others_and_is_named():
    values = np.array([500.0, *np.linspace(1, 2, 99)])
    low, high, cut = limits(values)
    assert cut and high < 5 and low <= 1
    chart = line_chart("Losses", "loss", [Series("a", range(100), values)])
    assert "1 to 500" in chart.notes[0]
    assert limits(np.linspace(0, 1, 100))[2] is False


def test_an_axis_of_what_is_never_negative_has_no_negative_numbers():
    assert limits(np.array([0.0, 10.0]))[0] == 0
    assert limits(np.array([1.0, 10.0]))[0] == 0
    assert 9 < limits(np.array([10.0, 10.5]))[0] < 10
    assert limits(np.array([-1.0, 10.0]))[0] < -1
