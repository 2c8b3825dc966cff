"""Test-time entropy minimisation: networks made surer of images without annotations, by the scales and shifts of their normalisation alone.

Surer is not righter: a network can end by calling everything background, of which it is sure. Whoever uses this has to judge what comes of
it on annotated cases; nothing here does.

Source: Wang et al. 2021 (Tent), arXiv:2006.10726. Statistics are of each image already (instance normalisation); the weights of all other
layers stay as they are.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.arrays import FloatArray
from medloop.core.errors import UnavailableError
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.compute import limited_threads
from medloop.models.foundation.fitting import cut
from medloop.models.foundation.networks import AnyNetwork
from medloop.models.foundation.recipes import Recipe

STEPS, RATE, BATCH = 30, 1e-3, 2
"""Of Adam, the rate as in the paper; patches a step."""

NORMS = (nn.GroupNorm, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm)


def scales_and_shifts(network: nn.Module) -> list[nn.Parameter]:
    """The learned scale and shift of every normalisation layer."""
    return [p for module in network.modules() if isinstance(module, NORMS) for p in module.parameters(recurse=False)]


def minimise_entropy(
    recipe: Recipe,
    networks: Sequence[AnyNetwork],
    images: Sequence[FloatArray],
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    report: Callable[[float], None] = lambda _share: None,
) -> tuple[bytes, ...]:
    """Change networks in place until they are surer of some images; the safetensors of each.

    Args:
        recipe: Of the networks.
        networks: They end in evaluation mode: a prediction by dropout may have left theirs on, and nothing would seed it here.
        images: Prepared for them, shape (channels, I, J, K) each.
        rng: Draws patches.
        steps: How many are made.
        report: Called with the share that is done.

    Raises:
        UnavailableError: Nothing may be adapted: no scales and shifts, or several answers of one network.
    """
    for member, network in enumerate(networks):
        network.eval()
        chosen = scales_and_shifts(network)
        if not chosen or recipe.heads > 1:
            why = "give one answer" if chosen else "have scales and shifts in their normalisation layers"
            raise UnavailableError(f"Entropy can be minimised of networks that {why}, these do not", remedy="adapt by intensities")
        optimiser = torch.optim.Adam(chosen, lr=RATE)
        with limited_threads(recipe.threads):
            for step in range(steps):
                optimiser.zero_grad(set_to_none=True)
                entropy(network(_patches(recipe, network, images, rng))).backward()  # type: ignore[no-untyped-call]  # torch
                optimiser.step()
                report((member + (step + 1) / steps) / len(networks))
        network.zero_grad(set_to_none=True)
    return tuple(encode_weights(network.state_dict()) for network in networks)


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy in nats of what logits of shape (B, classes, …) say of each sample or voxel."""
    spoken = logits.float().log_softmax(1)
    return -(spoken.exp() * spoken).sum(1).mean()


def _patches(recipe: Recipe, network: AnyNetwork, images: Sequence[FloatArray], rng: np.random.Generator) -> Tensor:
    """A batch of windows of images drawn at random, zero beyond an image."""
    drawn = []
    for _ in range(BATCH):
        image = images[int(rng.integers(len(images)))]
        sides = zip(image.shape[1:], recipe.patch, strict=True)
        drawn.append(cut(image, [int(rng.integers(min(0, n - p), max(0, n - p) + 1)) for n, p in sides], recipe.patch))
    batch = torch.from_numpy(np.stack(drawn).astype(np.float32)).to(next(network.parameters()).device)
    return batch.squeeze(-1) if recipe.dimension == 2 else batch
