"""Everything said of a study's runs: never a winner by luck."""

from dataclasses import replace

import pytest

from medloop.metrics.intervals import Interval
from medloop.simulation.strategy_summary import summarise_strategy
from medloop.simulation.summary import summarise
from medloop.simulation.verdict import verdict

from .made_up_runs import PATIENTS, POOL, curve, plain, runs


def test_a_clear_lead_is_called_one():
    summary = summarise(runs(("good", 0.1, 0.001), ("plain", 0.0, 0.001)), {0: 0.9, 1: 0.9, 2: 0.9}, PATIENTS, POOL)
    lead = summary.comparisons[0]
    assert lead.significant
    assert lead.difference.mean == pytest.approx(0.1, abs=0.005)  # gains 0, .1, .2: mean height .1
    assert summary.verdict.startswith("good has the highest area")


def test_equal_strategies_have_no_winner():
    summary = summarise(runs(("one", 0.0, 0.02), ("two", 0.0, 0.02), ("three", 0.0, 0.02)), {}, PATIENTS, POOL)
    assert summary.verdict.startswith("No winner")
    assert not any(c.significant for c in summary.comparisons)


def test_one_seed_never_makes_a_winner():
    summary = summarise(runs(("good", 0.2, 0.0), ("plain", 0.0, 0.0), seeds=1), {}, PATIENTS, POOL)
    assert summary.verdict == "No winner: with a single seed, luck cannot be told from merit."


def test_overlapping_intervals_forbid_a_winner_whatever_the_p_value():
    summary = summarise(runs(("good", 0.1, 0.0), ("plain", 0.0, 0.0)), {}, PATIENTS, POOL)
    overlapping = tuple(replace(s, area=Interval(s.area.mean, 0.0, 1.0, 3)) for s in summary.strategies)
    assert summary.comparisons[0].significant
    assert verdict(overlapping, summary.comparisons).startswith("No winner")


def test_false_alarms_stay_rare():
    alarms = sum(
        not summarise(
            [curve(name, 10 * n + seed, 0.0, 0.05) for name in ("one", "two") for seed in range(3)], {}, PATIENTS, POOL
        ).verdict.startswith("No winner")
        for n in range(25)
    )
    assert alarms <= 1


def test_one_strategy_alone_is_not_compared():
    assert summarise(runs(("a", 0.0, 0.0)), {}, PATIENTS, POOL).verdict == "One strategy alone cannot be compared."


def test_equal_input_gives_equal_statistics():
    some = runs(("a", 0.1, 0.02), ("b", 0.0, 0.02))
    assert summarise(some, {0: 0.7}, PATIENTS, POOL) == summarise(some, {0: 0.7}, PATIENTS, POOL)


def test_area_and_final_score_worked_out_by_hand():
    own = [plain("a", 0, 0.4, 0.6, 0.8), plain("a", 1, 0.6, 0.8, 1.0)]
    found = summarise_strategy("a", own, {0: 0.9, 1: 1.1}, POOL)
    assert (found.area.mean, found.final.mean) == pytest.approx((0.7, 0.9))
    assert (found.final.low, found.final.high) == pytest.approx((0.8, 1.0))
    assert found.area_of_full is not None
    assert found.area_of_full.mean == pytest.approx(0.7)


def test_without_a_full_data_score_nothing_is_said_of_it():
    found = summarise_strategy("a", [plain("a", 0, 0.4, 0.6)], {}, POOL)
    assert (found.area_of_full, found.labels_to, found.foreground.rate) == (None, {}, None)
