"""What each strategy picks, and the registry."""

from collections import Counter
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, NotFoundError, SettingError, UnavailableError
from medloop.query import strategies as registry
from medloop.query.strategies import BUILT_IN, Pool, strategies, strategy

NAMES = ["random", "foreground", "foreground-oracle", "foreground-oracle-33", "least-confidence", "margin", "entropy", "bald", "coreset"]


def pool(**scores) -> Pool:
    first = next(iter(scores.values()))
    return Pool(tuple(f"c{n}" for n in range(len(first))), {k: np.array(v) for k, v in scores.items()}, None, None)


def picked(name: str, given_pool: Pool, count: int, seed: int = 0) -> list[int]:
    return [p.index for p in strategy(name).select(given_pool, count, np.random.default_rng(seed))]


def test_the_registry_knows_every_built_in_name():
    names = [s.name for s in BUILT_IN]
    assert {*NAMES, "suggestive"} <= set(names)
    assert len(set(names)) == len(names)
    assert strategies()[: len(BUILT_IN)] == BUILT_IN


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(NotFoundError, match=r"Unknown strategy 'entropie'; use entropy or .*; medloop strategies lists all$"):
        strategy("entropie")


def test_the_highest_scores_come_first_and_ties_go_to_the_lower_case_id():
    assert picked("entropy", pool(entropy=[0.2, 0.9, 0.2, 0.5]), 4) == [1, 3, 0, 2]
    mixed = Pool(("b", "a", "c"), {"entropy": np.array([0.4, 0.4, 0.4])}, None, None)
    assert picked("entropy", mixed, 3) == [1, 0, 2]


@pytest.mark.parametrize(("name", "score"), [("least-confidence", "least_confidence"), ("margin", "margin"), ("bald", "bald")])
def test_each_score_strategy_reads_its_own_score(name, score):
    assert picked(name, pool(**{score: [0.1, 0.3, 0.2], "entropy": [9.0, 0.0, 0.0]}), 2) == [1, 2]


def test_the_reason_tells_the_score():
    pick = strategy("entropy").select(pool(entropy=[0.25]), 1, np.random.default_rng(0))[0]
    assert (pick.score, pick.reason) == (0.25, "the model is uncertain (entropy 0.25)")


def test_nan_names_the_case():
    with pytest.raises(InputError, match="entropy scores must be finite, 1 are not, first c2"):
        picked("entropy", pool(entropy=[0.1, 0.2, np.nan]), 1)


def test_a_score_that_was_never_made_is_named():
    with pytest.raises(InputError, match=r"no 'bald' scores \(it has: entropy\); predict the pool first"):
        picked("bald", pool(entropy=[0.1]), 1)


def test_a_negative_count_is_refused():
    with pytest.raises(SettingError, match="0 or more, got -1"):
        picked("random", pool(entropy=[0.1]), -1)


def test_random_gives_every_case_the_same_chance():
    counts = np.bincount([picked("random", pool(entropy=np.zeros(4)), 1, seed)[0] for seed in range(2000)], minlength=4)
    assert np.abs(counts - 500).max() < 100  # five standard deviations


def test_two_thirds_follow_the_guessed_foreground():
    guess = pool(foreground=np.array([0.0] * 60 + [0.5] * 60))
    runs = [strategy("foreground").select(guess, 30, np.random.default_rng(seed)) for seed in range(40)]
    assert sum("foreground" in p.reason for run in runs for p in run) / 1200 == pytest.approx(2 / 3, abs=0.06)
    assert all(p.index >= 60 for run in runs for p in run if "foreground" in p.reason)
    assert all(len({p.index for p in run}) == 30 for run in runs)


def test_the_oracle_variants_differ_in_their_share():
    truth = pool(oracle_foreground=[0.0] * 60 + [0.5] * 60)
    for name, share in (("foreground-oracle", 2 / 3), ("foreground-oracle-33", 1 / 3)):
        runs = [strategy(name).select(truth, 30, np.random.default_rng(seed)) for seed in range(40)]
        assert sum("foreground" in p.reason for run in runs for p in run) / 1200 == pytest.approx(share, abs=0.06)


def test_foreground_picks_have_the_chances_that_they_say():
    given_pool, times, said = pool(foreground=[0.0, 0.1, 0.3, 0.6]), Counter[tuple[int, ...]](), {}
    for seed in range(6000):
        picks = strategy("foreground").select(given_pool, 2, np.random.default_rng(seed))
        order = tuple(p.index for p in picks)
        times[order] += 1
        said[order] = picks[0].probability * picks[1].probability
    assert sum(said.values()) == pytest.approx(1.0)  # every order of two of four was met
    for order, chance in said.items():
        assert times[order] / 6000 == pytest.approx(chance, abs=5 * (chance / 6000) ** 0.5)


def test_foreground_draws_are_in_proportion():
    hits = sum(picked("foreground", pool(foreground=[0.1, 0.3]), 1, seed)[0] for seed in range(2000))
    assert abs(hits / 2000 - (2 / 3 * 0.75 + 1 / 3 * 0.5)) < 0.05


def test_no_foreground_anywhere_falls_back_to_even_draws():
    assert sorted(picked("foreground", pool(foreground=[0.0, 0.0, 0.0]), 3)) == [0, 1, 2]


def test_coreset_moves_away_from_the_answered_cases():
    features = np.array([[0.0], [1.0], [5.0], [10.0]])
    given_pool = Pool(("a", "b", "c", "d"), {}, features, np.array([[0.0]]))
    assert picked("coreset", given_pool, 2) == [3, 2]


def test_suggestive_prefers_the_unsure_case_that_stands_for_many():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [0.0, 0.9], [-1.0, 0.0]])
    given_pool = Pool(tuple("abcde"), {"entropy": np.array([0.9, 0.8, 0.1, 0.1, 0.1])}, features, None)
    assert picked("suggestive", given_pool, 1) == [1]


def test_suggestive_needs_features():
    with pytest.raises(InputError, match="no features"):
        picked("suggestive", pool(entropy=[0.1, 0.2]), 1)


@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 5))
def test_random_picks_are_distinct_and_as_many_as_possible(cases, count, seed):
    picks = picked("random", pool(entropy=np.zeros(cases)), count, seed)
    assert len(set(picks)) == len(picks) == min(cases, count)


def test_a_pool_checks_its_shapes():
    with pytest.raises(ValueError, match="one value per case"):
        Pool(("a", "b"), {"entropy": np.zeros(3)}, None, None)
    with pytest.raises(ValueError, match="all be different"):
        Pool(("a", "a"), {}, None, None)


@pytest.fixture
def plug_ins(monkeypatch):
    """The registry as if other packages had registered a good and two broken strategies."""
    points = [
        EntryPoint("twin", "medloop.query.strategies:BUILT_IN", registry.GROUP),
        EntryPoint("gone", "medloop.no_such_module:thing", registry.GROUP),
        EntryPoint("greedy", "tests_plug_in:GREEDY", registry.GROUP),
    ]
    module = type(registry)("tests_plug_in")
    module.GREEDY = registry.Strategy("greedy", "Greedy", "none", frozenset(), "none", "never", strategy("random").select)
    monkeypatch.setitem(__import__("sys").modules, "tests_plug_in", module)
    monkeypatch.setattr(registry, "entry_points", lambda **asked: {registry.GROUP: points}[asked["group"]])
    registry._plug_ins.cache_clear()
    yield
    monkeypatch.undo()
    registry._plug_ins.cache_clear()


@pytest.mark.usefixtures("plug_ins")
def test_a_plug_in_is_found_by_name_and_broken_ones_harm_only_themselves():
    assert strategy("greedy").title == "Greedy"
    assert [s.name for s in strategies()[len(BUILT_IN) :]] == ["greedy"]
    with pytest.raises(UnavailableError, match=r"'gone' of medloop\.no_such_module"):
        strategy("gone")
    with pytest.raises(UnavailableError, match="it is a tuple, not a Strategy"):
        strategy("twin")
