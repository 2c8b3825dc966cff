"""Annotator models that are learned with the network: from its probabilities to those of what each annotator would annotate.

The loss compares these with the annotation, so that an annotator's habits end up in the annotator's matrix and not in the network.
Only the network predicts; the matrices are reported as skill.

Source: Rodrigues & Pereira 2018, Deep learning from crowds, arXiv:1709.01779, section 4 (crowd-layer, one matrix per annotator);
    Tanno et al. 2019, Learning from noisy labels by regularized estimation of annotator confusion, arXiv:1902.03680, equation 6
    (confusion).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.settings import AnnotatorModel

DIAGONAL = 0.9
"""Share of right annotations that a confusion begins with: near the identity, but with a gradient away from it."""

TRACE_WEIGHT = 0.01
"""Of the mean trace of the matrices, which is made small: of all matrices and networks that explain the annotations alike it
prefers the least skilled annotators, and so the surest network (Tanno et al., theorem 1 and section 4). Here every class counts
as often as the network sees it: with equal weights a structure of 2 % of the voxels seemed to be missed by two in five even where
nobody erred."""

RATE = 4.0
"""Times the network's learning rate: a matrix has few entries and starts near its end."""


class Confusions(nn.Module):
    """One matrix per annotator, rows true and columns annotated classes.

    Args:
        kind: crowd-layer or confusion.
        annotators: How many are modelled.
        classes: Classes of the network, background included.
    """

    def __init__(self, kind: AnnotatorModel, annotators: int, classes: int) -> None:
        super().__init__()
        self.kind = kind
        height = 1.0 if kind == "crowd-layer" else math.log(DIAGONAL * (classes - 1) / (1 - DIAGONAL))
        self.weight = nn.Parameter((height * torch.eye(classes)).repeat(annotators, 1, 1))

    def matrices(self) -> Tensor:
        """What each annotator makes of each class for certain, shape (annotators, classes, classes); rows sum to 1."""
        return self.weight.softmax(-1)

    def forward(self, logits: Tensor, whose: Tensor) -> Tensor:
        """Logits of what the annotators would annotate.

        Args:
            logits: Of the network, shape (B, classes, …).
            whose: The annotator of each sample, shape (B,), or `recipes.NOBODY`, whose confusion is the identity: these logits stay.

        Returns:
            Shape of `logits`, in the precision of the matrices.
        """
        spoken = logits.to(self.weight.dtype).reshape(*logits.shape[:2], -1)
        chances = spoken.log_softmax(1)
        own = whose.clamp(min=0)
        if self.kind == "crowd-layer":
            seen = torch.einsum("bin,bij->bjn", chances.exp(), self.weight[own])
        else:  # by the largest chance, so that none is lost to rounding where the network is sure
            top = chances.amax(1, keepdim=True)
            seen = top + torch.einsum("bin,bij->bjn", (chances - top).exp(), self.matrices()[own]).log()
        return torch.where(whose[:, None, None] < 0, spoken, seen).reshape(logits.shape)

    @torch.no_grad()
    def truth(self, logits: Tensor, masks: Tensor, whose: Tensor) -> Tensor:
        """Probability of each class given the network and the annotation, shape of `logits`; what `NOBODY` annotated is true.

        Args:
            logits: Of the network, shape (B, classes, …).
            masks: What was annotated, shape (B, …), whole numbers below `classes`.
            whose: As in `forward`.
        """
        matrices, same = self.matrices()[whose.clamp(min=0)], torch.eye(logits.shape[1], device=logits.device)
        matrices = torch.where(whose[:, None, None] < 0, same, matrices)
        given = functional.one_hot(masks.long().flatten(1), logits.shape[1]).to(matrices.dtype)
        joint = logits.to(matrices.dtype).flatten(2).softmax(1) * torch.einsum("bij,bnj->bin", matrices, given)
        return (joint / joint.sum(1, keepdim=True).clamp(min=1e-30)).reshape(logits.shape)

    def penalty(self, logits: Tensor) -> Tensor:
        """What is added to the loss: the weighed mean trace of confusions, 0 for a crowd layer; `logits` are the network's."""
        if self.kind == "crowd-layer":
            return self.weight.new_zeros(())
        seen = logits.detach().to(self.weight.dtype).softmax(1).movedim(1, -1).flatten(0, -2).mean(0)
        return TRACE_WEIGHT * len(seen) * (self.matrices().diagonal(dim1=1, dim2=2) * seen).sum(-1).mean()
