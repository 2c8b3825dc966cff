"""Prompts of a volume as what a 2D network takes on one slice: points on and off, and a box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.geometry import Grid, Shape3
from medloop.interaction.prompts import Box, ExtremePoints, Prompt, prompted_voxels
from medloop.interaction.regions import prompt_box

Pixels: TypeAlias = npt.NDArray[np.float64]
MAX_POINTS = 24
"""Of each sign on a slice: a stroke or lasso is told by so many of its voxels, spread evenly."""

_NONE: Any = np.zeros((0, 2))


@dataclass(frozen=True, eq=False)
class SlicePrompts:
    """What is said about one slice, in its own two axes.

    Attributes:
        on: Pixels on the structure, shape (n, 2).
        off: Pixels not on it, shape (n, 2).
        box: First and last pixel of a box around it, shape (2, 2); None without one.
    """

    on: Pixels = field(default_factory=lambda: _NONE)
    off: Pixels = field(default_factory=lambda: _NONE)
    box: Pixels | None = None

    @property
    def starts(self) -> bool:
        """Whether it says where the structure is, rather than only where it is not."""
        return len(self.on) > 0 or self.box is not None


def slice_axis(grid: Grid) -> int:
    """The axis across slices: the one with the widest spacing, the last of equals; of a 2D image its only one."""
    if grid.is_2d:
        return 2
    spacing = np.array(grid.spacing_mm)
    return int(np.flatnonzero(spacing >= spacing.max() * (1 - 1e-6))[-1])


def prompts_by_slice(prompts: Sequence[Prompt], shape: Shape3, *, label: int, axis: int) -> Mapping[int, SlicePrompts]:
    """What prompts, in the order given, say about each slice across an axis that they speak of, for one label.

    A box says something about its middle slice; one that is flat within slices becomes a point at its centre there. Positive hints for
    other labels are negative ones.
    """
    hints = prompted_voxels(prompts, shape, label=label)
    boxes = [np.array(prompt_box(p, shape)) - [[0], [1]] for p in prompts if isinstance(p, Box | ExtremePoints) and p.label == label]
    middles = {int(box[:, axis].sum()) // 2: np.delete(box, axis, axis=1) for box in boxes}
    indices = {int(v) for v in (*hints.positive[:, axis], *hints.negative[:, axis], *middles)}
    return {index: _on_slice(hints.positive, hints.negative, middles.get(index), axis, index) for index in sorted(indices)}


def slice_range(prompts: Sequence[Prompt], length: int, *, label: int, axis: int) -> range:
    """Slices that the structure may reach: those of its 3D boxes, else all."""
    boxes = [p for p in prompts if isinstance(p, Box) and p.label == label and p.stop[axis] - p.start[axis] > 1]
    if not boxes:
        return range(length)
    return range(min(b.start[axis] for b in boxes), max(b.stop[axis] for b in boxes))


def prompts_from_mask(mask: BoolArray) -> SlicePrompts:
    """What a mask of one slice says about the next: its box, and the pixel deepest inside it."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    places = np.argwhere(mask)
    deepest = np.array(np.unravel_index(int(depth.argmax()), mask.shape), dtype=np.float64)
    return SlicePrompts(on=deepest[None], box=np.stack([places.min(axis=0), places.max(axis=0)]).astype(np.float64))


def _on_slice(positive: Any, negative: Any, box: Any, axis: int, index: int) -> SlicePrompts:
    on, off = (_spread(np.delete(v[v[:, axis] == index], axis, axis=1)) for v in (positive, negative))
    if box is not None and (box[0] == box[1]).any():
        return SlicePrompts(np.vstack([on, box.mean(axis=0, keepdims=True)]), off)
    return SlicePrompts(on, off, None if box is None else box.astype(np.float64))


def _spread(pixels: Any) -> Pixels:
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), MAX_POINTS)).round().astype(int)
    return np.asarray(pixels[chosen], dtype=np.float64)
