"""Annotator models that are learned with the network: from its probabilities to those of what each annotator would annotate.

The loss compares these with the annotation, so that an annotator's habits end up in the annotator's matrix and not in the network.
Only the network predicts; the matrices are reported as skill.

Source: Rodrigues & Pereira 2018, Deep learning from crowds, arXiv:1709.01779, section 4 (crowd-layer, one matrix per annotator);
    Tanno et al. 2019, Learning from noisy labels by regularized estimation of annotator confusion, arXiv:1902.03680, equation 6
    (confusion); Zhang et al. 2020, Disentangling human error from the ground truth in segmentation of medical images,
    arXiv:2007.15963, equations 2 to 4 (pixel, one full matrix per annotator and voxel).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.utils.checkpoint import checkpoint

from medloop.core.arrays import UNKNOWN
from medloop.core.settings import AnnotatorModel
from medloop.models.foundation.recipes import NOBODY

DIAGONAL = 0.98
"""Share of right annotations that a confusion begins with: near the identity, but with a gradient away from it."""

TRACE_WEIGHT = 0.01
"""Of the mean trace of the matrices, which is made small: of all matrices and networks that explain the annotations alike it
prefers the least skilled annotators, and so the surest network (Tanno et al., theorem 1 and section 4). Here every class counts
as often as the network sees it: with equal weights a structure of 2 % of the voxels seemed to be missed by two in five even where
nobody erred."""

FAULTLESS = 1.0
"""Images that everybody is taken to have annotated without error beside their own: who annotated few is held near the identity."""

RATE = 4.0
"""Times the network's learning rate: a matrix has few entries and starts near its end."""

HIDDEN = 16
"""Width of the hidden layer between the network's features and the matrix of a voxel."""

ROOM = 2**22
"""Numbers of matrices of voxels that are held at once; more are computed piece by piece, and again for their gradients."""

DETACH = True
RECENT = 0.05
"""Share of the newest batch in the mean matrices of an annotator."""


@dataclass(frozen=True, eq=False)
class Annotated:
    """What the annotators make of what the network sees in a batch.

    Attributes:
        logits: Of what they would annotate, shape of the network's, in the precision of the matrices.
        truth: Probability of each class given network, matrix and annotation, same shape, without gradient.
        penalty: What is added to the loss, a number; 0 for a crowd layer.
    """

    logits: Tensor
    truth: Tensor
    penalty: Tensor


class Confusions(nn.Module):
    """One matrix per annotator, rows true and columns annotated classes; of `pixel` one per annotator and voxel.

    Args:
        kind: crowd-layer, confusion or pixel.
        annotators: How many are modelled.
        classes: Classes of the network, background included.
        width: Channels of the features that the matrices of `pixel` follow from.
        images: How many images each annotated; one each by default. A share counts for an image annotated in part.
    """

    images: Tensor
    joint: Tensor

    def __init__(self, kind: AnnotatorModel, annotators: int, classes: int, *, width: int = 0, images: Sequence[float] = ()) -> None:
        super().__init__()
        self.kind = kind
        height = 1.0 if kind == "crowd-layer" else math.log(DIAGONAL * (classes - 1) / (1 - DIAGONAL))
        self.weight = nn.Parameter((height * torch.eye(classes)).repeat(annotators, 1, 1))
        self.places = Places(annotators, width, classes) if kind == "pixel" else None
        self.register_buffer("images", torch.tensor(images or [1.0] * annotators), persistent=False)
        self.register_buffer("joint", torch.zeros(annotators, classes, classes))

    @torch.no_grad()
    def matrices(self) -> Tensor:
        """What each annotator makes of each class for certain, shape (annotators, classes, classes); rows sum to 1.

        Of `pixel` the mean over the voxels of recent batches, each as much as the network takes it for the class of the row.
        """
        seen = self.joint.sum(-1, keepdim=True)
        return torch.where(seen > 0, self.joint / seen.clamp(min=1e-30), self.weight.softmax(-1))

    def forward(self, logits: Tensor, masks: Tensor, whose: Tensor, features: Tensor | None = None) -> Annotated:
        """From what the network sees to what the annotators would annotate.

        Args:
            logits: Of the network, shape (B, classes, …).
            masks: What was annotated, shape (B, …), whole numbers below `classes`, or `UNKNOWN`, which nothing is learned from.
            whose: The annotator of each sample, shape (B,), or `recipes.NOBODY`, whose confusion is the identity.
            features: What the network's head sees, shape (B, width, …); for `pixel` only.
        """
        chances, masks = _flat(logits, self.weight).log_softmax(1), masks.reshape(len(masks), -1).long()
        looks = None if self.places is None or features is None else _flat(features.detach() if DETACH else features, self.weight)
        found = self._whole(chances, masks, whose.clamp(min=0), looks)
        self._remember(found.joint, whose)
        given = one_hot(masks.where(masks != UNKNOWN, 0), logits.shape[1]).movedim(-1, 1).to(chances.dtype)
        nobody = (whose < 0)[:, None, None]
        return Annotated(
            torch.where(nobody, chances, found.seen).reshape(logits.shape),
            torch.where(nobody, given, found.truth).reshape(logits.shape),
            self._penalty(found, (masks != UNKNOWN).sum(1), whose),
        )

    def _whole(self, chances: Tensor, masks: Tensor, own: Tensor, looks: Tensor | None) -> "_Piece":
        """All voxels, piece by piece where their matrices take more than `ROOM`."""
        size = max(1, ROOM // (chances.shape[0] * chances.shape[1] ** 2))
        pieces = []
        for chance, mask, look in zip(chances.split(size, -1), masks.split(size, -1), _split(looks, size), strict=False):
            if size < chances.shape[-1]:
                pieces.append(checkpoint(self._piece, chance, mask, own, look, use_reentrant=False, preserve_rng_state=False))
            else:
                pieces.append(self._piece(chance, mask, own, look))
        seen, truth, kept, missed, joint = zip(*pieces, strict=True)
        return _Piece(torch.cat(seen, -1), torch.cat(truth, -1), sum(kept), sum(missed), sum(joint))

    def _piece(self, chances: Tensor, masks: Tensor, own: Tensor, looks: Tensor | None) -> "_Piece":
        """Some voxels: `chances` (B, classes, n) are logarithms, `looks` (B, width, n)."""
        raw = self.weight[own][..., None]
        rows = (raw if self.places is None or looks is None else raw + self.places(looks, own)).log_softmax(2)
        matrices, valid = rows.exp(), masks != UNKNOWN
        likely = chances.detach().exp() * valid[:, None]
        diagonal = rows.diagonal(dim1=1, dim2=2).movedim(-1, 1)
        with torch.no_grad():
            columns = masks.where(valid, 0)[:, None, None].expand(-1, chances.shape[1], -1, -1)
            fitting = matrices.expand(*matrices.shape[:3], chances.shape[2]).gather(2, columns).squeeze(2) * chances.exp()
            joint = (likely[:, :, None] * matrices).sum(-1) if looks is not None else torch.zeros_like(matrices[..., 0])
        truth = fitting / fitting.sum(1, keepdim=True).clamp(min=1e-30)
        return _Piece(self._seen(chances, rows, own), truth, (likely * diagonal.exp()).sum((1, 2)), -(likely * diagonal).sum((1, 2)), joint)

    def _seen(self, chances: Tensor, rows: Tensor, own: Tensor) -> Tensor:
        if self.kind == "crowd-layer":
            return torch.einsum("bin,bij->bjn", chances.exp(), self.weight[own])
        return (chances[:, :, None] + rows).logsumexp(1)  # of logarithms: nothing is lost where the network is sure

    def _penalty(self, found: "_Piece", voxels: Tensor, whose: Tensor) -> Tensor:
        if self.kind == "crowd-layer":
            return self.weight.new_zeros(())
        trace = TRACE_WEIGHT * self.weight.shape[1] * found.kept
        each = (trace + FAULTLESS / self.images[whose.clamp(min=0)] * found.missed) / voxels.clamp(min=1)
        return (each * (whose >= 0)).mean()

    @torch.no_grad()
    def _remember(self, joint: Tensor, whose: Tensor) -> None:
        if self.places is None or not self.training:
            return
        for person in set(whose.tolist()) - {NOBODY}:
            self.joint[person].lerp_(joint[whose == person].mean(0), RECENT)


class _Piece(NamedTuple):
    """Of some voxels: logits of what is annotated, what is probably true, and per sample the trace, minus its logarithm, and both classes."""

    seen: Tensor
    truth: Tensor
    kept: Tensor
    missed: Tensor
    joint: Tensor


class Places(nn.Module):
    """What a voxel's matrix differs by from its annotator's, from the network's features there: nothing at first."""

    def __init__(self, annotators: int, width: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        drawn = torch.randn(annotators, width, HIDDEN, generator=torch.Generator().manual_seed(0))
        self.inwards = nn.Parameter(drawn * math.sqrt(2 / max(1, width)))
        self.bias = nn.Parameter(torch.zeros(annotators, HIDDEN, 1))
        self.outwards = nn.Parameter(torch.zeros(annotators, HIDDEN, classes * classes))

    def forward(self, looks: Tensor, own: Tensor) -> Tensor:
        """Features (B, width, n) of the annotators `own`, shape (B,), to shape (B, classes, classes, n)."""
        hidden = (torch.einsum("bfn,bfh->bhn", looks, self.inwards[own]) + self.bias[own]).relu()
        return torch.einsum("bhn,bhm->bmn", hidden, self.outwards[own]).unflatten(1, (self.classes, self.classes))


def _flat(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).reshape(*values.shape[:2], -1)


def _split(looks: Tensor | None, size: int) -> Iterable[Tensor | None]:
    return repeat(None) if looks is None else looks.split(size, -1)
