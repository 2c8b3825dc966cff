"""Cases that are known by marks, as batches read them: the set of classes of each voxel beside the mask of marked and likely ones.

A thin stroke is a few voxels of many: where images are resampled to coarser voxels, what is marked is carried over voxel by voxel, so
that none of it is outvoted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.geometry import Shape3
from medloop.models.foundation.fitting import cut
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.resample import resample_mask
from medloop.models.foundation.weak_losses import WeakBatch
from medloop.models.training.augmentation import Change, apply_change, geometry_of


@dataclass(frozen=True, eq=False)
class WeakTarget:
    """What marks say of a case beside its mask, which holds what they mark and make likely.

    Attributes:
        sets: Number of the set of classes that each voxel can have, shape (I, J, K), uint8.
        possible: The sets, bool, shape (sets, classes); the first one is of every class.
        present: Labels of which some is in the image.
    """

    sets: MaskArray
    possible: BoolArray
    present: tuple[int, ...] = ()

    def without(self, missing: Sequence[int]) -> "WeakTarget":
        """The same where some classes can be nowhere; a set of nothing else keeps its background."""
        possible = self.possible.copy()
        possible[:, list(missing)] = False
        possible[~possible.any(axis=1), 0] = True
        sets = self.sets
        if missing:  # set 0 stays that of every class, as what lies outside an image is of it
            possible, sets = np.concatenate([self.possible[:1], possible]), (sets + 1).astype(np.uint8)
        return WeakTarget(sets, possible, tuple(v for v in self.present if v not in missing))


@dataclass(frozen=True, eq=False)
class PreparedWeak:
    """A `WeakTarget` as batches read it.

    Attributes:
        sets: File of an array (I, J, K), uint8, at the working shape.
        possible, present: See `WeakTarget`; possible has as many columns as the network has classes.
        shape: Of the case.
    """

    sets: Path
    possible: BoolArray
    present: tuple[int, ...]
    shape: Shape3


def prepare_weak(target: WeakTarget, mask: MaskArray, *, classes: int, shape: Shape3, file: Path) -> tuple[PreparedWeak, MaskArray]:
    """Write the sets as batches read them, and the mask at the working shape, in which every marked voxel is kept.

    Args:
        target: Of the case.
        mask: What is marked and likely, on its own grid.
        classes: Of the network.
        shape: The working shape.
        file: Where the sets go.
    """
    possible = np.zeros((len(target.possible), classes), dtype=bool)
    width = min(classes, target.possible.shape[1])
    possible[:, :width] = target.possible[:, :width]
    possible[0] = True
    sets, moved = resample_mask(target.sets, shape), resample_mask(mask, shape)
    certain = possible.sum(axis=1) == 1
    if mask.shape != shape:
        places = np.argwhere(certain[target.sets])
        at = tuple(np.minimum((places + 0.5) * np.array(shape) / np.array(mask.shape), np.array(shape) - 1).astype(np.int64).T)
        sets[at] = target.sets[tuple(places.T)]
    moved = np.where(certain[sets], possible.argmax(axis=1)[sets], moved).astype(np.uint8)
    known = moved != UNKNOWN
    moved[known] = np.where(possible[sets[known], moved[known]], moved[known], UNKNOWN)
    np.save(file, sets)
    return PreparedWeak(file, possible, target.present, shape), moved


def moved_sets(recipe: Recipe, target: PreparedWeak, change: Change, window: Shape3, start: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Sets of the voxels of a patch: they move as its mask does; outside the image nothing is known."""
    sets: npt.NDArray[np.uint8] = cut(np.load(target.sets, mmap_mode="r")[None], start, window)[0]
    if not change.moves and not any(change.flips):
        return sets
    blank = np.zeros((1, *window), dtype=np.float32)
    numbers = len(target.possible)
    _, moved = apply_change(geometry_of(change), blank, sets, patch=recipe.patch, spacing_mm=(1.0, 1.0, 1.0), classes=numbers)
    return np.zeros(recipe.patch, dtype=np.uint8) if moved is None else moved


def stacked(recipe: Recipe, drawn: Sequence[tuple[PreparedWeak | None, npt.NDArray[np.uint8], float]]) -> WeakBatch:
    """A batch of drawn patches: (its case's target, its sets, the share of the case that it shows)."""
    rows = max((len(target.possible) for target, _, _ in drawn if target is not None), default=1)
    possible = torch.ones((len(drawn), rows, recipe.classes), dtype=torch.bool)
    present = torch.zeros((len(drawn), recipe.classes), dtype=torch.bool)
    for n, (target, _, _) in enumerate(drawn):
        if target is not None:
            possible[n, : len(target.possible)] = torch.from_numpy(target.possible)
            present[n, list(target.present)] = True
    sets = torch.from_numpy(np.stack([numbers for _, numbers, _ in drawn]).astype(np.int64))
    sets = sets.squeeze(-1) if recipe.dimension == 2 else sets
    weak = torch.tensor([target is not None for target, _, _ in drawn])
    return WeakBatch(weak, sets, possible, present, torch.tensor([share for _, _, share in drawn], dtype=torch.float32))
