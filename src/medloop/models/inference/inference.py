"""One pass of one network over one prepared image, by sliding windows from MONAI."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medloop.core.geometry import Shape3
from medloop.models.foundation.compute import mixed_precision
from medloop.models.foundation.heads import split_heads
from medloop.models.foundation.networks import AnyNetwork, ClassificationNetwork, pool
from medloop.models.foundation.recipes import Recipe

OVERLAP = 0.5
Decode = Callable[[Tensor, list[Tensor]], Tensor]
WHOLE = 1.5
"""An image up to this many patches long per axis goes through in one piece: cheaper, and without seams."""


class PooledWindows:
    """Calls a network on windows and keeps the running mean of their pooled deepest features.

    Its second half is `network.decode`, or `network.decode_heads` for the answers of all heads.
    """

    def __init__(self, network: AnyNetwork, decode: Decode) -> None:
        self.network = network
        self.decode = decode
        self.total: Tensor | None = None
        self.windows = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to the network's logits, float32."""
        deepest, skips = self.network.encode(images)
        pooled = pool(deepest.float()).sum(dim=0)
        self.total = pooled if self.total is None else self.total + pooled
        self.windows += len(images)
        return self.decode(deepest, skips).float()

    def features(self) -> npt.NDArray[np.float32]:
        """Mean over the windows, shape (widest,)."""
        if self.total is None:
            raise RuntimeError("no window was seen")
        return (self.total / self.windows).cpu().numpy()


@torch.no_grad()
def run_once(
    network: AnyNetwork, recipe: Recipe, image: npt.NDArray[np.float32], *, device: torch.device
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Probabilities and embedding of a prepared image.

    Args:
        network: In whatever mode (dropout on or off) the caller put it.
        recipe: The network's recipe.
        image: Normalised, at the working spacing, shape (channels, I, J, K).
        device: Where the network is.

    Returns:
        Probabilities (classes, I, J, K), or (classes,) for a classification; features (widest,).
    """
    logits, features = _logits(network, recipe, image, device, network.decode)
    return logits.softmax(1)[0].cpu().numpy(), features


@torch.no_grad()
def run_heads(
    network: AnyNetwork, recipe: Recipe, image: npt.NDArray[np.float32], *, device: torch.device
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What every head answers in one pass; see `run_once`, whose answer is their mean.

    Returns:
        Probabilities (heads, classes, I, J, K), or (1, classes) for a classification; features (widest,).
    """
    if isinstance(network, ClassificationNetwork):
        probabilities, features = run_once(network, recipe, image, device=device)
        return probabilities[None], features
    logits, features = _logits(network, recipe, image, device, network.decode_heads)
    return split_heads(logits, recipe.heads).softmax(2)[0].cpu().numpy(), features


@torch.no_grad()
def run_encoder(network: AnyNetwork, recipe: Recipe, image: npt.NDArray[np.float32], *, device: torch.device) -> npt.NDArray[np.float32]:
    """The embedding of a prepared image alone, shape (widest,): as in `run_once`, without the second half of the network."""

    def nothing(deepest: Tensor, skips: list[Tensor]) -> Tensor:
        return pool(deepest) if recipe.kind == "classification" else skips[0][:, :1]

    return _logits(network, recipe, image, device, nothing)[1]


def _logits(
    network: AnyNetwork, recipe: Recipe, image: npt.NDArray[np.float32], device: torch.device, decode: Decode
) -> tuple[Tensor, npt.NDArray[np.float32]]:
    """Logits (1, outputs, I, J, K) or (1, classes), float32, and features."""
    from monai.inferers.utils import sliding_window_inference  # MONAI takes seconds to load, which only predicting needs

    tensor = torch.from_numpy(np.array(image, order="C"))[None].to(device)
    if recipe.dimension == 2:
        tensor = tensor.squeeze(-1)
    windows = PooledWindows(network, decode)
    with mixed_precision(device, recipe.precision):
        if recipe.kind == "classification":
            logits = windows(tensor)
        else:
            roi = window_size(recipe, image.shape[1:])[: recipe.dimension]
            logits = torch.as_tensor(sliding_window_inference(tensor, roi, 1, windows, overlap=OVERLAP, mode="gaussian")).float()
    if recipe.kind == "segmentation" and recipe.dimension == 2:
        logits = logits.unsqueeze(-1)
    return logits, windows.features()


def window_size(recipe: Recipe, shape: tuple[int, ...]) -> Shape3:
    """The whole image, rounded up to the network's stride, where it is not much larger than a patch; else the patch."""
    if all(n <= WHOLE * p for n, p in zip(shape, recipe.patch, strict=True)):
        i, j, k = (-(-n // s) * s for n, s in zip(shape, recipe.stride, strict=True))
        return (max(i, 2 * recipe.stride[0]), max(j, 2 * recipe.stride[1]), max(k, 2 * recipe.stride[2]) if recipe.dimension == 3 else 1)
    return recipe.patch
