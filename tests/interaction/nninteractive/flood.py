"""A small engine that needs nothing but SciPy: it floods voxels of like intensity from what was clicked."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label as connected

from medloop.core.arrays import MaskArray
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, changed_box, require_wanted
from medloop.interaction.prompts import Box, Prompt, keep_prompts, prompted_voxels

TOLERANCE = 10.0


class FloodEngine:
    name = "flood"

    def __init__(self) -> None:
        self.predictions: list[int] = []

    def embed(self, image: Image) -> ImageEmbedding:
        return ImageEmbedding(image, self.name)

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),
        wanted: StillWanted = lambda: True,
    ) -> RefinedMask:
        require_wanted(wanted)
        self.predictions.append(len(prompts))
        picture = embedding.image.array[0].astype(np.float64)
        before = np.zeros(picture.shape, dtype=np.uint8) if previous is None else previous
        mask = before.copy()
        for label in labels:
            mask[self._region(picture, prompts, label)] = label
        mask = keep_prompts(mask, prompts)
        mask[np.isin(before, locked)] = before[np.isin(before, locked)]
        start, stop = changed_box(before, mask)
        probabilities = np.stack([mask == value for value in (0, *labels)]).astype(np.float32)
        return RefinedMask(mask, probabilities, tuple(labels), None, start, stop)

    def _region(self, picture: np.ndarray, prompts: Sequence[Prompt], label: int) -> np.ndarray:
        region = np.zeros(picture.shape, dtype=bool)
        for seed in prompted_voxels(prompts, picture.shape, label=label).positive:
            parts, _ = connected(np.abs(picture - picture[tuple(seed)]) <= TOLERANCE)
            region |= parts == parts[tuple(seed)]
        for prompt in prompts:
            if isinstance(prompt, Box) and prompt.label == label:
                inside = tuple(slice(a, b) for a, b in zip(prompt.start, prompt.stop, strict=True))
                region[inside] |= picture[inside] > picture[inside].mean()
        return region
