"""Labels that go along with what moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage

from medloop.core.errors import CancelledError, InputError, ShapeError
from medloop.interaction.propagation import propagate_frames
from medloop.metrics.overlap import dice

SIDE = 48


def disc(i: float, j: float, radius: float) -> np.ndarray:
    x, y = np.mgrid[:SIDE, :SIDE]
    return (x - i) ** 2 + (y - j) ** 2 <= radius**2


def film(centres: list[tuple[float, float]], *, radius: float = 8, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc that moves with its speckle over speckle that stays: pictures (1, I, J, K), and where it is, (I, J, K)."""
    rng = np.random.default_rng(1)
    still, own = (ndimage.gaussian_filter(rng.normal(size=(side, side)), 1.5) * noise for side in (SIDE, 3 * SIDE))
    inside = np.stack([disc(i, j, radius) for i, j in centres], axis=-1)
    moved = [ndimage.shift(own, centre, order=1)[SIDE : 2 * SIDE, SIDE : 2 * SIDE] for centre in centres]
    pictures = np.stack([np.where(inside[..., n], 1 + moved[n], still) for n in range(len(centres))], axis=-1)
    return pictures[None].astype(np.float32), inside


def on_frames(inside: np.ndarray, frames: list[int], label: int = 1) -> np.ndarray:
    mask = np.zeros(inside.shape, dtype=np.uint8)
    mask[..., frames] = np.where(inside[..., frames], label, 0)
    return mask


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 6), st.data())
def test_where_frames_are_equal_every_one_gets_the_very_same_mask(count: int, data: st.DataObject) -> None:
    known = data.draw(st.integers(0, count - 1))
    pictures, inside = film([(24.0, 24.0)] * count)
    ragged = inside[..., :1] & (np.random.default_rng(data.draw(st.integers(0, 99))).random((SIDE, SIDE, 1)) < 0.8)
    made = propagate_frames(pictures, on_frames(np.repeat(ragged, count, axis=2), [known]), known={1: [known]}, reach=count)
    assert_array_equal(made.mask == 1, np.repeat(ragged, count, axis=2))
    assert made.reached == tuple(n for n in range(count) if n != known)


@settings(max_examples=6, deadline=None)
@given(st.floats(-2.5, 2.5), st.floats(-2.5, 2.5))
def test_a_disc_that_moves_is_followed_from_its_first_frame(di: float, dj: float) -> None:
    pictures, inside = film([(24 + di * n, 24 + dj * n) for n in range(5)])
    made = propagate_frames(pictures, on_frames(inside, [0]), known={1: [0]}, reach=10)
    for n in range(1, 5):
        assert dice(made.mask[..., n], inside[..., n].astype(np.uint8), [1])[1] > 0.9
    assert made.agreement == {}


def test_between_two_frames_both_directions_lead_and_say_how_far_they_agree() -> None:
    pictures, inside = film([(16 + 2 * n, 24) for n in range(9)])
    made = propagate_frames(pictures, on_frames(inside, [0, 8]), known={1: [0, 8]}, reach=10)
    assert made.reached == tuple(range(1, 8))
    assert sorted(made.agreement) == list(range(1, 8))
    assert min(made.agreement.values()) > 0.85
    assert all(dice(made.mask[..., n], inside[..., n].astype(np.uint8), [1])[1] > 0.9 for n in range(9))


def test_a_label_known_to_be_gone_ends_halfway() -> None:
    pictures, inside = film([(24.0, 24.0)] * 6)
    made = propagate_frames(pictures, on_frames(inside, [0]), known={1: [0, 5]}, reach=10)
    assert [bool((made.mask[..., n] == 1).any()) for n in range(6)] == [True, True, True, False, False, False]


def test_known_frames_other_labels_and_what_is_out_of_reach_stay() -> None:
    pictures, inside = film([(24.0, 24.0)] * 6)
    mask = on_frames(inside, [2])
    mask[20:22, 20:22, 3] = 7
    mask[0, 0, 5] = 1
    made = propagate_frames(pictures, mask, known={1: [2]}, reach=2)
    assert made.reached == (0, 1, 3, 4)
    assert_array_equal(made.mask[..., 2], mask[..., 2])
    assert_array_equal(made.mask[..., 5], mask[..., 5])
    assert (made.mask[20:22, 20:22, 3] == 7).all()
    assert mask[24, 24, 3] == 0  # what is given stays as it is


def test_two_labels_side_by_side_keep_apart() -> None:
    pictures, inside = film([(24.0, 20.0 + n) for n in range(4)])
    other = np.stack([disc(24, 38, 5)] * 4, axis=-1)
    mask = np.where(other, 2, on_frames(inside, [0, 1, 2, 3])).astype(np.uint8)
    mask[..., 1:] = 0
    made = propagate_frames(pictures, mask, known={1: [0], 2: [0]}, reach=3)
    assert (made.mask[24, 38] == 2).all()
    assert set(np.unique(made.mask[..., 3])) == {0, 1, 2}


def test_a_film_that_is_larger_than_motion_is_looked_for_in_keeps_its_size() -> None:
    x, y = np.mgrid[:300, :260]
    inside = np.stack([(x - 150) ** 2 + (y - 120 - 6 * n) ** 2 <= 60**2 for n in range(3)], axis=-1)
    made = propagate_frames(inside[None] * 100.0, on_frames(inside, [0]), known={1: [0]}, reach=2)
    assert dice(made.mask[..., 2], inside[..., 2].astype(np.uint8), [1])[1] > 0.9


def test_what_cannot_be_carried_is_refused_in_one_line() -> None:
    pictures, inside = film([(24.0, 24.0)] * 3)
    mask = on_frames(inside, [0])
    with pytest.raises(InputError, match="needs a label on one of the annotated frames"):
        propagate_frames(pictures, mask, known={1: [1]}, reach=2)
    with pytest.raises(InputError, match="needs a label on one of the annotated frames"):
        propagate_frames(pictures, mask, known={}, reach=2)
    with pytest.raises(InputError, match=r"within 0\.\.2"):
        propagate_frames(pictures, mask, known={1: [3]}, reach=2)
    with pytest.raises(InputError, match="1 frame or more, got 0"):
        propagate_frames(pictures, mask, known={1: [0]}, reach=0)
    with pytest.raises(ShapeError):
        propagate_frames(pictures, mask[..., :2], known={1: [0]}, reach=1)
    with pytest.raises(CancelledError):
        propagate_frames(pictures, mask, known={1: [0]}, reach=1, wanted=lambda: False)
