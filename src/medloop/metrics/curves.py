"""Learning curves as numbers, and honest tests between them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, ShapeError

EXACT_UP_TO = 12
"""Sign-flip tests enumerate all 2^n flips up to this n (4,096), and draw them beyond."""


def area_under(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Area under a curve by trapezoids, divided by the range of x: the mean height.

    Args:
        x: Strictly increasing, for example labelled cases, shape (points,).
        y: Heights, for example Dice, shape (points,).

    Returns:
        A number within the range of y; a single point gives its own height.

    Raises:
        ShapeError: Different lengths, or no point.
        InputError: x that does not increase, or values that are not finite.
    """
    places, heights = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if places.ndim != 1 or places.shape != heights.shape or not len(places):
        raise ShapeError(f"A curve needs as many x as y, at least one, got {places.shape} and {heights.shape}")
    if not (np.isfinite(places).all() and np.isfinite(heights).all()):
        raise InputError("A curve's points must be finite")
    if len(places) == 1:
        return float(heights[0])
    if (np.diff(places) <= 0).any():
        raise InputError(f"x must increase from point to point, got {places.tolist()}")
    return float(np.trapezoid(heights, places) / (places[-1] - places[0]))


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Adjust p values for testing several hypotheses at once (step-down Bonferroni).

    Args:
        p_values: Shape (tests,), each 0..1.

    Returns:
        Adjusted p values in the given order, shape (tests,); reject where below the level.

    Raises:
        InputError: Values outside 0..1 or NaN.

    Source: Holm 1979, https://www.jstor.org/stable/4615733.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"p values must lie in 0..1, got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def permutation_test(differences: npt.ArrayLike, rng: np.random.Generator, *, draws: int = 10_000) -> float:
    """Two-sided paired test: how often random signs give a mean difference at least as large.

    Exact for up to `EXACT_UP_TO` pairs, drawn otherwise (then never below 1 / (draws + 1)).

    Args:
        differences: One per independent pair, shape (pairs,).
        rng: Source of the draws; untouched when the test is exact.
        draws: Random sign patterns.

    Returns:
        A p value in (0, 1].

    Raises:
        ShapeError: No differences.
        InputError: Differences that are not finite.

    Source: Fisher 1935, section 21; the +1 rule of Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
    """
    values = _finite_list(differences)
    if not values.any():
        return 1.0
    from scipy import stats  # heavy to import, rarely needed

    flips = np.inf if len(values) <= EXACT_UP_TO else draws
    found = stats.permutation_test((values,), np.mean, permutation_type="samples", vectorized=True, n_resamples=flips, rng=rng)
    return float(found.pvalue)


def paired_t_test(differences: npt.ArrayLike) -> float:
    """One-sided paired t-test: chance of a mean difference this large or larger if there were none.

    Args:
        differences: One per independent pair, shape (pairs,), at least two.

    Returns:
        A p value in (0, 1]. Differences that are all equal have no spread to be judged by; then only their signs count:
        2^-pairs for a gain, and 1 otherwise.

    Raises:
        ShapeError: Fewer than two differences.
        InputError: Differences that are not finite.

    Source: Student 1908, doi:10.1093/biomet/6.1.1.
    """
    values = _finite_list(differences)
    if len(values) < 2:
        raise ShapeError(f"A t-test needs at least two differences, got {len(values)}")
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return float(2.0 ** -len(values)) if values[0] > 0 else 1.0
    from scipy import stats  # heavy to import, rarely needed

    return float(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)


def wilcoxon(differences: npt.ArrayLike) -> float:
    """Two-sided signed-rank test of paired differences; 1.0 when all are zero.

    Args:
        differences: One per independent pair, shape (pairs,).

    Raises:
        ShapeError: No differences.
        InputError: Differences that are not finite.

    Source: Wilcoxon 1945, doi:10.2307/3001968.
    """
    values = _finite_list(differences)
    if not values.any():
        return 1.0
    from scipy import stats  # heavy to import, rarely needed

    return float(stats.wilcoxon(values[values != 0.0]).pvalue)


def _finite_list(differences: npt.ArrayLike) -> FloatArray:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ShapeError(f"A paired test needs a list of at least one difference, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("Differences must be finite")
    return values
