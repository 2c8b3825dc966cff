"""From the probabilities of a window to the label of each of its voxels: the cheapest boundary, every hint obeyed."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.interaction.engine import StillWanted
from medloop.interaction.interactive_network.guidance import Channels, Window
from medloop.interaction.interactive_network.windows import Span, on_image, prompts_within, rescaled
from medloop.interaction.prompts import Prompt
from medloop.interaction.solvers.mincut import relax_labels, settle_labels
from medloop.models.foundation.fitting import FittedImage, cut

MOST_CUT = 150_000
"""Voxels of a window up to which boundaries follow the image's own grid; beyond, the network's coarser one: a click has to stay a click."""


def choose_labels(
    found: Channels,
    window: Window,
    fitted: FittedImage,
    prompts: Sequence[Prompt],
    group: Sequence[int],
    *,
    smoothness: float | None,
    wanted: StillWanted,
) -> tuple[Span, Channels, MaskArray]:
    """Settle a window.

    Args:
        found: Probabilities at the working spacing, shape (1 + labels, …) of the window.
        window: Where, on the working grid.
        fitted: The whole image, on its own grid and at the working spacing.
        prompts: All that were made, on the image's grid.
        group: The labels that were asked about.
        smoothness: Price of a boundary, see `mincut.cut`; None takes the likeliest label of each voxel.
        wanted: Whether the answer is still wanted.

    Returns:
        Where it is in the image, the probabilities there, and the number of the label within the group for each voxel, 0 for none.

    Raises:
        CancelledError: It is no longer wanted.
    """
    grid, shape, span = fitted.image.grid, fitted.array.shape[1:], Span(window.start, found.shape[1:])
    inside, probabilities = on_image(found, span, shape, grid.shape)
    if smoothness is None:
        return inside, probabilities, probabilities.argmax(axis=0).astype(np.uint8)
    hints = prompts_within(prompts, inside, labels=group)
    if shape == grid.shape or np.prod(inside.shape) <= MOST_CUT:
        image = fitted.normalised[(slice(None), *inside.inside(grid.shape))]
        answers = relax_labels(probabilities, image, hints, grid.spacing_mm, smoothness=smoothness, wanted=wanted)
    else:
        coarse = prompts_within(rescaled(prompts, grid.shape, shape), span, labels=group)
        image = cut(fitted.array, span.start, span.shape)
        relaxed = relax_labels(found, image, coarse, window.spacing_mm, smoothness=smoothness, wanted=wanted)
        answers = on_image(relaxed, span, shape, grid.shape)[1]
    return inside, probabilities, settle_labels(answers, probabilities, hints)
