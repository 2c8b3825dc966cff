"""Leaving out annotated cases that stay far harder to learn than the others: wrong annotations are learned late, right ones early.

Every case has a running mean of the loss that the network had on it. After the first steps, those whose mean lies far above the
others' are left out of the loss as long as it does; their loss is watched on, so that a case which the others teach comes back. How many
annotations are wrong need not be known, and where none stands out none is left out. A right annotation of an image unlike all others
stands out too: that is why the model names the cases it left out.

Sources: small-loss selection as in Han et al. 2018, Co-teaching, arXiv:1804.06872, with one network and the history of the loss in place of
one batch, as in Huang et al. 2019, O2U-Net, doi:10.1109/ICCV.2019.00342; the bound is that of Iglewicz & Hoaglin 1993 for outliers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medloop.models.foundation.losses import IGNORE

WARM_UP = 0.3
"""Share of the steps in which every case is learned."""

MEMORY = 0.8
"""How much the running mean keeps of itself at each new loss."""

FEWEST_CASES = 8
"""With fewer, no case can be told from chance."""

FEWEST_LOSSES = 3
"""Losses of a case before it is judged."""

FAR = 3.5
"""How many times 1.4826 of the median absolute deviation a mean loss lies above the median where the case is left out."""

HARDER = 1.5
"""How many times the median it is at least: while all losses are alike, as early on, a small difference says nothing."""


@dataclass
class SmallLoss:
    """What a training remembers of its cases.

    Attributes:
        means: Running mean of each case's loss, shape (cases,).
        seen: How often each was seen, shape (cases,).
    """

    means: Tensor
    seen: Tensor

    @classmethod
    def of(cls, cases: int) -> "SmallLoss":
        """Before the first step."""
        return cls(torch.zeros(cases, dtype=torch.float64), torch.zeros(cases, dtype=torch.int64))

    def observe(self, cases: Tensor, losses: Tensor) -> None:
        """Note the loss of every sample of a batch; both of shape (B,). A case that comes twice counts twice."""
        for case, loss in zip(cases.tolist(), losses.tolist(), strict=True):
            share = 1 / (self.seen[case] + 1) if self.seen[case] < 1 / (1 - MEMORY) else 1 - MEMORY
            self.means[case] += share * (loss - self.means[case])
            self.seen[case] += 1

    def outliers(self) -> Tensor:
        """Which cases stand out by their loss, bool, shape (cases,)."""
        judged = self.seen >= FEWEST_LOSSES
        if int(judged.sum()) < FEWEST_CASES:
            return torch.zeros_like(judged)
        known = self.means[judged]
        middle = known.quantile(0.5)
        spread = 1.4826 * (known - middle).abs().quantile(0.5)
        return judged & (self.means > torch.maximum(middle + FAR * spread, HARDER * middle)) & (spread > 0)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"means": self.means, "seen": self.seen}


def leave_out(memory: SmallLoss, cases: Tensor, targets: Tensor, *, begun: bool) -> Tensor:
    """The targets of a batch, `IGNORE` throughout in samples of cases that stand out; as they are before that has `begun`.

    Args:
        memory: Of the training.
        cases: Number of each sample's case, shape (B,).
        targets: Masks, shape (B, …), or classes, shape (B,).
        begun: Whether the warm-up is over.
    """
    if not begun:
        return targets
    out = memory.outliers()[cases].reshape(-1, *[1] * (targets.ndim - 1))
    return targets.masked_fill(out.to(targets.device), IGNORE)


def losses_of_samples(loss_at: Callable[[int], Tensor], samples: int) -> Tensor:
    """The loss of every sample by itself, shape (B,), without gradients."""
    with torch.no_grad():
        return torch.stack([loss_at(n).detach().double().cpu() for n in range(samples)])


def names_left_out(memory: SmallLoss, names: Sequence[str]) -> list[str]:
    """The cases that stand out, by name, in order of their loss, the highest first."""
    out = memory.outliers()
    order = sorted((n for n in range(len(names)) if out[n]), key=lambda n: -float(memory.means[n]))
    return [names[n] for n in order]
