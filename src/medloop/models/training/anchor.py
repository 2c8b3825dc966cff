"""What a training keeps of the model that it goes on from: two terms of the loss.

    elastic weights (EWC)   weights that mattered to the model before are held where they were: half the strength times the sum over the
                            weights of importance × (distance from the weight before)². Importances are a diagonal Fisher information
                            (`models.training.importance`), scaled to a mean of 1, at most `MOST` each.
    distillation            what the model before says of the very patches that are learned, of its own labels, is learned too: T² times the
                            Kullback-Leibler divergence of softened probabilities. Labels that came since count as its background, as they
                            did when it learned. A classification has no background: there the classes that came since are left out, and
                            the old ones are held in their proportions to each other.

The model before is the training's start, so that a resumed training rebuilds both from what it was begun with; nothing here is random.

Sources: Kirkpatrick et al. 2017 (EWC), arXiv:1612.00796, equation 3; Li & Hoiem 2016 (learning without forgetting), arXiv:1606.09282,
equations 2 and 3; background that absorbs later classes: Cermelli et al. 2020, arXiv:2002.00718, equation 8.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medloop.core.records import TaskKind
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.foundation.compute import mixed_precision
from medloop.models.foundation.networks import AnyNetwork
from medloop.models.foundation.recipes import Recipe

TEMPERATURE = 2.0
"""By which both logits are divided, as in the paper: small probabilities tell what the model before takes for alike."""

MOST = 100.0
"""Times the mean importance that one weight's counts at most: a few would else stop every step, as the gradient is clipped as a whole."""

CERTAIN_ENOUGH = 1e-12
"""Least probability that a logarithm is taken of."""


@dataclass(frozen=True)
class Anchor:
    """The model before, which a training goes on from.

    Attributes:
        classes: How many outputs it had; those that came since are none of its labels.
        importances: How much each of its weights matters, one safetensors document per member; empty without elastic weights.
    """

    classes: int
    importances: tuple[bytes, ...] = ()

    @property
    def identity(self) -> tuple[bytes, ...]:
        """What a checkpoint is bound to."""
        return (f"{self.classes} classes before".encode(), *self.importances)


@dataclass(frozen=True, eq=False)
class Anchored:
    """The same, as a member's training uses it.

    Attributes:
        teacher: The network before, frozen; None without distillation.
        classes: See `Anchor`.
        before, importances: Of the weights that are held, by name; empty without elastic weights.
    """

    teacher: AnyNetwork | None
    classes: int
    before: dict[str, Tensor]
    importances: dict[str, Tensor]


def anchored(recipe: Recipe, network: AnyNetwork, member: int, anchor: Anchor | None) -> Anchored | None:
    """What a member keeps of the weights that its network holds now; None where the recipe or the training keeps nothing."""
    if anchor is None or not (recipe.ewc or recipe.distillation):
        return None
    teacher = copy.deepcopy(network).eval().requires_grad_(False) if recipe.distillation else None
    if not recipe.ewc or not anchor.importances:
        return Anchored(teacher, anchor.classes, {}, {})
    device = next(network.parameters()).device
    found = decode_weights(anchor.importances[member % len(anchor.importances)])
    scaled = {name: tensor.to(device) for name, tensor in scale_importances(found).items()}
    held = {name: weight.detach().clone() for name, weight in network.named_parameters() if name in scaled}
    return Anchored(teacher, anchor.classes, held, {name: scaled[name] for name in held})


def scale_importances(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Importances with a mean of 1 over all weights, at most `MOST` each; all 0 stay so."""
    count = sum(tensor.numel() for tensor in found.values())
    mean = sum(float(tensor.double().sum()) for tensor in found.values()) / max(1, count)
    return {name: (tensor.float() / (mean or 1.0)).clamp(max=MOST) for name, tensor in found.items()}


def kept_loss(recipe: Recipe, network: AnyNetwork, kept: Anchored | None, images: Tensor, logits: Tensor) -> Tensor:
    """Both terms for a batch, weighted by the recipe; 0 where nothing is kept.

    Args:
        recipe: Says how much each counts.
        network: What learns.
        kept: Of the model before.
        images: As the network saw them.
        logits: What it said, shape (B, classes, …).
    """
    loss = logits.new_zeros((), dtype=torch.float32)
    if kept is None:
        return loss
    if kept.importances:
        loss = loss + recipe.ewc * elastic_penalty(dict(network.named_parameters()), kept.before, kept.importances)
    if kept.teacher is not None:
        with torch.no_grad(), mixed_precision(images.device, recipe.precision):
            said = kept.teacher(images)
        loss = loss + recipe.distillation * distillation_loss(logits, said, old=kept.classes, kind=recipe.kind)
    return loss


def elastic_penalty(weights: dict[str, Tensor], before: dict[str, Tensor], importances: dict[str, Tensor]) -> Tensor:
    """Half the sum of importance × squared distance over the weights that have one."""
    parts = [(importances[name] * (weights[name].float() - before[name].float()).square()).sum() for name in importances]
    return 0.5 * torch.stack(parts).sum()


def distillation_loss(
    logits: Tensor, before: Tensor, *, old: int, kind: TaskKind = "segmentation", temperature: float = TEMPERATURE
) -> Tensor:
    """How far the softened probabilities of the old classes are from those of the model before, in nats, mean over samples and voxels.

    Args:
        logits: Of the network, shape (B, classes, …).
        before: Of the model before, with the same outputs.
        old: How many classes it had learned: later ones count as background on both sides, in a classification not at all.
        kind: Of the task.
        temperature: See `TEMPERATURE`; its square keeps the size of the gradient.
    """
    softened = _softened if kind == "segmentation" else _softened_tags
    student, teacher = (softened(each, old, temperature) for each in (logits, before))
    divergence = functional.kl_div(student, teacher, reduction="none", log_target=True).sum(1)
    return temperature**2 * divergence.mean()


def _softened(logits: Tensor, old: int, temperature: float) -> Tensor:
    """Logarithms of the old classes' probabilities, later ones added to the background, raised to 1 / temperature."""
    spoken = logits.float().log_softmax(1)
    background = torch.cat([spoken[:, :1], spoken[:, old:]], dim=1).logsumexp(1, keepdim=True)
    return (torch.cat([background, spoken[:, 1:old]], dim=1) / temperature).log_softmax(1)


def _softened_tags(logits: Tensor, old: int, temperature: float) -> Tensor:
    """Logarithms of the old classes' probabilities among each other, raised to 1 / temperature."""
    return (logits[:, :old].float() / temperature).log_softmax(1)
