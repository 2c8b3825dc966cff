"""A network that bends to one image: its decoder learns a little from the hints, for this answer only.

Every answer starts again from the project's weights, which are never written to: the adapted ones are a copy that is dropped. The
encoder stays as it is, so its features are worked out once. The target is the network's own soft answer, pulled to the hint near each
hint; without that anchor adaptation forgets what it knew and gets worse with every click. Unsupervised, which needs no hint, the target
is the network's answer with its borders cut along the image's edges, and voxels it is unsure of count only near hints.

Source: Wang et al. 2018, BIFSeg, doi:10.1109/TMI.2018.2791721, for image-specific fine-tuning; the anchor is ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.arrays import MaskArray
from medloop.interaction.engine import StillWanted, require_wanted
from medloop.interaction.interactive_network.guidance import Channels, Places, Window, distances_to
from medloop.models.foundation.networks import SegmentationNetwork

Settle: TypeAlias = Callable[[Channels], MaskArray]
"""From probabilities of a window, shape (classes, …), to the class of each voxel."""

SURE = 0.8
"""Unsupervised, a voxel teaches its class from this probability on."""


@dataclass(frozen=True)
class Adaptation:
    """How far a network bends.

    Attributes:
        steps: Steps of Adam.
        rate: Its learning rate.
        reach: Standard deviation of a hint's Gaussian, in voxels of the finest axis.
        weight: What a voxel at a hint counts more than one far away.
        unsupervised: Whether the image's edges teach too, with or without hints.
    """

    steps: int = 4
    rate: float = 1e-3
    reach: float = 1.5
    weight: float = 200.0
    unsupervised: bool = False


class _Decoder(nn.Module):
    """The half of a network that adapts, callable with other weights than its own."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, deepest: Tensor, skips: list[Tensor]) -> Tensor:
        return self.network.decode(deepest, skips)


def adapted_output(
    network: SegmentationNetwork,
    inputs: Tensor,
    pull: tuple[Tensor, Tensor],
    adaptation: Adaptation,
    *,
    settle: Settle | None = None,
    wanted: StillWanted = lambda: True,
) -> Tensor:
    """Probabilities after bending to the hints.

    Args:
        network: In evaluation mode; left as it is.
        inputs: Image and guidance, shape (1, inputs, …).
        pull: From `prompt_pull`.
        adaptation: How far.
        settle: Cuts the own answer along the image's edges, for unsupervised adaptation; None is anchored to it as it is.
        wanted: Asked before every step.

    Returns:
        Shape (1, classes, …), float32.

    Raises:
        CancelledError: The answer is no longer wanted.
    """
    decoder = _Decoder(network)
    with torch.no_grad():
        deepest, skips = network.encode(inputs)
        own = network.decode(deepest, skips).float().softmax(1)
    target, weights = _target(own, pull, adaptation.weight, settle)
    bent = {n: p.detach().clone().requires_grad_() for n, p in decoder.named_parameters() if not n.startswith("network.encoder.")}
    optimiser = torch.optim.Adam(bent.values(), lr=adaptation.rate)
    for _ in range(adaptation.steps):
        require_wanted(wanted)
        logits = torch.func.functional_call(decoder, bent, (deepest, skips)).float()
        loss = -(weights * (target * logits.log_softmax(1)).sum(1)).sum() / weights.sum().clamp(min=1.0)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        answer: Tensor = torch.func.functional_call(decoder, bent, (deepest, skips)).float().softmax(1)
    return answer


def prompt_pull(places: Mapping[int, Places], window: Window, *, reach: float) -> tuple[Tensor, Tensor]:
    """How strongly each voxel is pulled, 0..1, and to which class, both of the window's shape.

    Args:
        places: Hinted voxels within the window, for each class number with background as 0.
        window: Where.
        reach: See `Adaptation`.
    """
    distance = np.stack([distances_to(found, window) if len(found) else np.full(window.shape, np.inf) for found in places.values()])
    nearest = distance.argmin(axis=0)
    strength = np.exp(-0.5 * (distance.min(axis=0) / reach) ** 2).astype(np.float32)
    return torch.from_numpy(strength), torch.from_numpy(np.array(list(places))[nearest])


def _target(own: Tensor, pull: tuple[Tensor, Tensor], weight: float, settle: Settle | None) -> tuple[Tensor, Tensor]:
    """Own answer, as it is or settled, blended to the hints, shape (1, classes, …), and each voxel's weight, shape (1, …)."""
    strength, label = (part.reshape(own.shape[2:]) for part in pull)
    anchor, sure = own[0], torch.ones_like(strength)
    if settle is not None:
        settled = torch.from_numpy(settle(anchor.cpu().numpy()).astype(np.int64)).to(own.device)
        anchor, sure = _one_hot(settled, own.shape[1]), (own[0].amax(0) >= SURE).float()
    return ((1 - strength) * anchor + strength * _one_hot(label, own.shape[1]))[None], (sure + weight * strength)[None]


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    return nn.functional.one_hot(labels, classes).movedim(-1, 0).float()
