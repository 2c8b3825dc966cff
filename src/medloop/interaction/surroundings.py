"""What does not belong to a structure although it looks like it: finished objects and locked labels, told to an engine as a stroke.

A guard keeps an answer off them whatever an engine says (`medloop.interaction.guard`); an engine that is told draws the border in the
right place as well. A stroke within them is enough, near what is prompted and a little below their surface, as a person would draw it: an
engine takes a hint for the voxels next to it, too, and these may be the structure's.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.geometry import Grid, triple
from medloop.interaction.prompts import Prompt, Scribble
from medloop.interaction.regions import finest_mm, grown, prompt_box, slices_of, union

NEAR_VOXELS = 96
"""So many of the finest voxels around prompts their engine is told of: half a patch of nnInteractive's network, and more than the classical
engine's window."""

DEPTH_VOXELS = 2.5
"""So far below their surface, in the finest voxels, where they are thick enough; else along their middle."""

MOST_VOXELS = 4_000
"""Of a stroke, spread evenly: an engine needs no more to know a surface."""


def surrounding_stroke(closed: BoolArray, prompts: Sequence[Prompt], grid: Grid, *, label: int) -> Scribble | None:
    """A negative stroke along the surface of what a label must not take, near its prompts; None where nothing of it is near.

    Args:
        closed: Voxels that it must not take, shape (I, J, K).
        prompts: In force, at least one; none of them hints that a closed voxel has the label.
        grid: The image's.
        label: What is drawn.
    """
    if not closed.any():
        return None
    margin_mm = NEAR_VOXELS * finest_mm(grid.shape, grid.spacing_mm)
    box = grown(union([prompt_box(p, grid.shape) for p in prompts]), margin_mm, spacing_mm=grid.spacing_mm, shape=grid.shape)
    near = closed[slices_of(box)]
    if not near.any() or near.all():
        return None
    places = np.argwhere(_below_surface(near, grid))
    chosen = np.unique(np.linspace(0, len(places) - 1, min(len(places), MOST_VOXELS)).round().astype(int))
    return Scribble(tuple(map(triple, (places[chosen] + np.array(box[0])).tolist())), label=label, positive=False)


def _below_surface(near: BoolArray, grid: Grid) -> BoolArray:
    """Of some voxels a layer at a depth, and of parts that are too thin for it their deepest voxels."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(near, sampling=grid.spacing_mm) / finest_mm(grid.shape, grid.spacing_mm)
    inner = depth > DEPTH_VOXELS
    layer = inner & ~ndimage.binary_erosion(inner, border_value=1)
    parts, count = ndimage.label(near)
    deepest = np.concatenate([[np.inf], ndimage.maximum(depth, parts, range(1, count + 1))])
    thin = np.concatenate([[False], deepest[1:] <= DEPTH_VOXELS])
    found: BoolArray = layer | (thin[parts] & (depth >= deepest[parts]))
    return found
