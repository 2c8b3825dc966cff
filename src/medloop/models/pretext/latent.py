"""Latent codes learned without answers: a small variational autoencoder on thumbnails.

Loss per thumbnail: squared error of the reconstruction + `kl` × KL(q(z|x) ‖ N(0, 1)) + `mmd` × MMD(q(z) ‖ N(0, 1)).
The last term (InfoVAE) keeps the codes informative where the KL term alone lets them collapse.

Sources: Kingma and Welling 2014, arXiv:1312.6114; Zhao et al. 2019 (InfoVAE), arXiv:1706.02262, equation 6, with
a kernel mean discrepancy as there; Sinha et al. 2019 (VAAL), arXiv:1904.00370, for the use in active learning.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.errors import SettingError
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
from medloop.models.pretext.thumbnails import SIDE, VIEWS

DIMENSIONS = 16
"""Length of a code: pools of tens to thousands of thumbnails carry no more than that."""

FEWEST_CASES = 4
WIDTHS = (16, 32, 32)
COARSE = SIDE // 2 ** len(WIDTHS)


@dataclass(frozen=True, kw_only=True)
class LatentRecipe:
    """How to learn codes.

    Attributes:
        steps: Optimiser steps; about 0.15 s each on one core at the usual batch.
        batch: Cases per step.
        kl: Weight of the KL term per dimension, against a mean squared error per pixel.
        mmd: Weight of the mean discrepancy.
        learning_rate: Of Adam.
        seed: Root of all randomness.
    """

    steps: int = 300
    batch: int = 32
    kl: float = 1e-3
    mmd: float = 1e-1
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or min(self.kl, self.mmd) < 0 or self.learning_rate <= 0:
            raise SettingError(f"Steps must be positive, a batch at least 2, weights not negative, got {self}")


class LatentEncoder(nn.Module):
    """Thumbnails (B, 3, 64, 64) to mean and logarithm of the variance of their codes, (B, 2 × DIMENSIONS)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = convolutions(WIDTHS)
        self.head = nn.Linear(WIDTHS[-1] * COARSE**2, 2 * DIMENSIONS)

    def forward(self, images: Tensor) -> Tensor:
        """Thumbnails to (mean, log variance), side by side."""
        found: Tensor = self.head(self.body(images).flatten(1))
        return found


class LatentDecoder(nn.Module):
    """Codes (B, DIMENSIONS) to thumbnails (B, 3, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (*WIDTHS[::-1], WIDTHS[0] // 2)
        self.stem = nn.Linear(DIMENSIONS, WIDTHS[-1] * COARSE**2)
        levels: list[nn.Module] = []
        for before, after in pairwise(widths):
            levels += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(0.1)]
        self.body = nn.Sequential(*levels, nn.Conv2d(widths[-1], VIEWS, 3, padding=1))

    def forward(self, codes: Tensor) -> Tensor:
        """Codes to thumbnails."""
        images: Tensor = self.body(self.stem(codes).view(len(codes), WIDTHS[-1], COARSE, COARSE))
        return images


class LatentModel(nn.Module):
    """Encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = LatentEncoder(), LatentDecoder()


def train_latent(thumbnails: Thumbnails, recipe: LatentRecipe) -> bytes:
    """Learn codes from thumbnails alone, shape (cases, 3, 64, 64): encoder and decoder as safetensors, for `encode_latent`.

    Raises:
        InputError: Fewer than `FEWEST_CASES`, or numbers that are none.
        ShapeError: Not thumbnails.
    """
    images = require_thumbnails(thumbnails, least=FEWEST_CASES)
    with seeded(recipe.seed, "latent"):
        model = LatentModel()
        optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)

        def loss_at(step: int) -> Tensor:
            return latent_loss(model, images[draw_cases(len(images), recipe.batch, seed=recipe.seed, step=step)], recipe)

        minimise(optimiser, loss_at, recipe.steps, clip=5.0)
    return encode_weights(dict(model.state_dict()))


def encode_latent(weights: bytes, thumbnails: Thumbnails) -> Codes:
    """The mean code of each case, shape (cases, DIMENSIONS).

    Raises:
        FormatError: Bytes that are not safetensors.
        InputError: Weights of another network, or numbers that are none.
        ShapeError: Not thumbnails.
    """
    images = require_thumbnails(thumbnails, least=1)
    model = LatentModel()
    put_weights(model, weights)
    return apply_in_blocks(model.encoder, images)[:, :DIMENSIONS]


def latent_loss(model: LatentModel, images: Tensor, recipe: LatentRecipe) -> Tensor:
    """The loss of a batch; see the module. Draws from torch's generator."""
    mean, log_variance = model.encoder(images).chunk(2, dim=1)
    log_variance = log_variance.clamp(-10.0, 10.0)
    codes = mean + torch.randn_like(mean) * (log_variance / 2).exp()
    error = functional.mse_loss(model.decoder(codes), images)
    return error + recipe.kl * kl_divergence(mean, log_variance) + recipe.mmd * mean_discrepancy(codes, torch.randn_like(codes))


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, 1)) in nats, summed over dimensions, averaged over rows.

    Source: Kingma and Welling 2014, arXiv:1312.6114, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=1).mean()


def mean_discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two samples (n, d) and (m, d), Gaussian kernel of width √d; 0 for equal samples.

    Source: Gretton et al. 2012, JMLR 13:723, equation 5 (biased, never negative); Zhao et al. 2019, arXiv:1706.02262.
    """
    return _kernel(a, a) + _kernel(b, b) - 2 * _kernel(a, b)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    squared = (a[:, None] - b[None]).square().sum(dim=2)
    return (-squared / (2 * a.shape[1])).exp().mean()
