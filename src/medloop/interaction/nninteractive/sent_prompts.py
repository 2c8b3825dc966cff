"""Gestures of the nnInteractive protocol as medloop's prompts, and back.

On the wire a lasso or scribble is a small mask with its place, and axes come slowest first, as SimpleITK, Slicer and
the usual napari readers hand arrays (k, j, i). `AxisOrder` turns them; everything else here speaks (i, j, k).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3, triple
from medloop.interaction.nninteractive.protocol import Bounds
from medloop.interaction.prompts import Box, Lasso, Point, Prompt, Scribble, Voxel

Item = TypeVar("Item")
MAX_VOXELS = 500_000
"""Of one scribble: more than a person draws, and little enough to hold one by one."""


@dataclass(frozen=True)
class AxisOrder:
    """How the other side orders the three voxel axes: `slowest_first` (k, j, i), as SimpleITK and Slicer do, else (i, j, k).

    Turning twice gives what was there before.
    """

    slowest_first: bool = True

    def array(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array with its last three axes turned; a view."""
        if not self.slowest_first:
            return array
        leading = tuple(range(array.ndim - 3))
        return array.transpose(*leading, array.ndim - 1, array.ndim - 2, array.ndim - 3)

    def triple(self, values: Iterable[Item]) -> tuple[Item, Item, Item]:
        """Three values, one for each axis, turned."""
        first, second, third = values
        return (third, second, first) if self.slowest_first else (first, second, third)


def point_prompt(voxel: tuple[float, float, float], *, label: int, positive: bool) -> Point:
    """A click, to the nearest voxel."""
    return Point(triple(map(round, voxel)), label=label, positive=positive)


def box_prompts(bounds: Bounds, shape: Shape3, *, label: int, positive: bool) -> tuple[Prompt, ...]:
    """A box, cut to the image; a negative one becomes an outline on each of its slices.

    Raises:
        InputError: A box beside the image.
    """
    cut = [(max(0, a), min(n, b)) for (a, b), n in zip(bounds, shape, strict=True)]
    if any(a >= b for a, b in cut):
        raise InputError(f"A box must touch the image's {shape} voxels, got {bounds}")
    start, stop = triple(a for a, _ in cut), triple(b for _, b in cut)
    if positive:
        return (Box(start, stop, label=label),)
    axis = int(np.argmin(np.subtract(stop, start)))
    (a, b), (c, d) = (pair for n, pair in enumerate(cut) if n != axis)
    corners = ((a - 0.5, c - 0.5), (b - 0.5, c - 0.5), (b - 0.5, d - 0.5), (a - 0.5, d - 0.5))
    return tuple(Lasso(axis, index, corners, label=label, positive=False) for index in range(*cut[axis]))


def scribble_prompt(drawn: BoolArray, start: Voxel, *, label: int, positive: bool) -> Scribble:
    """A stroke through what was drawn in a part of the image, shape (I, J, K), that begins at `start`.

    Raises:
        InputError: Nothing was drawn, or far too much.
    """
    if (count := np.count_nonzero(drawn)) > MAX_VOXELS:
        raise InputError(f"A scribble may hold {MAX_VOXELS} voxels, got {count}", remedy="send a whole mask as initial segmentation")
    voxels = np.argwhere(drawn) + np.array(start)
    if not len(voxels):
        raise InputError("A scribble must hold a voxel, got an empty mask", remedy="draw it again")
    return Scribble(tuple(map(triple, voxels)), label=label, positive=positive)


def lasso_prompts(drawn: BoolArray, start: Voxel, *, label: int, positive: bool) -> tuple[Lasso, ...]:
    """Outlines around the voxels of a closed contour and those within it: one for each connected part.

    The contour, filled or not, was drawn in a part of the image, shape (I, J, K), that begins at `start`; the axis along which it is
    thinnest is its slice's.

    Raises:
        InputError: Nothing was drawn.
    """
    extent = np.array([len(np.unique(places)) for places in np.nonzero(drawn)])
    if not extent.all():
        raise InputError("A lasso must hold a voxel, got an empty mask", remedy="draw around the structure again")
    axis = int(np.argmin(extent))
    planes = np.moveaxis(drawn, axis, 0)
    offset = np.delete(np.array(start), axis)
    outlines = [(index, _outlines(plane)) for index, plane in enumerate(planes) if plane.any()]
    return tuple(
        Lasso(axis, start[axis] + index, tuple((u, v) for u, v in (corners + offset).tolist()), label=label, positive=positive)
        for index, parts in outlines
        for corners in parts
    )


def without_contradicted(earlier: Sequence[Prompt], newer: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """Earlier prompts without the clicks and strokes, or parts of strokes, that newer ones of the same label contradict."""
    said = {True: set[Voxel](), False: set[Voxel]()}
    for prompt in newer:
        if isinstance(prompt, Point | Scribble):
            said[prompt.positive] |= _voxels(prompt)
    return tuple(kept for prompt in earlier if (kept := _pruned(prompt, said)) is not None)


def _pruned(prompt: Prompt, said: dict[bool, set[Voxel]]) -> Prompt | None:
    if not isinstance(prompt, Point | Scribble) or not (_voxels(prompt) & said[not prompt.positive]):
        return prompt
    if isinstance(prompt, Point):
        return None
    left = tuple(v for v in prompt.voxels if v not in said[not prompt.positive])
    return replace(prompt, voxels=left) if left else None


def _voxels(prompt: Point | Scribble) -> set[Voxel]:
    return {prompt.voxel} if isinstance(prompt, Point) else set(prompt.voxels)


def _outlines(plane: BoolArray) -> list[npt.NDArray[np.float64]]:
    """Around each part of a slice, holes filled, half-way between its voxels and those outside."""
    from scipy.ndimage import binary_fill_holes, label
    from skimage.measure import find_contours

    parts, count = label(binary_fill_holes(plane))
    each = (np.pad(parts == n + 1, 1).astype(np.float32) for n in range(count))
    return [find_contours(part, 0.5)[0][:-1] - 1 for part in each]  # type: ignore[no-untyped-call]  # scikit-image
