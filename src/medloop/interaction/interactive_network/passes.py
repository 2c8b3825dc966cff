"""One look of a project's networks at a window: their mean answer to image and guidance, bent to the hints or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from medloop.core.arrays import MaskArray
from medloop.interaction.engine import StillWanted
from medloop.interaction.interactive_network.adaptation import Adaptation, adapted_output, prompt_pull
from medloop.interaction.interactive_network.guidance import Channels, Places, Window
from medloop.interaction.prompts import PromptedVoxels
from medloop.interaction.solvers.mincut import relax_labels, settle_labels
from medloop.models.foundation.compute import limited_threads, mixed_precision
from medloop.models.foundation.networks import SegmentationNetwork
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.inference import run_once


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The networks of a model, in evaluation mode, all on one device, and their recipe."""

    recipe: Recipe
    networks: tuple[SegmentationNetwork, ...]


def propose(ensemble: Ensemble, prepared: Channels) -> Channels:
    """The mean answer without any hint to a normalised image at the working spacing, over networks and flips, shape (classes, I, J, K)."""
    recipe, networks = ensemble.recipe, ensemble.networks
    device = next(networks[0].parameters()).device
    total = np.zeros((recipe.classes, *prepared.shape[1:]), dtype=np.float32)
    ways = [(), *((axis + 1,) for axis in recipe.flips)]
    with limited_threads(recipe.threads):
        for way in ways:
            for network in networks:
                total += np.flip(run_once(network, recipe, np.flip(prepared, way), device=device)[0], way)
    return (total / (len(ways) * len(networks))).astype(np.float32)


def predict_window(
    ensemble: Ensemble,
    inputs: Channels,
    places: Mapping[int, Places],
    window: Window,
    *,
    adaptation: Adaptation | None,
    emphasis: float = 1.0,
    wanted: StillWanted,
) -> Channels:
    """The mean answer to a window, shape (classes, I, J, K).

    Args:
        ensemble: The networks; left as they are.
        inputs: Image and guidance, shape (recipe.inputs, I, J, K) of the window.
        places: Hinted voxels of each class number within the window.
        window: Where.
        adaptation: How far to bend to the hints; None not at all.
        emphasis: How much more to make of the hints than the networks do, without adaptation; 1 takes them by their word.
        wanted: Whether the answer is still wanted.

    Raises:
        CancelledError: It is no longer wanted.
    """
    recipe, networks = ensemble.recipe, ensemble.networks
    device = next(networks[0].parameters()).device
    flat = recipe.dimension == 2
    tensor = torch.from_numpy(inputs)[None].to(device)
    tensor = tensor.squeeze(-1) if flat else tensor
    with limited_threads(recipe.threads), mixed_precision(device, recipe.precision):
        hinted = any(map(len, places.values()))
        if adaptation is None or not (hinted or adaptation.unsupervised):
            hinted = hinted and emphasis != 1.0
            answers = [_run(network, tensor, recipe, emphasis if hinted else 1.0) for network in networks]
        else:
            strength, label = prompt_pull(places, window, reach=adaptation.reach)
            pull = (strength.to(device), label.to(device))
            settle = partial(_settled, inputs[: recipe.channels], places, window, wanted) if adaptation.unsupervised else None
            answers = [adapted_output(network, tensor, pull, adaptation, settle=settle, wanted=wanted) for network in networks]
    mean = torch.stack(answers).mean(0)[0]
    return (mean.unsqueeze(-1) if flat else mean).cpu().numpy()


def _settled(image: Channels, places: Mapping[int, Places], window: Window, wanted: StillWanted, own: Channels) -> MaskArray:
    """The class of each voxel of a window, borders along the image's edges and hints obeyed, in the shape of the network's answer."""
    volume = own.reshape(len(own), *window.shape)
    others = [np.concatenate([p for v, p in places.items() if v != label]) for label in range(1, len(own))]
    hints = [PromptedVoxels(places[label], negative) for label, negative in enumerate(others, start=1)]
    relaxed = relax_labels(volume, image, hints, window.spacing_mm, wanted=wanted)
    return settle_labels(relaxed, volume, hints).reshape(own.shape[1:])


@torch.no_grad()
def _run(network: SegmentationNetwork, inputs: Tensor, recipe: Recipe, emphasis: float) -> Tensor:
    """Probabilities; with `emphasis` the step from the answer without hints to that with them is taken as many times.

    Source: Ho and Salimans 2022, classifier-free guidance, arXiv:2207.12598, for a network that knows both.
    """
    hinted: Tensor = network(inputs).float()
    if emphasis == 1.0:
        return hinted.softmax(1)
    silent = inputs.clone()
    silent[:, recipe.channels + recipe.classes - 1 :] = 0
    without = network(silent).float().log_softmax(1)
    stressed: Tensor = (without + emphasis * (hinted.log_softmax(1) - without)).softmax(1)
    return stressed
