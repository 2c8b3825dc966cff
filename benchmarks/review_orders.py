"""Simulated review of proposals: a reviewer opens slice after slice and mends every error seen there.

What differs is the order: by expected gain (`medloop.interaction.attention`), page by page, or at random. What counts is how
many slices are opened until the error has fallen to a given share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray, MaskArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.interaction.attention import rank_places
from medloop.interaction.simulated_users.effort import EffortModel

BY_SLICES = EffortModel(slice_viewed=1.0, outline=0.0)
"""Slices are counted here, so a slice costs the same whatever is found on it."""


@dataclass(frozen=True)
class ReviewCase:
    """A proposal under review.

    Attributes:
        name: Of the case.
        proposal, truth: Label values, shape (I, J, K).
        chances: Chance that each voxel of the proposal is wrong, shape (I, J, K).
    """

    name: str
    proposal: MaskArray
    truth: MaskArray
    chances: FloatArray

    @property
    def errors(self) -> BoolArray:
        """Where the proposal is wrong."""
        wrong: BoolArray = self.proposal != self.truth
        return wrong


def guided_order(case: ReviewCase, axis: int) -> list[int]:
    """All slices: those with most expected errors first, the ones not worth it after them as they come."""
    found = rank_places(case.chances, axes=(axis,), count=case.chances.shape[axis], effort=BY_SLICES)
    return _completed([place.index for place in found], case.chances.shape[axis])


def sequential_order(case: ReviewCase, axis: int) -> list[int]:
    """Page by page from one slice before the proposed structure to one after it, then all other slices as they come.

    A reviewer who started at the volume's first, empty slice would lose time that no guidance is needed to save.
    """
    return _completed(_paged(case, axis), case.proposal.shape[axis])


def random_order(case: ReviewCase, axis: int, rng: np.random.Generator) -> list[int]:
    """The slices that `sequential_order` begins with in random order, then all others."""
    return _completed([int(n) for n in rng.permutation(_paged(case, axis))], case.proposal.shape[axis])


def best_order(case: ReviewCase, axis: int) -> list[int]:
    """What no order can beat: by the number of errors truly there."""
    wrong = errors_by_slice(case.errors, axis)
    return [int(n) for n in np.argsort(-wrong, kind="stable")]


def errors_by_slice(errors: BoolArray, axis: int) -> IntArray:
    """Wrong voxels on each slice, shape (slices,)."""
    wrong: IntArray = np.moveaxis(errors, axis, 0).reshape(errors.shape[axis], -1).sum(axis=1)
    return wrong


def errors_left(errors: BoolArray, axis: int, order: Sequence[int]) -> IntArray:
    """Wrong voxels left before the first slice is opened and after each, shape (1 + slices,).

    Args:
        errors: Where the proposal is wrong, shape (I, J, K).
        axis: The one slices are opened along.
        order: Every slice once.

    Raises:
        ShapeError: Not three axes.
        InputError: An order that leaves slices out or names one twice.
    """
    if errors.ndim != 3:
        raise ShapeError(f"A review needs a volume (I, J, K), got shape {errors.shape}")
    if sorted(order) != list(range(errors.shape[axis])):
        raise InputError(f"An order names each of the {errors.shape[axis]} slices once, got {len(order)} numbers")
    wrong = errors_by_slice(errors, axis)
    left: IntArray = wrong.sum() - np.concatenate([[0], np.cumsum(wrong[list(order)])])
    return left


def pile_left(wrong: Sequence[IntArray], order: Sequence[tuple[int, int]]) -> IntArray:
    """As `errors_left` for a pile of cases.

    Args:
        wrong: Of each case, the wrong voxels on each slice.
        order: (case, slice), every one once.

    Raises:
        InputError: An order that leaves slices out or names one twice.
    """
    if sorted(order) != [(case, n) for case, slices in enumerate(wrong) for n in range(len(slices))]:
        raise InputError(f"An order names each slice of {len(wrong)} cases once, got {len(order)} slices")
    found = np.array([wrong[case][n] for case, n in order], dtype=np.int64)
    left: IntArray = found.sum() - np.concatenate([[0], np.cumsum(found)])
    return left


def guided_pile(cases: Sequence[tuple[ReviewCase, int]]) -> list[tuple[int, int]]:
    """Slices of all cases, those with most expected errors first: where the model is good, nothing is opened.

    Args:
        cases: Each with the axis slices are opened along.
    """
    gains = [(-errors, n, index) for n, (case, axis) in enumerate(cases) for index, errors in enumerate(expected_errors(case, axis))]
    return [(n, index) for _, n, index in sorted(gains)]


def paged_pile(cases: Sequence[tuple[ReviewCase, int]]) -> list[tuple[int, int]]:
    """Case after case, page by page through the proposed structure; all other slices after that."""
    paged = [(n, index) for n, (case, axis) in enumerate(cases) for index in _paged(case, axis)]
    seen = set(paged)
    rest = [(n, index) for n, (case, axis) in enumerate(cases) for index in range(case.proposal.shape[axis])]
    return [*paged, *(place for place in rest if place not in seen)]


def expected_errors(case: ReviewCase, axis: int) -> FloatArray:
    """Errors expected on each slice, shape (slices,)."""
    sums: FloatArray = np.moveaxis(case.chances, axis, 0).reshape(case.chances.shape[axis], -1).sum(axis=1)
    return sums


def slices_to_reach(left: IntArray, share: float) -> int:
    """Slices opened until at most this share of the first error is left; 0 when nothing was wrong.

    Args:
        left: From `errors_left`.
        share: 0..1.

    Raises:
        SettingError: Another share.
    """
    if not 0 <= share <= 1:
        raise SettingError(f"The share of errors left lies in 0..1, got {share}")
    return int(np.argmax(left <= share * left[0]))


def _paged(case: ReviewCase, axis: int) -> list[int]:
    """Slices from one before the proposed structure to one after it; all where nothing is proposed."""
    size = case.proposal.shape[axis]
    shown = np.flatnonzero(np.moveaxis(case.proposal, axis, 0).reshape(size, -1).any(axis=1))
    first, last = (int(shown[0]), int(shown[-1])) if len(shown) else (0, size - 1)
    return list(range(max(0, first - 1), min(size, last + 2)))


def _completed(order: list[int], size: int) -> list[int]:
    seen = set(order)
    return [*order, *(n for n in range(size) if n not in seen)]
