"""What the strategies on information and on second networks pick."""

import numpy as np
import pytest

from medloop.core.errors import InputError, ShapeError
from medloop.query.pool import Pool
from medloop.query.strategies import strategy

EVEN, SURE = (0.5, 0.5), (1.0, 0.0)


def pool(features, probabilities, answered=None) -> Pool:
    table = np.array(features, dtype=np.float64)
    known = None if answered is None else np.array(answered, dtype=np.float64)
    return Pool(tuple(f"c{n}" for n in range(len(table))), {}, table, known, samples=np.array([probabilities, probabilities]))


def picked(name: str, given: Pool, count: int) -> list[int]:
    return [p.index for p in strategy(name).select(given, count, np.random.default_rng(0))]


def scored(**scores) -> Pool:
    return Pool(("a", "b", "c"), {name: np.array(values) for name, values in scores.items()}, None, None)


@pytest.mark.parametrize("name", ["fisher", "bait"])
def test_fisher_asks_unsure_cases_first_and_in_several_directions(name):
    given = pool([[4.0, 0.0], [4.1, 0.0], [0.0, 4.0], [-4.0, -4.0]], [EVEN, EVEN, EVEN, SURE])
    picks = picked(name, given, 2)
    assert 2 in picks
    assert 3 not in picks


@pytest.mark.parametrize("name", ["fisher", "bait"])
def test_fisher_turns_away_from_what_is_answered(name):
    given = pool([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0], [0.0, -4.0]], [EVEN] * 4, answered=[[4.0, 0.0], [-4.0, 0.0]])
    assert set(picked(name, given, 2)) == {2, 3}


@pytest.mark.parametrize("name", ["fisher", "bait"])
def test_fisher_refuses_what_would_take_minutes_and_says_how_much_it_is(name):
    samples = np.full((2, 2000, 300), 1 / 300)
    given = Pool(tuple(f"c{n:04d}" for n in range(2000)), {}, np.zeros((2000, 64)), None, samples=samples)
    with pytest.raises(InputError, match=r"at most 536,870,912, got 2,000 × 300³; use another strategy"):
        picked(name, given, 1)
    assert len(picked(name, pool(np.eye(9), np.full((9, 300), 1 / 300)), 1)) == 1


def test_model_change_prefers_long_embeddings_among_equal_doubts():
    assert picked("expected-model-change", pool([[1.0], [3.0], [9.0]], [EVEN, EVEN, SURE]), 2) == [1, 0]


def test_epig_leaves_out_the_case_that_varies_alone():
    together, alone = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]]
    samples = np.array([alone, together, together]).transpose(1, 0, 2)
    given = Pool(("a", "b", "c"), {}, None, None, samples=samples)
    assert picked("epig", given, 2) == [1, 2]


def test_epig_draws_its_targets_from_a_large_pool():
    samples = np.random.default_rng(0).dirichlet(np.ones(2), size=(3, 300))
    given = Pool(tuple(f"c{n:03d}" for n in range(300)), {}, None, None, samples=samples)
    assert len(set(picked("epig", given, 5))) == 5


def test_answered_features_must_be_numbers_of_the_same_dimensions():
    for answered, error in (([[np.nan, 0.0]], InputError), ([[1.0]], ShapeError)):
        with pytest.raises(error):
            picked("bait", pool([[1.0, 0.0], [0.0, 1.0]], [EVEN] * 2, answered), 1)


def test_each_second_network_is_asked_in_its_own_sense():
    given = scored(predicted_loss=[0.1, 0.9, 0.5], unlabelled=[0.9, 0.1, 0.5], adversarial_distance=[0.5, 0.9, 0.1])
    assert picked("learning-loss", given, 2) == [1, 2]
    assert picked("vaal", given, 2) == [0, 2]
    assert picked("dfal", given, 2) == [2, 0]


def test_latent_coverage_moves_away_from_the_answered_codes():
    codes = np.array([[0.0], [1.0], [9.0]])
    given = Pool(("a", "b", "c"), {}, None, None, {"latent": codes}, {"latent": np.array([[0.5]])})
    assert picked("vae-coverage", given, 1) == [2]
