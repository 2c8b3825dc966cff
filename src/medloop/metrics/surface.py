"""How far apart the surfaces of two masks are, in millimetres.

A surface is the set of mask voxels with a face neighbour outside the mask; voxels at the image's border
count as surface. Distances run between voxel centres. On a one-slice grid the outline within the slice
is meant. Voxel spacing is used; a sheared affine is treated as orthogonal.
"""

import math

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, MaskArray
from medloop.core.errors import SettingError, ShapeError
from medloop.core.geometry import Grid


def hd95_mm(a: MaskArray, b: MaskArray, grid: Grid, label: int) -> float:
    """95th percentile Hausdorff distance of one label: the larger of both directions.

    Args:
        a: Label values, shape (I, J, K) of the grid.
        b: Label values of the same shape.
        grid: Gives the voxel spacing in mm.
        label: The value to compare.

    Returns:
        Millimetres; 0.0 when both masks lack the label, infinity when one does.

    Raises:
        ShapeError: A mask that is not the grid's shape.

    Source: Huttenlocher et al. 1993, doi:10.1109/34.232073; the percentile as in the BraTS evaluation.
    """
    distances = _surface_distances(a, b, grid, label)
    if distances is None:
        return 0.0
    there, back = distances
    if not len(there) or not len(back):
        return math.inf
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def surface_dice(a: MaskArray, b: MaskArray, grid: Grid, label: int, *, tolerance_mm: float) -> float:
    """Share of both surfaces that lies within a tolerance of the other surface.

    Args:
        a: Label values, shape (I, J, K) of the grid.
        b: Label values of the same shape.
        grid: Gives the voxel spacing in mm.
        label: The value to compare.
        tolerance_mm: Deviation that counts as agreement, for example what two experts differ by.

    Returns:
        0..1; 1.0 when both masks lack the label, 0.0 when one does.

    Raises:
        ShapeError: A mask that is not the grid's shape.
        SettingError: A negative tolerance.

    Source: Nikolov et al. 2018, arXiv:1809.04430, counted in surface voxels.
    """
    if not tolerance_mm >= 0:
        raise SettingError(f"tolerance_mm must be 0 or more, got {tolerance_mm}")
    distances = _surface_distances(a, b, grid, label)
    if distances is None:
        return 1.0
    there, back = distances
    if not len(there) or not len(back):
        return 0.0
    near = np.count_nonzero(there <= tolerance_mm) + np.count_nonzero(back <= tolerance_mm)
    return float(near / (len(there) + len(back)))


def _surface_distances(a: MaskArray, b: MaskArray, grid: Grid, label: int) -> tuple[FloatArray, FloatArray] | None:
    """Distances from a's surface voxels to b's surface and back; empty arrays if one lacks the label, None if both do."""
    from scipy import ndimage

    for mask in (a, b):
        if mask.shape != grid.shape:
            raise ShapeError(f"A mask must have its grid's shape {grid.shape}, got {mask.shape}")
    in_a, in_b = a == label, b == label
    found = ndimage.find_objects((in_a | in_b).astype(np.uint8))
    if not found:
        return None
    in_a, in_b = in_a[found[0]], in_b[found[0]]
    if not in_a.any() or not in_b.any():
        nothing = np.zeros(0)
        return nothing, nothing
    flat = tuple(n == 1 for n in grid.shape)
    edge_a, edge_b = _edge(in_a, flat), _edge(in_b, flat)
    there, back = (ndimage.distance_transform_edt(~edge, sampling=grid.spacing_mm) for edge in (edge_b, edge_a))
    return there[edge_a], back[edge_b]


def _edge(mask: BoolArray, flat: tuple[bool, ...]) -> BoolArray:
    """Voxels of the mask with a face neighbour outside it; axes of a single voxel have no neighbours."""
    from scipy import ndimage

    cross = ndimage.generate_binary_structure(3, 1)
    for axis, is_flat in enumerate(flat):
        if is_flat:
            cross = cross & np.expand_dims(np.array([False, True, False]), tuple(x for x in range(3) if x != axis))
    edge: BoolArray = mask & ~ndimage.binary_erosion(mask, structure=cross)
    return edge
