"""A small engine with a rule one can check by hand, for tests of everything around engines.

A positive hint gives its label to the ball of radius 2 around it, a negative one takes it from the ball of radius 1; a box gives
its label to the voxels inside that are brighter than the image's mean. The last gesture that speaks of a voxel wins.
"""

from collections.abc import Callable, Sequence

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, changed_box, require_wanted
from medloop.interaction.prompts import Box, Prompt, exact_voxels, keep_prompts


class BallEngine:
    """See the module's text.

    Args:
        during: Called within every refinement with its `wanted`, for tests of what happens meanwhile.
    """

    name = "balls"

    def __init__(self, during: Callable[[StillWanted], None] = lambda _wanted: None) -> None:
        self.during = during
        self.embedded = 0
        self.note = ""

    def embed(self, image: Image) -> ImageEmbedding:
        self.embedded += 1
        return ImageEmbedding(image, self.name, float(image.array.mean()))

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),  # noqa: ARG002  # what surrounds engines must hold without their help
        wanted: StillWanted = lambda: True,
    ) -> RefinedMask:
        self.during(wanted)
        require_wanted(wanted)
        before = np.zeros(embedding.image.grid.shape, np.uint8) if previous is None else previous
        mask = before.copy()
        for prompt in prompts:
            where = _reached(prompt, embedding)
            gives = getattr(prompt, "positive", True)
            mask[where if gives else where & (mask == prompt.label)] = prompt.label if gives else 0
        mask = keep_prompts(mask, prompts)
        probabilities = np.stack([mask == label for label in (0, *labels)]).astype(np.float32)
        return RefinedMask(mask, probabilities, tuple(labels), 0.75, *changed_box(before, mask), note=self.note)


def _reached(prompt: Prompt, embedding: ImageEmbedding) -> BoolArray:
    image = embedding.image
    reached = np.zeros(image.grid.shape, bool)
    if isinstance(prompt, Box):
        box = tuple(slice(a, b) for a, b in zip(prompt.start, prompt.stop, strict=True))
        reached[box] = image.array[0][box] > embedding.content
        return reached
    grid = np.indices(image.grid.shape)
    for voxel in exact_voxels(prompt, image.grid.shape):
        distance = ((grid - voxel[:, None, None, None]) ** 2).sum(axis=0)
        reached |= distance <= (4 if getattr(prompt, "positive", True) else 1)
    return reached
