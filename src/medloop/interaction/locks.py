"""Locked labels: the one rule, for every tool, engine and route.

A voxel that has a locked label keeps it, and no voxel gets a locked label. Whatever lies over free and locked voxels changes the
free ones only. Refused is only what could do nothing else: a prompt for a locked label, or a positive one all of whose voxels
hold locked labels. It is asked once, before an engine is.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.drawing import have_overlaps, shows_locked
from medloop.core.errors import InputError, LabelError
from medloop.core.records import Label
from medloop.interaction.prompts import Prompt, exact_voxels


def check_locks(locked: Sequence[int], labels: Sequence[int]) -> None:
    """Refuse locks on labels that the task does not have.

    Raises:
        LabelError: Then.
    """
    unknown = sorted(set(locked) - set(labels))
    if unknown:
        raise LabelError(f"Labels that may be locked are {list(labels)}, got {unknown}")


def require_unlocked(prompts: Sequence[Prompt], before: MaskArray, locked: Sequence[int]) -> None:
    """Refuse new prompts that locked labels of a mask, shape (I, J, K), leave nothing to do for.

    Raises:
        InputError: A prompt for a locked label, or a positive one all of whose voxels hold locked labels.
    """
    for prompt in prompts if locked else ():
        if prompt.label in locked:
            raise InputError(f"A prompt must not change the locked label {prompt.label}", remedy="unlock it first")
        held = before[tuple(exact_voxels(prompt, before.shape).T)]
        if getattr(prompt, "positive", True) and held.size and np.isin(held, list(locked)).all():
            found = sorted(set(held.tolist()))
            raise InputError(f"A prompt for label {prompt.label} lies on the locked label {found[0]} only", remedy="unlock it first")


def locked_voxels(before: MaskArray, after: MaskArray, locked: Sequence[int]) -> BoolArray:
    """Where a change would give or take a locked label; both arrays of one shape."""
    table = np.zeros(256, dtype=bool)
    table[list(locked)] = True
    where: BoolArray = (table[before] | table[after]) & (before != after)
    return where


def keep_locked(before: MaskArray, after: MaskArray, locked: Sequence[int]) -> MaskArray:
    """Take back what gives or takes a locked label; both arrays of one shape."""
    return np.where(locked_voxels(before, after, locked), before, after) if len(locked) else after


def keep_locked_labels(labels: Sequence[Label], before: MaskArray, after: MaskArray, locked: Sequence[int]) -> MaskArray:
    """The same for a task, some of whose labels may overlap: then a locked one keeps its voxels, whatever else comes to lie there."""
    if not have_overlaps(labels):
        return keep_locked(before, after, locked)
    return np.where(shows_locked(labels, before, after, locked), before, after) if len(locked) else after
