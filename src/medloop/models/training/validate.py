"""Scoring a network on held-out prepared cases during training."""

from collections.abc import Sequence

import numpy as np
import torch

from medloop.models.foundation.losses import segmentation_dice
from medloop.models.foundation.networks import AnyNetwork
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.inference import run_once
from medloop.models.training.batches import PreparedCase

SHARE = 0.25
"""Validation looks at up to this share of the voxels that training does; a forward pass costs a third of a step."""


def affordable_cases(recipe: Recipe, cases: Sequence[PreparedCase], steps: int) -> Sequence[PreparedCase]:
    """As many cases, evenly spread, as keep validation a small part of the work; at least two."""
    if not cases or not recipe.validations:
        return []
    seen = steps * recipe.batch * float(np.prod(recipe.patch)) * SHARE / recipe.validations
    each = float(np.mean([np.prod(case.shape, dtype=np.float64) for case in cases]))
    count = int(np.clip(seen / each, min(2, len(cases)), len(cases)))
    return [cases[index * len(cases) // count] for index in range(count)]


def validate(network: AnyNetwork, recipe: Recipe, cases: Sequence[PreparedCase]) -> float:
    """Mean foreground Dice over cases, or balanced accuracy of a classification, 0..1."""
    network.eval()
    device = next(network.parameters()).device
    scores: dict[int, list[float]] = {}
    for number, case in enumerate(cases):
        probabilities, _ = run_once(network, recipe, np.load(case.image), device=device)
        if case.mask is None:
            scores.setdefault(case.label, []).append(float(probabilities.argmax() == case.label))
        else:
            dice = segmentation_dice(
                torch.from_numpy(probabilities), torch.from_numpy(np.load(case.mask)), known=case.known, regions=recipe.regions
            ).nanmean()
            scores[number] = [1.0 if torch.isnan(dice) else float(dice)]
    return float(np.mean([np.mean(values) for values in scores.values()]))
