"""What holds against a refinement: locked labels, and what the brush said after a gesture."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import InputError, LabelError
from medloop.interaction.prompts import ExtremePoints, Point, Prompt, Scribble, exact_voxels, keep_hints


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


def keep_locked(mask: MaskArray, before: MaskArray, locked: Sequence[int]) -> MaskArray:
    """The mask with locked labels as they were before: neither fewer voxels nor more."""
    if not locked:
        return mask
    kept = np.isin(before, list(locked)) | np.isin(mask, list(locked))
    return np.where(kept, before, mask)


def still_meant(prompts: Sequence[Prompt], mask: MaskArray, *, where: BoolArray | None = None) -> list[Prompt]:
    """Earlier gestures without the hints that somebody has overruled since.

    A refinement obeys every hint, so one that a mask disobeys was painted over. Boxes and lassos stay whole.

    Args:
        prompts: In force, in order.
        mask: The mask as it stands, shape (I, J, K).
        where: Only look at these voxels; None looks at all.
    """
    return [left for prompt in prompts if (left := _obeyed(prompt, mask, where)) is not None]


def overruled(older: Sequence[Prompt], new: Sequence[Prompt], mask: MaskArray) -> BoolArray:
    """Voxels of older gestures that the mask disobeys and that no new gesture speaks of, shape (I, J, K)."""
    stands: BoolArray = keep_hints(mask, older) != mask
    for prompt in new:
        stands[tuple(exact_voxels(prompt, mask.shape).T)] = False
    return stands


def hinted(prompts: Sequence[Prompt], mask: MaskArray) -> BoolArray:
    """Voxels that gestures speak of one by one, shape (I, J, K)."""
    found = np.zeros(mask.shape, dtype=bool)
    for prompt in prompts:
        voxels = exact_voxels(prompt, mask.shape)
        if len(voxels):
            found[tuple(voxels.T)] = True
    return found


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
