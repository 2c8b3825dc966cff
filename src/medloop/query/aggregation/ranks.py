"""Ranks in place of scores, so that scores of any unit can be combined.

Points run from 1 for the best of the pool to 0 for the last; equal scores share the average of their places.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError

_DIGITS = 12
"""Fused points are rounded to these, so that sums that are equal but for the order of their terms tie."""


def rank_points(scores: CaseScores) -> FloatArray:
    """Borda points of each case, scaled to 0..1: the share of the other cases that it beats, ties counting half.

    Args:
        scores: Shape (cases,); higher means query sooner.

    Returns:
        Shape (cases,); a single case gets ½.

    Raises:
        ShapeError: Not one axis.
        InputError: NaN or infinity.
    """
    from scipy.stats import rankdata

    if scores.ndim != 1:
        raise ShapeError(f"Scores to rank have one axis (cases,), got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise InputError(f"Scores to rank must be finite, case {int(np.argmin(np.isfinite(scores)))} is not")
    if len(scores) == 1:
        return np.array([0.5])
    points: FloatArray = (rankdata(scores) - 1.0) / max(1, len(scores) - 1)
    return points


def order_points(picks: Sequence[int], cases: int) -> FloatArray:
    """The same points from an order of which only the top is known; all cases that are not in it share the last places.

    Args:
        picks: Distinct cases, best first.
        cases: Size of the pool.

    Returns:
        Shape (cases,), 0..1.

    Raises:
        InputError: A case twice, or outside the pool.
    """
    if len(set(picks)) != len(picks) or any(not 0 <= n < cases for n in picks):
        raise InputError(f"An order names each case at most once and within 0..{cases - 1}, got {list(picks)}")
    scores = np.zeros(cases)
    scores[list(picks)] = np.arange(len(picks), 0, -1)
    return rank_points(scores)


def fuse(points: Mapping[str, FloatArray], weights: Mapping[str, float]) -> CaseScores:
    """Weighted mean of the points of several rankings.

    Args:
        points: By name, each of shape (cases,), from `rank_points` or `order_points`.
        weights: By the same names, all above 0; their sum does not matter.

    Returns:
        Shape (cases,), 0..1; higher means query sooner.

    Raises:
        SettingError: No ranking, other names, or a weight that is not above 0.
        ShapeError: Rankings of different pools.

    Source: de Borda 1781; weighted as in Dwork et al. 2001, doi:10.1145/371920.372165.
    """
    if not points or set(points) != set(weights):
        raise SettingError(f"Fusion needs one weight per ranking, got weights for {sorted(weights)} and rankings {sorted(points)}")
    if not all(0 < weight < np.inf for weight in weights.values()):
        raise SettingError(f"Weights must be above 0 and finite, got {dict(weights)}")
    if len({found.shape for found in points.values()}) > 1:
        raise ShapeError(f"Rankings must rank the same cases, got shapes {[found.shape for found in points.values()]}")
    total = sum(weights.values())
    mean: CaseScores = np.sum([weights[name] / total * points[name] for name in sorted(points)], axis=0)
    return np.round(mean, _DIGITS)


def borda(*scores: CaseScores) -> CaseScores:
    """Borda count of several scores, each with the same say.

    Args:
        scores: Each of shape (cases,); higher means query sooner.

    Returns:
        Mean share of the other cases that each case beats, shape (cases,), 0..1.

    Raises:
        SettingError: No scores.
        ShapeError: Scores of different pools, or not one axis.
        InputError: NaN or infinity.

    Source: de Borda 1781; for active learning Ozdemir et al. 2018, arXiv:1807.06962.
    """
    points = {str(n): rank_points(one) for n, one in enumerate(scores)}
    return fuse(points, dict.fromkeys(points, 1.0))
