"""Statistics of a study: by hand, on made-up runs, and never a winner by luck."""

import numpy as np
import pytest

from medloop.metrics.intervals import Interval
from medloop.simulation.curves import (
    Curve,
    StrategySummary,
    compare,
    labels_to_reach,
    summarise,
    two_way_interval,
    verdict,
)

CASES = [f"c{n:02d}" for n in range(30)]
PATIENTS = {name: name for name in CASES}


def curve(strategy: str, seed: int, gain: float = 0.0, luck: float = 0.0) -> Curve:
    """Three rounds; cases differ in difficulty, which all strategies share."""
    rng = np.random.default_rng(seed)
    hard = rng.uniform(0.4, 0.6, len(CASES))
    own = np.random.default_rng([seed, sum(map(ord, strategy))])
    rounds = [hard + 0.1 * r + gain * r + luck * own.normal(size=len(CASES)) for r in range(3)]
    per_case = tuple(dict(zip(CASES, map(float, scores), strict=True)) for scores in rounds)
    return Curve(strategy, seed, (8, 16, 24), tuple(float(s.mean()) for s in rounds), per_case)


def runs(*strategies: tuple[str, float, float], seeds: int = 3) -> list[Curve]:
    return [curve(name, seed, gain, luck) for name, gain, luck in strategies for seed in range(seeds)]


def test_labels_needed_are_interpolated():
    assert labels_to_reach([8, 16, 24], [0.5, 0.7, 0.8], 0.6) == pytest.approx(12)
    assert labels_to_reach([8, 16], [0.5, 0.7], 0.4) == 8
    assert labels_to_reach([8, 16], [0.5, 0.7], 0.71) is None


def test_a_clear_lead_is_called_one():
    summary = summarise(runs(("good", 0.1, 0.001), ("plain", 0.0, 0.001)), [0.9, 0.9, 0.9], PATIENTS)
    lead = summary.comparisons[0]
    assert lead.significant
    assert lead.difference.mean == pytest.approx(0.1, abs=0.005)  # gains 0, .1, .2: mean height .1
    assert summary.verdict.startswith("good has the highest area")


def test_equal_strategies_have_no_winner():
    summary = summarise(runs(("one", 0.0, 0.02), ("two", 0.0, 0.02), ("three", 0.0, 0.02)), [], PATIENTS)
    assert summary.verdict.startswith("No winner")
    assert not any(c.significant for c in summary.comparisons)


def test_one_seed_never_makes_a_winner():
    summary = summarise(runs(("good", 0.2, 0.0), ("plain", 0.0, 0.0), seeds=1), [], PATIENTS)
    assert summary.verdict == "No winner: with a single seed, luck cannot be told from merit."


def test_overlapping_intervals_forbid_a_winner_whatever_the_p_value():
    summary = summarise(runs(("good", 0.1, 0.0), ("plain", 0.0, 0.0)), [], PATIENTS)
    overlapping = tuple(
        StrategySummary(s.strategy, s.points, Interval(s.area.mean, 0.0, 1.0, 3), s.labels_to, s.seeds) for s in summary.strategies
    )
    assert summary.comparisons[0].significant
    assert verdict(overlapping, summary.comparisons).startswith("No winner")


def test_false_alarms_stay_rare():
    alarms = sum(
        not summarise(
            [curve(name, 10 * n + seed, 0.0, 0.05) for name in ("one", "two") for seed in range(3)], [], PATIENTS
        ).verdict.startswith("No winner")
        for n in range(25)
    )
    assert alarms <= 1


def test_holm_counts_all_pairs():
    summary = summarise(runs(("a", 0.01, 0.02), ("b", 0.0, 0.02), ("c", 0.0, 0.02)), [], PATIENTS)
    assert len(summary.comparisons) == 3
    assert all(c.p_holm >= c.p for c in summary.comparisons)


def test_only_seeds_both_have_are_compared():
    some = [*runs(("a", 0.1, 0.0), seeds=3), *runs(("b", 0.0, 0.0), seeds=1)]
    pairs = compare({"a": some[:3], "b": some[3:]}, PATIENTS)
    assert pairs[0].difference.groups == len(CASES)
    assert compare({"a": some[:1], "b": [curve("b", 9)]}, PATIENTS) == ()


def test_the_two_way_interval_is_wide_when_seeds_disagree():
    agree, disagree = np.full((3, 20), 0.01), np.repeat([[-0.05], [0.01], [0.07]], 20, axis=1)
    narrow, wide = (two_way_interval(t, np.random.default_rng(0)) for t in (agree, disagree))
    assert (narrow.low, narrow.high) == pytest.approx((0.01, 0.01))
    assert wide.low < 0 < wide.high


def test_the_full_data_score_sets_the_labels_needed():
    summary = summarise(runs(("a", 0.0, 0.0)), [0.6, 0.6], PATIENTS)
    reached = summary.strategies[0].labels_to
    assert reached["95%"] is not None
    assert 8 <= reached["95%"] <= reached["98%"] <= 24
    assert summarise(runs(("a", 0.0, 0.0)), [], PATIENTS).strategies[0].labels_to == {"95%": None, "98%": None}


def test_one_strategy_alone_is_not_compared():
    assert summarise(runs(("a", 0.0, 0.0)), [], PATIENTS).verdict == "One strategy alone cannot be compared."


def test_equal_input_gives_equal_statistics():
    some = runs(("a", 0.1, 0.02), ("b", 0.0, 0.02))
    assert summarise(some, [0.7], PATIENTS) == summarise(some, [0.7], PATIENTS)
