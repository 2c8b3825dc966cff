"""A simulated review: hand-made errors, and what every order has in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import InputError, SettingError, ShapeError
from review_orders import (
    ReviewCase,
    best_order,
    errors_by_slice,
    errors_left,
    guided_order,
    guided_pile,
    paged_pile,
    pile_left,
    random_order,
    sequential_order,
    slices_to_reach,
)


def made_case(doubtful: int = 3) -> ReviewCase:
    """Six slices, the structure on 2..4, wrong on slice 3 (two voxels) and 4 (one)."""
    truth = np.zeros((2, 3, 6), dtype=np.uint8)
    truth[0, :, 2:5] = 1
    proposal = truth.copy()
    proposal[0, :2, 3], proposal[1, 0, 4] = 0, 1
    chances = np.zeros(truth.shape)
    chances[..., doubtful], chances[..., 4] = 0.5, 0.2
    return ReviewCase("made", proposal, truth, chances)


def test_orders_by_hand() -> None:
    case = made_case()
    assert guided_order(case, 2) == [3, 4, 0, 1, 2, 5]
    assert sequential_order(case, 2) == [1, 2, 3, 4, 5, 0]
    assert best_order(case, 2) == [3, 4, 0, 1, 2, 5]
    assert sorted(random_order(case, 2, np.random.default_rng(0))[:5]) == [1, 2, 3, 4, 5]


def test_errors_fall_as_slices_are_opened() -> None:
    case = made_case()
    guided = errors_left(case.errors, 2, guided_order(case, 2))
    paged = errors_left(case.errors, 2, sequential_order(case, 2))
    assert guided.tolist() == [3, 1, 0, 0, 0, 0, 0]
    assert paged.tolist() == [3, 3, 3, 1, 0, 0, 0]
    assert (slices_to_reach(guided, 0.5), slices_to_reach(paged, 0.5), slices_to_reach(paged, 0.0)) == (1, 3, 4)


def test_misplaced_doubt_does_not_help() -> None:
    case = made_case(doubtful=0)
    assert slices_to_reach(errors_left(case.errors, 2, guided_order(case, 2)), 0.5) == 5


def test_a_right_proposal_needs_no_slice() -> None:
    truth = np.zeros((2, 2, 3), dtype=np.uint8)
    case = ReviewCase("right", truth, truth, np.zeros(truth.shape))
    assert sequential_order(case, 2) == [0, 1, 2]
    assert slices_to_reach(errors_left(case.errors, 2, [0, 1, 2]), 0.0) == 0


@given(hnp.arrays(np.bool_, st.tuples(*[st.integers(1, 5)] * 3)), st.integers(0, 2), st.floats(0, 1), st.integers(0, 99))
def test_no_order_beats_the_best_and_all_end_without_errors(errors, axis, share, seed) -> None:
    truth = np.zeros(errors.shape, dtype=np.uint8)
    case = ReviewCase("drawn", errors.astype(np.uint8), truth, errors * 0.5)
    best = slices_to_reach(errors_left(errors, axis, best_order(case, axis)), share)
    for order in (guided_order(case, axis), sequential_order(case, axis), random_order(case, axis, np.random.default_rng(seed))):
        left = errors_left(errors, axis, order)
        assert left[0] == errors.sum()
        assert left[-1] == 0
        assert (np.diff(left) <= 0).all()
        assert slices_to_reach(left, share) >= best


def test_a_pile_is_opened_where_most_errors_are_expected_whatever_the_case() -> None:
    good, bad = made_case(), made_case(doubtful=2)
    pile = [(good, 2), (bad, 2)]
    wrong = [errors_by_slice(case.errors, axis) for case, axis in pile]
    assert guided_pile(pile)[:4] == [(0, 3), (1, 2), (0, 4), (1, 4)]
    assert paged_pile(pile) == [*((0, n) for n in range(1, 6)), *((1, n) for n in range(1, 6)), (0, 0), (1, 0)]
    assert pile_left(wrong, guided_pile(pile))[:5].tolist() == [6, 4, 4, 3, 2]
    assert pile_left(wrong, paged_pile(pile))[:10].tolist() == [6, 6, 6, 4, 3, 3, 3, 3, 1, 0]
    with pytest.raises(InputError, match="each slice of 2 cases once"):
        pile_left(wrong, [(0, 1)])


def test_bad_input_names_its_rule() -> None:
    with pytest.raises(InputError, match="each of the 3 slices once"):
        errors_left(np.zeros((1, 1, 3), dtype=bool), 2, [0, 1, 1])
    with pytest.raises(ShapeError, match="a volume"):
        errors_left(np.zeros((1, 3), dtype=bool), 1, [0, 1, 2])
    with pytest.raises(SettingError, match=r"0\.\.1"):
        slices_to_reach(np.array([1, 0]), 1.5)
