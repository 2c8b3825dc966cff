"""What a prompt may change: never a locked label, nothing unconnected, and far away almost nothing.

An engine may answer with a whole new mask. Of its changes are kept

1. none that gives or takes a locked label;
2. only connected patches that reach within `reach_mm` of the new prompt's box;
3. beyond that reach at most `far_share` of the mask's foreground, counted in voxels, else none at all. Only a label
   that has no voxel yet may grow as far as it likes over background, because there is no work to lose.

So whatever an engine does, a prompt makes at most `far_share` times the foreground's voxels wrong that were right and
lie out of its reach; and 0 of those it cannot be connected with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.interaction.prompts import Point, Prompt, Scribble, exact_voxels, obey_hint
from medloop.interaction.regions import VoxelBox, within_reach


@dataclass(frozen=True)
class Guard:
    """How far a prompt reaches.

    Attributes:
        reach_mm: From the prompt's box; infinite lifts the rule.
        far_share: Voxels that may change beyond, as a share of the foreground's.
    """

    reach_mm: float
    far_share: float = 0.05


def guard_for(grid: Grid) -> Guard:
    """A reach of a quarter of the image's longest side."""
    return Guard(max(n * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)) / 4)


def limit_changes(
    before: MaskArray, after: MaskArray, *, within: VoxelBox, prompt: VoxelBox, guard: Guard, grid: Grid, fresh: int | None
) -> MaskArray:
    """Take back the changes that a prompt must not make.

    Args:
        before: The whole mask, shape (I, J, K).
        after: New content of the box `within`.
        within: The only box that changes.
        prompt: Box of the new prompt.
        guard: Its reach.
        grid: The image's.
        fresh: The prompt's label when it has no voxel yet.

    Returns:
        The box's content with the rest of `before` put back.
    """
    old = before[tuple(slice(a, z) for a, z in zip(*within, strict=True))]
    changed = old != after
    near = changed & within_reach(within, prompt, reach_mm=guard.reach_mm, spacing_mm=grid.spacing_mm)
    kept = _patches_touching(changed, near)
    far = kept & ~near
    if fresh is not None:
        far &= ~((old == 0) & (after == fresh))
    if far.any() and far.sum() > guard.far_share * np.count_nonzero(before):
        kept &= ~far
    return np.where(kept, after, old)


def keep_locked(before: MaskArray, after: MaskArray, locked: Sequence[int]) -> MaskArray:
    """Take back what gives or takes a locked label; both arrays of one shape."""
    if not locked:
        return after
    table = np.zeros(256, dtype=bool)
    table[list(locked)] = True
    return np.where(table[before] | table[after], before, after)


def heed(before: MaskArray, after: MaskArray, prompts: Sequence[Prompt], *, locked: Sequence[int]) -> MaskArray:
    """Obey every hint that locks allow.

    What an answer gives or takes of a locked label is taken back first: a voxel that gets its old label back that way is
    then cleared by a negative hint for that label.

    Args:
        before: The mask before, shape (I, J, K).
        after: The answer; may be changed in place.
        prompts: In force, in order.
        locked: Labels that stay.
    """
    mask = keep_locked(before, after, locked)
    for prompt in prompts:
        obey_hint(mask, prompt)
    return keep_locked(before, mask, locked)


def check_locked(prompt: Prompt, mask: MaskArray, locked: Sequence[int]) -> None:
    """Refuse a click or stroke that could only be obeyed by changing a locked label.

    Outlines and boxes are not refused: they stop at locked voxels.

    Raises:
        InputError: Then.
    """
    if not isinstance(prompt, Point | Scribble) or not locked:
        return
    values = mask[tuple(exact_voxels(prompt, mask.shape).T)]
    wrong = values != prompt.label if prompt.positive else values == prompt.label
    blocked = wrong & np.isin(values, list(locked))
    if prompt.positive and prompt.label in locked:
        blocked = wrong
    if blocked.any():
        label = int(values[blocked][0]) if int(values[blocked][0]) in locked else prompt.label
        raise InputError(f"A prompt may not change the locked label {label}", remedy="unlock it, or draw beside it")


def _patches_touching(changed: BoolArray, near: BoolArray) -> BoolArray:
    """The connected patches (26 neighbours) of changes that hold a near voxel."""
    from scipy import ndimage

    if (changed == near).all():
        return changed.copy()
    patches, count = ndimage.label(changed, structure=np.ones((3, 3, 3)))
    touching = np.zeros(count + 1, dtype=bool)
    touching[patches[near]] = True
    touching[0] = False
    kept: BoolArray = touching[patches]
    return kept
