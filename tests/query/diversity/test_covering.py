"""Covers: cases small enough to check by hand, the guarantee, and the plain rule pick by pick."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from medloop.core.errors import InputError, ShapeError
from medloop.query.diversity.covering import EQUAL_GAINS, cover, greedy_cover
from medloop.query.diversity.similarities import Ball, Cosine, Gaussian

LINE = np.array([[0.0], [1.0], [2.0], [5.0], [6.0], [20.0]])
tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 14), st.just(2)), elements=st.integers(-4, 4).map(float))


def similarities(table, others, similarity):
    """Straight from the definitions."""
    away = cdist(table, others)
    if isinstance(similarity, Ball):
        return (away <= similarity.radius * (1 + 1e-9)).astype(float)
    if isinstance(similarity, Gaussian):
        return np.exp(-(away**2) / similarity.width**2)
    lengths = [np.linalg.norm(rows, axis=1) for rows in (table, others)]
    return np.clip(table @ others.T / np.maximum(np.outer(*lengths), 1e-300), 0.0, 1.0)


def plain_cover(table, similarity, count, known=None, candidates=None):
    """Every gain anew for every pick."""
    table = table.astype(np.float64)
    alike = similarities(table, table, similarity)
    covered = np.zeros(len(table)) if known is None else similarities(table, known.astype(np.float64), similarity).max(axis=1, initial=0.0)
    left, picks = sorted(range(len(table)) if candidates is None else candidates), []
    while left and len(picks) < count:
        gains = {n: np.maximum(alike[n] - covered, 0.0).sum() for n in left}
        picks.append(min(n for n in left if gains[n] >= max(gains.values()) * (1 - EQUAL_GAINS) - 1e-9))
        covered = np.maximum(covered, alike[picks[-1]])
        left.remove(picks[-1])
    return picks


def test_the_ball_that_holds_most_comes_first_then_the_one_with_most_uncovered():
    assert cover(LINE, Ball(1.0), 3) == [1, 3, 5]


def test_what_is_answered_covers_first():
    assert cover(LINE, Ball(1.0), 2, known=np.array([[1.0]])) == [3, 5]


def test_when_all_is_covered_the_lower_index_goes_first():
    assert cover(LINE, Ball(100.0), 4) == [0, 1, 2, 3]
    assert cover(LINE, Ball(1.0), 2, known=LINE) == [0, 1]


def test_only_candidates_are_chosen_but_all_cases_count():
    assert cover(LINE, Ball(1.0), 9, candidates=[5, 0, 3]) == [0, 3, 5]


def test_a_kernel_prefers_the_middle_of_the_group():
    assert cover(LINE, Gaussian(1.0), 3) == [1, 3, 5]


def test_facility_location_takes_one_of_each_direction():
    table = np.array([[1.0, 0.0], [3.0, 0.1], [0.0, 2.0], [0.0, 0.0]])
    assert cover(table, Cosine(), 2) == [1, 2]
    assert cover(table, Cosine(), 1, known=table[:1]) == [2]


@given(tables, tables, st.sampled_from([Ball(1.0), Ball(2.5), Gaussian(1.5), Cosine()]), st.booleans())
def test_lazy_picks_are_the_plain_ones_even_among_duplicates(table, answered, similarity, some_known):
    known = answered if some_known else None
    assert cover(table, similarity, len(table), known=known) == plain_cover(table, similarity, len(table), known)


@given(tables.filter(lambda t: len(t) > 4), st.sampled_from([Ball(1.5), Gaussian(1.5)]), st.lists(st.integers(0, 4), min_size=1))
def test_lazy_picks_among_candidates_are_the_plain_ones(table, similarity, candidates):
    assert cover(table, similarity, 3, candidates=candidates) == plain_cover(table, similarity, 3, candidates=set(candidates))


@pytest.mark.parametrize("similarity", [Ball(2.0), Gaussian(2.0), Cosine()])
@pytest.mark.parametrize("answered", [0, 30])
def test_several_blocks_in_single_precision_give_the_plain_picks(similarity, answered):
    rng = np.random.default_rng(7)
    table, known = rng.normal(size=(1300, 4)).astype(np.float32), rng.normal(size=(answered, 4)).astype(np.float32)
    assert cover(table, similarity, 25, known=known) == plain_cover(table, similarity, 25, known)


def test_arguments_are_left_alone():
    table = LINE.copy()
    cover(table, Gaussian(1.0), 3, known=table[:1])
    assert (table == LINE).all()


def test_bad_tables_are_refused():
    with pytest.raises(InputError, match="row 0 is not"):
        cover(np.array([[np.inf]]), Ball(1.0), 1)
    with pytest.raises(ShapeError, match="same dimensions"):
        cover(LINE, Ball(1.0), 1, known=np.zeros((2, 3)))


def test_nothing_asked_gives_nothing():
    assert cover(LINE, Ball(1.0), 0) == []
    assert cover(LINE[:0], Ball(1.0), 2) == []
    assert greedy_cover(np.zeros((0, 4)), [], 3) == []


def test_cover_takes_the_candidate_like_most_cases_then_the_one_like_the_rest():
    similarity = np.array([[1.0, 0.9, 0.0, 0.0], [0.9, 1.0, 0.8, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert greedy_cover(similarity, [10, 20, 30], 2) == [20, 30]


def test_equal_candidates_keep_their_order():
    assert greedy_cover(np.ones((3, 4)), [7, 5, 9], 3) == [7, 5, 9]


@given(hnp.arrays(np.float64, st.tuples(st.integers(3, 7), st.integers(1, 6)), elements=st.floats(0, 1)))
def test_cover_reaches_its_guaranteed_share_of_the_best(similarity):
    def value(picks):
        return similarity[list(picks)].max(axis=0).sum()

    best = max(value(s) for s in itertools.combinations(range(len(similarity)), 2))
    assert value(greedy_cover(similarity, range(len(similarity)), 2)) >= (1 - 1 / np.e) * best - 1e-9


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 6)), elements=st.integers(-8, 8).map(lambda n: n / 8)))
def test_lazy_gains_pick_what_full_evaluation_picks(similarity):
    covered, left, plain = np.full(similarity.shape[1], min(similarity.min(), 0.0)), list(range(len(similarity))), []
    while left:
        plain.append(max(left, key=lambda r: (np.maximum(similarity[r] - covered, 0).sum(), -r)))
        covered = np.maximum(covered, similarity[plain[-1]])
        left.remove(plain[-1])
    assert greedy_cover(similarity, range(len(similarity)), len(similarity)) == plain


def test_bad_similarities_are_refused():
    with pytest.raises(ShapeError, match="one row per candidate"):
        greedy_cover(np.zeros((2, 2)), [1], 1)
    with pytest.raises(InputError, match="finite"):
        greedy_cover(np.array([[np.nan]]), [0], 1)
