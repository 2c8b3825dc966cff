"""Annotator models that are learned with the network: from its probabilities to those of what each annotator would annotate.

The loss compares these with the annotation, so that an annotator's habits end up in the annotator's matrix and not in the network.
Only the network predicts; the matrices are reported as skill.

Source: Rodrigues & Pereira 2018, Deep learning from crowds, arXiv:1709.01779, section 4 (crowd-layer, one matrix per annotator);
    Tanno et al. 2019, Learning from noisy labels by regularized estimation of annotator confusion, arXiv:1902.03680, equation 6
    (confusion); Zhang et al. 2020, Disentangling human error from the ground truth in segmentation of medical images,
    arXiv:2007.15963, section 3 (pixel, one full matrix per annotator and voxel, whose network sees the features of the other without
    changing them).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from medloop.core.arrays import UNKNOWN
from medloop.core.settings import AnnotatorModel
from medloop.models.foundation.recipes import NOBODY

DIAGONAL = 0.98
"""Share of right annotations that a confusion begins with: near the identity, but with a gradient away from it. At 0.9 a structure
that the network believes with 2 % pulled with 27 % of the gradient that it has without an annotator model, here with 67 %."""

TRACE_WEIGHT = 0.01
"""Of the mean trace of the matrices, which is made small: of all matrices and networks that explain the annotations alike it
prefers the least skilled annotators, and so the surest network (Tanno et al., theorem 1 and section 4). Here every class counts
as often as the network sees it: with equal weights a structure of 2 % of the voxels seemed to be missed by two in five even where
nobody erred."""

FAULTLESS = 1.0
"""Images that everybody is taken to have annotated without error beside their own: who annotated few is held near the identity."""

RATE = 12.0
"""Times the network's learning rate: a matrix has few entries, and a training of some hundred steps must find them."""

HIDDEN = 16
"""Width of the layer between the network's features and the matrix of a voxel."""

ROOM = 2**22
"""Numbers of matrices that are held at once; those of further voxels are computed piece by piece, and again for their gradients."""

RECENT = 0.05
"""Share of the newest batch in the mean matrices of an annotator."""


class Annotated(NamedTuple):
    """What the annotators make of what the network sees in a batch.

    Attributes:
        logits: Of what they would annotate, shape of the network's, in the precision of the matrices.
        penalty: What is added to the loss, a number; 0 for a crowd layer.
    """

    logits: Tensor
    penalty: Tensor


class Confusions(nn.Module):
    """One matrix per annotator, rows true and columns annotated classes; of `pixel` one per annotator and voxel.

    Args:
        kind: crowd-layer, confusion or pixel.
        annotators: How many are modelled.
        classes: Classes of the network, background included.
        width: Channels of the features that the matrices of `pixel` follow from.
        images: How many images each annotated, parts as the share of their voxels; one each by default.
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
        self.register_buffer("joint", torch.zeros(annotators, classes, classes), persistent=kind == "pixel")

    @torch.no_grad()
    def matrices(self) -> Tensor:
        """What each annotator makes of each class for certain, shape (annotators, classes, classes); rows sum to 1.

        Of `pixel` counted in recent batches, voxel by voxel: what was annotated where each class probably is, given what the network
        sees and the annotation, by these matrices as they were (a step of expectation maximisation per batch). The mean of the voxels'
        own matrices would call everybody unskilled wherever the network is unsure, which is most of a small structure. `FAULTLESS`
        images like an annotator's own count here, too.

        Source: Dawid & Skene 1979, doi:10.2307/2346806, equations 2.3 and 2.5, with the network's probabilities as the prior of each
            voxel; batch by batch as Cappé & Moulines 2009, arXiv:0712.4273, section 3.
        """
        seen = self.joint.sum(-1, keepdim=True)
        share = (FAULTLESS / (self.images + FAULTLESS))[:, None, None]
        counted = (1 - share) * self.joint / seen.clamp(min=1e-30) + share * torch.eye(seen.shape[1])
        return torch.where(seen > 0, counted, self.weight.softmax(-1))

    def forward(self, logits: Tensor, masks: Tensor, whose: Tensor, features: Tensor | None = None) -> Annotated:
        """From what the network sees to what the annotators would annotate.

        Args:
            logits: Of the network, shape (B, classes, …).
            masks: What was annotated, shape (B, …); where it is `UNKNOWN`, nothing is learned of the annotator.
            whose: The annotator of each sample, shape (B,), or `NOBODY`, whose confusion is the identity.
            features: What the network's head sees, shape (B, width, …); for `pixel` only.
        """
        chances, given = _flat(logits, self.weight).log_softmax(1), masks.reshape(len(masks), 1, -1)
        valid = given != UNKNOWN
        looks = chances if self.places is None or features is None else _flat(features.detach(), self.weight)
        found = self._whole(chances, valid, whose.clamp(min=0), looks)
        self._remember(chances.detach().exp(), given, whose)
        logits = torch.where((whose < 0)[:, None, None], chances, found.seen).reshape(logits.shape)
        return Annotated(logits, self._penalty(found, valid.sum((1, 2)), whose))

    def _whole(self, chances: Tensor, valid: Tensor, own: Tensor, looks: Tensor) -> "_Piece":
        """All voxels, piece by piece where their matrices take more than `ROOM`."""
        size = max(1, ROOM // (chances.shape[0] * chances.shape[1] ** 2))
        if size >= chances.shape[-1]:
            return self._piece(chances, valid, own, looks)
        parts = zip(*(torch.split(values, size, -1) for values in (chances, valid, looks)), strict=True)
        pieces = [
            checkpoint(self._piece, chance, known, own, look, use_reentrant=False, preserve_rng_state=False)
            for chance, known, look in parts
        ]
        seen, *sums = zip(*pieces, strict=True)
        return _Piece(torch.cat(seen, -1), *(torch.stack(values).sum(0) for values in sums))

    def _piece(self, chances: Tensor, valid: Tensor, own: Tensor, looks: Tensor) -> "_Piece":
        """Some voxels: `chances` (B, classes, n) are logarithms, `looks` (B, width, n)."""
        raw = self.weight[own][..., None]
        rows = (raw if self.places is None else raw + self.places(looks, own)).log_softmax(2)
        likely, diagonal = chances.detach().exp() * valid, rows.diagonal(dim1=1, dim2=2).movedim(-1, 1)
        if self.kind == "crowd-layer":
            seen = torch.einsum("bin,bij->bjn", chances.exp(), self.weight[own])
        else:
            seen = (chances[:, :, None] + rows).logsumexp(1)  # of logarithms: nothing is lost where the network is sure
        return _Piece(seen, (likely * diagonal.exp()).sum((1, 2)), -(likely * diagonal).sum((1, 2)))

    def _penalty(self, found: "_Piece", voxels: Tensor, whose: Tensor) -> Tensor:
        if self.kind == "crowd-layer":
            return self.weight.new_zeros(())
        trace = TRACE_WEIGHT * self.weight.shape[1] * found.kept
        each = (trace + FAULTLESS / self.images[whose.clamp(min=0)] * found.surprise) / voxels.clamp(min=1)
        return (each * (whose >= 0)).mean()

    @torch.no_grad()
    def _remember(self, likely: Tensor, given: Tensor, whose: Tensor) -> None:
        """Count what each annotator made of what each voxel, shape (B, classes, n), probably is; annotations have shape (B, 1, n)."""
        if self.places is None or not self.training:
            return
        known = self.matrices()[whose.clamp(min=0)]
        joint = torch.zeros_like(known)
        for annotated in range(known.shape[-1]):
            probably = likely * known[:, :, annotated, None]
            probably = probably / probably.sum(1, keepdim=True).clamp(min=1e-30) * (given == annotated)
            joint[:, :, annotated] = probably.sum(-1)
        for person in set(whose.tolist()) - {NOBODY}:
            self.joint[person].lerp_(joint[whose == person].mean(0), RECENT)


class _Piece(NamedTuple):
    """Of some voxels.

    Attributes:
        seen: Logits of what is annotated, shape (B, classes, n).
        kept: Sum of the traces, each row as likely as its class, shape (B,).
        surprise: Of minus the logarithms of the diagonals, likewise.
    """

    seen: Tensor
    kept: Tensor
    surprise: Tensor


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
        return torch.einsum("bhn,bhm->bmn", hidden, self.outwards[own]).reshape(len(own), self.classes, self.classes, -1)


def _flat(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).reshape(*values.shape[:2], -1)
