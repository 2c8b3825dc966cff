"""How sure a mean is: bootstrap intervals that resample patients, never cases.

Cases of one patient resemble each other; resampling them as if independent makes intervals too narrow.
So values are first averaged within their patient, and patients are drawn with replacement.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError

_DRAWN_AT_ONCE = 1 << 22
"""Numbers drawn per block: 32 MB of indices, whatever the number of patients."""


@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Attributes:
        mean: Mean over groups of the group means.
        low, high: Ends of the interval; both equal the mean when there is only one group, which says nothing about
            its precision.
        groups: Number of groups (patients) behind it.
    """

    mean: float
    low: float
    high: float
    groups: int = 0


def bootstrap_mean(
    values: npt.ArrayLike,
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """Mean over groups with a percentile bootstrap interval.

    Args:
        values: One number per case, shape (cases,).
        groups: The patient (or seed) of each case; cases of one group are averaged first.
        rng: Source of the draws.
        confidence: Coverage aimed at, between 0 and 1.
        draws: Resamplings.

    Returns:
        The mean of the group means, and the interval.

    Raises:
        ShapeError: No values, or not one group per value.
        InputError: Values that are not finite.
        SettingError: A confidence outside 0..1 or no draws.

    Source: Efron and Tibshirani 1993, chapter 13; groups as in Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x.
    """
    if not 0.0 < confidence < 1.0 or draws < 1:
        raise SettingError(f"A bootstrap needs 0 < confidence < 1 and at least 1 draw, got {confidence:g} and {draws}")
    means = group_means(values, groups)
    resampled = _resampled_means(means, rng, draws)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(resampled, (tail, 1.0 - tail))
    mean = float(means.mean())
    # Sums in another order differ in the last bit; the mean must not fall outside an interval of equal values.
    return Interval(mean, min(float(low), mean), max(float(high), mean), len(means))


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """Mean of a - b over the same cases, with an interval over patients.

    Args:
        a: One number per case, shape (cases,).
        b: The same cases in the same order, judged by something else.
        groups: The patient of each case.
        rng: Source of the draws.
        confidence: Coverage aimed at.
        draws: Resamplings.

    Raises:
        ShapeError: Lengths that differ.
        InputError: Values that are not finite.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ShapeError(f"A paired difference needs the same cases on both sides, got {first.shape} and {second.shape}")
    return bootstrap_mean(first - second, groups, rng, confidence=confidence, draws=draws)


def group_means(values: npt.ArrayLike, groups: Sequence[Hashable]) -> FloatArray:
    """Mean of the values of each group, groups in order of first appearance, shape (groups,).

    Raises:
        ShapeError: No values, or not one group per value.
        InputError: Values that are not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or len(groups) != len(numbers):
        raise ShapeError(f"Expected at least one value and one group per value, got {numbers.shape} values and {len(groups)} groups")
    if not np.isfinite(numbers).all():
        raise InputError(f"Values to average must be finite, got {int((~np.isfinite(numbers)).sum())} that are not")
    number_of: dict[Hashable, int] = {}
    places = np.array([number_of.setdefault(g, len(number_of)) for g in groups])
    means: FloatArray = np.bincount(places, weights=numbers) / np.bincount(places)
    return means


def _resampled_means(means: FloatArray, rng: np.random.Generator, draws: int) -> FloatArray:
    block = max(1, _DRAWN_AT_ONCE // len(means))
    sizes = [min(block, draws - start) for start in range(0, draws, block)]
    return np.concatenate([means[rng.integers(len(means), size=(size, len(means)))].mean(axis=1) for size in sizes])
