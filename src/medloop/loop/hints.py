"""What holds against a refinement: locked labels, and what the brush said after a gesture."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, IntArray, MaskArray
from medloop.core.errors import InputError, LabelError
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import ExtremePoints, Point, Prompt, Scribble, exact_voxels

Places: TypeAlias = tuple[IntArray, IntArray, IntArray]
"""Voxels as an index (i, j, k) into a mask."""


def check_locked(new: Sequence[Prompt], mask: MaskArray, locked: Sequence[int], labels: Sequence[int]) -> None:
    """Refuse gestures that locked labels leave nothing to do for.

    Raises:
        LabelError: A lock on a label that the task does not have.
        InputError: A gesture for a locked label, or one whose voxels are all locked.
    """
    unknown = sorted(set(locked) - set(labels))
    if unknown:
        raise LabelError(f"Labels that may be locked are {list(labels)}, got {unknown}")
    for prompt in new:
        voxels = exact_voxels(prompt, mask.shape)
        if prompt.label in locked or (len(voxels) and np.isin(mask[tuple(voxels.T)], list(locked)).all()):
            raise InputError(f"A gesture must not change a locked label, locked are {list(locked)}", remedy="unlock it first")


def still_meant(prompts: Sequence[Prompt], mask: MaskArray, *, where: BoolArray | None = None) -> list[Prompt]:
    """Earlier gestures without the hints that somebody has overruled since.

    A refinement obeys every hint, so one that a mask disobeys was painted over. Boxes and lassos stay whole.

    Args:
        prompts: In force, in order.
        mask: The mask as it stands, shape (I, J, K).
        where: Only look at these voxels; None looks at all.
    """
    return [left for prompt in prompts if (left := _obeyed(prompt, mask, where)) is not None]


def overruled(older: Sequence[Prompt], new: Sequence[Prompt], mask: MaskArray) -> Places:
    """Voxels of older gestures that the mask disobeys and that no new gesture speaks of, as an index into it."""
    flats = [_flat(prompt, mask.shape) for prompt in older]
    known = np.unique(np.concatenate(flats)) if flats else np.zeros(0, dtype=np.int64)
    there = mask[np.unravel_index(known, mask.shape, order="F")]
    said = there.copy()
    for prompt, flat in zip(older, flats, strict=True):
        at = np.searchsorted(known, flat)
        gives = getattr(prompt, "positive", True)
        said[at] = prompt.label if gives else np.where(said[at] == prompt.label, 0, said[at])
    stands = said != there
    for prompt in new:
        stands &= ~np.isin(known, _flat(prompt, mask.shape))
    i, j, k = np.unravel_index(known[stands], mask.shape, order="F")
    return i, j, k


def hinted(prompts: Sequence[Prompt], mask: MaskArray) -> BoolArray:
    """Voxels that gestures speak of one by one, shape (I, J, K)."""
    found = np.zeros(mask.shape, dtype=bool)
    for prompt in prompts:
        voxels = exact_voxels(prompt, mask.shape)
        if len(voxels):
            found[tuple(voxels.T)] = True
    return found


def _flat(prompt: Prompt, shape: Shape3) -> IntArray:
    i, j, k = exact_voxels(prompt, shape).T
    flat: IntArray = i + shape[0] * (j + shape[1] * k)
    return flat


def _obeyed(prompt: Prompt, mask: MaskArray, where: BoolArray | None) -> Prompt | None:
    if not isinstance(prompt, Point | Scribble | ExtremePoints):
        return prompt
    voxels = exact_voxels(prompt, mask.shape)
    place = tuple(voxels.T)
    fits = (mask[place] == prompt.label) == getattr(prompt, "positive", True)
    kept = voxels[fits if where is None else fits | ~where[place]]
    if len(kept) == len(voxels):
        return prompt
    if len(kept) < (2 if isinstance(prompt, ExtremePoints) else 1) or isinstance(prompt, Point):
        return None
    return dataclasses.replace(prompt, voxels=tuple((int(i), int(j), int(k)) for i, j, k in kept))
