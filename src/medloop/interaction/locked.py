"""Prompts and locked labels: what would change one is refused before anything is computed."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.interaction.prompts import Prompt, exact_voxels


def require_unlocked(prompts: Sequence[Prompt], before: MaskArray, locked: Sequence[int]) -> None:
    """Refuse prompts that would change a locked label.

    Args:
        prompts: In force.
        before: The mask they correct.
        locked: Labels that must stay.

    Raises:
        InputError: A prompt for a locked label, or a positive one on a voxel that has one.
    """
    for prompt in prompts:
        if prompt.label in locked:
            raise InputError(f"Label {prompt.label} is locked, a prompt cannot change it", remedy="unlock it first")
        held = before[tuple(exact_voxels(prompt, before.shape).T)]
        if getattr(prompt, "positive", True) and np.isin(held, list(locked)).any():
            raise InputError(f"A prompt for label {prompt.label} lies on a locked label", remedy="unlock it, or prompt elsewhere")
