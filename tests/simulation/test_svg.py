"""The chart: well-formed, with everything that was measured in it."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.metrics.intervals import Interval
from medloop.simulation.curves import MeanPoint
from medloop.simulation.strategy_summary import StrategySummary
from medloop.simulation.svg import curves_svg, nice_ticks, spread


def summary(name: str, *means: float) -> StrategySummary:
    points = tuple(MeanPoint(8 * (n + 1), m, m - 0.02, m + 0.02) for n, m in enumerate(means))
    return StrategySummary(name, points, Interval(0.5, 0.4, 0.6, 3), Interval(0.5, 0.4, 0.6, 3), 3)


def test_the_chart_is_well_formed_and_names_every_strategy():
    svg = curves_svg([summary("random", 0.5, 0.6), summary("a<b", 0.52, 0.66)], Interval(0.7, 0.69, 0.71, 3), metric="dice")
    root = ElementTree.fromstring(svg)
    texts = [t.text for t in root.iter("text")]
    assert {"random", "a<b", "answered cases", "all cases answered: 0.700"} <= set(texts)
    assert len(list(root.iter("polyline"))) == 2


def test_a_single_round_still_draws():
    ElementTree.fromstring(curves_svg([summary("random", 0.5)], None, metric="dice"))


def test_round_ticks():
    assert nice_ticks(0.61, 0.93) == pytest.approx([0.7, 0.8, 0.9])
    assert nice_ticks(0.0, 0.1) == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.08, 0.1])


@given(st.floats(0, 0.9), st.floats(0.001, 1.0))
def test_ticks_lie_within_the_range_and_are_few(low, span):
    ticks = nice_ticks(low, low + span)
    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-6 <= t <= low + span + 1e-6 for t in ticks)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=9))
def test_names_never_overlap(places):
    moved = spread(sorted(places), 16, 0, 300)
    assert all(b - a >= 16 - 1e-6 for a, b in pairwise(moved))
