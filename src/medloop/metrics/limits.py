"""Limits of agreement: how far two measurements of the same thing lie apart, and how sure that is."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.metrics.intervals import MIN_PATIENTS, group_means, t_quantile, too_few

SHARE = 1.959963984540054
"""Standard deviations on either side of the mean that hold 95 % of normal differences."""


@dataclass(frozen=True)
class Agreement:
    """The mean difference and where 95 % of the differences lie, for differences that are about normal.

    Attributes:
        mean: Mean over patients.
        low, high: Limits of agreement, `mean` ∓ 1.96 standard deviations; None with too few patients.
        unsure: Half the width of each limit's own 95 % interval; None with too few.
        patients: How many.
        note: Why there are no limits, in words; "" where there are.
    """

    mean: float
    low: float | None
    high: float | None
    unsure: float | None
    patients: int
    note: str = ""


def limits_of_agreement(predicted: npt.ArrayLike, true: npt.ArrayLike, patients: Sequence[Hashable]) -> Agreement:
    """Agreement of two measurements of the same cases; cases of a patient are averaged first.

    Args:
        predicted: Shape (cases,), any unit.
        true: The same cases in the same unit.
        patients: The patient of each case.

    Raises:
        ShapeError: No case, or not one patient per case.
        InputError: Values that are not finite.

    Source: Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8; the limits' own interval: 1999,
        doi:10.1177/096228029900800204, section 2 (standard error √(3/n) s).
    """
    differences = group_means(np.asarray(predicted, dtype=np.float64) - np.asarray(true, dtype=np.float64), patients)
    count, mean = len(differences), float(differences.mean())
    if count < MIN_PATIENTS:
        return Agreement(mean, None, None, None, count, too_few(count, MIN_PATIENTS, "patients").replace("no interval", "no limits"))
    deviation = float(differences.std(ddof=1))
    unsure = t_quantile(count - 1, 0.95) * deviation * float(np.sqrt(3.0 / count))
    return Agreement(mean, mean - SHARE * deviation, mean + SHARE * deviation, unsure, count)
