"""The bandit: one reward by hand, chances that are what they say, and that it finds the strategy that pays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, NotFoundError, SettingError
from medloop.query.bandit import EXPLORE, Played, arms, chances
from medloop.query.strategies import strategy
from medloop.testing.check_strategy import check_strategy

NAMES = ("entropy", "margin", "random")


def test_one_reward_by_hand():
    found = chances(("entropy", "margin"), [Played("entropy", 0.5)])
    # drawn with chance 0.5, so the estimate is 0.5 / 0.5 = 1, and the weight grows by exp(γ / K × 1) before 1 % is shared
    grown = np.exp(0.1) / (np.exp(0.1) + 1)
    assert found == pytest.approx([0.8 * (0.99 * grown + 0.005) + 0.1, 0.8 * (0.99 * (1 - grown) + 0.005) + 0.1])


def test_a_rare_draw_that_pays_counts_for_more():
    often = [Played("entropy", 1.0)] * 20
    common, rare = (chances(NAMES, [*often, Played(name, 1.0)]) - chances(NAMES, often) for name in ("entropy", "margin"))
    assert rare[1] > common[0] > 0


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 1)), max_size=200))
def test_chances_add_up_and_every_strategy_keeps_its_share(played):
    found = chances(NAMES, [Played(*one) for one in played])
    assert found.sum() == pytest.approx(1.0)
    assert found.min() >= EXPLORE / len(NAMES) - 1e-12


def test_the_strategy_that_pays_is_drawn_most_and_a_change_is_noticed():
    rng, played = np.random.default_rng(0), []
    for best in ("margin", "random"):
        for _ in range(400):
            name = str(rng.choice(NAMES, p=chances(NAMES, played)))
            played.append(Played(name, float(rng.random() < (0.8 if name == best else 0.3))))
        assert NAMES[int(np.argmax(chances(NAMES, played)))] == best
        assert chances(NAMES, played).max() > 0.6


def test_rewards_outside_their_range_are_refused():
    for reward in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match=r"within 0\.\.1"):
            chances(NAMES, [Played("entropy", reward)])


def test_a_bandit_keeps_the_contract_of_strategies_and_needs_what_all_of_its_arms_need():
    check_strategy(strategy("bandit:entropy+coreset"))
    assert strategy("bandit:entropy+coreset+random").needs == {"entropy", "features"}
    assert arms("bandit:entropy+coreset") == ("entropy", "coreset")
    assert arms("entropy") == ("entropy",)


def test_bandits_without_a_choice_are_refused():
    for name in ("bandit:entropy", "bandit:random+random"):
        with pytest.raises(SettingError, match="two or more different strategies"):
            strategy(name)
    with pytest.raises(NotFoundError, match="Unknown strategy 'moon'"):
        strategy("bandit:random+moon")
