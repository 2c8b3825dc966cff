"""Selection bias and its correction: what a sample that was chosen on purpose still says about the whole pool.

Chosen cases are harder than the others, so their mean loss is not the pool's. When each pick was *drawn*, with a known
chance, weights make it right:

    v_m = 1 + (N - M)/(N - m) · (1/((N - m + 1) · q_m) - 1),    R_LURE = 1/M · Σ v_m L_m

N cases in the pool, M drawn, q_m the chance of the m-th pick among the N - m + 1 cases left at that moment.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.core.errors import InputError, SettingError

ROUNDING = 1e-9
"""A chance of one, computed as a quotient of sums, may come out this much higher."""


def lure_weights(probabilities: Sequence[float | None], pool_size: int) -> CaseScores:
    """Weights of drawn cases that undo the choice, in the order of drawing.

    Unbiased if every case left had a chance above 0 at every draw, whatever the chances depended on.

    Args:
        probabilities: Chance of each pick among the cases left at that moment, in (0, 1].
        pool_size: Cases before the first draw, those drawn included.

    Returns:
        Shape (picks,); their expectation is 1, and all are 1 when the draws were uniform or took the whole pool.

    Raises:
        InputError: A pick that was not drawn (None), or a chance outside (0, 1].
        SettingError: More picks than cases.

    Source: Farquhar et al. 2021, arXiv:2101.11665.
    """
    chances = _checked_chances(probabilities)
    drawn = len(chances)
    if drawn > pool_size:
        raise SettingError(f"A pool of {pool_size} cases cannot give {drawn} picks")
    left = pool_size - np.arange(drawn)  # N - m + 1
    rest = np.where(left > 1, (pool_size - drawn) / np.maximum(left - 1, 1), 0.0)  # the last case of a pool is no choice
    return 1.0 + rest * (1.0 / (left * chances) - 1.0)


def _checked_chances(probabilities: Sequence[float | None]) -> CaseScores:
    for place, chance in enumerate(probabilities):
        if chance is None:
            raise InputError(
                f"Pick {place} was certain, not drawn: nothing is known of the cases that could not have been picked",
                remedy="use a strategy that draws its picks, such as random, or one that keeps its probabilities",
            )
        if not (np.isfinite(chance) and 0 < chance <= 1 + ROUNDING):
            raise InputError(f"The chance of a pick must lie above 0 and at most at 1, pick {place} has {chance}")
    return np.minimum(np.array(probabilities, dtype=np.float64), 1.0)
