"""Resampling to a recipe's working grid and back, by linear interpolation of voxel centres."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.errors import GridSizeError
from medloop.core.geometry import Grid, Shape3, triple
from medloop.models.foundation.losses import IGNORE
from medloop.models.foundation.nnunet_recipe import Reads
from medloop.models.foundation.plans import Spacing

CLOSE_ENOUGH = 0.03
"""Sizes that differ by less than this share are left alone: resampling would only blur."""

KNOWN_SHARE = 0.3
"""A slice of which a third is left in a new voxel still counts as answered there."""

MOST_VOXELS = 2**28
"""Of a working grid: one channel takes 1 GiB. The largest CT there is, 512² slices of a whole body, has half as many."""

ALWAYS_VOXELS, TIMES_LARGER = 2**24, 64
"""Beyond so many voxels a working grid may have at most so many times those of the image: four along each axis."""


def working_shape(recipe: Reads, grid: Grid) -> Shape3:
    """The shape at which the network sees an image of this grid.

    Raises:
        GridSizeError: One that is too large to compute on, see `MOST_VOXELS`.
    """
    if recipe.kind == "classification":
        return recipe.patch
    if recipe.fitted:
        return fitting_shape(grid.shape, recipe.patch)
    if recipe.spacing_mm is None:
        return _affordable(grid.shape, grid, recipe)
    wanted = np.array(grid.shape) * np.array(recipe.framed_mm or grid.spacing_mm) / np.array(recipe.spacing_mm)
    if recipe.dimension == 2:
        wanted[2] = 1
    if (np.abs(wanted / np.array(grid.shape) - 1) < CLOSE_ENOUGH).all():
        return _affordable(grid.shape, grid, recipe)
    return _affordable(triple(np.maximum(1, np.round(wanted))), grid, recipe)


def _affordable(shape: Shape3, grid: Grid, recipe: Reads) -> Shape3:
    voxels = math.prod(shape)
    if voxels <= min(MOST_VOXELS, max(ALWAYS_VOXELS, TIMES_LARGER * grid.voxels)):
        return shape
    own, theirs = (" × ".join(f"{mm:.3g}" for mm in spacing) for spacing in (grid.spacing_mm, recipe.spacing_mm or grid.spacing_mm))
    raise GridSizeError(
        f"At the model's voxels of {theirs} mm this image of {own} mm would have {voxels:.2g} voxels, at most {MOST_VOXELS:.2g} "
        f"and {TIMES_LARGER} times its own {grid.voxels} can be computed",
        remedy="check the voxel size in its file",
    )


def fitting_shape(shape: Shape3, patch: Shape3) -> Shape3:
    """The largest shape of the same proportions in plane that fits into a patch."""
    times = min(patch[0] / shape[0], patch[1] / shape[1])
    i, j = (max(1, min(p, round(n * times))) for n, p in zip(shape[:2], patch[:2], strict=True))
    return (i, j, 1)


def working_spacing(grid: Grid, shape: Shape3) -> Spacing:
    """Spacing in mm of the grid when its extent is divided into `shape` voxels."""
    i, j, k = (s * n / m for s, n, m in zip(grid.spacing_mm, grid.shape, shape, strict=True))
    return (i, j, k)


def resample(array: ImageArray, shape: Shape3) -> npt.NDArray[np.float32]:
    """Linear interpolation of (channels, I, J, K) to another shape; anti-aliased by averaging when it shrinks."""
    if array.shape[1:] == shape:
        return np.asarray(array, dtype=np.float32)
    tensor = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))[None]
    halves = [max(1, round(n / m)) for n, m in zip(array.shape[1:], shape, strict=True)]
    if max(halves) > 1:
        tensor = functional.interpolate(tensor, size=[n * h for n, h in zip(shape, halves, strict=True)], mode="trilinear")
        tensor = functional.avg_pool3d(tensor, halves)
    else:
        tensor = functional.interpolate(tensor, size=list(shape), mode="trilinear")
    return tensor[0].numpy()


def resample_mask(mask: MaskArray, shape: Shape3) -> MaskArray:
    """The value with the largest share of each new voxel, for masks (I, J, K).

    Unanswered voxels (`IGNORE`) do not outvote the answered ones: a new voxel is unanswered only where less than
    `KNOWN_SHARE` of it is answered, so that a single answered slice survives coarser voxels.
    """
    if mask.shape == shape:
        return mask
    values = [int(value) for value in np.unique(mask) if value != IGNORE]
    best, share = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.float32)
    for value in values:  # one at a time: a mask of many labels would need as many volumes at once
        candidate = resample((mask == value)[None], shape)[0]
        best[candidate > share], share = value, np.maximum(candidate, share)
    if (mask == IGNORE).any():
        best[resample((mask != IGNORE)[None], shape)[0] < KNOWN_SHARE] = IGNORE
    return best
