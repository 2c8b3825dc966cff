import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import NearestNeighbors

from medloop.core.errors import SettingError, ShapeError
from medloop.explain.examples import nearest

TABLE = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.1], [0.0, 0.0]])


def test_cosine_looks_at_directions_and_euclidean_at_places() -> None:
    query = np.array([10.0, 0.0])
    assert [n.index for n in nearest(query, TABLE, count=2)] == [0, 2]
    assert [n.index for n in nearest(query, TABLE, count=2, distance="euclidean")] == [2, 0]
    assert nearest(query, TABLE, count=1)[0].distance == pytest.approx(0.0)


def test_zeros_have_no_direction() -> None:
    assert nearest(np.zeros(2), TABLE)[0].distance == 1.0
    assert nearest(np.ones(2), TABLE, count=9)[-1].index == 3


@given(arrays(float, (7, 3), elements=st.floats(1, 50)), st.sampled_from(["cosine", "euclidean"]))
def test_distances_agree_with_scikit_learn(table, distance) -> None:
    algorithm = "brute" if distance == "cosine" else "kd_tree"  # by brute force euclidean distances are differences of squares
    model = NearestNeighbors(n_neighbors=4, metric=distance, algorithm=algorithm).fit(table[1:])
    expected = model.kneighbors(table[:1])[0][0]
    assert [n.distance for n in nearest(table[0], table[1:], count=4, distance=distance)] == pytest.approx(
        expected, abs=1e-5
    )  # it subtracts squares


def test_wrong_use_is_told() -> None:
    with pytest.raises(ShapeError, match="compared"):
        nearest(np.ones(3), TABLE)
    with pytest.raises(SettingError, match="cosine or euclidean"):
        nearest(np.ones(2), TABLE, distance="city")  # type: ignore[arg-type]
    assert nearest(np.ones(2), np.zeros((0, 2))) == []
