"""How little an image must change until the answer changes: an estimate of the distance to the decision border (DFAL).

A classification follows DeepFool: step by step to the nearest border of the classes, each taken as flat. A segmentation
has a border at every voxel; here one number is followed, the mean margin of foreground over background on the voxels
that are called foreground (all voxels where none is), on one patch around the foreground. It tells how firmly the
structure as a whole is seen, not where its outline is in doubt.

Sources: Moosavi-Dezfooli et al. 2016 (DeepFool), arXiv:1511.04599, algorithm 2; Ducoffe and Precioso 2018 (DFAL),
arXiv:1802.09841.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medloop.core.image import Image
from medloop.models.foundation.compute import limited_threads
from medloop.models.foundation.fitting import cut, fit_for_networks
from medloop.models.foundation.networks import AnyNetwork
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.inference import run_once
from medloop.models.inference.predict import Predictor

STEPS = 5
"""DeepFool needs two or three steps on trained networks."""

OVERSHOOT = 0.02
"""Every step goes this share beyond the border, so that it is crossed in the end (as in the paper)."""

HALVINGS = 7
"""Finds the border along a line to within 1 %."""

FAR = 1e3
"""The distance where the answer does not depend on the image at all."""

Margins = Callable[[Tensor], Tensor]
"""An image to its margins: how far each border is, in logits; all positive while the answer stands, shape (borders,)."""


def adversarial_distance(predictor: Predictor, image: Image, *, steps: int = STEPS) -> float:
    """Root mean square change per voxel that changes the first member's answer, in standard deviations of the image.

    Args:
        predictor: The model.
        image: As stored.
        steps: Most steps; when the answer still stands after them, the change so far, a lower bound, is given.

    Returns:
        Above 0; smaller means nearer to the border: query sooner.

    Raises:
        ShapeError: When the image does not fit the recipe.
    """
    recipe, network = predictor.recipe, predictor.networks[0]
    prepared = fit_for_networks(recipe, image).array
    with limited_threads(recipe.threads):
        patch = prepared if recipe.kind == "classification" else _patch_around_foreground(network, recipe, prepared, predictor.device)
        tensor = torch.from_numpy(np.array(patch, order="C"))[None].to(predictor.device)
        start = tensor.squeeze(-1) if recipe.dimension == 2 else tensor
        margins = class_margins(network, start) if recipe.kind == "classification" else foreground_margin(network, start)
        change = smallest_change(margins, start, steps=steps)
    return min(FAR, float(change.square().mean().sqrt()))


def smallest_change(margins: Margins, image: Tensor, *, steps: int) -> Tensor:
    """The change of DeepFool in so many steps at most, shortened along its line to where the answer changes; nearly exact for flat borders.

    Returns:
        The image's shape; infinite when no border depends on the image.
    """
    total = torch.zeros_like(image)
    for _ in range(steps):
        moved = (image + (1 + OVERSHOOT) * total).requires_grad_()
        found = margins(moved)
        if float(found.detach().min()) <= 0:
            return _shortened(margins, image, (1 + OVERSHOOT) * total)
        step = _step_to_nearest(found, moved)
        if step is None:
            return torch.full_like(image, float("inf")) if not bool(total.any()) else total
        total = total + step
    return total


def _shortened(margins: Margins, image: Tensor, change: Tensor) -> Tensor:
    """The smallest share of a change that still changes the answer, by halving."""
    low, high = 0.0, 1.0
    with torch.no_grad():
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            changed = float(margins(image + middle * change).min()) <= 0
            low, high = (low, middle) if changed else (middle, high)
    return high * change


def class_margins(network: AnyNetwork, image: Tensor) -> Margins:
    """Logit of the class answered now, less those of the others."""
    with torch.no_grad():
        answered = int(network(image)[0].argmax())

    def margins(moved: Tensor) -> Tensor:
        logits: Tensor = network(moved)[0].float()
        others = [n for n in range(len(logits)) if n != answered]
        return logits[answered] - logits[others]

    return margins


def foreground_margin(network: AnyNetwork, image: Tensor) -> Margins:
    """Mean over the voxels called foreground now of the best foreground logit less the background's; over all, turned, if none is."""
    with torch.no_grad():
        first = _voxel_margins(network(image))
    inside = first > 0
    sign, where = (1.0, inside) if bool(inside.any()) else (-1.0, torch.ones_like(inside))

    def margins(moved: Tensor) -> Tensor:
        return sign * _voxel_margins(network(moved))[where].mean()[None]

    return margins


def _voxel_margins(logits: Tensor) -> Tensor:
    scores = logits[0].float()
    return scores[1:].amax(dim=0) - scores[0]


def _step_to_nearest(found: Tensor, moved: Tensor) -> Tensor | None:
    """The shortest step onto a border, each taken as flat; None when none depends on the image."""
    best: tuple[float, Tensor] | None = None
    for n in range(len(found)):
        (slope,) = torch.autograd.grad(found[n], moved, retain_graph=n + 1 < len(found))
        squared = float(slope.square().sum())
        reach = float(found[n].detach()) / squared**0.5 if squared > 0 else float("inf")
        if reach < float("inf") and (best is None or reach < best[0]):
            best = (reach, -float(found[n].detach()) / squared * slope)
    return None if best is None else best[1]


def _patch_around_foreground(
    network: AnyNetwork, recipe: Recipe, prepared: npt.NDArray[np.float32], device: torch.device
) -> npt.NDArray[np.float32]:
    """One patch, zero beyond the image, around the centre of what is probably foreground."""
    probabilities, _ = run_once(network, recipe, prepared, device=device)
    foreground = 1.0 - probabilities[0]
    weight = foreground * (foreground > 0.5) if (foreground > 0.5).any() else foreground
    total = max(float(weight.sum()), 1e-12)
    centre = [float((weight.sum(axis=tuple(set(range(3)) - {a})) * np.arange(n)).sum()) / total for a, n in enumerate(weight.shape)]
    sides = zip(centre, recipe.patch, weight.shape, strict=True)
    return cut(prepared, [int(np.clip(round(c - p / 2), min(0, n - p), max(0, n - p))) for c, p, n in sides], recipe.patch)
