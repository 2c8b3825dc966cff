"""The bandit: one reward by hand, chances that are what they say, and that it finds the strategy that pays."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import FormatError, InputError, NotFoundError, SettingError
from medloop.query.bandit import Proposal, StrategyBandit, importance_weighted_accuracy
from medloop.query.pool import Pick, Pool
from medloop.testing.check_strategy import example_pool

NAMES = ("entropy", "margin", "random")


def pool(**scores) -> Pool:
    first = next(iter(scores.values()))
    return Pool(tuple(f"c{n}" for n in range(len(first))), {k: np.array(v) for k, v in scores.items()}, None, None)


def test_one_reward_by_hand():
    bandit = StrategyBandit(("entropy", "margin"), explore=0.2, forget=0.0)
    bandit.reward([Proposal(Pick(0, 1.0, "", 0.5), ("entropy",))], 0.5)
    # the estimate is 0.5 / 0.5 = 1 for entropy and 0 for margin; weights move by γ / K = 0.1 times that
    assert bandit.log_weights == pytest.approx([0.0, -0.1])
    assert bandit.chances() == pytest.approx([0.8 / (1 + np.exp(-0.1)) + 0.1, 0.8 / (1 + np.exp(0.1)) + 0.1])


def test_forgetting_spreads_its_share_of_the_weight():
    bandit = StrategyBandit(("entropy", "margin"), explore=1.0, forget=0.5)
    bandit.log_weights = np.log([0.8, 0.2])
    bandit.reward([Proposal(Pick(0, 1.0, "", 0.5), ("entropy",))], 0.0)
    assert np.exp(bandit.log_weights) == pytest.approx([1.0, 0.35 / 0.65])


def test_a_case_that_several_want_is_drawn_with_the_sum_of_their_chances():
    given_pool = pool(entropy=[0.9, 0.1, 0.2], margin=[0.8, 0.3, 0.1], bald=[0.0, 0.5, 0.1])
    bandit = StrategyBandit(("entropy", "margin", "bald"))
    drawn = [bandit.propose(given_pool, 1, np.random.default_rng(seed))[0] for seed in range(1500)]
    for case, backers, chance in ((0, ("entropy", "margin"), 2 / 3), (1, ("bald",), 1 / 3)):
        found = [one for one in drawn if one.pick.index == case]
        assert {one.backers for one in found} == {backers}
        assert found[0].pick.probability == pytest.approx(chance)
        assert abs(len(found) / 1500 - chance) < 0.06  # five standard deviations


@given(st.integers(0, 30), st.integers(0, 1000))
def test_proposals_are_distinct_as_many_as_possible_and_indifferent_to_order(count, seed):
    bandit, whole = StrategyBandit(NAMES), example_pool()
    found = bandit.propose(whole, count, np.random.default_rng(seed))
    indices = [one.pick.index for one in found]
    assert len(set(indices)) == len(indices) == min(count, len(whole.case_ids))
    assert all(one.backers and 0 < one.pick.probability <= 1 for one in found)
    order = [int(n) for n in np.random.default_rng(seed).permutation(len(whole.case_ids))]
    mixed = bandit.propose(whole.subset(order), count, np.random.default_rng(seed))
    assert [order[one.pick.index] for one in mixed] == indices


def test_the_strategy_that_pays_is_followed_and_a_change_is_noticed():
    rng, bandit, example = np.random.default_rng(0), StrategyBandit(NAMES, explore=0.3), example_pool(cases=8)
    for paying in ("margin", "entropy"):
        for _ in range(400):
            proposals = bandit.propose(example, 1, rng)
            bandit.reward(proposals, float(paying in proposals[0].backers))
        assert bandit.chances()[NAMES.index(paying)] > 0.5
    assert bandit.chances().min() >= 0.3 / 3 - 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_chances_stay_chances_and_every_strategy_keeps_its_share(rewards):
    bandit, rng, example = StrategyBandit(NAMES, explore=0.2), np.random.default_rng(0), example_pool(cases=8)
    for value in rewards:
        bandit.reward(bandit.propose(example, 3, rng), value)
    assert bandit.chances().sum() == pytest.approx(1.0)
    assert bandit.chances().min() >= 0.2 / 3 - 1e-12


def test_a_restart_changes_nothing():
    bandit, rng = StrategyBandit(NAMES), np.random.default_rng(0)
    bandit.reward(bandit.propose(example_pool(), 3, rng), 0.7)
    again = StrategyBandit.from_json(bandit.to_json())
    assert again.chances().tolist() == bandit.chances().tolist()
    one, two = (b.propose(example_pool(), 4, np.random.default_rng(1)) for b in (bandit, again))
    assert one == two


def test_it_needs_what_its_strategies_need():
    assert StrategyBandit(("entropy", "coreset")).needs == {"entropy", "features"}
    with pytest.raises(InputError, match="no 'margin' scores"):
        StrategyBandit(NAMES).propose(pool(entropy=[0.1]), 1, np.random.default_rng(0))


def test_settings_and_rewards_out_of_range_are_refused():
    for names, explore in ((("entropy",), 0.2), (("entropy", "entropy"), 0.2), (NAMES, 0.0), (NAMES, 1.5), (NAMES, np.nan)):
        with pytest.raises(SettingError):
            StrategyBandit(names, explore=explore)
    with pytest.raises(NotFoundError, match="moon"):
        StrategyBandit(("entropy", "moon"))
    bandit = StrategyBandit(NAMES)
    mine, other = Proposal(Pick(0, 0.0, "", 0.5), ("margin",)), Proposal(Pick(0, 0.0, "", 0.5), ("coreset",))
    for proposals, value in (([], 0.5), ([mine], 1.5), ([mine], np.nan), ([other], 0.5)):
        with pytest.raises(InputError):
            bandit.reward(proposals, value)


def test_damaged_text_is_refused():
    kept = json.loads(StrategyBandit(NAMES).to_json())
    broken = [
        {**kept, "explore": 2},
        {"explore": 0.2},
        {**kept, "log_weights": [1, 2]},
        {**kept, "log_weights": {"entropy": 0.0, "moon": 0.0}},
    ]
    nan = {**kept, "log_weights": dict.fromkeys(NAMES, float("nan"))}
    for text in ("", "[]", *map(json.dumps, [*broken, nan])):
        with pytest.raises(FormatError, match="Not the state of a bandit"):
            StrategyBandit.from_json(text)


def test_accuracy_is_corrected_for_how_cases_were_drawn():
    assert importance_weighted_accuracy(np.array([True, False]), np.array([0.25, 0.75])) == pytest.approx(0.75)
    for probabilities in ([0.0, 0.5], [0.5], [2.0, 0.5], [np.nan, 0.5]):
        with pytest.raises(InputError, match="chance of its draw"):
            importance_weighted_accuracy(np.array([True, False]), np.array(probabilities))


def test_corrected_accuracy_is_that_of_the_pool_in_the_long_run():
    rng = np.random.default_rng(0)
    right = rng.random(50) < 0.6
    chances = np.where(right, 1.0, 4.0) / np.where(right, 1.0, 4.0).sum()  # errors are asked more often
    drawn = rng.choice(50, 6000, p=chances)
    assert importance_weighted_accuracy(right[drawn], chances[drawn]) == pytest.approx(right.mean(), abs=0.04)
    assert right[drawn].mean() < right.mean() - 0.2
