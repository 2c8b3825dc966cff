"""Which kind of annotation of a case is worth most per minute of a person's time.

What an annotation is worth is the number of voxels that it is expected to set right. All of a case, its most uncertain slices or regions,
marks in place of a mask, or only a look at the proposal differ in that and in the minutes they take. A look is expected to end with the
proposal accepted as it is in so many of the cases as proposals at least as uncertain were so far; where it does not, the case is
annotated whole after it.

Sources: cost and value of kinds of annotation as in Vijayanarasimhan & Grauman 2009, What's it going to cost you?,
doi:10.1109/CVPR.2009.5206705; the choice between annotating and verifying as in Papadopoulos et al. 2016, arXiv:1602.08405.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError
from medloop.core.records import QueryKind


@dataclass(frozen=True)
class Offer:
    """One way to annotate a case.

    Attributes:
        kind: What a person does.
        gain: Voxels that it is expected to set right, >= 0.
        minutes: What it is expected to take, > 0.
    """

    kind: QueryKind
    gain: float
    minutes: float

    @property
    def worth(self) -> float:
        """Voxels per minute."""
        return self.gain / self.minutes


def best_offer(offers: Sequence[Offer]) -> Offer:
    """The offer worth most per minute; of equal ones the first.

    Raises:
        InputError: None at all, or one with a negative gain or minutes that are not above 0.
    """
    if not offers:
        raise InputError("A kind of annotation is chosen among some, got none")
    for one in offers:
        if not (np.isfinite(one.gain) and one.gain >= 0 and np.isfinite(one.minutes) and one.minutes > 0):
            raise InputError(f"Gains are 0 or more and minutes above 0, got {one.gain:g} and {one.minutes:g} ({one.kind})")
    return max(offers, key=lambda one: one.worth)


def verifying(gain: float, look: float, whole: float, accepted: float) -> Offer:
    """A look at the proposal, after which it is annotated whole where it is not accepted.

    Args:
        gain: Voxels that are expected to be wrong in the proposal.
        look: Minutes of the look.
        whole: Minutes of annotating all of the case.
        accepted: Chance that the proposal is accepted as it is.
    """
    return Offer("verify", gain, look + (1 - accepted) * whole)


def chance_accepted(doubt: float, doubts: FloatArray, accepted: FloatArray) -> float:
    """How likely a proposal is accepted as it is: as often as those at least as uncertain were, and two imagined ones that were not.

    So nothing is expected of proposals of which no alike one was ever accepted.

    Args:
        doubt: Of the proposal: expected wrong voxels per voxel of the structures.
        doubts: Of earlier proposals, shape (n,).
        accepted: 1 where that one was accepted as it was, else 0, shape (n,).
    """
    alike = doubts >= doubt
    return float(accepted[alike].sum() / (np.count_nonzero(alike) + 2))
