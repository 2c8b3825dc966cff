"""What a simulated person notices on a slice, and how much outlining it takes to correct it.

People do not chase single voxels along an outline. An error counts as noticeable where it is at least two voxels thick on a slice;
then all of its patch is corrected, and what is thinner stays as proposed.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray, IntArray, MaskArray
from medloop.core.errors import InputError, ShapeError


def noticeable_errors(proposal: MaskArray, truth: MaskArray, axis: int) -> BoolArray:
    """Patches of error, connected within a slice, that hold at least one square of two by two voxels.

    Args:
        proposal: Label values, shape (I, J, K).
        truth: Likewise.
        axis: Slices are perpendicular to it.

    Raises:
        ShapeError: Masks of different shapes.
    """
    from scipy import ndimage

    if proposal.shape != truth.shape or truth.ndim != 3:
        raise ShapeError(f"Proposal and truth must be volumes of one shape, got {proposal.shape} and {truth.shape}")
    wrong = proposal != truth
    within = np.zeros((3, 3, 3), dtype=bool)
    within[tuple(1 if a == axis else slice(None) for a in range(3))] = True
    patches, _ = ndimage.label(wrong, structure=within)
    square = np.ones([1 if a == axis else min(2, n) for a, n in enumerate(truth.shape)], dtype=bool)
    thick = np.unique(patches[ndimage.binary_erosion(wrong, square)])
    kept: BoolArray = np.isin(patches, thick[thick > 0])
    return kept


def outlines(truth: MaskArray, wrong: BoolArray, axis: int) -> IntArray:
    """Patches to outline on each slice and voxels of their boundaries, shape (slices, 2); each true label has its own patches."""
    from scipy import ndimage

    work = np.zeros((truth.shape[axis], 2), dtype=np.int64)
    for label in np.unique(truth[wrong]):
        for n, patch in enumerate(np.moveaxis(wrong & (truth == label), axis, 0)):
            if patch.any():
                work[n] += ndimage.label(patch, structure=np.ones((3, 3)))[1], boundary_length(patch[None], 0)
    return work


def on_slices(shape: tuple[int, ...], axis: int, slices: Sequence[int]) -> BoolArray:
    """Voxels on these slices, shape (I, J, K).

    Raises:
        InputError: A slice that does not exist, or one named twice.
    """
    if len(set(slices)) != len(slices) or not all(0 <= n < shape[axis] for n in slices):
        raise InputError(f"Slices are different numbers within 0..{shape[axis] - 1}, got {sorted(slices)[:8]}")
    inside = np.zeros(shape, dtype=bool)
    np.moveaxis(inside, axis, 0)[list(slices)] = True
    return inside


def boundary_length(inside: BoolArray, axis: int) -> int:
    """Voxels on the boundary within the slices along `axis`: those with a 4-neighbour outside, beyond the image included."""
    from scipy import ndimage

    cross = np.take(ndimage.generate_binary_structure(3, 1), [1], axis=axis)
    return int(np.count_nonzero(inside & ~ndimage.binary_erosion(inside, cross)))
