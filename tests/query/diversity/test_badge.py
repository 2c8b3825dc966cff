"""BADGE: gradients against built ones, draws against the exact chances of k-means++."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.diversity import badge as module
from medloop.query.diversity.badge import Gradients, badge


def example(cases=7, dimensions=3, classes=3, seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(cases, dimensions)), rng.dirichlet(np.ones(classes), size=cases)


def built(features, probabilities):
    """The gradient embeddings as the paper writes them."""
    errors = probabilities.copy()
    errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1.0
    return np.einsum("nc,nd->ncd", errors, features).reshape(len(features), -1)


def chances(features, probabilities, count):
    """Chance of every sequence of picks under plain k-means++ from the longest gradient."""
    gradients = built(features, probabilities)
    away = cdist(gradients, gradients, "sqeuclidean")
    first = int(np.argmax((gradients**2).sum(axis=1)))
    found = {}
    for rest in itertools.permutations(set(range(len(features))) - {first}, count - 1):
        picks, chance = [first], 1.0
        for case in rest:
            nearest = away[picks].min(axis=0)
            chance *= nearest[case] / nearest.sum()
            picks.append(case)
        found[tuple(picks)] = chance
    return found


def test_the_longest_gradient_comes_first_and_a_twin_never():
    features = np.array([[1.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    probabilities = np.array([[0.6, 0.4]] * 4)
    for seed in range(20):
        picks = [draw.index for draw in badge(features, probabilities, 3, np.random.default_rng(seed))]
        assert picks[0] == 1
        assert sorted(picks[1:]) == [0, 3]


def test_distances_are_those_of_built_gradients():
    features, probabilities = example()
    gradients = built(features, probabilities)
    factors = Gradients(features, probabilities)
    assert factors.squares == pytest.approx((gradients**2).sum(axis=1))
    assert factors.squared_distances(slice(None), [2, 4]) == pytest.approx(cdist(gradients, gradients[[2, 4]], "sqeuclidean"))


@pytest.mark.parametrize("rejections", [1, 32, 10_000])
def test_draws_follow_the_distribution_of_k_means_plus_plus(rejections, monkeypatch):
    monkeypatch.setattr(module, "_REJECTIONS", rejections)
    features, probabilities = example()
    wanted = chances(features, probabilities, 3)
    counts = dict.fromkeys(wanted, 0)
    rng = np.random.default_rng(1)
    draws = 4000
    for _ in range(draws):
        counts[tuple(draw.index for draw in badge(features, probabilities, 3, rng))] += 1
    rare = [n for n, chance in wanted.items() if chance * draws < 5]
    kept = [n for n in wanted if n not in rare]
    seen = [*(counts[n] for n in kept), sum(counts[n] for n in rare)]
    expected = draws * np.array([*(wanted[n] for n in kept), sum(wanted[n] for n in rare)])
    assert stats.chisquare(np.array(seen)[expected > 0], expected[expected > 0]).pvalue > 0.001


def test_a_stated_probability_is_the_chance_of_the_draw():
    features, probabilities = example()
    away = cdist(built(features, probabilities), built(features, probabilities), "sqeuclidean")
    first, second = badge(features, probabilities, 2, np.random.default_rng(0))
    assert first.probability is None
    assert second.probability == pytest.approx(away[first.index, second.index] / away[first.index].sum())
    assert second.squared_distance == pytest.approx(away[first.index, second.index])


def test_cases_without_any_gradient_are_drawn_evenly():
    draws = [badge(np.ones((4, 2)), np.array([[1.0, 0.0]] * 4), 4, np.random.default_rng(seed)) for seed in range(400)]
    assert all(sorted(d.index for d in picks) == [0, 1, 2, 3] for picks in draws)
    second = np.bincount([picks[1].index for picks in draws], minlength=4)
    assert stats.chisquare(second[1:]).pvalue > 0.001
    assert draws[0][1].probability == pytest.approx(1 / 3)


@given(st.integers(1, 30), st.integers(0, 35), st.integers(0, 5))
def test_draws_are_distinct_and_as_many_as_possible(cases, count, seed):
    features, probabilities = example(cases, seed=seed)
    features[cases // 2 :] = features[0]
    picks = [draw.index for draw in badge(features.astype(np.float32), probabilities, count, np.random.default_rng(seed))]
    assert len(set(picks)) == len(picks) == min(cases, count)


def test_bad_tables_are_refused():
    features, probabilities = example()
    with pytest.raises(ShapeError, match="same cases"):
        badge(features, probabilities[:3], 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="finite"):
        badge(features * np.nan, probabilities, 2, np.random.default_rng(0))
    with pytest.raises(SettingError, match="0 or more"):
        badge(features, probabilities, -1, np.random.default_rng(0))
