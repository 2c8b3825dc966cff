"""Learning from unlabelled cases: a second batch, and what it adds to the loss.

The teacher is the running mean of the weights, which training keeps anyway. It is shown each unlabelled patch as it is, and the network
learns to say the same (`mean-teacher`) with other intensities: in a segmentation where the teacher is not uncertain, in a classification
where it is confident, and then its class. `models.training.pasting` mixes such patches into annotated ones instead (`copy-paste`).

A teacher that knows nothing yet is of no use: the first steps learn from annotations alone, then its weight grows. The second batch is a
pure function of (recipe, member, step) as the first one is.

Sources: Tarvainen & Valpola 2017 (mean teacher), arXiv:1703.01780; Yu et al. 2019 (uncertainty-aware), arXiv:1907.07034; Sohn et al. 2020
(FixMatch, for classes), arXiv:2001.07685; the growth of the weight is that of Laine & Aila 2017, arXiv:1610.02242.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from medloop.core.image import Image
from medloop.core.seeds import derive_seed, generator
from medloop.models.foundation.compute import mixed_precision
from medloop.models.foundation.fitting import cut, fit_for_networks
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.augmentation import Views, apply_change, geometry_of, intensities_of
from medloop.models.training.batches import PreparedCase, draw_place
from medloop.models.training.state import TrainingState

WARM_UP = 0.2
"""Share of the steps that learn from annotations alone."""

GROWTH = 0.3
"""Share of the steps after these in which the weight grows to its full size."""

WEIGHT = 10.0
"""Of the squared differences beside the loss of the annotated batch: they are small where both are about as sure."""

CONFIDENT_CLASS = 0.95
"""Least probability of the teacher's class of an image, as in FixMatch."""

CERTAIN = 0.75
"""Share of the largest entropy up to which a voxel counts, growing to all of it with the weight."""

STRONGER = 2.0
"""Strength of the changed intensities over that of the augmentation."""


@dataclass(frozen=True)
class UnlabelledCase:
    """A case that nobody has annotated, read only when needed.

    Attributes:
        id: Unique; part of what a checkpoint is bound to.
        load: Gives the image.
    """

    id: str
    load: Callable[[], Image]


def prepare_unlabelled(recipe: Recipe, cases: Sequence[UnlabelledCase], folder: Path) -> list[PreparedCase]:
    """Read, normalise and resample every case once into `folder`; none when the recipe does not learn from such.

    Raises:
        ShapeError: When an image has another number of channels, or slices where the recipe is 2D.
    """
    if recipe.unlabelled == "none" or not cases:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [_prepared(recipe, case, folder / f"{number}.image.npy") for number, case in enumerate(cases)]


def _prepared(recipe: Recipe, case: UnlabelledCase, file: Path) -> PreparedCase:
    fitted = fit_for_networks(recipe, case.load(), case.id)
    np.save(file, fitted.array)
    return PreparedCase(case.id, file, None, 0, fitted.shape, fitted.spacing_mm, ())


def first_step(steps: int) -> int:
    """The first of so many steps that learns from unlabelled cases."""
    return math.ceil(WARM_UP * steps)


def ramp_up(step: int, steps: int) -> float:
    """Share of the term's weight at a step: 0 in the warm-up, then exp(-5 (1 - t)²) while t grows from 0 to 1, then 1."""
    first = first_step(steps)
    if step < first:
        return 0.0
    t = min(1.0, (step - first) / max(1.0, GROWTH * steps))
    return math.exp(-5 * (1 - t) ** 2)


def draw_views(recipe: Recipe, pool: Sequence[PreparedCase], *, member: int, step: int) -> Views | None:
    """The second batch of a step: as many patches as the first has, as they are and with other intensities; None without a pool.

    They are cut anywhere, as nobody said where anything is.
    """
    if not pool:
        return None
    own = dataclasses.replace(recipe, seed=derive_seed(recipe.seed, "unlabelled"))
    drawn = [_draw_view(own, pool, member, step, slot) for slot in range(recipe.batch)]
    plain, changed = (torch.from_numpy(np.stack(images)) for images in zip(*drawn, strict=True))
    return Views(plain.squeeze(-1), changed.squeeze(-1)) if recipe.dimension == 2 else Views(plain, changed)


def _draw_view(
    recipe: Recipe, pool: Sequence[PreparedCase], member: int, step: int, slot: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    case, change, window, start = draw_place(recipe, pool, member, step, slot)
    image = cut(np.load(case.image, mmap_mode="r"), start, window)
    kept = {"patch": recipe.patch, "spacing_mm": case.spacing_mm, "classes": recipe.classes}
    plain, _ = apply_change(geometry_of(change), image, None, **kept)  # type: ignore[arg-type]  # each has its own type
    strong = dataclasses.replace(recipe, augmentation=recipe.augmentation * STRONGER)
    other = intensities_of(strong, generator(recipe.seed, member, "intensities", step, slot))
    changed, _ = apply_change(other, plain, None, **kept)  # type: ignore[arg-type]
    return plain, changed


def agreement_loss(recipe: Recipe, member: int, state: TrainingState, views: Views | None) -> Tensor:
    """The term of the loss that the second batch of a step adds, weighted; 0 without one, or where the recipe pastes it."""
    share = ramp_up(state.step, state.steps)
    if views is None or not share or recipe.unlabelled != "mean-teacher":
        return torch.zeros((), device=state.device)
    chances = teacher_chances(recipe, state, views.plain.to(state.device))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, member, "unlabelled dropout", state.step))
        with mixed_precision(state.device, recipe.precision):
            logits = state.network(views.changed.to(state.device))
    if recipe.kind == "classification":
        return share * confident_entropy(logits, chances)
    return share * WEIGHT * consistency(logits, chances, certain=CERTAIN + (1 - CERTAIN) * share)


@torch.no_grad()
def teacher_chances(recipe: Recipe, state: TrainingState, images: Tensor) -> Tensor:
    """Class probabilities of the running mean of the weights, without dropout, shape (B, classes, …)."""
    state.network.eval()
    with mixed_precision(state.device, recipe.precision):
        logits: Tensor = functional_call(state.network, state.mean, (images,))
    state.network.train()
    return logits.float().softmax(1)


def consistency(logits: Tensor, chances: Tensor, *, certain: float = 1.0) -> Tensor:
    """Mean squared difference of the network's probabilities from the teacher's, over classes and the voxels it is certain of.

    Args:
        logits: Of the network, shape (B, classes, …).
        chances: Of the teacher, likewise; columns sum to 1.
        certain: Share of the largest entropy, ln(classes), that the teacher's may have where a voxel counts.

    Returns:
        0 for equal probabilities, 2 / classes where both are sure of different classes.
    """
    entropy = -(chances * chances.clamp(min=1e-12).log()).sum(1)
    counts = entropy <= certain * math.log(chances.shape[1])
    each = (logits.float().softmax(1) - chances).square().mean(1)
    return (each * counts).sum() / counts.sum().clamp(min=1)


def confident_entropy(logits: Tensor, chances: Tensor) -> Tensor:
    """Cross-entropy of the network's classes with those that the teacher is confident of; others count 0, shape (B, classes) both."""
    best, labels = chances.max(1)
    each = functional.cross_entropy(logits.float(), labels, reduction="none")
    return (each * (best >= CONFIDENT_CLASS)).mean()
