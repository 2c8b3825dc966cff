"""Good or bad: sorting predictions by whether their expected score reaches what the task needs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.errors import ShapeError

GOOD_DICE = 0.7
"""Dice from which a mask counts as good in the literature on quality control.

Source: Robinson et al. 2019, doi:10.1186/s12968-019-0523-x; Valindria et al. 2017, arXiv:1702.03407.
"""


@dataclass(frozen=True)
class TriageCounts:
    """Cases by what was expected and what was true.

    Attributes:
        missed: Expected to be good, but bad: what triage is there to prevent.
        false_alarms: Expected to be bad, but good: a look too many.
    """

    good: int
    missed: int
    false_alarms: int
    bad: int

    @property
    def accuracy(self) -> float:
        """Share of the cases that were sorted rightly."""
        return (self.good + self.bad) / (self.good + self.missed + self.false_alarms + self.bad)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares of good and of bad cases sorted rightly; of the one kind there is, when there is only one."""
        pairs = ((self.good, self.false_alarms), (self.bad, self.missed))
        return float(np.mean([right / (right + wrong) for right, wrong in pairs if right + wrong]))


def is_good(expected: npt.ArrayLike, *, threshold: float = GOOD_DICE) -> BoolArray:
    """Which cases reach the threshold, shape (cases,)."""
    return np.asarray(expected, dtype=np.float64) >= threshold


def count_triage(expected: npt.ArrayLike, truth: npt.ArrayLike, *, threshold: float = GOOD_DICE) -> TriageCounts:
    """How good and bad cases were told apart.

    Args:
        expected: Expected scores, shape (cases,).
        truth: True scores, shape (cases,).
        threshold: From where a score is good.

    Raises:
        ShapeError: Different lengths, or no case.
    """
    said, true = is_good(expected, threshold=threshold), is_good(truth, threshold=threshold)
    if said.ndim != 1 or said.shape != true.shape or not len(said):
        raise ShapeError(
            f"Expected and true scores must be two lists of the same length, at least one case, got {said.shape} and {true.shape}"
        )
    return TriageCounts(*(int(np.count_nonzero(x)) for x in (said & true, said & ~true, ~said & true, ~said & ~true)))
