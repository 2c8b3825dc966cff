"""Greedy k-centre: hand-made layouts, the guarantee, and the plain rule pick by pick."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.diversity import kcentre
from medloop.query.diversity.kcentre import k_centre

LINE = np.array([[0.0], [1.0], [4.0], [9.0], [10.0]])
points = hnp.arrays(np.float64, st.tuples(st.integers(4, 9), st.just(2)), elements=st.integers(-20, 20).map(float))


def radius(table, picks) -> float:
    return float(cdist(table, table[picks]).min(axis=1).max())


def plain_k_centre(table, centres, count):
    """The rule as the paper writes it, without any saving."""
    table, picks = table.astype(np.float64), []
    nearest = cdist(table, centres.astype(np.float64), "sqeuclidean").min(axis=1)
    for _ in range(count):
        picks.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, cdist(table, table[picks[-1:]], "sqeuclidean")[:, 0])
        nearest[picks] = -1
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


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(2)), elements=st.integers(-5, 5)),
    hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(-5, 5)),
)
def test_lazy_picks_are_the_plain_ones_even_among_duplicates(table, centres):
    assert k_centre(table, centres, len(table)) == plain_k_centre(table, centres, len(table))


@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_many_centres_seen_in_steps_give_the_plain_picks(spread, monkeypatch):
    monkeypatch.setattr(kcentre, "FIRST_CENTRES", 4)
    monkeypatch.setattr(kcentre, "_GROWTH", 8)
    rng = np.random.default_rng(5)
    groups = spread * rng.normal(size=(20, 6))
    table, centres = (rng.normal(size=(n, 6)) + groups[rng.integers(20, size=n)] for n in (600, 90))
    table[300:310] = table[:10]
    assert k_centre(table.astype(np.float32), centres.astype(np.float32), 80) == plain_k_centre(
        table.astype(np.float32), centres.astype(np.float32), 80
    )


def test_neighbours_that_single_precision_cannot_tell_apart_are_told_apart():
    table = np.array([[1000.0, 0.0], [1000.0, 2.0**-13], [0.0, 0.0]], dtype=np.float32)
    centres = np.array([[0.0, 0.0], [0.0, -1.0]], dtype=np.float32)
    assert k_centre(table, centres, 1) == plain_k_centre(table, centres, 1) == [1]


def test_the_order_of_the_centres_does_not_matter():
    rng = np.random.default_rng(6)
    table, centres = rng.normal(size=(300, 4)).astype(np.float32), rng.normal(size=(200, 4)).astype(np.float32)
    assert k_centre(table, centres, 20) == k_centre(table, centres[::-1], 20)


def test_nothing_asked_gives_nothing():
    assert k_centre(LINE, None, 0) == []
    assert k_centre(LINE[:0], None, 3) == []


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


@pytest.mark.parametrize("seed", [0, 5, 6])
def test_cases_on_a_sphere_whose_distances_differ_by_rounding_alone_are_picked_by_the_plain_rule(seed):
    directions = np.random.default_rng(seed).normal(size=(40, 32))
    table = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    assert k_centre(table, np.zeros((1, 32), np.float32), 5) == plain_k_centre(table, np.zeros((1, 32)), 5)
