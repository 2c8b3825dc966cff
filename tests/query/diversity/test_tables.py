"""Lengths and angles of rows."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from medloop.core.errors import InputError
from medloop.query.diversity.tables import checked_table, cosine_similarity, squared_distances, unit_rows


def test_cosine_of_parallel_opposite_and_empty_rows():
    table = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]])
    assert cosine_similarity(table[:1], table).tolist() == [[1.0, -1.0, 0.0]]


def test_distances_match_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    assert squared_distances(a, b) == pytest.approx(cdist(a, b, "sqeuclidean"))


def test_unit_rows_have_length_one_and_keep_their_type():
    unit = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    assert unit.dtype == np.float32
    assert unit == pytest.approx(np.array([[0.6, 0.8], [0.0, 0.0]]))


def test_the_first_bad_row_is_named_even_in_a_later_block():
    table = np.zeros((50_000, 64), dtype=np.float32)
    table[40_000, 3] = np.nan
    with pytest.raises(InputError, match="row 40000 is not"):
        checked_table(table, "features")
