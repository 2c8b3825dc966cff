"""The plane that holds the highest uncertainty, in any orientation: one flat cut through a volume to draw on.

Orientations come from a fixed grid over the half sphere, the three volume axes first, so that an oblique plane is
proposed only where it holds more. The doubt on a plane is the integral of the map over its area, nats × mm², measured in
a slab of that plane: the sum of its voxels × voxel volume / thickness. Lengths are millimetres along the voxel axes.

Source: Konyushkova et al. 2015, arXiv:1508.04955, section 5 (there by branch and bound, for patches around a supervoxel).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError
from medloop.query.subvolume.units import checked_map

_GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True)
class PlaneUnit:
    """One plane.

    Attributes:
        normal: Unit vector in millimetres along the voxel axes I, J, K (not of the scanner).
        centre: A point on it in voxels, whole numbers at voxel centres: the given point, or the middle of its doubt.
        score: Integral of the map over the plane, map unit × mm².
    """

    normal: tuple[float, float, float]
    centre: tuple[float, float, float]
    score: float


def plane_normals(count: int = 200) -> FloatArray:
    """Unit vectors spread evenly over the half sphere, the three axes first; shape (count + 3, 3).

    Source: the spherical Fibonacci grid, Swinbank and Purser 2006, doi:10.1256/qj.05.227.
    """
    height = (np.arange(count) + 0.5) / max(count, 1)
    angle, radius = np.arange(count) * _GOLDEN_ANGLE, np.sqrt(1.0 - height**2)
    spread = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return np.concatenate([np.eye(3), spread])


def best_plane(
    score_map: FloatArray, spacing_mm: Sequence[float], *, normals: FloatArray | None = None, thickness_mm: float | None = None
) -> PlaneUnit:
    """The plane with the highest integral of the map, wherever it lies.

    Planes of one orientation are tried at steps of the thickness, outwards from the middle of the volume.

    Args:
        score_map: Shape (I, J, K), not negative.
        spacing_mm: Distance between voxels along I, J, K, above 0.
        normals: Orientations to try, shape (orientations, 3); None takes `plane_normals()`.
        thickness_mm: Of the slab that is summed, above 0; None takes the largest spacing.

    Raises:
        ShapeError: Not three axes, or an empty map.
        InputError: NaN or negative scores.
        SettingError: A spacing or thickness that is not above 0.
    """
    spacing, thickness = _checked_lengths(spacing_mm, thickness_mm)
    middle = (np.array(score_map.shape) - 1) / 2
    voxels, doubts = _uncertain(score_map)
    best = PlaneUnit((1.0, 0.0, 0.0), _triple(middle), 0.0)
    for normal in plane_normals() if normals is None else normals:
        # A border belongs to the slab above, also where rounding would push it below.
        steps = np.floor((voxels - middle) * spacing @ normal / thickness + 0.5 + 1e-9).astype(np.intp)
        if not len(steps):
            break
        sums = np.bincount(steps - steps.min(), weights=doubts)
        most = int(np.argmax(sums))
        score = float(sums[most] * spacing.prod() / thickness)
        if score > best.score * (1 + 1e-9):
            inside = steps - steps.min() == most
            offset_mm = (most + steps.min()) * thickness
            best = PlaneUnit(_triple(normal), _on_plane(voxels[inside], doubts[inside], normal, middle, spacing, offset_mm), score)
    return best


def _uncertain(score_map: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Indices and values of the voxels that are not zero: shapes (voxels, 3) and (voxels,)."""
    values = checked_map(score_map)
    if values.min() < 0:
        raise InputError(f"Scores to integrate over a plane must not be negative, got {values.min()}")
    places = np.nonzero(values)
    return np.stack(places, axis=1).astype(np.float64), values[places].astype(np.float64)


def _on_plane(
    voxels: FloatArray, doubts: FloatArray, normal: FloatArray, middle: FloatArray, spacing: FloatArray, offset_mm: float
) -> tuple[float, float, float]:
    """The middle of the doubt in a slab, moved onto its plane, in voxels."""
    centre_mm = (doubts @ (voxels - middle) / doubts.sum()) * spacing
    centre_mm = centre_mm + (offset_mm - centre_mm @ normal) * normal
    return _triple(centre_mm / spacing + middle)


def _checked_lengths(spacing_mm: Sequence[float], thickness_mm: float | None) -> tuple[FloatArray, float]:
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    thickness = float(spacing.max()) if thickness_mm is None else thickness_mm
    if spacing.shape != (3,) or not (spacing > 0).all() or not thickness > 0:
        raise SettingError(f"Three spacings and the thickness of a plane must be above 0 mm, got {tuple(spacing_mm)} and {thickness}")
    return spacing, thickness


def _triple(numbers: Sequence[float] | FloatArray) -> tuple[float, float, float]:
    i, j, k = (float(n) for n in numbers)
    return i, j, k
