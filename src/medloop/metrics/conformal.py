"""Quantiles that hold for a new patient: conformal ranks in which patients, not cases, are the unit.

Cases of one patient resemble each other, so a patient with ten cases is not ten proofs. Every patient weighs the same,
shared among its cases, and the new patient weighs as much as one more whose score is as bad as can be.
"""

from collections.abc import Hashable, Sequence
from math import inf

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.intervals import group_numbers

_ROUNDING = 1e-9


def conformal_quantile(scores: FloatArray, coverage: float, groups: Sequence[Hashable] | None = None) -> float:
    """The score that a case of a new patient stays below at the stated rate; infinite when there are too few patients.

    With one case per patient it is the ceil((n + 1) coverage)-th smallest of n scores.

    Args:
        scores: How badly each calibration case was missed, shape (cases,).
        coverage: Between 0 and 1.
        groups: Patient of each case; None takes every case as its own patient.

    Raises:
        ShapeError: Not one patient per case.
        InputError: Scores that are not finite.
        SettingError: A coverage outside 0..1.

    Source: Vovk et al. 2005, Algorithmic Learning in a Random World; Lee, Barber and Willett 2023, arXiv:2306.06342,
        theorem 1 (hierarchical conformal prediction).
    """
    if not 0.0 < coverage < 1.0:
        raise SettingError(f"A coverage must lie between 0 and 1, got {coverage:g}")
    values = np.asarray(scores, dtype=np.float64)
    names = list(range(len(values))) if groups is None else list(groups)
    if len(names) != len(values):
        raise ShapeError(f"Every score needs its patient, got {len(values)} scores and {len(names)} patients")
    if not np.isfinite(values).all():
        raise InputError("Conformal scores must be finite numbers")
    member = group_numbers(names)
    order = np.argsort(values, kind="stable")
    weights = (1.0 / np.bincount(member)[member] / (member.max() + 2))[order] if len(values) else values
    reached = np.flatnonzero(np.cumsum(weights) >= coverage - _ROUNDING)
    return float(values[order][reached[0]]) if len(reached) else inf
