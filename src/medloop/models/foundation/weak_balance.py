"""Weights of what marks say that are learned with the network: what stays hard to fit, as it is often wrong, counts less.

Each kind of term has a log variance s and enters the loss as usual · (exp(-s) · loss + s / 2), which is least at exp(-s) = 1 / (2 · loss).
Masks are the measure: their weight stays 1. A weight stays within `BOUND` times the usual one and as small a part of it: a term that is
fitted to nothing would otherwise outweigh everything. A term that says nothing in a batch changes no weight.

Source: Kendall, Gal & Cipolla 2018, Multi-task learning using uncertainty to weigh losses, arXiv:1705.07115, equations 7 and 10.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from medloop.models.foundation.recipes import WeakWeights

BOUND = 10.0
"""A learned weight is the usual one times at most this, and divided by at most this."""

RATE = 10.0
"""How much faster than the network log variances learn: a training of some hundred steps must get somewhere."""


class WeakBalance(nn.Module):
    """The log variances of the terms of `WeakWeights`, in its order; 0 at first, which are the usual weights."""

    def __init__(self) -> None:
        super().__init__()
        self.log_variances = nn.Parameter(torch.zeros(len(WeakWeights._fields)))

    def forward(self, terms: Mapping[str, Tensor], usual: WeakWeights) -> Tensor:
        """The loss of terms by their names; those of weight 0, and those that say nothing in this batch, are left out."""
        total = self.log_variances.new_zeros(())
        for name, scale, log_variance in zip(WeakWeights._fields, scales(usual), self.log_variances, strict=True):
            loss = terms.get(name)
            if loss is None or scale == 0:
                continue
            says = float(loss.detach()) > 0
            total = total + (scale * ((-log_variance).exp() * loss + log_variance / 2) if says else loss)
        return total

    @torch.no_grad()
    def keep_bounded(self) -> None:
        """Bring the weights back within their bounds, after a step."""
        self.log_variances.clamp_(-math.log(BOUND), math.log(BOUND))

    def weights(self, usual: WeakWeights) -> dict[str, float]:
        """What the terms count now, as the setting `mark_weights` would write it."""
        factors = (-self.log_variances.detach().cpu()).exp().tolist()
        return {name: round(own * factor, 4) for name, own, factor in zip(WeakWeights._fields, usual, factors, strict=True)}


def scales(usual: WeakWeights) -> Sequence[float]:
    """What terms count at first: marked and likely voxels together as masks do, in the proportion of their weights."""
    together = usual.marked + usual.likely or 1.0
    return (usual.marked / together, usual.likely / together, usual.excluded, usual.tagged, usual.agreed)
