"""How far an engine is believed against the mask it corrects: as far as it agrees with it where nobody pointed.

A network that is asked about one place answers for a whole window. Where it would redraw the rest of a structure too, the mask knows
better than the network, and so near the prompt: of its change is then kept what the mask and the image support by themselves
(`medloop.interaction.modelfree.correcting`) and the voxels next to that. A network that leaves the rest as it is means what it says.
"""

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.image import Image
from medloop.interaction.gaps import gap_of
from medloop.interaction.guard import Claim, Narrow, its_own, patches_touching, places_within
from medloop.interaction.modelfree.correcting import corrected
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Prompt, exact_voxels
from medloop.interaction.regions import slices_of

LEAST = 0.92
"""Dice of answer and mask beyond what is asked about, from which on an engine is believed. (Hippocampi, twelve cases for tuning, a network
of Dice 0.80: on true masks with one mistake it agrees to at most 0.90, after clicks on its own proposals mostly to 0.93 and more.)"""

HALF = 0.6
"""Below this the voxels next to what is supported are not kept either: the engine speaks of something else."""


def agreement(claim: Claim, label: int) -> float:
    """Dice of answer and mask for a label, away from what was asked about; 1 where the engine changes nothing there."""
    from scipy import ndimage

    beside = ~ndimage.binary_dilation(claim.reach, np.ones((3, 3, 3)))
    has, gets = (claim.old == label) & beside, (claim.wish == label) & beside
    if np.array_equal(has, gets):
        return 1.0
    return 2 * int((has & gets).sum()) / int(has.sum() + gets.sum())


def believed(prompt: Prompt, allowed: BoolArray, claim: Claim, image: Image) -> BoolArray:
    """What is kept of the change that one prompt lets through, shape of the box; see the module's text."""
    from scipy import ndimage

    if isinstance(prompt, Box | ExtremePoints | Lasso) or not allowed.any():
        return allowed
    gap = gap_of(prompt, claim.before, image.grid)
    if gap is None or not np.isfinite(gap.depth_mm):  # a label without a voxel yet: there is nothing to agree with
        return allowed
    agreed = agreement(claim, prompt.label)
    if agreed >= LEAST:
        return allowed
    mended: BoolArray = corrected(image, claim.before, prompt)[slices_of(claim.box)] != claim.old
    if agreed >= HALF:
        mended = ndimage.binary_dilation(mended, ndimage.generate_binary_structure(3, 1))
    return allowed & mended


def narrowed_by(image: Image) -> Narrow:
    """The rule for `guard.held`: an engine is believed against the mask as far as it agrees with it; a part of its own as a whole."""

    def narrow(prompt: Prompt, allowed: BoolArray, claim: Claim) -> BoolArray:
        if isinstance(prompt, Box | ExtremePoints) or its_own(allowed, prompt, claim.before, claim.box):
            return allowed
        kept = believed(prompt, allowed, claim, image)
        return kept if kept is allowed else patches_touching(kept, places_within(exact_voxels(prompt, claim.before.shape), claim.box))

    return narrow
