"""Two engines of the tests' own: one that a person can compute, and one that does whatever it likes."""

import zlib
from dataclasses import dataclass

import numpy as np

from medloop.interaction.engine import ImageEmbedding, RefinedMask, changed_box, require_wanted
from medloop.interaction.prompts import keep_prompts, prompt_to_json
from medloop.interaction.regions import prompt_box


def answered(mask, previous, labels):
    """A mask as an engine hands it over."""
    probabilities = np.stack([(mask == v).astype(np.float32) for v in (0, *labels)])
    return RefinedMask(mask, probabilities, tuple(labels), None, *changed_box(previous, mask))


def distance_mm(voxels, box, *, spacing_mm):
    """How far voxel centres lie from the voxel centres of a box; 0 within."""
    nearest = np.clip(voxels, box[0], np.subtract(box[1], 1))
    return np.sqrt(np.square((voxels - nearest) * np.array(spacing_mm)).sum(axis=1))


@dataclass(frozen=True)
class BallEngine:
    """Gives (or takes) the last prompt's label within some millimetres of it."""

    radius_mm: float = 2.0
    name: str = "ball"

    def embed(self, image):
        return ImageEmbedding(image, self.name)

    def refine(self, embedding, prompts, *, labels, previous=None, locked=(), wanted=lambda: True):
        require_wanted(wanted)
        grid = embedding.image.grid
        previous = np.zeros(grid.shape, dtype=np.uint8) if previous is None else previous
        mask, last = previous.copy(), prompts[-1]
        every = np.argwhere(np.ones(grid.shape, dtype=bool))
        near = distance_mm(every, prompt_box(last, grid.shape), spacing_mm=grid.spacing_mm) <= self.radius_mm
        ball = tuple(every[near].T)
        positive = getattr(last, "positive", True)
        mask[ball] = last.label if positive else np.where(mask[ball] == last.label, 0, mask[ball])
        mask = np.where(np.isin(previous, list(locked)), previous, keep_prompts(mask, prompts))
        return answered(mask.astype(np.uint8), previous, labels)


@dataclass(frozen=True)
class WildEngine:
    """Answers noise (the same for the same prompts), heedless of hints, locks and earlier work."""

    name: str = "wild"

    def embed(self, image):
        return ImageEmbedding(image, self.name)

    def refine(self, embedding, prompts, *, labels, previous=None, locked=(), wanted=lambda: True):  # noqa: ARG002 - heedless
        require_wanted(wanted)
        shape = embedding.image.grid.shape
        rng = np.random.default_rng(zlib.crc32(repr([prompt_to_json(p) for p in prompts]).encode()))
        mask = rng.choice(np.array([0, *labels], dtype=np.uint8), size=shape)
        return answered(mask, np.zeros(shape, dtype=np.uint8) if previous is None else previous, labels)
