"""How sure a mean is: intervals over patients, never over cases, that keep the rate they state on few of them.

Cases of one patient resemble each other; as if independent they would make intervals too narrow. So values are first
averaged within their patient. Scores such as Dice are bounded and skewed: of ten patients all at 0.9, an eleventh may
well be at 0.3. A plain bootstrap cannot know that, since it only draws what was seen. So one patient that nobody saw is
drawn along, at the far end of what is plausible. Below `MIN_PATIENTS` patients, and below `MIN_RUNS` runs, there is no
interval, and a note says so. Measured coverage: benchmarks/interval_coverage.py.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray, IntArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.core.names import counted

CONFIDENCE = 0.95

MIN_PATIENTS = 5
"""Fewer patients tell nothing about how much patients vary."""

MIN_RUNS = 3
"""Two runs have one degree of freedom: an interval 25 times as wide as their spread says nothing."""

SKEWED = 0.3
"""Student's interval assumes a normal distribution, and unlucky trainings fall further than lucky ones rise: with n runs
it is widened by 1 + `SKEWED` / n, which by simulation lifts the coverage of gamma-distributed losses from 93 to 94 or 95 %."""

SCORE_REACH = 10.0
"""The unseen patient lies so many standard deviations from the mean of scores (within 0..1). By simulation: the least at
which means of skewed scores with 5 to 10 % of failures are covered at 92 % or more with 5 to 30 patients."""

PAIRED_REACH = 4.0
"""The same for differences of two models on the same patients, which are less skewed."""

NO_SPREAD = 1e-12
"""Of the mean: a standard error below this is rounding."""

FLOOR = 0.05
"""Of the reach, for scores: patients that agree to the last digit do not prove that all do."""

_DRAWN_AT_ONCE = 1 << 22
"""Numbers drawn per block: 32 MB, whatever the number of patients."""


@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Attributes:
        mean: Mean over groups of the group means.
        low, high: Ends of the interval; None where there are too few groups for one.
        groups: Number of groups (patients, or seeds) behind it.
        note: Why there is no interval, in words; "" where there is one.
    """

    mean: float
    low: float | None
    high: float | None
    groups: int = 0
    note: str = ""


class HasInterval(Protocol):
    """Anything with an interval that may be missing: `Interval`, a point of a curve."""

    @property
    def low(self) -> float | None:
        """Lower end; None without an interval."""

    @property
    def high(self) -> float | None:
        """Upper end; None without an interval."""

    @property
    def note(self) -> str:
        """Why there is no interval; "" where there is one."""


def interval_words(interval: HasInterval, form: str = ".3f") -> str:
    """Its ends as "0.712 to 0.845", or why there is none."""
    if interval.low is None or interval.high is None:
        return interval.note
    return f"{interval.low:{form}} to {interval.high:{form}}"


def too_few(have: int, need: int, what: str) -> str:
    """Why there is no interval: "no interval: 3 patients, at least 5 needed"."""
    return f"no interval: {counted(have, what.removesuffix('s'))}, at least {need} needed"


def bootstrap_mean(
    values: npt.ArrayLike, groups: Sequence[Hashable], rng: np.random.Generator, *, confidence: float = CONFIDENCE, draws: int = 2000
) -> Interval:
    """Mean over patients with an interval: a Bayesian bootstrap that draws an unseen patient along.

    Where all values are 0 or 1 the unseen patient is a 0 for the lower end and a 1 for the upper one: the interval is
    then the exact one of a rate (Clopper and Pearson 1934). Otherwise it lies `SCORE_REACH` standard deviations away,
    within 0..1 where all values lie there.

    Args:
        values: One number per case, shape (cases,).
        groups: The patient of each case; cases of one patient are averaged first.
        rng: Source of the draws.
        confidence: Coverage aimed at, between 0 and 1.
        draws: Resamplings.

    Returns:
        The mean of the group means, and the interval; none with fewer than `MIN_PATIENTS` groups.

    Raises:
        ShapeError: No values, or not one group per value.
        InputError: Values that are not finite.
        SettingError: A confidence outside 0..1 or no draws.

    Source: Rubin 1981, doi:10.1214/aos/1176345338 (Bayesian bootstrap); Learned-Miller and Thomas 2020, arXiv:1905.06208
        (Gaffke's bound: the smallest or largest possible value is drawn along).
    """
    rates = bool(np.isin(np.asarray(values, dtype=np.float64), (0.0, 1.0)).all())
    return _interval(group_means(values, groups), rng, confidence, draws, reach=np.inf if rates else SCORE_REACH, least=0.0)


def mean_over_cases(values: npt.ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """`bootstrap_mean` of cases that are of as many patients; the same values give the same ends.

    Args:
        values: One number per case, shape (cases,).
        confidence: Coverage aimed at, between 0 and 1.

    Raises:
        ShapeError: No values.
        InputError: Values that are not finite.
        SettingError: A confidence outside 0..1.
    """
    return bootstrap_mean(values, range(len(np.asarray(values))), np.random.default_rng(0), confidence=confidence)


def paired_difference(
    a: npt.ArrayLike, b: npt.ArrayLike, groups: Sequence[Hashable], rng: np.random.Generator, *, draws: int = 2000
) -> Interval:
    """Mean of a - b over the same cases, with a 95 % interval over patients.

    Args:
        a: One number per case, shape (cases,).
        b: The same cases in the same order, judged by something else.
        groups: The patient of each case.
        rng: Source of the draws.
        draws: Resamplings.

    Raises:
        ShapeError: Lengths that differ.
        InputError: Values that are not finite.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ShapeError(f"A paired difference needs the same cases on both sides, got {first.shape} and {second.shape}")
    tags = bool(np.isin(np.stack([first, second]), (0.0, 1.0)).all())
    return _interval(group_means(first - second, groups), rng, CONFIDENCE, draws, reach=np.inf if tags else PAIRED_REACH, least=-1.0)


def mean_over_runs(values: npt.ArrayLike) -> Interval:
    """Mean over independent runs (seeds) with Student's 95 % interval, widened a little for few runs (`SKEWED`).

    Args:
        values: One number per run, shape (runs,).

    Returns:
        The mean, and the interval; none with fewer than `MIN_RUNS` runs.

    Raises:
        ShapeError: No values.
        InputError: Values that are not finite.

    Source: Student 1908, doi:10.1093/biomet/6.1.1.
    """
    numbers = group_means(values, range(np.size(values)))
    runs, mean = len(numbers), float(numbers.mean())
    if runs < MIN_RUNS:
        return Interval(mean, None, None, runs, too_few(runs, MIN_RUNS, "seeds"))
    error = float(numbers.std(ddof=1)) / runs**0.5 * (1.0 + SKEWED / runs)
    return student_interval(mean, error, runs - 1, runs, alike=f"all {runs} seeds agree")


def student_interval(mean: float, error: float, freedom: int, groups: int, *, alike: str) -> Interval:
    """Student's 95 % interval around a mean; none where nothing varies, since an interval without width would promise too much.

    Args:
        mean: The estimate.
        error: Its standard error.
        freedom: Degrees of freedom.
        groups: What is counted behind it.
        alike: What to say when there is no spread.
    """
    if error <= NO_SPREAD * abs(mean):
        return Interval(mean, None, None, groups, f"no interval: {alike}")
    half = t_quantile(freedom, CONFIDENCE) * error
    return Interval(mean, mean - half, mean + half, groups)


def t_quantile(freedom: int, confidence: float) -> float:
    """How many standard errors lie to each side of a mean."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1.0 + confidence) / 2.0))


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
    places = group_numbers(groups)
    return np.bincount(places, weights=numbers) / np.bincount(places)


def group_numbers(groups: Iterable[Hashable]) -> IntArray:
    """The group of each value as a number, counted from 0 in order of first appearance, shape (values,)."""
    number_of: dict[Hashable, int] = {}
    return np.array([number_of.setdefault(group, len(number_of)) for group in groups], dtype=np.int64)


def _interval(means: FloatArray, rng: np.random.Generator, confidence: float, draws: int, *, reach: float, least: float) -> Interval:
    _require_confidence(confidence, draws)
    mean, patients = float(means.mean()), len(means)
    if patients < MIN_PATIENTS:
        return Interval(mean, None, None, patients, too_few(patients, MIN_PATIENTS, "patients"))
    tail = (1.0 - confidence) / 2.0
    lowest, highest = _unseen(means, reach, least)
    drawn, spare = _drawn_means(means, rng, draws)
    low, high = np.quantile(drawn + spare * lowest, tail), np.quantile(drawn + spare * highest, 1.0 - tail)
    return Interval(mean, min(float(low), mean), max(float(high), mean), patients)


def _unseen(means: FloatArray, reach: float, least: float) -> tuple[float, float]:
    """Where a patient that nobody saw may lie at worst and at best; within `least`..1 where all values lie there."""
    low, high, middle = float(means.min()), float(means.max()), float(means.mean())
    bounded = least <= low and high <= 1.0
    edges = (least, 1.0) if bounded else (-np.inf, np.inf)
    if np.isinf(reach):
        return edges
    away = max(reach * float(means.std(ddof=1)), FLOOR if bounded else 0.0)
    return max(edges[0], min(middle - away, low)), min(edges[1], max(middle + away, high))


def _drawn_means(means: FloatArray, rng: np.random.Generator, draws: int) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of the means under flat random weights, and the weight left to the unseen patient; shape (draws,) each."""
    block = max(1, _DRAWN_AT_ONCE // (len(means) + 1))
    sums, spare = np.empty(draws), np.empty(draws)
    for start in range(0, draws, block):
        weights = rng.standard_exponential((min(block, draws - start), len(means) + 1))
        weights /= weights.sum(axis=1, keepdims=True)
        sums[start : start + block], spare[start : start + block] = weights[:, :-1] @ means, weights[:, -1]
    return sums, spare


def _require_confidence(confidence: float, draws: int) -> None:
    if not 0.0 < confidence < 1.0 or draws < 1:
        raise SettingError(f"A bootstrap needs 0 < confidence < 1 and at least 1 draw, got {confidence:g} and {draws}")
