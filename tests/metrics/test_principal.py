import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ShapeError
from medloop.metrics.principal import MOST_DIMENSIONS, Moments, plane_of


def seen(*pieces: np.ndarray) -> Moments:
    moments = Moments(pieces[0].shape[1])
    for piece in pieces:
        moments.add(piece)
    return moments


def test_points_on_a_line_lie_on_the_first_axis() -> None:
    rows = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0], [6.0, 0.0, 8.0]])
    plane = plane_of(seen(rows))
    np.testing.assert_allclose(plane.axes[0], [0.6, 0.0, 0.8])
    np.testing.assert_allclose(plane(rows)[:, 0], [-5, 0, 5])
    assert plane.explained == pytest.approx((1.0, 0.0))


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_pieces_make_the_same_plane_as_scikit_learn_of_all_rows_at_once(seed: int, sizes: list[int]) -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(seed)
    pieces = [rng.normal(size=(size, 5)) * [9, 5, 1, 1, 1] + 1e3 for size in (*sizes, 6)]
    plane, rows = plane_of(seen(*pieces)), np.concatenate(pieces)
    theirs = PCA(2).fit(rows)
    np.testing.assert_allclose(np.abs(plane(rows)), np.abs(theirs.transform(rows)), atol=1e-6)
    np.testing.assert_allclose(plane.explained, theirs.explained_variance_ratio_, atol=1e-9)


def test_rows_that_are_all_alike_explain_nothing() -> None:
    plane = plane_of(seen(np.ones((4, 3))))
    assert plane.explained == (0.0, 0.0)
    assert not plane(np.ones((4, 3))).any()


def test_rows_of_one_number_have_one_axis() -> None:
    plane = plane_of(seen(np.array([[1.0], [2.0], [4.0]])))
    assert plane.explained == pytest.approx((1.0, 0.0))
    assert not plane(np.array([[7.0]]))[:, 1].any()


def test_what_cannot_be_laid_out_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least two rows, got 1"):
        plane_of(seen(np.ones((1, 3))))
    with pytest.raises(ShapeError, match=f"1 to {MOST_DIMENSIONS} numbers"):
        Moments(MOST_DIMENSIONS + 1)
    with pytest.raises(ShapeError, match="3 numbers each"):
        seen(np.ones((2, 3)), np.ones((2, 4)))
