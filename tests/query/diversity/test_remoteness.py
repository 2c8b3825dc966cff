"""Mean distances and contexts against tables worked out by hand and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

from medloop.query.diversity.remoteness import contexts, contextual_k_centre, farthest_on_average

tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.integers(-9, 9).map(float))


def test_the_case_farthest_on_average_comes_first():
    line = np.array([[0.0], [4.0], [10.0]])
    assert farthest_on_average(line, np.array([[0.0], [1.0]]), 3) == [2, 1, 0]  # sums 1, 7, 19; then 11, 13


@given(tables, tables)
def test_picks_are_those_of_plain_means(table, known):
    picks, everything = [], list(known)
    for _ in range(len(table)):
        means = np.round(cdist(table, np.array(everything)).sum(axis=1), 9)
        means[picks] = -1
        picks.append(int(np.argmax(means)))
        everything.append(table[picks[-1]])
    assert farthest_on_average(table, known, len(table)) == picks


def test_without_answers_the_first_case_is_taken():
    assert farthest_on_average(np.array([[3.0], [5.0], [0.0]]), None, 2) == [0, 2]


def test_a_context_is_the_mean_of_the_samples_that_vote_for_the_class():
    samples = np.array([[[0.6, 0.4]], [[0.4, 0.6]], [[0.6, 0.4]]])
    assert contexts(samples)[0] == pytest.approx(np.array([[0.6, 0.4], [0.4, 0.6]]))


def test_unsure_samples_weigh_more_and_absent_classes_take_the_mean():
    sure, unsure = [1.0, 0.0, 0.0], [0.5, 0.3, 0.2]
    rows = contexts(np.array([[sure], [unsure]]))[0]
    assert rows[0] == pytest.approx(unsure, abs=1e-4)
    assert rows[1] == pytest.approx([0.75, 0.15, 0.1])


def test_the_context_most_unlike_the_first_comes_next():
    rows = np.array([[[0.9, 0.1]], [[0.8, 0.2]], [[0.1, 0.9]], [[0.9, 0.1]]])
    assert contextual_k_centre(rows, 4, first=0) == [0, 2, 1, 3]


@given(st.integers(0, 20), st.integers(1, 8))
def test_picks_are_those_of_plain_divergences(seed, cases):
    rows = np.random.default_rng(seed).dirichlet(np.ones(3), size=(cases, 3))
    rows = np.maximum(np.concatenate([rows, rows[:2]]), 1e-6)
    away = np.array([[0.5 * (rel_entr(a, b) + rel_entr(b, a)).sum() for b in rows] for a in rows])
    picks = [0]
    while len(picks) < len(rows):
        nearest = np.round(away[picks].min(axis=0), 9)
        nearest[picks] = -1
        picks.append(int(np.argmax(nearest)))
    assert contextual_k_centre(rows, len(rows), first=0) == picks


def test_nothing_asked_gives_nothing():
    assert farthest_on_average(np.zeros((2, 2)), None, 0) == []
    assert contextual_k_centre(np.ones((2, 1, 1)), 0, first=0) == []
