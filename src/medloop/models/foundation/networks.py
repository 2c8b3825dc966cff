"""Networks: a U-Net in 2D and 3D and a classifier that shares its encoder, from MONAI's blocks.

Both follow one protocol, so that prediction reads: `deepest, skips = network.encode(images)`, then
`network.decode(deepest, skips)`. The deepest features, pooled, are the embedding of a case. Dropout sits at the
coarse levels only, where it costs nothing and makes whole structures appear and vanish (MC dropout).

A recipe may fold neighbouring voxels into channels: the U-Net then works on an eighth of the voxels, and one block at
full resolution, which sees the image again, draws the borders. On a CPU this learns more per minute than a U-Net whose
finest level is full resolution (figures in benchmarks/results/stem.md). Tensors lie channels-last, which convolutions on
CPUs and GPUs prefer; each channel of each image is normalised by itself (a group per channel: instance normalisation).
"""

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.errors import FormatError
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.foundation.compute import choose_device
from medloop.models.foundation.heads import Heads
from medloop.models.foundation.recipes import Recipe

ACTIVATION = ("leakyrelu", {"inplace": True, "negative_slope": 0.01})
DROPOUT_LEVELS = 2
"""How many of the coarsest levels drop channels."""


def blocks() -> Any:
    """MONAI's blocks. MONAI takes seconds to load, which only those need who have a network."""
    from monai.networks.blocks import dynunet_block

    return dynunet_block


class Encoder(nn.Module):
    """The descending half of a U-Net."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        d = recipe.dimension
        self.fold = recipe.fold[:d]
        widths = (recipe.inputs * math.prod(self.fold), *recipe.features)
        self.levels = nn.ModuleList(
            blocks().UnetBasicBlock(
                d, widths[n], widths[n + 1], recipe.kernels[n][:d], recipe.strides[n][:d], _norm(widths[n + 1]), ACTIVATION
            )
            for n in range(len(recipe.features))
        )
        self.dropout = _dropout(recipe)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Images (B, channels, …) to the deepest features (B, widest, …) and the skips, finest first."""
        features: list[Tensor] = []
        images = fold_voxels(images, self.fold)
        if not torch.onnx.is_in_onnx_export():  # a graph for elsewhere knows no memory layout
            images = images.contiguous(memory_format=_layout(len(self.fold)))
        for level in self.levels:
            images = level(images)
            features.append(images)
        return self.dropout(features[-1]), features[:-1]


class Borders(nn.Module):
    """From the finest level of a folded U-Net back to full resolution, with the image itself beside it."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        d, fold = recipe.dimension, recipe.fold[: recipe.dimension]
        self.width = recipe.features[0] // 2
        kernel = tuple(3 if step > 1 else 1 for step in fold)
        self.unfold = blocks().get_conv_layer(
            d, recipe.features[0], self.width, kernel_size=fold, stride=fold, conv_only=True, is_transposed=True
        )
        self.block = blocks().UnetBasicBlock(d, self.width + recipe.inputs, self.width, kernel, 1, _norm(self.width), ACTIVATION)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """Features (B, finest, …) and images (B, inputs, …) to features (B, width, …) of the image's size."""
        unfolded = self.unfold(features)
        refined: Tensor = self.block(torch.cat([unfolded, images.to(unfolded.dtype)], dim=1))
        return refined


class SegmentationNetwork(nn.Module):
    """A U-Net, by the recipe of a segmentation."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        d, widths, kernels, strides = recipe.dimension, recipe.features, recipe.kernels, recipe.strides
        self.inputs = recipe.inputs
        self.encoder = Encoder(recipe)
        self.ascent = nn.ModuleList(
            blocks().UnetUpBlock(d, widths[n], widths[n - 1], kernels[n - 1][:d], 1, strides[n][:d], _norm(widths[n - 1]), ACTIVATION)
            for n in range(len(widths) - 1, 0, -1)
        )
        self.dropouts = nn.ModuleList(_dropout(recipe) if n < DROPOUT_LEVELS - 1 else nn.Identity() for n in range(len(self.ascent)))
        self.borders = Borders(recipe) if math.prod(recipe.fold) > 1 else None
        self.width = self.borders.width if self.borders else recipe.features[0]
        one = recipe.heads == 1
        self.head = blocks().UnetOutBlock(d, self.width, recipe.classes) if one else Heads(d, self.width, recipe.classes, recipe.heads)

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """See `Encoder.forward`; the images themselves are the first skip. A guided network takes an image alone as one without hints."""
        if missing := self.inputs - images.shape[1]:
            images = functional.pad(images, (0, 0) * (images.dim() - 2) + (0, missing))
        deepest, skips = self.encoder(images)
        return deepest, [images, *skips]

    def decode(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:
        """Features of `encode` to logits (B, classes, …) of the image's size."""
        logits: Tensor = self.head(self._ascend(deepest, skips))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What the head sees of images (B, channels, …): shape (B, width, …) of the image's size."""
        return self._ascend(*self.encode(images))

    def decode_heads(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:
        """Features of `encode` to the logits of every head, (B, heads × classes, …), head after head."""
        finest = self._ascend(deepest, skips)
        return self.head.every(finest) if isinstance(self.head, Heads) else self.head(finest)

    def _ascend(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:
        images, *levels = skips
        for up, dropout, skip in zip(self.ascent, self.dropouts, reversed(levels), strict=True):
            deepest = dropout(up(deepest, skip))
        return self.borders(deepest, images) if self.borders else deepest

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to logits (B, classes, …)."""
        return self.decode(*self.encode(images))


class ClassificationNetwork(nn.Module):
    """The encoder, global mean pooling and one linear layer, by the recipe of a classification."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.encoder = Encoder(recipe)
        self.dropout = nn.Dropout(recipe.dropout)
        self.width = recipe.features[-1]
        self.head = nn.Linear(self.width, recipe.classes)

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """See `Encoder.forward`."""
        deepest, skips = self.encoder(images)
        return deepest, skips

    def decode(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:  # noqa: ARG002 - the skips belong to the protocol
        """Features of `encode` to logits (B, classes)."""
        logits: Tensor = self.head(self.dropout(pool(deepest)))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What the head sees of images (B, channels, …): shape (B, width)."""
        pooled: Tensor = self.dropout(pool(self.encode(images)[0]))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to logits (B, classes)."""
        return self.decode(*self.encode(images))


AnyNetwork: TypeAlias = SegmentationNetwork | ClassificationNetwork


def build_network(recipe: Recipe, *, seed: int) -> AnyNetwork:
    """A fresh network whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SegmentationNetwork(recipe) if recipe.kind == "segmentation" else ClassificationNetwork(recipe)
    network.to(memory_format=_layout(recipe.dimension))  # type: ignore[call-overload]  # torch leaves this form out of its stubs
    return network


def fold_voxels(images: Tensor, fold: tuple[int, ...]) -> Tensor:
    """Blocks of voxels become channels: (B, C, I, …) to (B, C × product of fold, I / fold[0], …)."""
    if math.prod(fold) == 1:
        return images
    batch, channels, *size = images.shape
    halves = [part for length, step in zip(size, fold, strict=True) for part in (length // step, step)]
    d = len(fold)
    order = (0, 1, *(3 + 2 * axis for axis in range(d)), *(2 + 2 * axis for axis in range(d)))
    return images.reshape(batch, channels, *halves).permute(order).flatten(1, 1 + d)


def pool(features: Tensor) -> Tensor:
    """Mean over space: (B, F, …) to (B, F)."""
    return features.flatten(2).mean(dim=2)


def _norm(channels: int) -> tuple[str, dict[str, object]]:
    """Instance normalisation, as groups of one channel: that form has kernels for channels-last tensors."""
    return ("GROUP", {"num_groups": channels, "affine": True})


def _layout(dimension: int) -> torch.memory_format:
    return torch.channels_last if dimension == 2 else torch.channels_last_3d


def _dropout(recipe: Recipe) -> nn.Module:
    return nn.Dropout2d(recipe.dropout) if recipe.dimension == 2 else nn.Dropout3d(recipe.dropout)


def load_weights(network: AnyNetwork, data: bytes) -> None:
    """Put safetensors into a network.

    Raises:
        FormatError: When the bytes are not safetensors, or not weights of this network.
    """
    try:
        network.load_state_dict(decode_weights(data))
    except RuntimeError as error:
        raise FormatError("The weights do not belong to this recipe", remedy="train the model again") from error


def load_network(recipe: Recipe, data: bytes) -> AnyNetwork:
    """A network with these weights, in evaluation mode, on the device of choice; raises as `load_weights`."""
    network = build_network(recipe, seed=0)
    load_weights(network, data)
    return network.to(choose_device()).eval()
