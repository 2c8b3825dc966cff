"""From a voxel map to one number per case: which doubt of a volume counts, and how much.

A plain mean favours volumes whose doubt is everywhere, a sum large organs, a top share or a box one bad spot; contour
and class means take away what is due to size alone. Higher always means: query sooner.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray, MaskArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.uncertainty.voxels import finite_map

Aggregation: TypeAlias = Literal["mean", "sum", "top", "foreground"]

TOP_SHARE = 0.01
"""Share of the voxels that "top" averages: the worst spot of a volume, yet not one noisy voxel."""


def aggregate(score_map: FloatArray, weights: FloatArray | None, how: Aggregation = "mean") -> float:
    """One number for a volume from its voxel map.

    Args:
        score_map: Scores per voxel, any shape.
        weights: Importance per voxel, same shape, not negative; None weighs all alike. `contour_weights` gives some.
        how: "mean" (weighted average), "sum" (weighted sum, favours large organs and doubt), "top" (average of the
            weighted highest `TOP_SHARE` of voxels), "foreground" (average where the weight is at least 0.5; without
            such a voxel, the plain mean).

    Returns:
        The score; higher means query sooner.

    Raises:
        ShapeError: Weights of another shape, or an empty map.
        InputError: NaN in map or weights, or weights that sum to nothing.
        SettingError: An unknown `how`, or "foreground" without weights.
    """
    values, importance = _weighted(score_map, weights)
    if how == "mean":
        if importance is None:
            return float(values.mean(dtype=np.float64))
        return float(np.average(values, weights=importance))
    product = values if importance is None else values * importance
    if how == "sum":
        return float(product.sum(dtype=np.float64))
    if how == "top":
        count = max(1, round(TOP_SHARE * product.size))
        return float(np.partition(product, product.size - count)[product.size - count :].mean(dtype=np.float64))
    if how == "foreground" and importance is not None:
        inside = importance >= 0.5
        return float((values[inside] if inside.any() else values).mean(dtype=np.float64))
    if how == "foreground":
        raise SettingError('Aggregation "foreground" needs weights', remedy="pass the foreground probability per voxel")
    raise SettingError(f"Unknown aggregation {how!r}", remedy="use mean, sum, top or foreground")


def contour_weights(predicted: MaskArray, *, sigma_mm: float = 3.0, spacing_mm: Sequence[float] = (1.0, 1.0, 1.0)) -> FloatArray:
    """How close each voxel is to a border between predicted labels: exp(-d² / 2σ²).

    A voxel beside the border, on either side, has d = 0. With a single label there is no border, and every weight is 1.

    Args:
        predicted: Label values, shape (I, J, K).
        sigma_mm: Width σ of the seam that counts, above 0.
        spacing_mm: Distance between voxels along I, J, K.

    Returns:
        Shape (I, J, K), above 0 up to 1; for `aggregate` with "mean".

    Raises:
        SettingError: A width or spacing that is not above 0.
    """
    from scipy import ndimage

    if not (sigma_mm > 0 and min(spacing_mm) > 0):
        raise SettingError(f"Contour width and spacing must be above 0 mm, got {sigma_mm} and {tuple(spacing_mm)}")
    border = _border(predicted)
    if not border.any():
        return np.ones(predicted.shape)
    distance_mm = ndimage.distance_transform_edt(~border, sampling=tuple(spacing_mm))
    weights: FloatArray = np.exp(-0.5 * (distance_mm / sigma_mm) ** 2)
    return np.maximum(weights, np.finfo(np.float64).tiny)


def class_balanced_mean(score_map: FloatArray, predicted: MaskArray) -> float:
    """Mean over the voxels predicted as each class, then mean over the classes present: small organs count as much as large.

    Args:
        score_map: Scores per voxel, any shape.
        predicted: Label values, same shape.

    Raises:
        ShapeError: Another shape, or no voxel.
        InputError: NaN.
    """
    if not score_map.size or score_map.shape != predicted.shape:
        raise ShapeError(f"Labels must have the shape of a map with voxels, got {predicted.shape} for {score_map.shape}")
    means, present = class_means(finite_map(score_map), predicted, int(predicted.max()) + 1)
    return float(means[present > 0].mean())


def class_means(score_map: FloatArray, predicted: IntArray | MaskArray, classes: int) -> tuple[FloatArray, FloatArray]:
    """Mean score (0 where absent) and number of voxels of each class, each of shape (classes,)."""
    labels = predicted.ravel().astype(np.intp)
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=score_map.ravel(), minlength=classes)
    return sums / np.maximum(counts, 1), counts.astype(np.float64)


def box_means(score_map: FloatArray, box: Sequence[int]) -> FloatArray:
    """Mean over every box of that size that lies within the map, by an integral image; the highest is one doubtful region.

    Args:
        score_map: Scores per voxel, shape (I, J, K) or fewer axes.
        box: Voxels along each axis, at least 1; cut to the map.

    Returns:
        One mean per first voxel of a box, shape (I - box + 1, …).

    Raises:
        ShapeError: An empty map, or a box of other axes.
        SettingError: A box without voxels.
        InputError: NaN.

    Source: Lüth et al. 2025 (nnActive), arXiv:2511.19183: queries are the patches of highest mean uncertainty.
    """
    if not score_map.size or len(box) != score_map.ndim:
        raise ShapeError(f"A box needs one size per axis of a map with voxels, got {tuple(box)} for {score_map.shape}")
    if min(box) < 1:
        raise SettingError(f"A box needs at least 1 voxel along each axis, got {tuple(box)}")
    sums = finite_map(score_map).astype(np.float64)
    sizes = [min(int(b), n) for b, n in zip(box, score_map.shape, strict=True)]
    for axis, size in enumerate(sizes):
        running = np.insert(np.cumsum(sums, axis=axis), 0, 0.0, axis=axis)
        last, first = np.arange(size, running.shape[axis]), np.arange(running.shape[axis] - size)
        sums = running.take(last, axis=axis) - running.take(first, axis=axis)
    means: FloatArray = sums / np.prod(sizes)
    return means


def _border(predicted: MaskArray) -> BoolArray:
    """Voxels with a neighbour, along an axis, of another label."""
    border = np.zeros(predicted.shape, dtype=bool)
    for axis in range(predicted.ndim):
        rows, marks = np.moveaxis(predicted, axis, 0), np.moveaxis(border, axis, 0)
        differs = rows[1:] != rows[:-1]
        marks[1:] |= differs
        marks[:-1] |= differs
    return border


def _weighted(score_map: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    if not score_map.size or (weights is not None and weights.shape != score_map.shape):
        raise ShapeError(
            f"Weights must have the shape of a map with voxels, got {None if weights is None else weights.shape} for {score_map.shape}"
        )
    finite_map(score_map)
    if weights is None:
        return score_map.ravel(), None
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() > 0):
        raise InputError("Weights must be finite, not negative, and not all zero")
    return score_map.ravel(), weights.ravel()
