"""Earlier prompts without what the brush said against them since."""

import dataclasses
from collections.abc import Sequence

from medloop.core.arrays import MaskArray
from medloop.interaction.prompts import ExtremePoints, Point, Prompt, Scribble, exact_voxels


def still_meant(prompts: Sequence[Prompt], mask: MaskArray) -> list[Prompt]:
    """Earlier gestures without the hints that somebody has overruled since.

    A refinement obeys every hint, so one that a mask disobeys was painted over. Boxes and lassos stay whole.

    Args:
        prompts: In force, in order.
        mask: The mask as it stands, shape (I, J, K).
    """
    return [left for prompt in prompts if (left := _obeyed(prompt, mask)) is not None]


def _obeyed(prompt: Prompt, mask: MaskArray) -> Prompt | None:
    if not isinstance(prompt, Point | Scribble | ExtremePoints):
        return prompt
    voxels = exact_voxels(prompt, mask.shape)
    place = tuple(voxels.T)
    fits = (mask[place] == prompt.label) == getattr(prompt, "positive", True)
    kept = voxels[fits]
    if len(kept) == len(voxels):
        return prompt
    if len(kept) < (2 if isinstance(prompt, ExtremePoints) else 1) or isinstance(prompt, Point):
        return None
    return dataclasses.replace(prompt, voxels=tuple((int(i), int(j), int(k)) for i, j, k in kept))
