"""What was mended on some slices of a proposal, carried over to the slices between them.

A proposal that is wrong on two slices is mostly wrong in the same way between them. So not the outlines are interpolated but how far
the mending moved them, and the proposal keeps what it knows of the slices between (figures: `benchmarks/slices.py --trained`).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

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
        raise ShapeError(f"A proposal and its mended form must have the same voxels, got {proposal.shape} and {mended.shape}")
    carried = mended.copy(order="K")
    planes, before, after = (np.moveaxis(mask, axis, 0) for mask in (carried, proposal, mended))
    labels = np.array([0, *answered], dtype=mended.dtype)
    fields = [np.zeros(after.shape, dtype=np.float32)]
    for label, slices in answered.items():
        numbers = check_slices(proposal.shape, axis, slices, fewest=2)
        field = np.where(after == label, -np.inf, np.inf).astype(np.float32)
        between = slice(numbers[0], numbers[-1] + 1)
        steps = [n - numbers[0] for n in numbers]
        _fill_field(field[between], before[between] == label, after[between] == label, steps, in_plane(spacing_mm, axis))
        fields.append(field)
    free = np.isin(after, labels)
    planes[free] = labels[np.argmin(fields, axis=0)][free]
    return carried


def _fill_field(field: Single, proposed: BoolArray, mended: BoolArray, numbers: Sequence[int], spacing_mm: Sequence[float]) -> None:
    """Write the corrected signed distance to a label between answered slices; infinite where the label can have no part."""
    answered = np.isin(np.arange(len(field)), numbers)
    field[~answered] = np.inf
    mended = mended & answered[:, np.newaxis, np.newaxis]
    somewhere: BoolArray = np.logical_or.reduce(proposed | mended, axis=0)
    if not somewhere.any():
        return
    near = (slice(None), *_around(somewhere, spacing_mm))
    own, wanted = _distances(proposed[near], spacing_mm), _distances(mended[near], spacing_mm)
    depth = max(-float(own.min()), -float(wanted.min()))
    np.clip(own, -depth, depth, out=own)
    np.clip(wanted, -depth, depth, out=wanted)
    say = _say_of_shape(own, wanted, numbers)
    for low, high in pairwise(numbers):
        for n in range(low + 1, high):
            corrected, shape = _explained(own, wanted, low, n, high)
            field[near][n] = (1 - say) * corrected + say * shape


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
    return np.stack([signed_distance(plane, spacing_mm) for plane in inside])


def _around(somewhere: BoolArray, spacing_mm: Sequence[float]) -> tuple[slice, ...]:
    """The box around a label within the slices, wider by half its smaller side: nothing in it lies deeper than that."""
    spans = [np.flatnonzero(somewhere.any(axis=1 - axis)) for axis in (0, 1)]
    reach_mm = min((span[-1] - span[0] + 1) * mm for span, mm in zip(spans, spacing_mm, strict=True)) / 2
    wider = [int(np.ceil(reach_mm / mm)) + 1 for mm in spacing_mm]
    return tuple(slice(max(0, span[0] - more), span[-1] + 1 + more) for span, more in zip(spans, wider, strict=True))
