"""What is known before a classical tool begins: voxels of the window whose answer prompts, locks and the rim give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.geometry import Grid
from medloop.interaction.modelfree.window import Window, seen
from medloop.interaction.prompts import Box, ExtremePoints, Prompt, exact_voxels
from medloop.interaction.regions import VoxelBox, prompt_box

SeedArray: TypeAlias = np.ndarray[Any, np.dtype[np.int16]]
"""-1 unknown, 0 background, n the n-th label that prompts speak of; shape of the window as seen."""

UNSEEDED = -1

FEW_SLICES = 24
"""Along an axis with fewer voxels than this structures often go through the whole image: its ends are no background."""

ROUNDNESS, CORNERS = 2.5, 1.25
"""Outermost points span a superellipse of this exponent; beyond so much of it (a box is 2 or 3) nothing of the structure is expected."""

PROMPT_VOXELS = 2.0
"""A hint speaks for the voxels up to this far around it, in the finest seen voxels: a click is a small disc, not a dot."""


@dataclass(frozen=True, eq=False)
class Seeds:
    """Seeds of a window.

    Attributes:
        classes: See `SeedArray`.
        hinted: Where exact hints gave them; the rest comes from the rim, boxes and locks.
        labels: The label values that classes 1, 2, … stand for.
        outlined: Classes of which nothing but outermost points is known: these lie on the border and say little of looks.
    """

    classes: SeedArray
    hinted: np.ndarray[Any, np.dtype[np.bool_]]
    labels: tuple[int, ...]
    outlined: tuple[int, ...] = ()

    def classes_of(self, mask: MaskArray) -> SeedArray:
        """The classes of a mask's label values; a label that no prompt speaks of counts as background."""
        numbers = np.zeros(256, dtype=np.int16)
        numbers[list(self.labels)] = np.arange(1, len(self.labels) + 1)
        return numbers[mask]


def plant(prompts: Sequence[Prompt], previous: MaskArray, grid: Grid, window: Window, *, locked: Sequence[int]) -> Seeds:
    """Work out the seeds of a window, for prompts in force, in order, on the mask before, shape (I, J, K).

    The rim of the window keeps the previous mask (the image's own border too, along axes of many voxels), so that the
    answer joins what lies outside. Outside of a label's box there is none of it; locked labels are background to all others. Hints come
    last and win.
    """
    labels = tuple(dict.fromkeys(p.label for p in prompts if _reaches(p, window, grid)))
    before = seen(previous, window)
    number = np.zeros(256, dtype=np.int16)
    number[list(labels)] = np.arange(1, len(labels) + 1)
    classes: SeedArray = np.full(before.shape, UNSEEDED, dtype=np.int16)
    rim = _rim(window, before.shape, grid)
    classes[rim] = number[before[rim]]
    if len(labels) == 1:
        _fence(classes, prompts, window, grid)
    if locked:
        classes[np.isin(before, list(locked))] = 0
    given = np.full(before.shape, UNSEEDED, dtype=np.int16)
    for prompt in prompts:
        places = tuple(window.places(exact_voxels(prompt, previous.shape)).T)
        given[places] = number[prompt.label] if getattr(prompt, "positive", True) else 0
    spread = _spread(given, grid, window)
    classes = np.where(spread != UNSEEDED, spread, classes)
    told = {p.label for p in prompts if not isinstance(p, Box | ExtremePoints)}
    outlined = tuple(int(number[p.label]) for p in prompts if isinstance(p, ExtremePoints) and p.label in labels and p.label not in told)
    return Seeds(classes, given != UNSEEDED, labels, outlined)


def _spread(given: SeedArray, grid: Grid, window: Window) -> SeedArray:
    """Each hint with the voxels up to `PROMPT_VOXELS` around it; where several reach, the nearest."""
    spacing = np.array(grid.spacing_mm) * window.stride
    relative = spacing / spacing[[n > 1 for n in given.shape]].min() if max(given.shape) > 1 else spacing
    reach = [range(-int(PROMPT_VOXELS / r), int(PROMPT_VOXELS / r) + 1) for r in relative]
    offsets = np.array([(a, b, c) for a in reach[0] for b in reach[1] for c in reach[2]])
    lengths = np.sqrt(np.square(offsets * relative).sum(axis=1))
    places, spread = np.argwhere(given != UNSEEDED), given.copy()
    values = given[tuple(places.T)]
    for n in np.argsort(-lengths, kind="stable"):
        if lengths[n] > PROMPT_VOXELS:
            continue
        moved = places + offsets[n]
        inside = ((moved >= 0) & (moved < given.shape)).all(axis=1)
        spread[tuple(moved[inside].T)] = values[inside]
    return spread


def _reaches(prompt: Prompt, window: Window, grid: Grid) -> bool:
    box = prompt_box(prompt, grid.shape)
    return all(a < other_z and other_a < z for a, z, other_a, other_z in zip(*window.box, *box, strict=True))


def _rim(window: Window, shape: Sequence[int], grid: Grid) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Outermost seen voxels; a side on the image's own border counts only along an axis of many voxels."""
    rim = np.zeros(shape, dtype=bool)
    for axis, length in enumerate(shape):
        for end, border in ((0, window.box[0][axis] == 0), (-1, window.box[1][axis] == grid.shape[axis])):
            if length >= 3 and not (border and grid.shape[axis] < FEW_SLICES):
                rim[tuple(end if a == axis else slice(None) for a in range(3))] = True
    return rim


def _fence(classes: SeedArray, prompts: Sequence[Prompt], window: Window, grid: Grid) -> None:
    """Nothing of a label lies outside all of its boxes."""
    outlines = [p for p in prompts if isinstance(p, Box | ExtremePoints)]
    inside = np.full(classes.shape, not outlines)
    for prompt in outlines:
        part = _within(prompt_box(prompt, grid.shape), window)
        inside[part] |= _rounded(inside[part].shape) if isinstance(prompt, ExtremePoints) else True
    classes[~inside] = 0


def _rounded(shape: Sequence[int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """A box without its corners: what touches each side in one point seldom fills them."""
    along = [np.abs((np.arange(n) + 0.5) * 2 / n - 1) ** ROUNDNESS for n in shape]
    return along[0][:, None, None] + along[1][:, None] + along[2] <= CORNERS


def _within(box: VoxelBox, window: Window) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, -(-(a - start) // step)), max(0, -(-(z - start) // step)))
        for a, z, start, step in zip(*box, window.box[0], window.stride, strict=True)
    )
