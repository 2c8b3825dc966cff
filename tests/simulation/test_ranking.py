"""Penalties and ranks: by hand, against scipy, and what must hold for any scores."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medloop.simulation.curves import Curve
from medloop.simulation.ranking import Setting, common_strategies, mean_ranks, penalty_matrix
from medloop.simulation.verdict import overall_verdict

from .made_up_runs import plain

scores = st.lists(st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=9, max_size=9), min_size=2, max_size=4)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def setting(**seeds: list[tuple[float, ...]]) -> Setting:
    """Strategy → scores of each seed."""
    return {name: [plain(name, n, *row) for n, row in enumerate(rows)] for name, rows in seeds.items()}


def drawn_setting(rows: list[list[float]]) -> Setting:
    """Three seeds of three rounds for each strategy, from nine numbers."""
    own: dict[str, list[Curve]] = defaultdict(list)
    for n, row in enumerate(rows):
        own[f"s{n}"] += [plain(f"s{n}", seed, *row[3 * seed : 3 * seed + 3]) for seed in range(3)]
    return own


STEADY = setting(
    a=[(0.5, 0.70, 0.80), (0.5, 0.71, 0.80), (0.5, 0.72, 0.82)],
    b=[(0.5, 0.60, 0.80), (0.5, 0.62, 0.81), (0.5, 0.61, 0.81)],
)


def test_wins_worked_out_by_hand():
    found = penalty_matrix({"x": STEADY})
    # Round 2: leads of .10, .09, .11, t = 17.3, p = 0.0017, Holm 0.0033. Round 3: no lead.
    assert found.strategies == ("a", "b")
    assert found.wins == ((0.0, 0.5), (0.0, 0.0))
    assert found.penalty == (0.0, 0.5)
    assert found.settings == ((0.0, 1.0), (1.0, 0.0))


def test_settings_add_up_and_one_without_a_strategy_does_not_count():
    found = penalty_matrix({"x": STEADY, "y": STEADY, "z": {"a": STEADY["a"]}})
    assert (found.wins[0][1], found.settings[0][1]) == (1.0, 2.0)


def test_holm_makes_a_weak_win_disappear_among_many():
    rows = [(0.5, 0.60), (0.5, 0.62), (0.5, 0.61)]
    weak = setting(a=[(0.5, 0.70), (0.5, 0.66), (0.5, 0.67)], b=rows, c=rows, d=rows)
    found = penalty_matrix({"x": weak})
    assert stats.ttest_1samp([0.10, 0.04, 0.06], 0, alternative="greater").pvalue < 0.05
    assert found.uncorrected[0] == (0.0, 1.0, 1.0, 1.0)
    assert found.wins[0] == (0.0, 0.0, 0.0, 0.0)


def test_a_single_seed_or_round_is_never_a_win():
    assert penalty_matrix({"x": setting(a=[(0.5, 0.9)], b=[(0.5, 0.1)])}).wins == ((0.0, 0.0), (0.0, 0.0))
    assert penalty_matrix({"x": setting(a=[(0.9,), (0.9,)], b=[(0.1,), (0.1,)])}).wins == ((0.0, 0.0), (0.0, 0.0))
    assert penalty_matrix({}).strategies == ()


@given(scores)
def test_two_strategies_never_beat_each_other_in_the_same_round(rows):
    found = penalty_matrix({"x": drawn_setting(rows)})
    wins, raw = np.array(found.wins), np.array(found.uncorrected)
    assert (wins <= raw).all()
    assert (raw + raw.T <= 1 + 1e-12).all()
    assert (np.diag(raw) == 0).all()


def test_ranks_worked_out_by_hand():
    found = mean_ranks({"x": STEADY}, rng())
    # a leads in round 2 of every seed (rank 1); round 3: tie (1.5), behind (2), ahead (1): mean of 1.25, 1.5, 1.
    assert [r.strategy for r in found] == ["a", "b"]
    assert found[0].rank.mean == pytest.approx(1.25)
    assert found[1].rank.mean == pytest.approx(1.75)
    assert found[0].rank.low >= 1.0
    assert found[0].rank.groups == 3


@given(scores)
def test_ranks_match_scipy_and_add_up(rows):
    own = drawn_setting(rows)
    found = {r.strategy: r for r in mean_ranks({"x": own}, rng())}
    cells = np.array([[c.scores[1:] for c in curves] for curves in own.values()]).reshape(len(rows), -1)
    expected = stats.rankdata(-cells, axis=0).mean(axis=1)
    assert [found[name].rank.mean for name in own] == pytest.approx(expected.tolist())
    assert sum(r.rank.mean for r in found.values()) == pytest.approx(len(rows) * (len(rows) + 1) / 2)
    assert all(r.rank.low <= r.rank.mean <= r.rank.high for r in found.values())


def test_every_setting_counts_the_same_whatever_its_seeds():
    few = setting(a=[(0.5, 0.9)], b=[(0.5, 0.1)])
    many = setting(a=[(0.5, 0.1)] * 4, b=[(0.5, 0.9)] * 4)
    assert [r.rank.mean for r in mean_ranks({"few": few, "many": many}, rng())] == [1.5, 1.5]


def test_only_strategies_that_all_settings_have_are_ranked():
    assert common_strategies({"x": STEADY, "y": {"b": STEADY["b"]}}) == ("b",)
    assert mean_ranks({"x": STEADY, "y": {"b": STEADY["b"]}}, rng()) == ()
    assert mean_ranks({}, rng()) == ()


def test_an_overall_winner_needs_intervals_apart_and_several_seeds():
    apart = setting(a=[(0.5, 0.9)] * 3, b=[(0.5, 0.1)] * 3)
    assert overall_verdict(mean_ranks({"x": apart}, rng()), 1).startswith("a ranks best, apart from every other strategy, on one data set")
    assert overall_verdict(mean_ranks({"x": apart, "y": apart}, rng()), 2).startswith("a ranks best over 2 data sets")
    assert overall_verdict(mean_ranks({"x": setting(a=[(0.5, 0.9)], b=[(0.5, 0.1)])}, rng()), 1).startswith("No winner: with a single seed")
    mixed = setting(a=[(0.5, 0.9), (0.5, 0.1), (0.5, 0.9)], b=[(0.5, 0.1), (0.5, 0.9), (0.5, 0.1)])
    assert "its interval overlaps b" in overall_verdict(mean_ranks({"x": mixed}, rng()), 2)
    assert overall_verdict((), 0).startswith("Too few")
