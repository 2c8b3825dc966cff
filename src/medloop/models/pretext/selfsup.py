"""Features learned from a project's own images, without answers: a small encoder by contrast of augmented pairs.

Two random changes of the same thumbnail must lie close, those of different cases apart. The encoder is small
and sees 64 × 64 pixels: it tells apart what differs at a glance (region, orientation, contrast, gross anatomy),
not fine lesions.

Source: Chen et al. 2020 (SimCLR), arXiv:2002.05709, equation 1; the use for a cold start as in Chen et al. 2022,
arXiv:2210.02442.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.errors import SettingError
from medloop.core.seeds import generator
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.pretext.networks import (
    Codes,
    Thumbnails,
    apply_in_blocks,
    convolutions,
    draw_cases,
    minimise,
    put_weights,
    require_thumbnails,
    seeded,
)

FEWEST_CASES = 4
"""With fewer there is next to nothing to tell apart."""

WIDTHS = (16, 32, 64, 64)


@dataclass(frozen=True, kw_only=True)
class ContrastRecipe:
    """How to learn by contrast.

    Attributes:
        steps: Optimiser steps; about 0.1 s each on one core at the usual batch.
        batch: Cases per step.
        dimensions: Length of the projection that the loss sees; embeddings are as wide as the encoder.
        temperature: Of the softmax over similarities.
        learning_rate: Of Adam.
        seed: Root of all randomness.
    """

    steps: int = 300
    batch: int = 32
    dimensions: int = 32
    temperature: float = 0.2
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.dimensions) < 1 or self.batch < 2 or min(self.temperature, self.learning_rate) <= 0:
            raise SettingError(f"Steps and dimensions must be positive, a batch at least 2, rates above 0, got {self}")


class ContrastEncoder(nn.Module):
    """Convolutions and mean pooling: thumbnails (B, 3, 64, 64) to features (B, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = convolutions(WIDTHS)

    def forward(self, images: Tensor) -> Tensor:
        """Thumbnails to features."""
        features: Tensor = self.body(images)
        return features.flatten(2).mean(dim=2)


def train_selfsup(thumbnails: Thumbnails, recipe: ContrastRecipe, *, report: Callable[[int, float], None] | None = None) -> bytes:
    """Learn an encoder from the images alone.

    Args:
        thumbnails: Shape (cases, 3, 64, 64).
        recipe: How.
        report: Called with the steps done and the loss; may raise to stop.

    Returns:
        The encoder as safetensors, for `embed`.

    Raises:
        InputError: Fewer than `FEWEST_CASES`, or numbers that are none.
        ShapeError: Not thumbnails.
    """
    images = require_thumbnails(thumbnails, least=FEWEST_CASES)
    with seeded(recipe.seed, "contrast"):
        encoder = ContrastEncoder()
        projector = nn.Sequential(nn.Linear(WIDTHS[-1], WIDTHS[-1]), nn.ReLU(), nn.Linear(WIDTHS[-1], recipe.dimensions))
        optimiser = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=recipe.learning_rate)

        def loss_at(step: int) -> Tensor:
            drawn = images[draw_cases(len(images), recipe.batch, seed=recipe.seed, step=step)]
            rng = generator(recipe.seed, "change", step)
            views = torch.cat([change_thumbnails(drawn, rng), change_thumbnails(drawn, rng)])
            return contrast_loss(projector(encoder(views)), recipe.temperature)

        minimise(optimiser, loss_at, recipe.steps, report=report)
    return encode_weights(dict(encoder.state_dict()))


def embed(weights: bytes, thumbnails: Thumbnails) -> Codes:
    """Features of each case, shape (cases, 64), of length 1 each.

    Raises:
        FormatError: Bytes that are not safetensors.
        InputError: Weights of another network, or numbers that are none.
        ShapeError: Not thumbnails.
    """
    images = require_thumbnails(thumbnails, least=1)
    encoder = ContrastEncoder()
    put_weights(encoder, weights)
    features = apply_in_blocks(encoder, images)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def contrast_loss(projected: Tensor, temperature: float) -> Tensor:
    """NT-Xent: each row has to recognise its twin among all others by cosine similarity.

    Args:
        projected: Shape (2n, dimensions); row r and row n + r show the same case.
        temperature: Divides the similarities.

    Source: Chen et al. 2020, arXiv:2002.05709, equation 1.
    """
    rows = len(projected)
    unit = functional.normalize(projected, dim=1)
    similarity = unit @ unit.T / temperature
    similarity = similarity.masked_fill(torch.eye(rows, dtype=torch.bool), float("-inf"))
    twins = torch.arange(rows).roll(rows // 2)
    return functional.cross_entropy(similarity, twins)


def change_thumbnails(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Each thumbnail (B, views, side, side) turned a little, zoomed, moved, with other contrast and noise; sides are never swapped."""
    count = len(images)
    lattice = functional.affine_grid(_turns(count, rng), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, lattice, mode="bilinear", align_corners=False)
    gain, offset = (torch.from_numpy(drawn.astype(np.float32)) for drawn in (rng.uniform(0.7, 1.4, count), rng.normal(0, 0.2, count)))
    noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32)) * 0.1
    return moved * gain[:, None, None, None] + offset[:, None, None, None] + noise


def _turns(count: int, rng: np.random.Generator) -> Tensor:
    """Affine matrices (count, 2, 3): up to 15 degrees, 60 to 110 % of the field, moved by up to 15 % of it."""
    angle = np.deg2rad(rng.uniform(-15, 15, count))
    zoom = rng.uniform(0.6, 1.1, count)
    shift = rng.uniform(-0.3, 0.3, (count, 2))
    matrices: npt.NDArray[np.float64] = np.zeros((count, 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle) * zoom
    matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(angle) * zoom, np.sin(angle) * zoom
    matrices[:, :, 2] = shift
    return torch.from_numpy(matrices.astype(np.float32))
