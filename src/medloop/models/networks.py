"""Networks: a U-Net in 2D and 3D and a classifier that shares its encoder, from MONAI's blocks.

Both follow one protocol, so that prediction reads: `deepest, skips = network.encode(images)`, then
`network.decode(deepest, skips)`. The deepest features, pooled, are the embedding of a case. Dropout sits at the
coarse levels only, where it costs nothing and makes whole structures appear and vanish (MC dropout).
"""

from typing import Protocol

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetUpBlock
from torch import Tensor, nn

from medloop.core.errors import FormatError
from medloop.models.checkpoint import decode_weights
from medloop.models.recipes import Recipe

NORM = ("INSTANCE", {"affine": True})
ACTIVATION = ("leakyrelu", {"inplace": True, "negative_slope": 0.01})
DROPOUT_LEVELS = 2
"""How many of the coarsest levels drop channels."""


class Network(Protocol):
    """What training and prediction ask of a network."""

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Images (B, channels, …) to the deepest features and the skips."""
        ...

    def decode(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:
        """Features of `encode` to logits."""
        ...


class Encoder(nn.Module):
    """The descending half of a U-Net.

    Args:
        recipe: Uses dimension, channels, features, strides, kernels, dropout.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        d = recipe.dimension
        widths = (recipe.channels, *recipe.features)
        self.levels = nn.ModuleList(
            UnetBasicBlock(d, widths[n], widths[n + 1], recipe.kernels[n][:d], recipe.strides[n][:d], NORM, ACTIVATION)
            for n in range(len(recipe.features))
        )
        self.dropout = _dropout(recipe)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Images (B, channels, …) to the deepest features (B, widest, …) and the skips, finest first."""
        features: list[Tensor] = []
        for level in self.levels:
            images = level(images)
            features.append(images)
        return self.dropout(features[-1]), features[:-1]


class SegmentationNetwork(nn.Module):
    """A U-Net.

    Args:
        recipe: The recipe of a segmentation.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        d = recipe.dimension
        self.encoder = Encoder(recipe)
        self.ascent = nn.ModuleList(
            UnetUpBlock(
                d, recipe.features[n], recipe.features[n - 1], recipe.kernels[n - 1][:d], 1, recipe.strides[n][:d], NORM, ACTIVATION
            )
            for n in range(len(recipe.features) - 1, 0, -1)
        )
        self.dropouts = nn.ModuleList(_dropout(recipe) if n < DROPOUT_LEVELS - 1 else nn.Identity() for n in range(len(self.ascent)))
        self.head = UnetOutBlock(d, recipe.features[0], recipe.classes)

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """See `Encoder.forward`."""
        deepest, skips = self.encoder(images)
        return deepest, skips

    def decode(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:
        """Features of `encode` to logits (B, classes, …) of the image's size."""
        for up, dropout, skip in zip(self.ascent, self.dropouts, reversed(skips), strict=True):
            deepest = dropout(up(deepest, skip))
        logits: Tensor = self.head(deepest)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to logits (B, classes, …)."""
        return self.decode(*self.encode(images))


class ClassificationNetwork(nn.Module):
    """The encoder, global mean pooling and one linear layer.

    Args:
        recipe: The recipe of a classification.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.encoder = Encoder(recipe)
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = nn.Linear(recipe.features[-1], recipe.classes)

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """See `Encoder.forward`."""
        deepest, skips = self.encoder(images)
        return deepest, skips

    def decode(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:  # noqa: ARG002 - the skips belong to the protocol
        """Features of `encode` to logits (B, classes)."""
        logits: Tensor = self.head(self.dropout(pool(deepest)))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to logits (B, classes)."""
        return self.decode(*self.encode(images))


def build_network(recipe: Recipe, *, seed: int) -> SegmentationNetwork | ClassificationNetwork:
    """A fresh network whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SegmentationNetwork(recipe) if recipe.kind == "segmentation" else ClassificationNetwork(recipe)


def pool(features: Tensor) -> Tensor:
    """Mean over space: (B, F, …) to (B, F)."""
    return features.flatten(2).mean(dim=2)


def _dropout(recipe: Recipe) -> nn.Module:
    return nn.Dropout2d(recipe.dropout) if recipe.dimension == 2 else nn.Dropout3d(recipe.dropout)


def load_weights(network: SegmentationNetwork | ClassificationNetwork, data: bytes) -> None:
    """Put safetensors into a network.

    Raises:
        FormatError: When the bytes are not safetensors, or not weights of this network.
    """
    try:
        network.load_state_dict(decode_weights(data))
    except RuntimeError as error:
        raise FormatError("The weights do not belong to this recipe", remedy="train the model again") from error
