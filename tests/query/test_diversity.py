"""Spread: hand-made layouts, exhaustive optima, and the guarantees of both greedy rules."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.diversity import cosine_similarity, greedy_cover, k_centre

LINE = np.array([[0.0], [1.0], [4.0], [9.0], [10.0]])
points = hnp.arrays(np.float64, st.tuples(st.integers(4, 9), st.just(2)), elements=st.integers(-20, 20).map(float))


def radius(table, picks) -> float:
    return float(cdist(table, table[picks]).min(axis=1).max())


def plain_k_centre(table, centres, count):
    """The rule as the paper writes it, without any saving."""
    chosen, picks = list(centres), []
    for _ in range(count):
        distance = cdist(table, np.array(chosen)).min(axis=1)
        distance[picks] = -1
        picks.append(int(np.argmax(np.round(distance, 9))))
        chosen.append(table[picks[-1]])
    return picks


def test_the_farthest_point_on_a_line_comes_first():
    assert k_centre(LINE, np.array([[0.0]]), 2) == [4, 2]


def test_the_first_pick_is_given_when_nothing_is_labelled():
    assert k_centre(LINE, None, 3, first=1) == [1, 4, 2]
    assert k_centre(LINE, LINE[:0], 1, first=3) == [3]


def test_every_case_is_picked_once_even_among_duplicates():
    assert sorted(k_centre(np.ones((5, 3)), np.ones((2, 3)), 9)) == [0, 1, 2, 3, 4]


def test_ties_go_to_the_lower_index():
    assert k_centre(np.array([[1.0], [-1.0], [1.0]]), np.array([[0.0]]), 1) == [0]


@given(points)
def test_greedy_radius_is_at_most_twice_the_best(table):
    best = min(radius(table, list(s)) for s in itertools.combinations(range(len(table)), 3))
    assert radius(table, k_centre(table, None, 3)) <= 2 * best + 1e-6


def test_blocks_and_norms_give_what_plain_distances_give():
    rng = np.random.default_rng(3)
    table, centres = rng.normal(size=(200, 8)), rng.normal(size=(30, 8))
    assert k_centre(table, centres, 25) == plain_k_centre(table, centres, 25)


def test_an_offset_far_from_the_origin_changes_nothing():
    rng = np.random.default_rng(4)
    table, centres = rng.normal(size=(100, 4)).astype(np.float32), rng.normal(size=(5, 4)).astype(np.float32)
    assert k_centre(table + 64, centres + 64, 10) == k_centre(table, centres, 10)


def test_nothing_asked_gives_nothing():
    assert k_centre(LINE, None, 0) == []
    assert k_centre(LINE[:0], None, 3) == []
    assert greedy_cover(np.zeros((0, 4)), [], 3) == []


def test_bad_features_are_refused():
    with pytest.raises(InputError, match="row 1 is not"):
        k_centre(np.array([[0.0], [np.nan]]), None, 1)
    with pytest.raises(ShapeError, match="same dimensions"):
        k_centre(LINE, np.zeros((2, 3)), 1)
    with pytest.raises(ShapeError, match="table"):
        k_centre(np.zeros(3), None, 1)
    with pytest.raises(SettingError, match="0 or more"):
        k_centre(LINE, None, -1)
    with pytest.raises(SettingError, match="first pick"):
        k_centre(LINE, None, 1, first=9)


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


def test_cosine_of_parallel_opposite_and_empty_rows():
    table = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]])
    assert cosine_similarity(table[:1], table).tolist() == [[1.0, -1.0, 0.0]]
