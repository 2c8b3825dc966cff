"""What marks teach: the loss of samples of which each voxel is known by a set of classes only.

One set per voxel says everything that marks say of voxels: a single class is a known voxel, all but one is "cannot be here" (outside boxes,
tagged absent), all is nothing. The loss is the logarithm of the probability of the set: for single classes that is the partial
cross-entropy, beside Dice over the voxels that have a class. Classes that marks make likely (`medloop.interaction.weak.pseudo_labels`)
count as voxels of a class do, with a smaller weight. What a tag says of a whole image is held against the most probable of its voxels. The
regulariser is one of expectation and maximisation: where marks say little, the running mean of the weights decides among what they allow.

Sources: partial cross-entropy, Tang et al. 2018, arXiv:1804.01346; sets of possible classes, Cour, Sapp & Taskar 2011 (Journal of Machine
Learning Research 12); weak labels by expectation and maximisation, Papandreou et al. 2015, arXiv:1502.02734; pooled probabilities of tags,
Pinheiro & Collobert 2015, arXiv:1411.6228.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medloop.core.arrays import UNKNOWN
from medloop.models.foundation.losses import segmentation_loss, summed
from medloop.models.foundation.partial_labels import Regions
from medloop.models.foundation.recipes import WeakWeights

POOLED = 0.002
"""Share of an image's voxels, the most probable ones, that a tag is held against: about a small structure."""

SEEN = 0.5
"""Least share of a case in a patch where a tag of it counts: a structure may lie in the rest."""

CERTAIN_ENOUGH = 0.7
"""Least probability, among what marks allow, of a class that the running mean of the weights decides on."""


@dataclass(frozen=True, eq=False)
class WeakBatch:
    """What marks say of a batch.

    Attributes:
        weak: Which samples are known by marks, bool, shape (B,).
        sets: Number of the set of each voxel, shape (B, …), int64.
        possible: The sets of each sample, bool, shape (B, sets, classes); the first one is of every class.
        present: Labels of which some is in the image, bool, shape (B, classes).
        seen: Share of each case that its patch shows, shape (B,).
    """

    weak: Tensor
    sets: Tensor
    possible: Tensor
    present: Tensor
    seen: Tensor

    def of(self, chosen: Tensor) -> "WeakBatch":
        """Of some of the samples, bool, shape (B,)."""
        return WeakBatch(*(getattr(self, name)[chosen] for name in ("weak", "sets", "possible", "present", "seen")))

    def to(self, device: torch.device) -> "WeakBatch":
        """The same on a device."""
        return WeakBatch(*(getattr(self, name).to(device) for name in ("weak", "sets", "possible", "present", "seen")))

    def forgotten(self, where: Tensor) -> "WeakBatch":
        """The same with nothing known of some voxels, bool, shape (B, …)."""
        return replace(self, sets=self.sets.masked_fill(where, 0))

    def allowed(self) -> Tensor:
        """Which classes each voxel can have, bool, shape (B, classes, …)."""
        found = torch.stack([table[numbers] for table, numbers in zip(self.possible, self.sets, strict=True)])
        return found.movedim(-1, 1)


def weak_loss(
    logits: Tensor, targets: Tensor, weak: WeakBatch, weights: WeakWeights, *, teacher: Tensor | None = None, regions: Regions = ()
) -> Tensor:
    """The loss of samples that are known by marks alone.

    Args:
        logits: Of the network, shape (B, classes, …).
        targets: Classes marked, or made likely, shape (B, …); `UNKNOWN` elsewhere.
        weak: What marks say of these samples.
        weights: How much each kind counts.
        teacher: Class probabilities of the running mean of the weights, shape of `logits`; None where it is not trusted yet.
        regions: As `Recipe.regions`: what is marked or tagged of an inner label is of its outer one, too.
    """
    logits, allowed = logits.float(), weak.allowed()
    count = allowed.sum(1)
    known = (count == 1) & (weak.sets > 0)
    if not weights.likely:
        targets = targets.masked_fill(~known, UNKNOWN)
    heavier = torch.where(known, weights.marked, weights.likely)
    loss = segmentation_loss(logits, targets, weights=heavier, regions=regions)
    open_ = ~known & (count < logits.shape[1])
    named = open_ & ~allowed[:, 0]  # of a label, and maybe of one that overlaps it
    loss = loss + weights.marked * excluded_loss(logits, allowed, counts=named)
    loss = loss + weights.excluded * excluded_loss(logits, allowed, counts=open_ & ~named)
    loss = loss + weights.tagged * present_loss(logits, weak, regions)
    if teacher is not None:
        loss = loss + weights.agreed * agreed_loss(logits, allowed, teacher, counts=(targets == UNKNOWN) & (count > 1))
    return loss


def weak_terms(
    logits: Tensor, targets: Tensor, weak: WeakBatch, *, teacher: Tensor | None = None, regions: Regions = ()
) -> dict[str, Tensor]:
    """What `weak_loss` adds up, each kind by itself and without a weight, by the names of `WeakWeights`; arguments as there.

    A kind that says nothing of these samples is 0.
    """
    logits, allowed = logits.float(), weak.allowed()
    count = allowed.sum(1)
    known = (count == 1) & (weak.sets > 0)
    open_ = ~known & (count < logits.shape[1])
    named = open_ & ~allowed[:, 0]
    marked, likely = targets.masked_fill(~known, UNKNOWN), targets.masked_fill(known, UNKNOWN)
    found = {
        "marked": _loss_of_known(logits, marked, regions) + excluded_loss(logits, allowed, counts=named),
        "likely": _loss_of_known(logits, likely, regions),
        "excluded": excluded_loss(logits, allowed, counts=open_ & ~named),
        "tagged": present_loss(logits, weak, regions),
    }
    if teacher is not None:
        found["agreed"] = agreed_loss(logits, allowed, teacher, counts=(targets == UNKNOWN) & (count > 1))
    return found


def _loss_of_known(logits: Tensor, targets: Tensor, regions: Regions) -> Tensor:
    """`segmentation_loss` of voxels that have a class; 0 without any."""
    return segmentation_loss(logits, targets, regions=regions) if bool((targets != UNKNOWN).any()) else logits.new_zeros(())


def excluded_loss(logits: Tensor, allowed: Tensor, *, counts: Tensor) -> Tensor:
    """Mean over some voxels, bool, shape (B, …), of minus the logarithm of the probability of what they can be; 0 without any."""
    inside = logits.masked_fill(~allowed, -1e4).logsumexp(1) - logits.logsumexp(1)
    return -(inside * counts).sum() / counts.sum().clamp(min=1)


def present_loss(logits: Tensor, weak: WeakBatch, regions: Regions = ()) -> Tensor:
    """Minus the logarithm of the mean probability of a tagged label at its most probable voxels, by the share of the case that is seen."""
    wanted = weak.present & (weak.seen >= SEEN).unsqueeze(1)
    if not wanted.any():
        return logits.new_zeros(())
    chances = summed(logits.softmax(1), regions).flatten(2)[wanted]
    most = chances.topk(max(1, round(POOLED * chances.shape[1])), dim=1).values.mean(1)
    share = weak.seen.unsqueeze(1).expand_as(wanted)[wanted]
    return -(share * most.clamp(min=1e-6).log()).sum() / wanted.sum()


def agreed_loss(logits: Tensor, allowed: Tensor, teacher: Tensor, *, counts: Tensor) -> Tensor:
    """Cross-entropy with the class that the teacher finds likeliest among what marks allow, where it is certain enough; 0 without any."""
    chances = teacher.masked_fill(~allowed, 0)
    best, labels = (chances / chances.sum(1, keepdim=True).clamp(min=1e-6)).max(1)
    counts = counts & (best >= CERTAIN_ENOUGH)
    each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return (each * counts).sum() / counts.sum().clamp(min=1)
