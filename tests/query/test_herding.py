import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ShapeError
from medloop.query.diversity.herding import herd


def test_the_first_is_the_one_nearest_to_the_mean_and_the_second_corrects_it():
    rows = np.array([[1.0, 0.0], [np.cos(1.0), np.sin(1.0)], [np.cos(0.4), np.sin(0.4)]])
    assert herd(rows, 3)[0] == 2  # the mean points to 0.47
    assert herd(rows, 2) == [2, 1]


@given(st.integers(0, 9), st.integers(1, 12), st.integers(0, 15))
def test_a_smaller_memory_is_the_beginning_of_a_larger_one(seed, cases, count):
    rows = np.random.default_rng(seed).normal(size=(cases, 4))
    chosen = herd(rows, count)
    assert len(set(chosen)) == len(chosen) == min(count, cases)
    assert chosen == herd(rows, cases)[: len(chosen)]


def test_herding_is_closer_to_the_mean_than_drawing():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 8)) + 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gaps = [np.linalg.norm(rows[rng.choice(60, 6, replace=False)].mean(0) - rows.mean(0)) for _ in range(200)]
    assert np.linalg.norm(rows[herd(rows, 6)].mean(0) - rows.mean(0)) < np.quantile(gaps, 0.05)


def test_a_table_is_needed_and_an_empty_one_gives_nothing():
    assert herd(np.zeros((0, 3)), 2) == []
    with pytest.raises(ShapeError, match="one row of features"):
        herd(np.zeros(3), 1)
