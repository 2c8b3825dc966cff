"""What a network learns from images alone: to restore hidden and noisy patches, and to know a patch again.

Restoring: blocks of a patch are replaced by noise and the rest gets some; the network gives the patch back as it was. It trains encoder and
decoder alike. Knowing again: two changed views of the same patch must lie close in the deepest features, those of other patches apart; it
trains the encoder. Both are a pure function of (recipe, step), as every batch is.

The network is the recipe's own with another head; a classification is given a decoder to restore with, which is dropped afterwards.

Sources: Zhou et al. 2019 (Models Genesis), arXiv:1908.06912, and Tian et al. 2023 (SparK), arXiv:2301.03580, for restoring by U-shaped
networks; Chen et al. 2020 (SimCLR), arXiv:2002.05709, equation 1, for the contrast.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.seeds import derive_seed, generator
from medloop.models.foundation.fitting import cut
from medloop.models.foundation.networks import SegmentationNetwork, blocks, build_network, pool
from medloop.models.foundation.recipes import USUAL_WEAK, Recipe
from medloop.models.training.augmentation import apply_change, geometry_of, intensities_of
from medloop.models.training.batches import PreparedCase, draw_place

HIDDEN = 0.5
"""Share of the blocks of a patch that are hidden."""

BLOCKS = 8
"""Blocks along the longest axis of a patch."""

NOISE = 0.25
"""Standard deviation of the noise on what is not hidden, in those of the image."""

SEEN = 0.1
"""Weight of a voxel that is not hidden against a hidden one: what can be seen is easily copied."""

TEMPERATURE = 0.2
STRONGER = 2.0
PROJECTED = 32


@dataclass(frozen=True, eq=False)
class Puzzle:
    """One batch: patches as they are, the same spoiled twice, all (B, channels, spatial…), and where the first is hidden, (B, 1, …)."""

    plain: Tensor
    spoiled: Tensor
    other: Tensor
    hidden: Tensor


class PretextNetwork(nn.Module):
    """The recipe's network with a head that gives images, and a projection of its deepest features."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(recipe.seed, "pretext"))
            whole = dataclasses.replace(recipe, kind="segmentation")
            body = cast("SegmentationNetwork", build_network(whole, seed=derive_seed(recipe.seed, "pretext", "weights")))
            body.head = blocks().UnetOutBlock(recipe.dimension, body.width, recipe.channels)
            widest = recipe.features[-1]
            self.projector = nn.Sequential(nn.Linear(widest, widest), nn.ReLU(), nn.Linear(widest, PROJECTED))
        self.body = body

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Spoiled images (B, channels, …) to restored ones and projections (B, PROJECTED)."""
        deepest, skips = self.body.encode(images)
        return self.body.decode(deepest, skips), self.projector(pool(deepest))


def pretext_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the same network without all that belongs to annotations: prompts, classes, annotators, members."""
    return dataclasses.replace(
        recipe, classes=2, guided=False, hints="euclidean", members=1, heads=1, rrr=0.0, touched_weight=1.0, annotator_model="none",
        annotators=0, targets="hard", unlabelled="mean-teacher", validations=0, robust="none", weak_weights=USUAL_WEAK, regions=(),
        weak_learned=False,
    )  # fmt: skip


def draw_puzzle(recipe: Recipe, cases: Sequence[PreparedCase], *, step: int) -> Puzzle:
    """The batch of a step; a function of recipe, cases and step."""
    drawn = [_draw(recipe, cases, step, slot) for slot in range(recipe.batch)]
    plain, spoiled, other, hidden = (torch.from_numpy(np.stack(parts)) for parts in zip(*drawn, strict=True))
    if recipe.dimension == 2:
        plain, spoiled, other, hidden = (part.squeeze(-1) for part in (plain, spoiled, other, hidden))
    return Puzzle(plain, spoiled, other, hidden)


def _draw(recipe: Recipe, cases: Sequence[PreparedCase], step: int, slot: int) -> tuple[npt.NDArray[np.float32], ...]:
    """A patch as it is, spoiled, spoiled otherwise, and where it is hidden."""
    turn = step * recipe.batch + slot
    case, change, window, start = draw_place(dataclasses.replace(recipe, kind="segmentation"), cases, 0, step, slot)
    image = cut(np.load(case.image, mmap_mode="r"), start, window)
    plain, _ = apply_change(geometry_of(change), image, None, patch=recipe.patch, spacing_mm=case.spacing_mm, classes=2)
    hidden = hide(recipe.patch, generator(recipe.seed, "hidden", turn))
    spoiled = _spoil(plain, hidden, generator(recipe.seed, "noise", turn))
    rng = generator(recipe.seed, "other", turn)
    strong = dataclasses.replace(recipe, augmentation=max(recipe.augmentation, 0.5) * STRONGER)
    changed, _ = apply_change(intensities_of(strong, rng), plain, None, patch=recipe.patch, spacing_mm=case.spacing_mm, classes=2)
    other = _spoil(changed, hide(recipe.patch, rng), rng)
    return plain, spoiled, other, hidden[None].astype(np.float32)


def hide(patch: Sequence[int], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which voxels of a patch are hidden, shape of the patch: cubes of equal size, `HIDDEN` of them, at least one and never all."""
    side = max(1, -(-max(patch) // BLOCKS))
    grid = [max(1, -(-n // side)) for n in patch]
    count = int(np.prod(grid))
    chosen = rng.permutation(count) < np.clip(round(HIDDEN * count), 1, max(1, count - 1))
    blocks: npt.NDArray[np.bool_] = chosen.reshape(grid)
    for axis in range(3):
        blocks = blocks.repeat(side, axis=axis)
    return blocks[: patch[0], : patch[1], : patch[2]]


def _spoil(image: npt.NDArray[np.float32], hidden: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.where(hidden, noise, image + np.float32(NOISE) * noise)


def pretext_loss(network: PretextNetwork, puzzle: Puzzle, *, contrast: float) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and its part that is the error of restoring (mean square, hidden voxels before all)."""
    restored, projected = network(puzzle.spoiled)
    error = restoring_error(restored.float(), puzzle.plain, puzzle.hidden)
    if not contrast or len(puzzle.plain) < 2:
        return error, error
    deepest, _ = network.body.encode(puzzle.other)
    both = torch.cat([projected, network.projector(pool(deepest))]).float()
    return error + contrast * twin_loss(both, TEMPERATURE), error


def restoring_error(restored: Tensor, plain: Tensor, hidden: Tensor) -> Tensor:
    """Weighted mean square of the difference: hidden voxels weigh 1, others `SEEN`; 0 for a perfect restoration."""
    weight = hidden + SEEN * (1 - hidden)
    return ((restored - plain).square() * weight).sum() / (weight.sum() * plain.shape[1])


def twin_loss(projected: Tensor, temperature: float) -> Tensor:
    """NT-Xent: row r and row n + r show the same patch and must find each other by cosine similarity, shape (2n, dimensions).

    Source: Chen et al. 2020, arXiv:2002.05709, equation 1.
    """
    rows = len(projected)
    unit = functional.normalize(projected, dim=1)
    similarity = (unit @ unit.T / temperature).masked_fill(torch.eye(rows, dtype=torch.bool, device=projected.device), float("-inf"))
    return functional.cross_entropy(similarity, torch.arange(rows, device=projected.device).roll(rows // 2))
