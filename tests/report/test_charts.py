"""Charts: well-formed, ticks at round numbers, everything that was measured in its place."""

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.metrics.intervals import Interval
from medloop.metrics.limits import limits_of_agreement
from medloop.report.axes import Scale, nice_ticks, number
from medloop.report.charts import Line, Point, Row, against, bars, bland_altman, curves, distribution, key, spread, unit_square
from medloop.report.style import style_sheet


def line(name: str, *means: float) -> Line:
    return Line(name, [Point(8 * (n + 1), m, m - 0.02, m + 0.02) for n, m in enumerate(means)])


def drawn(lines: list[Line], bound: Interval | None = None) -> ElementTree.Element:
    chart = curves(lines, x_title="annotated cases", y_title="held-out dice", bound=bound, bound_name="all cases annotated")
    return ElementTree.fromstring(chart)


def numbers(texts: list[str | None]) -> list[float]:
    return [float(t.replace("−", "-")) for t in texts if t and t.replace("−", "").replace(".", "").isdigit()]


def test_the_chart_is_well_formed_and_names_every_line() -> None:
    root = drawn([line("random", 0.5, 0.6), line("a<b", 0.52, 0.66)], Interval(0.7, 0.69, 0.71, 3))
    texts = [t.text for t in root.iter("text")]
    assert {"random", "a<b", "annotated cases", "all cases annotated: 0.700"} <= set(texts)
    assert len(list(root.iter("polyline"))) == 2


def test_every_line_has_its_band_and_one_marker_for_each_point() -> None:
    root = drawn([line("audit", 0.5, 0.5), line("test", 0.6, 0.6)])
    assert len(list(root.iter("polygon"))) == 2
    assert len(list(root.iter("circle"))) == 2 + 1  # and one beside its name
    assert len(list(root.iter("rect"))) == 2 + 1


def test_a_line_without_intervals_has_a_band_without_width() -> None:
    root = drawn([Line("test", [Point(1, 0.5), Point(2, 0.6)])])
    (band,) = root.iter("polygon")
    points = band.attrib["points"].split()
    assert points[: len(points) // 2] == points[: len(points) // 2 - 1 : -1]


def test_a_single_point_still_draws() -> None:
    assert drawn([line("random", 0.5)]).tag == "svg"


def test_a_higher_score_lies_higher_and_more_cases_lie_further_right() -> None:
    (polyline,) = drawn([line("test", 0.5, 0.9)]).iter("polyline")
    first, last = (tuple(map(float, p.split(","))) for p in polyline.attrib["points"].split())
    assert last[0] > first[0]
    assert last[1] < first[1]


def test_round_ticks() -> None:
    assert nice_ticks(0.61, 0.93) == pytest.approx([0.7, 0.8, 0.9])
    assert nice_ticks(0.0, 0.1) == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert nice_ticks(1, 3, whole=True) == [1, 2, 3]
    assert nice_ticks(-30, 45) == [-20, 0, 20, 40]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_multiples_of_1_2_or_5_within_the_range_and_few(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in ticks)
    steps = [b - a for a, b in pairwise(ticks)]
    if steps:
        digits = f"{steps[0]:.3e}".split("e")[0]
        assert digits in ("1.000", "2.000", "5.000")
        assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-6)


@given(st.floats(0, 0.9), st.floats(0.02, 0.1))
def test_ticks_of_a_curve_stand_where_their_numbers_lie(low: float, span: float) -> None:
    scale = Scale(low, low + span, 300.0, 20.0)
    assert all(20.0 - 1e-6 <= scale.at(t) <= 300.0 + 1e-6 for t in scale.ticks)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=9))
def test_names_never_overlap(places: list[float]) -> None:
    moved = spread(sorted(places), 16, 0, 300)
    assert all(b - a >= 16 - 1e-6 for a, b in pairwise(moved))


def test_a_distribution_marks_the_median_and_the_middle_half_of_each_row() -> None:
    root = ElementTree.fromstring(distribution([Row("liver", [0.5, 0.6, 0.7, 0.8, 0.9], "#d80000")], title="Dice"))
    (title,) = root.iter("title")
    assert title.text == "median 0.700, middle half 0.600 to 0.800, n = 5"
    (median,) = [n for n in root.iter("line") if n.get("class") == "median"]
    dots = sorted(float(n.attrib["cx"]) for n in root.iter("circle"))
    assert float(median.attrib["x1"]) == dots[2]
    assert len(dots) == 5


def test_agreement_is_drawn_at_the_values_of_an_independent_computation() -> None:
    rng = np.random.default_rng(3)
    true = rng.uniform(10, 20, 12)
    predicted = true + rng.normal(0.5, 1.0, 12)
    found = limits_of_agreement(predicted, true, range(12))
    difference = predicted - true
    assert found.mean == pytest.approx(difference.mean())
    assert (found.low, found.high) == pytest.approx(
        (difference.mean() - 1.96 * difference.std(ddof=1), found.mean + 1.96 * np.std(difference, ddof=1)), rel=1e-4
    )
    pairs = [(f"p{n}", float(p), float(t)) for n, (p, t) in enumerate(zip(predicted, true, strict=True))]
    root = ElementTree.fromstring(bland_altman("liver", pairs, found, unit="ml", colour="#d80000"))
    levels = [float(n.attrib["y1"]) for n in root.iter("line") if n.get("class") == "full"]
    dots = {n.find("title").text: float(n.find("circle").attrib["cy"]) for n in root.iter("g") if n.find("title") is not None}  # type: ignore[union-attr]
    assert levels == sorted(levels)
    high, middle, _ = levels
    per_ml = (middle - high) / (1.96 * difference.std(ddof=1))
    for name, p, t in pairs:
        (place,) = [y for words, y in dots.items() if words and words.startswith(f"{name}:")]
        assert place == pytest.approx(middle - (p - t - difference.mean()) * per_ml, abs=0.1)


@pytest.mark.parametrize("size", [1.0, 20_000.0, 3e8])
def test_no_number_of_an_axis_reaches_its_title_nor_the_title_the_edge(size: float) -> None:
    pairs = [(f"p{n}", size * n, size * (5 - n)) for n in range(6)]
    found = limits_of_agreement([p for _, p, _ in pairs], [t for _, _, t in pairs], range(6))
    root = ElementTree.fromstring(bland_altman("nucleus", pairs, found, unit="pixels", colour="#d80000"))
    (title,) = [float(n.attrib["transform"][10:].split()[0]) for n in root.iter("text") if "transform" in n.attrib]
    left = [float(n.attrib["x"]) - 7.7 * len(n.text or "") for n in root.iter("text") if n.get("text-anchor") == "end"]
    assert min(left) > title + 6
    assert title - 8 >= float(root.attrib["viewBox"].split()[0])


@pytest.mark.parametrize(("value", "written"), [(-12_345.6, "−12300"), (2.1513, "+2.15"), (0.0, "+0"), (0.00012345, "+0.000123")])
def test_numbers_are_written_out_with_their_digits(value: float, written: str) -> None:
    assert number(value, digits=3, sign="+") == written


def test_cases_of_a_patient_count_as_one_and_few_patients_have_no_limits() -> None:
    found = limits_of_agreement([2.0, 4.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0], ["a", "a", "b", "c", "d"])
    assert found.mean == pytest.approx(0.5)
    assert (found.low, found.high, found.unsure, found.patients) == (None, None, None, 4)
    assert found.note == "no limits: 4 patients, at least 5 needed"


def test_names_cannot_break_any_chart() -> None:
    bad = '"><script>alert(1)</script>'
    agreement = limits_of_agreement([1.0], [1.0], ["a"])
    charts = (
        distribution([Row(bad, [0.5])], title=bad),
        bars([(bad, 1.0)], title=bad),
        against([(bad, 0.5, 0.6)], x_title=bad, y_title=bad),
        bland_altman(bad, [(bad, 1.0, 1.0)], agreement, unit=bad, colour=bad),
        unit_square([Line(bad, [Point(0, 0), Point(1, 1)])], x_title=bad, y_title=bad),
        key([bad]),
    )
    for chart in charts:
        assert "<script" not in chart
        assert ElementTree.fromstring(chart) is not None


def test_marks_of_a_key_have_the_colours_of_their_series() -> None:
    marks = ElementTree.fromstring(key(["a", "b"])).findall("svg")
    assert [mark.get("class") for mark in marks] == ["key c0", "key c1"]
    assert "svg g{fill:currentColor}" in style_sheet()
    assert all([child.tag for child in mark] == ["g"] for mark in marks)
