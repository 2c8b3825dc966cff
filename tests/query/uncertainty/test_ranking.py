"""The fast ranking gives, index by index, what sorting the plain scores gives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query import scores
from medloop.query.uncertainty import ranking
from medloop.query.uncertainty.bounds import highest_entropies, most_squares

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])


def table(seed, cases, classes, dtype, *, lead=(), sharpness=1.0):
    """Probabilities with ties, zeros, certain rows and rows that miss a sum of 1 a little."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(classes, sharpness), size=(*lead, cases))
    rows[..., rng.random(cases) < 0.2, :] = np.eye(classes)[rng.integers(classes)]
    rows[..., rng.random(cases) < 0.2, :] = 1.0 / classes
    rows[..., rng.random(cases) < 0.3, :] = rows[..., :1, :]
    rows[..., : cases // 3, :] = np.round(rows[..., : cases // 3, :], 3)
    rows = np.where(np.abs(rows.sum(axis=-1, keepdims=True) - 1) > 5e-4, 1.0 / classes, rows)
    return rows.astype(dtype)


def sorted_by(values, count):
    return np.argsort(-values, kind="stable")[:count].tolist()


@settings(max_examples=60)
@given(seeds, st.integers(1, 400), st.integers(2, 6), dtypes, st.integers(0, 30), st.sampled_from([0.05, 1.0, 20.0]))
def test_top_entropy_is_the_stable_sort_of_entropy(seed, cases, classes, dtype, count, sharpness):
    p = table(seed, cases, classes, dtype, sharpness=sharpness)
    assert ranking.top_entropy(p, count).tolist() == sorted_by(scores.entropy(p), count)


@given(seeds, st.integers(1, 400), st.integers(2, 6), dtypes, st.integers(0, 30))
def test_top_margin_is_the_stable_sort_of_margin(seed, cases, classes, dtype, count):
    p = table(seed, cases, classes, dtype)
    assert ranking.top_margin(p, count).tolist() == sorted_by(scores.margin(p), count)


@settings(max_examples=60)
@given(seeds, st.integers(1, 200), st.integers(2, 5), st.integers(2, 5), dtypes, st.integers(0, 20), st.sampled_from([0.05, 1.0, 20.0]))
def test_top_mutual_information_is_the_stable_sort_of_it(seed, cases, classes, samples, dtype, count, sharpness):
    p = table(seed, cases, classes, dtype, lead=(samples,), sharpness=sharpness)
    assert ranking.top_mutual_information(p, count).tolist() == sorted_by(scores.mutual_information(p), count)


@pytest.mark.parametrize("sharpness", [0.1, 1.0])
def test_tables_of_many_blocks_are_ranked_exactly(sharpness):
    p = table(5, 60_000, 7, np.float32, sharpness=sharpness)
    assert ranking.top_entropy(p, 50).tolist() == sorted_by(scores.entropy(p), 50)
    many = table(6, 20_000, 4, np.float32, lead=(4,), sharpness=sharpness)
    assert ranking.top_mutual_information(many, 50).tolist() == sorted_by(scores.mutual_information(many), 50)


def test_views_with_gaps_are_ranked_like_copies():
    p = table(7, 4_000, 4, np.float32)
    wide = np.repeat(p, 2, axis=0)[::2]
    assert ranking.top_entropy(wide, 9).tolist() == ranking.top_entropy(p, 9).tolist()


def test_a_row_scores_the_same_alone_as_in_a_table():
    p = table(8, 30_011, 5, np.float32)
    assert all(scores.entropy(p[n : n + 1])[0] == scores.entropy(p)[n] for n in (0, 7_999, 8_000, 30_010))


def test_golden_order():
    p = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.5, 0.5]])
    assert ranking.top_entropy(p, 3).tolist() == [1, 3, 2]
    assert ranking.top_margin(p, 9).tolist() == [1, 3, 2, 0]
    samples = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    assert ranking.top_mutual_information(samples, 1).tolist() == [0]


@pytest.mark.parametrize("rank", [ranking.top_entropy, ranking.top_margin])
def test_what_is_no_probability_is_refused(rank):
    p = table(9, 5_000, 3, np.float32)
    for value, message in ((np.nan, "NaN at case 4321"), (-0.1, "softmax"), (2.0, "softmax"), (np.inf, "softmax")):
        spoiled = p.copy()
        spoiled[4321, 1] = value
        with pytest.raises(InputError, match=message):
            rank(spoiled, 3)
    with pytest.raises(SettingError, match="0 or more"):
        rank(p, -1)
    with pytest.raises(ShapeError, match="axes"):
        rank(p[0], 1)


def test_spoiled_samples_are_refused():
    samples = table(10, 3_000, 3, np.float32, lead=(3,))
    samples[1, 2_222, 0] = np.nan
    with pytest.raises(InputError, match="NaN at case 2222"):
        ranking.top_mutual_information(samples, 3)
    with pytest.raises(ShapeError, match=">= 2 samples"):
        ranking.top_mutual_information(samples[:1], 3)


@given(seeds, st.integers(2, 9), st.sampled_from([0.05, 1.0, 20.0]))
def test_entropy_lies_below_its_bound(seed, classes, sharpness):
    p = np.random.default_rng(seed).dirichlet(np.full(classes, sharpness), size=50)
    squares, entropy = (p * p).sum(axis=1), scores.entropy(p)
    assert (entropy <= highest_entropies(squares, classes) + 1e-6).all()
    assert (entropy >= -np.log(squares) - 1e-9).all()


def test_the_bound_is_reached_by_one_large_and_equal_rest():
    p = np.array([[0.7, 0.1, 0.1, 0.1]])
    assert highest_entropies((p * p).sum(axis=1), 4) == pytest.approx(scores.entropy(p))
    assert most_squares(float(scores.entropy(p)[0]), 4) == pytest.approx(0.52)
    assert most_squares(math.log(4) + 0.1, 4) == -1.0
    assert highest_entropies(np.ones(2), 1).tolist() == [0.0, 0.0]
