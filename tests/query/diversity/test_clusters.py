"""Clusters and typical cases: groups that can be seen, distances worked out by hand, a plain neighbour search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from medloop.core.errors import InputError, ShapeError
from medloop.query.diversity import clusters
from medloop.query.diversity.clusters import cluster, most_typical, typicality, typiclust


def groups(sizes, *, seed=0):
    """Round groups far apart, in a row."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(size, 3)) * 0.1 + [20.0 * n, 0, 0] for n, size in enumerate(sizes)])


def test_typicality_of_three_points_on_a_line():
    assert typicality(np.array([[0.0], [1.0], [3.0]])) == pytest.approx([1 / 2, 1 / 1.5, 1 / 2.5], rel=1e-4)
    assert typicality(np.array([[0.0], [1.0], [3.0]]), neighbours=1) == pytest.approx([1.0, 1.0, 0.5], rel=1e-4)


def test_a_single_case_has_no_typicality_and_twins_have_the_most():
    assert typicality(np.ones((1, 2))).tolist() == [0.0]
    assert typicality(np.ones((3, 2))) == pytest.approx([1e5] * 3)


def test_typicality_matches_a_neighbour_search(monkeypatch):
    monkeypatch.setattr(clusters, "BLOCK_NUMBERS", 1000)  # several blocks
    table = np.random.default_rng(1).normal(size=(90, 4))
    away, _ = NearestNeighbors(n_neighbors=21).fit(table).kneighbors(table)
    assert typicality(table) == pytest.approx(1 / (away[:, 1:].mean(axis=1) + 1e-5), rel=1e-6)


def test_fewest_answers_first_then_the_largest_and_small_ones_last():
    table = groups([5, 8, 6, 2])
    labels = np.repeat([0, 1, 2, 3], [5, 8, 6, 2])
    picks = most_typical(table, labels, np.array([1]), 5)
    assert [int(labels[n]) for n in picks] == [2, 0, 1, 3, 2]


def test_the_centre_of_a_group_is_asked():
    star = np.array([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [0.1, 0]])
    assert most_typical(star, np.zeros(6, dtype=int), np.zeros(0, dtype=int), 2)[0] in (0, 5)


def test_typiclust_asks_one_case_of_each_group_without_answers():
    table = groups([30, 20, 10])
    picks = typiclust(table, table[:1], 2, np.random.default_rng(0))
    assert sorted(n >= 30 for n in picks) == [True, True]
    assert {n >= 50 for n in picks} == {True, False}


@pytest.mark.parametrize("large", [10, 10_000])
def test_k_means_finds_separate_groups_whole_or_by_parts(large, monkeypatch):
    monkeypatch.setattr(clusters, "_LARGE", large)
    labels = cluster(groups([40, 50]), 2, np.random.default_rng(0))
    assert len(set(labels[:40])) == len(set(labels[40:])) == 1
    assert labels[0] != labels[-1]


@given(st.integers(1, 12), st.integers(0, 15), st.integers(0, 3))
def test_picks_are_distinct_and_as_many_as_possible_even_among_duplicates(cases, count, seed):
    table = np.random.default_rng(seed).integers(0, 2, size=(cases, 2)).astype(np.float32)
    picks = typiclust(table, None, count, np.random.default_rng(seed))
    assert len(set(picks)) == len(picks) == min(cases, count)


def test_bad_tables_are_refused():
    with pytest.raises(InputError, match="finite"):
        typiclust(np.array([[np.nan]]), None, 1, np.random.default_rng(0))
    with pytest.raises(ShapeError, match="same dimensions"):
        typiclust(np.ones((3, 2)), np.ones((1, 3)), 1, np.random.default_rng(0))
