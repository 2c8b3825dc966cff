"""Minutes instead of cases: the curve, the minutes needed, and what is said where they are not known or not reached."""

import dataclasses

import pytest

from medloop.simulation.curves import Curve
from medloop.simulation.minutes import minutes_needed, minutes_points, timed
from medloop.simulation.report_tables import minutes_table
from medloop.simulation.strategy_summary import Pool
from medloop.simulation.summary import summarise

from .made_up_runs import plain


def run(seed: int, minutes: tuple[float, ...], *scores: float, name: str = "a") -> Curve:
    return dataclasses.replace(plain(name, seed, *scores), minutes=minutes)


RUNS = [run(0, (10, 20, 40), 0.5, 0.7, 0.9), run(1, (20, 40, 60), 0.5, 0.9, 0.9), run(2, (10, 20, 30), 0.5, 0.8, 0.9)]


def test_each_seed_is_asked_by_its_own_curve_and_the_mean_has_an_interval():
    found = minutes_needed(RUNS, dict.fromkeys(range(3), 1.0), 0.8)
    assert found is not None
    assert found.reached == 1
    assert found.minutes is not None
    assert found.minutes.mean == pytest.approx((30 + 35 + 20) / 3)
    assert found.minutes.low is not None
    assert found.minutes.low < found.minutes.mean


def test_a_seed_that_does_not_get_there_leaves_no_mean():
    found = minutes_needed([*RUNS, run(3, (10, 20, 30), 0.5, 0.6, 0.7)], dict.fromkeys(range(4), 1.0), 0.8)
    assert found is not None
    assert (found.minutes, found.reached) == (None, 0.75)


def test_the_curve_is_over_the_mean_minutes_of_a_round():
    points = minutes_points(RUNS)
    assert [p.minutes for p in points] == pytest.approx([40 / 3, 80 / 3, 130 / 3])
    assert [p.mean for p in points] == pytest.approx([0.5, 0.8, 0.9])


def test_runs_without_minutes_have_neither():
    older = [plain("a", n, 0.5, 0.9) for n in range(3)]
    classes = [run(n, (0.0, 0.0), 0.5, 0.9) for n in range(3)]
    for runs in (older, classes):
        assert not timed(runs)
        assert minutes_points(runs) == ()
        assert minutes_needed(runs, {0: 1.0}, 0.8) is None
        summary = summarise(runs, {0: 1.0, 1: 1.0, 2: 1.0}, {}, Pool(40))
        assert summary.strategies[0].minutes_to == {}
        assert minutes_table(summary) == ""


def test_the_table_says_minutes_and_what_is_not_reached():
    summary = summarise(RUNS, dict.fromkeys(range(3), 0.95), {}, Pool(40))
    shown = str(minutes_table(summary))
    assert "minutes to 95% of full data" in shown
    assert "not reached" in shown
    assert summary.strategies[0].minutes_to["95%"].minutes is None
    assert summary.strategies[0].minutes_to["95%"].reached == 0
