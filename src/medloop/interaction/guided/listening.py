"""Whether a network takes in what it is told: on images unlike any it has learned from, hints may change next to nothing.

A project's network that has only seen bright cells on dark ground answers a picture of dark cells on bright ground with background,
and goes on doing so however often somebody clicks on a cell. Then another engine has to answer.
"""

from collections.abc import Sequence

import numpy as np

from medloop.interaction.guided.guidance import Channels
from medloop.interaction.guided.windows import Span
from medloop.interaction.prompts import Box, Prompt, exact_voxels

FEWEST = 2
"""Hints that must have been ignored: one may have been a slip, or ask for something small."""


def ignored_hints(probabilities: Channels, span: Span, group: Sequence[int], prompts: Sequence[Prompt]) -> tuple[int, int]:
    """How many hints the likeliest labels of a window contradict, and how many hints lie in it.

    Args:
        probabilities: Of background and the labels of `group`, shape (1 + labels, …) of the window.
        span: Where in the image.
        group: The labels.
        prompts: In force. One is contradicted when most of its voxels are; boxes and prompts for other labels say nothing.
    """
    values = np.array([0, *group])[probabilities.argmax(axis=0)]
    ignored = seen = 0
    for prompt in prompts:
        if isinstance(prompt, Box) or prompt.label not in group:
            continue
        places = exact_voxels(prompt, span.stop) - np.array(span.start)
        places = places[((places >= 0) & (places < np.array(span.shape))).all(axis=1)]
        if len(places):
            obeyed = (values[tuple(places.T)] == prompt.label) == getattr(prompt, "positive", True)
            ignored, seen = ignored + int(obeyed.mean() < 0.5), seen + 1
    return ignored, seen


def is_deaf(ignored: int, seen: int) -> bool:
    """Whether a network ignores what it is told: at least `FEWEST` hints, and more than half of those it sees."""
    return ignored >= FEWEST and 2 * ignored > seen
