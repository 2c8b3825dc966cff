"""Whether the probabilities of a volume come true, voxel by voxel: everywhere, or near the borders that matter.

Most voxels of a volume are far from any border and certain; their calibration is perfect and says nothing. A band
around the true border holds the voxels that decide a mask, so its figures stand beside those of the whole volume.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, CaseProbabilities, ClassProbabilities, IntArray, MaskArray
from medloop.core.errors import SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.metrics.calibration import DEFAULT_BINS, brier, classwise_ece, ece, nll


@dataclass(frozen=True)
class Calibration:
    """How well probabilities come true; see the functions of the same names in `medloop.metrics.calibration`."""

    ece: float
    classwise_ece: float
    brier: float
    nll: float
    voxels: int


def judge_calibration(
    probabilities: ClassProbabilities, truth: MaskArray, where: BoolArray | None = None, *, bins: int = DEFAULT_BINS
) -> Calibration:
    """All measures of one volume.

    Args:
        probabilities: Shape (classes, I, J, K); sums to 1 over classes.
        truth: Label values below `classes`, shape (I, J, K).
        where: Voxels to judge, shape (I, J, K); None judges all.
        bins: Number of equal bins.

    Raises:
        ShapeError: Shapes that do not fit, a label without probabilities, or no voxel to judge.
        InputError: Probabilities outside 0..1 or NaN.
    """
    return judge_rows(*voxel_rows(probabilities, truth, where), bins=bins)


def judge_rows(labels: IntArray, rows: CaseProbabilities, *, bins: int = DEFAULT_BINS) -> Calibration:
    """All measures of a table, of one volume's voxels or of many.

    Args:
        labels: Shape (voxels,).
        rows: Shape (voxels, classes).
        bins: Number of equal bins.

    Raises:
        ShapeError: Lengths that do not fit, or no voxel.
        InputError: Probabilities outside 0..1 or NaN.
    """
    by_bins = (ece(labels, rows, bins=bins), classwise_ece(labels, rows, bins=bins))
    return Calibration(*by_bins, brier(labels, rows), nll(labels, rows), len(labels))


def voxel_rows(probabilities: ClassProbabilities, truth: MaskArray, where: BoolArray | None = None) -> tuple[IntArray, CaseProbabilities]:
    """Voxels as a table, for every measure and calibrator that knows cases only.

    Args:
        probabilities: Shape (classes, I, J, K).
        truth: Label values, shape (I, J, K).
        where: Voxels to take, shape (I, J, K); None takes all.

    Returns:
        Label per voxel, shape (voxels,), and probabilities, shape (voxels, classes).

    Raises:
        ShapeError: Shapes that do not fit.
    """
    if probabilities.shape[1:] != truth.shape or (where is not None and where.shape != truth.shape):
        shapes = [probabilities.shape, truth.shape, *([] if where is None else [where.shape])]
        raise ShapeError(f"Probabilities (classes, I, J, K) and masks (I, J, K) must have the same voxels, got {shapes}")
    if where is None:
        return truth.ravel().astype(np.int64), probabilities.reshape(len(probabilities), -1).T
    return truth[where].astype(np.int64), probabilities[:, where].T


def boundary_band(truth: MaskArray, grid: Grid, *, width_mm: float, label: int | None = None) -> BoolArray:
    """Voxels near a structure's border, on both sides of it.

    Args:
        truth: Label values, shape (I, J, K) of the grid.
        grid: Gives the voxel spacing in mm.
        width_mm: A voxel belongs to the band when a voxel of the other side is at most this far away, centre to centre.
        label: Whose border; None means that of all foreground together.

    Returns:
        Shape (I, J, K); empty when the structure is absent or fills the image.

    Raises:
        ShapeError: A mask that is not the grid's shape.
        SettingError: A width that is not positive.
    """
    from scipy import ndimage

    if truth.shape != grid.shape:
        raise ShapeError(f"A mask must have its grid's shape {grid.shape}, got {truth.shape}")
    if not width_mm > 0:
        raise SettingError(f"width_mm must be positive, got {width_mm}")
    inside = truth > 0 if label is None else truth == label
    if inside.all() or not inside.any():
        return np.zeros(truth.shape, dtype=np.bool_)
    away = ndimage.distance_transform_edt(inside, sampling=grid.spacing_mm)
    away += ndimage.distance_transform_edt(~inside, sampling=grid.spacing_mm)
    band: BoolArray = away <= width_mm
    return band
