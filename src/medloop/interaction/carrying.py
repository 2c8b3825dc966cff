"""What was mended on some slices of a proposal, carried over to the slices between them.

A proposal that is wrong on two slices is mostly wrong in the same way between them. So not the outlines are interpolated but how far
the mending moved them, and the proposal keeps what it knows of the slices between (figures: `benchmarks/slices.py --trained`).
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import ShapeError
from medloop.interaction.interpolate import check_slices, in_plane, signed_distance
from medloop.interaction.solvers.geodesic import Single


def carry_corrections(
    proposal: MaskArray, mended: MaskArray, *, axis: int, answered: Mapping[int, Sequence[int]], spacing_mm: Sequence[float]
) -> MaskArray:
    """Correct the slices between mended ones.

    The signed distance to a label's outline changes from proposal to mended slice by its correction. Between two slices the corrections
    are mixed in proportion and added to the proposal's own distance. Where the mended slices themselves are better explained by
    their neighbours' shapes than by the corrected proposal, plain shape-based interpolation takes that share of the say.

    Args:
        proposal: Label values, shape (I, J, K).
        mended: The same after mending, likewise.
        axis: The slices' axis, 0, 1 or 2.
        answered: For each label that is corrected, the slices where it was mended, or looked at and found right; at least two.
        spacing_mm: Voxel size along I, J, K.

    Returns:
        The mended mask with the labels made anew between the slices answered for each; what other labels have stays theirs.

    Raises:
        ShapeError: Masks of different shapes.
        InputError: A label with fewer than two slices, or one outside the image.

    Source: signed distances as in Raya and Udupa 1990, doi:10.1109/42.52980.
    """
    if proposal.shape != mended.shape:
        raise ShapeError(f"A proposal and its corrected form must have the same voxels, got {proposal.shape} and {mended.shape}")
    carried = mended.copy(order="K")
    planes, before, after = (np.moveaxis(mask, axis, 0) for mask in (carried, proposal, mended))
    flat_mm = in_plane(spacing_mm, axis)
    known = [
        _Evidence.of(label, before == label, after == label, check_slices(proposal.shape, axis, slices, fewest=2), flat_mm)
        for label, slices in answered.items()
    ]
    labels = np.array([0, *answered], dtype=mended.dtype)
    for n in sorted({n for evidence in known for n in evidence.between}):
        fields = [np.zeros(after.shape[1:], dtype=np.float32), *(evidence.field(n, after[n]) for evidence in known)]
        free = np.isin(after[n], labels)
        planes[n][free] = labels[np.argmin(fields, axis=0)][free]
    return carried


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What is known of a label on the slices between answered ones.

    Attributes:
        label: Its value.
        numbers: The answered slices, in order.
        near: The box within the slices where the label can be.
        own: Signed distances to its proposed outlines there, slice by slice from the first to the last answered one.
        wanted: The same to its mended outlines, on answered slices.
        say: Share of shape alone.
    """

    label: int
    numbers: Sequence[int]
    near: tuple[slice, ...]
    own: Single
    wanted: Single
    say: float

    @classmethod
    def of(cls, label: int, proposed: BoolArray, mended: BoolArray, numbers: Sequence[int], spacing_mm: Sequence[float]) -> "_Evidence":
        """From where the label was proposed and is now, shape (slices, …) each."""
        span, steps = slice(numbers[0], numbers[-1] + 1), [n - numbers[0] for n in numbers]
        proposed, mended = proposed[span], mended[span] & np.isin(np.arange(numbers[-1] + 1 - numbers[0]), steps)[:, np.newaxis, np.newaxis]
        near = _around(np.logical_or.reduce(proposed | mended, axis=0), spacing_mm)
        own, wanted = (_distances(mask[(slice(None), *near)], spacing_mm) for mask in (proposed, mended))
        depth = max(-float(own.min(initial=0.0)), -float(wanted.min(initial=0.0)))
        np.clip(own, -depth, depth, out=own)
        np.clip(wanted, -depth, depth, out=wanted)
        return cls(label, numbers, near, own, wanted, _say_of_shape(own, wanted, steps))

    @property
    def between(self) -> set[int]:
        """Slices to make anew."""
        return set(range(self.numbers[0], self.numbers[-1])) - set(self.numbers)

    def field(self, n: int, plane: MaskArray) -> Single:
        """Corrected signed distance to the label on a slice: infinite where it can have no part, and certain where it was answered."""
        after = bisect(self.numbers, n)
        if after in (0, len(self.numbers)) or self.numbers[after - 1] == n:
            return np.where(plane == self.label, -np.inf, np.inf).astype(np.float32)
        field: Single = np.full(plane.shape, np.inf, dtype=np.float32)
        low, high, first = self.numbers[after - 1], self.numbers[after], self.numbers[0]
        corrected, shape = _explained(self.own, self.wanted, low - first, n - first, high - first)
        field[self.near] = (1 - self.say) * corrected + self.say * shape
        return field


def _explained(own: Single, wanted: Single, low: int, n: int, high: int) -> tuple[Single, Single]:
    """A slice's distances after two others: its own with their corrections, and their shapes alone."""
    share = np.float32((n - low) / (high - low))
    shape = (1 - share) * wanted[low] + share * wanted[high]
    return own[n] + shape - (1 - share) * own[low] - share * own[high], shape


def _say_of_shape(own: Single, wanted: Single, numbers: Sequence[int]) -> float:
    """Share of shape alone, by how well either way explains each mended slice from its mended neighbours (inverse variances); 0 to 1."""
    missed = np.zeros(2)
    for low, n, high in zip(numbers, numbers[1:], numbers[2:], strict=False):
        missed += [float(np.square(found - wanted[n]).sum()) for found in _explained(own, wanted, low, n, high)]
    return float(missed[0] / missed.sum()) if missed[0] > 0 else 0.0


def _distances(inside: BoolArray, spacing_mm: Sequence[float]) -> Single:
    return np.stack([signed_distance(plane, spacing_mm) for plane in inside]) if inside.size else np.zeros(inside.shape, dtype=np.float32)


def _around(somewhere: BoolArray, spacing_mm: Sequence[float]) -> tuple[slice, ...]:
    """The box around a label within the slices, wider by half its smaller side: nothing in it lies deeper than that; empty without one."""
    if not somewhere.any():
        return slice(0), slice(0)
    spans = [np.flatnonzero(somewhere.any(axis=1 - axis)) for axis in (0, 1)]
    reach_mm = min((span[-1] - span[0] + 1) * mm for span, mm in zip(spans, spacing_mm, strict=True)) / 2
    wider = [int(np.ceil(reach_mm / mm)) + 1 for mm in spacing_mm]
    return tuple(slice(max(0, span[0] - more), span[-1] + 1 + more) for span, more in zip(spans, wider, strict=True))
