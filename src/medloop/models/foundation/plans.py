"""The arithmetic behind a recipe: channels, working spacing, patch, and which axes each level of a U-Net halves.

Source: Isensee et al. 2021, nnU-Net, doi:10.1038/s41592-020-01008-z, supplementary note 4, with the patch
bounded by time instead of GPU memory.
"""

from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.geometry import Shape3, triple

Spacing: TypeAlias = tuple[float, float, float]

SMALLEST_AXIS = 4
"""No axis is halved below this many voxels."""

ANISOTROPY = 2.0
"""An axis coarser than this times the finest one is neither halved nor convolved yet."""

MAX_POOLINGS = 5
SMALLEST_PATCH = {2: 64.0**2, 3: 28.0**3}
"""Below this a patch shows too little of its surroundings; rather train fewer steps."""

FEWEST_IMAGES = 4
"""With fewer a pretraining finds next to nothing that the first annotated cases would not show."""

GREY, COLOURED = 1, 3
"""Channels of a grey and of a coloured picture, the two kinds that may be mixed."""


def common_channels(found: Collection[int], *, dimension: int) -> int | None:
    """Channels at which one network reads all images: grey pictures among coloured ones count as coloured; None when they do not fit."""
    if len(set(found)) == 1:
        return next(iter(found))
    return COLOURED if dimension == 2 and set(found) == {GREY, COLOURED} else None


def plan_spacing(shape: Shape3, spacing_mm: Spacing, *, room: float, uniform: bool, coverage: float) -> tuple[Spacing | None, Shape3]:
    """The spacing to work at, and the median shape there.

    Args:
        shape: Median voxels per axis.
        spacing_mm: Median spacing.
        room: Voxels that one patch can afford.
        uniform: Whether all images have that spacing already.
        coverage: Share of the median image that a patch has to show; otherwise the image is made coarser.

    Returns:
        None when images may stay as they are, else the spacing in mm; and the shape at it.
    """
    size, spacing = np.array(shape, dtype=np.float64), np.array(spacing_mm, dtype=np.float64)
    affordable = max(room, SMALLEST_PATCH[2 if shape[2] == 1 else 3])
    coarsened = False
    while size.prod() * coverage > affordable * 1.05:
        long = size > SMALLEST_AXIS
        if not long.any():
            break
        finest = long & (spacing <= spacing[long].min() * 1.25)
        size, spacing = np.where(finest, size / 1.05, size), np.where(finest, spacing * 1.05, spacing)
        coarsened = True
    if uniform and not coarsened:
        return None, shape
    return _floats(spacing), _whole(size)


def plan_patch(shape: Shape3, spacing_mm: Spacing, *, room: float) -> Shape3:
    """The largest patch of about the images' own proportions in mm that the room allows, at most the median image."""
    size = np.array(shape, dtype=np.float64)
    room = max(room, SMALLEST_PATCH[2 if shape[2] == 1 else 3])
    while size.prod() > room:
        longest = int(np.argmax(size * np.array(spacing_mm) * (size > SMALLEST_AXIS)))
        size[longest] *= 0.98
    return _whole(size)


def plan_levels(patch: Shape3, spacing_mm: Spacing) -> tuple[tuple[Shape3, ...], tuple[Shape3, ...]]:
    """Strides and kernels of each level, finest first.

    An axis is halved while at least `SMALLEST_AXIS` voxels remain and its spacing is within `ANISOTROPY` of the
    finest; a kernel spans three voxels along an axis of comparable spacing and one along a much coarser axis.
    """
    size, spacing = np.array(patch, dtype=np.float64), np.array(spacing_mm, dtype=np.float64)
    strides: list[Shape3] = [(1, 1, 1)]
    kernels: list[Shape3] = [_kernel(spacing, patch)]
    while len(strides) <= MAX_POOLINGS:
        can_halve = (size >= 2 * SMALLEST_AXIS) & (np.array(patch) > 1)
        if not can_halve.any():
            break
        halve = can_halve & (spacing <= ANISOTROPY * spacing[can_halve].min())
        kernels.append(_kernel(spacing, patch))
        strides.append(_whole(np.where(halve, 2, 1)))
        size, spacing = np.where(halve, np.ceil(size / 2), size), np.where(halve, spacing * 2, spacing)
    if len(strides) == 1:  # an image too small to halve still gets two levels
        return ((1, 1, 1), (1, 1, 1)), (kernels[0], kernels[0])
    return tuple(strides), tuple(kernels)


def round_to(patch: Shape3, strides: tuple[Shape3, ...]) -> Shape3:
    """The patch with every axis rounded to the nearest multiple of its total stride, at least one."""
    total = np.prod(np.array(strides), axis=0)
    return _whole(np.maximum(1, np.round(np.array(patch) / total)) * total)


def _kernel(spacing: npt.NDArray[np.float64], patch: Shape3) -> Shape3:
    wide = np.array(patch) > 1
    comparable = wide & (spacing <= ANISOTROPY * spacing[wide].min()) if wide.any() else wide
    return _whole(np.where(comparable, 3, 1))


def _whole(values: npt.NDArray[np.number[Any]]) -> Shape3:
    return triple(np.maximum(1, np.round(values)))


def _floats(values: npt.NDArray[np.number[Any]]) -> Spacing:
    i, j, k = (round(float(v), 4) for v in values)
    return (i, j, k)
