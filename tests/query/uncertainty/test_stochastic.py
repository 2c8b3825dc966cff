"""Noisy draws: chances by hand, by counting, and the limits of no and of endless noise."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.query.pool import Pool
from medloop.query.strategies import strategy
from medloop.query.uncertainty import clasp, stochastic

logit_arrays = hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(-30, 30))


def pool(round_index=1, class_entropy=None, **scores) -> Pool:
    cases = len(next(iter(scores.values())))
    tables = {} if class_entropy is None else {"class_entropy": np.array(class_entropy)}
    return Pool(
        tuple(f"c{n:02d}" for n in range(cases)), {k: np.array(v) for k, v in scores.items()}, None, None, tables, round=round_index
    )


def picks(name, given_pool, count, seed=0):
    return strategy(name).select(given_pool, count, np.random.default_rng(seed))


@given(logit_arrays, st.integers(0, 2**31))
def test_the_chance_of_each_pick_is_the_softmax_over_those_left(logits, seed):
    drawn, chances = stochastic.draw_in_turn(logits, len(logits), np.random.default_rng(seed))
    assert sorted(drawn) == list(range(len(logits)))
    for turn, n in enumerate(drawn):
        left = logits[drawn[turn:]]
        assert chances[turn] == pytest.approx(np.exp(logits[n] - left.max()) / np.exp(left - left.max()).sum(), rel=1e-6)


def test_orders_come_as_often_as_their_chances_say():
    logits, seen = np.log([1.0, 2.0, 5.0]), {}
    for seed in range(4000):
        order = tuple(int(n) for n in stochastic.draw_in_turn(logits, 3, np.random.default_rng(seed))[0])
        seen[order] = seen.get(order, 0) + 1
    weights = [1, 2, 5]
    for a, b, c in itertools.permutations(range(3)):
        chance = weights[a] / 8 * weights[b] / (weights[b] + weights[c])
        assert abs(seen[a, b, c] / 4000 - chance) < 5 * math.sqrt(chance * (1 - chance) / 4000)


def test_logits_by_hand():
    scores = np.array([0.2, 0.4, 0.0, 0.4])
    assert stochastic.power_logits(scores, 2.0)[[0, 1]] == pytest.approx([2 * math.log(0.2), 2 * math.log(0.4)])
    assert np.isfinite(stochastic.power_logits(scores, 2.0)).all()
    assert stochastic.softmax_logits(scores, 3.0) == pytest.approx([0.6, 1.2, 0.0, 1.2])
    assert np.exp(stochastic.softrank_logits(scores, 1.0)) == pytest.approx([1 / 3, 1, 1 / 4, 1 / 2])


def test_endless_coldness_takes_the_highest_scores():
    select = stochastic.noisy("bald", stochastic.power_logits, "{value}", beta=1e6)
    found = select(pool(bald=[0.1, 0.5, 0.3]), 3, np.random.default_rng(0))
    assert [p.index for p in found] == [1, 2, 0]
    assert [p.probability for p in found] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("name", ["power-bald", "softmax-bald", "softrank-bald", "power-entropy"])
def test_first_picks_come_as_often_as_their_probability_says(name):
    given_pool = pool(bald=[0.1, 0.3, 0.6], entropy=[0.1, 0.3, 0.6])
    found = [picks(name, given_pool, 1, seed)[0] for seed in range(2000)]
    for case in range(3):
        chance = next(p.probability for p in found if p.index == case)
        assert abs(np.mean([p.index == case for p in found]) - chance) < 5 * math.sqrt(0.25 / 2000)


def test_a_case_without_disagreement_comes_last():
    assert [picks("power-bald", pool(bald=[0.0, 0.4, 0.2]), 3, seed)[-1].index for seed in range(20)] == [0] * 20


def test_random_draws_know_their_chance():
    assert [p.probability for p in picks("random", pool(entropy=[0.1] * 4), 3)] == pytest.approx([1 / 4, 1 / 3, 1 / 2])


def test_a_stochastic_batch_is_better_than_most_random_ones():
    entropy = np.random.default_rng(0).random(30)
    best = np.mean([p.score for p in picks("stochastic-batches", pool(entropy=entropy), 5)])
    others = [entropy[np.random.default_rng(seed).permutation(30)[:5]].mean() for seed in range(200)]
    assert np.mean(best > np.array(others)) > 0.98


def test_with_few_batches_to_choose_from_the_best_one_is_found():
    assert {p.index for p in picks("stochastic-batches", pool(entropy=[0.1, 0.5, 0.2, 0.6]), 2)} == {1, 3}


def test_half_of_a_clasp_batch_goes_round_the_foreground_classes():
    table = [[0.5, 0.0, 0.0]] * 8 + [[0.5, 0.3, 0.0]] * 4 + [[0.5, 0.0, 0.2]] * 4
    found = picks("clasp-pe", pool(entropy=[0.5] * 16, class_entropy=table), 8)
    assert ["class 1" in p.reason for p in found[:4]] == [True, False, True, False]
    assert ["class 2" in p.reason for p in found[:4]] == [False, True, False, True]
    assert [p.probability for p in found[:4]] == pytest.approx([1 / 4, 1 / 4, 1 / 3, 1 / 3])
    assert [p.probability for p in found[4:]] == pytest.approx([1 / 12, 1 / 11, 1 / 10, 1 / 9])


def test_a_class_that_runs_out_leaves_its_picks_to_the_others():
    table = [[0.5, 0.0]] * 5 + [[0.5, 0.4]]
    found = picks("clasp-pe", pool(entropy=[0.5] * 6, class_entropy=table), 6)
    assert sum("class 1" in p.reason for p in found) == 1
    assert found[0].index == 5


def test_noise_fades_from_round_to_round():
    assert [clasp.scheduled_beta(n) for n in (0, 1, 2, 3, 7, 8, 10**9)] == [1, 1, 2, 4, 64, 64, 64]
    late = pool(round_index=20, entropy=[0.1, 0.9, 0.3], class_entropy=[[0.1], [0.9], [0.3]])
    assert [p.index for p in picks("clasp-pe", late, 3)] == [1, 2, 0]


@pytest.mark.parametrize("score", ["ratio", "variation_ratio", "mean_std", "vote_entropy"])
def test_committee_strategies_take_the_highest_of_their_score(score):
    found = picks(score.replace("_", "-"), pool(**{score: [0.1, 0.3, 0.2]}), 2)
    assert [p.index for p in found] == [1, 2]
