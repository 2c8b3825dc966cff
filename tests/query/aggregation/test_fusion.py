"""Ranks by hand and against scipy, and strategies made of others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata, spearmanr

from medloop.core.errors import InputError, NotFoundError, SettingError, ShapeError
from medloop.query.aggregation.rank_fusion import coverage_gains
from medloop.query.aggregation.ranks import borda, fuse, order_points, rank_points
from medloop.query.pool import Pool
from medloop.query.strategies import strategy
from medloop.testing.check_strategy import check_strategy

tables = hnp.arrays(np.float64, st.integers(1, 9), elements=st.integers(-4, 4).map(float))


def pool(**scores) -> Pool:
    first = next(iter(scores.values()))
    return Pool(tuple(f"c{n}" for n in range(len(first))), {k: np.array(v, dtype=float) for k, v in scores.items()}, None, None)


def picked(chosen, given_pool, count, seed=0):
    return [p.index for p in chosen.select(given_pool, count, np.random.default_rng(seed))]


def test_points_count_the_beaten_and_ties_share_their_places():
    assert rank_points(np.array([5.0, 7.0, 5.0, 1.0])).tolist() == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert rank_points(np.array([3.0])).tolist() == [0.5]
    assert rank_points(np.array([])).tolist() == []


@given(tables)
def test_points_are_the_share_of_others_that_are_beaten(scores):
    others = max(1, len(scores) - 1)
    plain = [(sum(s > scores) + 0.5 * (sum(s == scores) - 1)) / others for s in scores]
    assert rank_points(scores) == pytest.approx(plain if len(scores) > 1 else [0.5])


@given(tables.filter(lambda scores: len(scores) > 1))
def test_points_are_the_average_ranks_of_scipy(scores):
    assert rank_points(scores) == pytest.approx((rankdata(scores) - 1) / (len(scores) - 1))


@given(tables, st.floats(0.1, 9.0))
def test_only_the_order_of_the_scores_matters(scores, factor):
    assert rank_points(np.exp(factor * scores)).tolist() == rank_points(scores).tolist()


def test_the_rest_of_an_order_shares_the_last_places():
    assert order_points([2, 0], 4).tolist() == pytest.approx([2 / 3, 1 / 6, 1.0, 1 / 6])


def test_weights_shift_the_mean():
    points = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])}
    assert fuse(points, {"a": 3.0, "b": 1.0}).tolist() == [0.75, 0.25]


def test_borda_of_a_score_with_itself_is_its_rank():
    scores = np.random.default_rng(0).normal(size=30)
    assert spearmanr(borda(scores, 10 * scores), scores).statistic == pytest.approx(1.0)


def test_equal_places_in_another_order_of_the_rankings_tie_to_the_last_digit():
    points = {"a": np.array([0.8, 0.4]), "b": np.array([1.0, 1.0]), "c": np.array([0.4, 0.8])}
    mean = fuse(points, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert mean[0] == mean[1]


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(InputError, match="case 1 is not"):
        rank_points(np.array([0.0, np.nan]))
    with pytest.raises(ShapeError, match="one axis"):
        rank_points(np.zeros((2, 2)))
    with pytest.raises(InputError, match="at most once"):
        order_points([1, 1], 3)
    with pytest.raises(SettingError, match="one weight per ranking"):
        fuse({"a": np.zeros(2)}, {"b": 1.0})
    with pytest.raises(SettingError, match="above 0"):
        fuse({"a": np.zeros(2)}, {"a": -1.0})
    with pytest.raises(ShapeError, match="same cases"):
        fuse({"a": np.zeros(2), "b": np.zeros(3)}, {"a": 1.0, "b": 1.0})
    with pytest.raises(SettingError, match="one weight per ranking"):
        borda()


def test_coverage_gains_by_hand():
    similarity = np.array([[1.0, 0.5], [0.0, 1.0]])
    assert coverage_gains(similarity, np.array([0.5, 0.75])).tolist() == [0.25, 0.125]


def plain_borda(entropy, features, answered, count):
    """The rule written out, without anchors."""
    unit = [f / np.linalg.norm(f) for f in features]
    chosen, picks = [f / np.linalg.norm(f) for f in answered], []
    for _ in range(count):
        covered = [max([-1.0, *(float(u @ c) for c in chosen)]) for u in unit]
        gains = np.array([np.mean([max(float(u @ v) - c, 0.0) for v, c in zip(unit, covered, strict=True)]) for u in unit])
        points = rankdata(entropy) + rankdata(np.round(gains, 12))
        points[picks] = -1
        picks.append(int(np.argmax(points)))
        chosen.append(unit[picks[-1]])
    return picks


@given(st.integers(0, 1000), st.integers(0, 3))
def test_borda_picks_what_the_written_rule_picks(seed, answered):
    rng = np.random.default_rng(seed)
    entropy, features, known = rng.random(9), rng.normal(size=(9, 3)), rng.normal(size=(answered, 3))
    given_pool = Pool(tuple("abcdefghi"), {"entropy": entropy}, features, known if answered else None)
    assert picked(strategy("borda"), given_pool, 4) == plain_borda(entropy, features, known, 4)


def test_borda_wants_doubt_and_coverage_together_and_no_duplicates():
    features = np.array([[1.0, 0.1], [1.0, 0.0], [1.0, 0.05], [-1.0, 0.0]])
    given_pool = Pool(tuple("abcd"), {"entropy": np.array([0.1, 0.9, 0.2, 0.7])}, features, None)
    assert picked(strategy("borda"), given_pool, 2) == [1, 3]


@pytest.mark.parametrize("name", ["fusion:entropy+2*coreset", "fusion:entropy+-0.5*minutes", "fusion:random+bait"])
def test_fused_strategies_keep_the_contract(name):
    check_strategy(strategy(name))


def test_a_fused_strategy_needs_what_its_parts_need():
    assert strategy("fusion:bald+suggestive").needs == {"bald", "entropy", "features"}


def test_one_part_alone_picks_as_it_would():
    given_pool = pool(entropy=[0.2, 0.9, 0.5], minutes=[3.0, 1.0, 2.0])
    assert picked(strategy("fusion:5*entropy"), given_pool, 3) == picked(strategy("entropy"), given_pool, 3)
    assert picked(strategy("fusion:-1*minutes"), given_pool, 3) == [1, 2, 0]


def test_weights_decide_between_parts_that_disagree():
    given_pool = pool(entropy=[0.9, 0.1], foreground=[0.1, 0.9])
    assert picked(strategy("fusion:2*entropy+foreground"), given_pool, 1) == [0]
    assert picked(strategy("fusion:entropy+2*foreground"), given_pool, 1) == [1]


def test_parts_that_make_no_sense_are_refused():
    for parts in ("", "0*entropy", "nan*entropy", "x*entropy", "entropy+entropy", "entropy+"):
        with pytest.raises(SettingError, match="finite weights other than 0"):
            strategy(f"fusion:{parts}")
    with pytest.raises(SettingError, match="coreset may not"):
        strategy("fusion:-1*coreset")
    for nested in ("fusion:moon", "fusion:entropy+bandit:random"):
        with pytest.raises(NotFoundError, match="Unknown strategy"):
            strategy(nested)
