"""Penalties and ranks: by hand, against scipy, and what must hold for any scores."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medloop.simulation.comparisons import Setting, compare_settings
from medloop.simulation.curves import Curve
from medloop.simulation.ranking import PenaltyMatrix, common_strategies, mean_ranks, penalty_matrix
from medloop.simulation.verdict import overall_verdict

from .made_up_runs import ALIKE, plain

scores = st.lists(st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=9, max_size=9), min_size=2, max_size=4)


def penalties(settings: Mapping[str, Setting]) -> PenaltyMatrix:
    return penalty_matrix(settings, dict.fromkeys(settings, ALIKE))


def overall(settings: Mapping[str, Setting], datasets: int) -> str:
    return overall_verdict(mean_ranks(settings), compare_settings(settings, dict.fromkeys(settings, ALIKE)), datasets)


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
    found = penalties({"x": STEADY})
    # Round 2: leads of .10, .09, .11, t = 17.3, two-sided p = 0.0033, of two rounds 0.0066. Round 3: no lead.
    assert found.strategies == ("a", "b")
    assert found.wins == ((0.0, 0.5), (0.0, 0.0))
    assert found.penalty == (0.0, 0.5)
    assert found.settings == ((0.0, 1.0), (1.0, 0.0))


def test_settings_add_up_and_one_without_a_strategy_does_not_count():
    found = penalties({"x": STEADY, "y": STEADY, "z": {"a": STEADY["a"]}})
    assert (found.wins[0][1], found.settings[0][1]) == (1.0, 2.0)


def test_holm_makes_a_weak_win_disappear_among_many():
    rows = [(0.5, 0.60), (0.5, 0.62), (0.5, 0.61)]
    weak = setting(a=[(0.5, 0.70), (0.5, 0.68), (0.5, 0.70)], b=rows, c=rows, d=rows)
    found = penalties({"x": weak})
    assert 0.05 / 6 < stats.ttest_1samp([0.10, 0.06, 0.09], 0).pvalue < 0.05
    assert found.uncorrected[0] == (0.0, 1.0, 1.0, 1.0)
    assert found.wins[0] == (0.0, 0.0, 0.0, 0.0)


def test_the_same_gain_in_every_seed_is_never_a_win_of_three():
    found = penalties({"x": setting(a=[(0.5, 0.9)] * 3, b=[(0.5, 0.1)] * 3)})
    assert (found.wins[0][1], found.settings[0][1]) == (0.0, 1.0)


def test_two_seeds_cannot_decide():
    assert penalties({"x": setting(a=[(0.5, 0.9), (0.5, 0.8)], b=[(0.5, 0.1), (0.5, 0.3)])}).settings == ((0.0, 0.0), (0.0, 0.0))


def test_a_single_seed_or_round_is_never_a_win():
    assert penalties({"x": setting(a=[(0.5, 0.9)], b=[(0.5, 0.1)])}).wins == ((0.0, 0.0), (0.0, 0.0))
    assert penalties({"x": setting(a=[(0.9,), (0.9,)], b=[(0.1,), (0.1,)])}).wins == ((0.0, 0.0), (0.0, 0.0))
    assert penalties({}).strategies == ()


@given(scores)
def test_two_strategies_never_beat_each_other_in_the_same_round(rows):
    found = penalties({"x": drawn_setting(rows)})
    wins, raw = np.array(found.wins), np.array(found.uncorrected)
    assert (wins <= raw).all()
    assert (raw + raw.T <= 1 + 1e-12).all()
    assert (np.diag(raw) == 0).all()


def test_ranks_worked_out_by_hand():
    found = mean_ranks({"x": STEADY})
    # a leads in round 2 of every seed (rank 1); round 3: tie (1.5), behind (2), ahead (1): mean of 1.25, 1.5, 1.
    assert [r.strategy for r in found] == ["a", "b"]
    assert found[0].rank.mean == pytest.approx(1.25)
    assert found[1].rank.mean == pytest.approx(1.75)
    assert found[0].rank.low >= 1.0
    assert found[0].rank.groups == 3


@given(scores)
def test_ranks_match_scipy_and_add_up(rows):
    own = drawn_setting(rows)
    found = {r.strategy: r for r in mean_ranks({"x": own})}
    cells = np.array([[c.scores[1:] for c in curves] for curves in own.values()]).reshape(len(rows), -1)
    expected = stats.rankdata(-cells, axis=0).mean(axis=1)
    assert [found[name].rank.mean for name in own] == pytest.approx(expected.tolist())
    assert sum(r.rank.mean for r in found.values()) == pytest.approx(len(rows) * (len(rows) + 1) / 2)
    assert all(r.rank.low <= r.rank.mean <= r.rank.high for r in found.values() if r.rank.low is not None)


def test_every_setting_counts_the_same_whatever_its_seeds():
    few = setting(a=[(0.5, 0.9)], b=[(0.5, 0.1)])
    many = setting(a=[(0.5, 0.1)] * 4, b=[(0.5, 0.9)] * 4)
    assert [r.rank.mean for r in mean_ranks({"few": few, "many": many})] == [1.5, 1.5]


def test_only_strategies_that_all_settings_have_are_ranked():
    assert common_strategies({"x": STEADY, "y": {"b": STEADY["b"]}}) == ("b",)
    assert mean_ranks({"x": STEADY, "y": {"b": STEADY["b"]}}) == ()
    assert mean_ranks({}) == ()


def test_an_overall_winner_needs_a_significant_lead_and_several_seeds():
    apart = setting(a=[(0.5, 0.9), (0.5, 0.85), (0.5, 0.88)], b=[(0.5, 0.1), (0.5, 0.15), (0.5, 0.1)])
    assert overall({"x": apart}, 1).startswith("a ranks best, its lead over every other strategy significant, on one data set")
    assert overall({"x": apart, "y": apart}, 2).startswith("a ranks best over 2 data sets")
    one = overall({"x": setting(a=[(0.5, 0.9)], b=[(0.5, 0.1)])}, 1)
    assert one == "No winner: luck and merit cannot be distinguished (no interval: 1 seed, at least 3 needed)."
    mixed = setting(a=[(0.5, 0.9), (0.5, 0.1), (0.5, 0.9)], b=[(0.5, 0.1), (0.5, 0.9), (0.5, 0.1)])
    assert "its lead in area over b is within what seeds and patients explain" in overall({"x": mixed}, 2)
    assert overall({}, 0).startswith("Too few")


def test_few_seeds_have_a_rank_without_an_interval():
    found = mean_ranks({"x": setting(a=[(0.5, 0.9)] * 2, b=[(0.5, 0.1)] * 2)})[0]
    assert (found.rank.mean, found.rank.low, found.best) == (1.0, None, 1.0)
