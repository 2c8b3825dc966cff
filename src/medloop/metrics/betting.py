"""Has a risk been exceeded? A test that may be looked at after every case, for ever.

Somebody bets, at fair odds if the risk were just what is promised, that losses are higher: each loss L multiplies the stake by
1 + λ (L - risk). While the promise holds the stake is a supermartingale, so the chance that it *ever* reaches 1/δ is at most δ: no look,
early or late, makes a false alarm likelier. The stake is spread over a fixed set of λ, so it needs not foresee how large the excess is.
A loss that is not known yet counts as 0, which can only lower the stake: who reads late delays an alarm and makes none.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError

STAKES = np.geomspace(0.01, 0.9, 16)
"""λ · risk: what part of the stake is lost with each loss of 0. Small ones show small excesses, large ones large excesses at once."""

LEVEL = 0.05
"""Chance of ever making a false alarm."""

_GRID = np.linspace(0.001, 0.999, 999)


def stake_against(losses: npt.ArrayLike, risk: float) -> float:
    """How often somebody has multiplied a stake by betting that the mean loss is above the risk; 1 without losses.

    Args:
        losses: In the order of the cases, within 0..1, shape (cases,); 0 for those not known yet.
        risk: What is promised, between 0 and 1.

    Raises:
        InputError: Losses outside 0..1.
        SettingError: A risk outside 0..1.

    Source: Waudby-Smith and Ramdas 2023, arXiv:2010.09686, section 4 (betting); Ville 1939 (its inequality).
    """
    if not 0 < risk < 1:
        raise SettingError(f"A risk must lie between 0 and 1, got {risk:g}")
    return float(np.exp(_log_stakes(_checked(losses), np.array([risk]))[0]))


def first_alarm(losses: Sequence[float], risk: float, *, level: float = LEVEL) -> int | None:
    """After how many losses the stake first reached 1/level; None where it never did. See `stake_against`."""
    known = _checked(losses)
    if not 0 < risk < 1:
        raise SettingError(f"A risk must lie between 0 and 1, got {risk:g}")
    steps = np.log1p(STAKES / risk * (known[:, None] - risk))
    path = np.logaddexp.reduce(np.cumsum(steps, axis=0), axis=1) - np.log(len(STAKES)) if len(known) else np.zeros(0)
    reached = np.flatnonzero(path >= np.log(1.0 / level))
    return int(reached[0]) + 1 if len(reached) else None


def mean_bounds(losses: npt.ArrayLike, *, level: float = LEVEL) -> tuple[float, float]:
    """Lower and upper bound of the mean loss, which hold at all times at once with probability 1 - level.

    Args:
        losses: In the order of the cases, within 0..1, shape (cases,).
        level: Between 0 and 1; half of it on either side.

    Raises:
        InputError: Losses outside 0..1.

    Source: Waudby-Smith and Ramdas 2023, arXiv:2010.09686, section 4 (a confidence sequence is what no bet refutes).
    """
    known = _checked(losses)
    needed = np.log(2.0 / level)
    refuted_low = _log_stakes(known, _GRID) >= needed
    refuted_high = _log_stakes(1.0 - known, 1.0 - _GRID) >= needed
    low = float(_GRID[refuted_low].max()) if refuted_low.any() else 0.0
    high = float(_GRID[refuted_high].min()) if refuted_high.any() else 1.0
    return low, high


def _log_stakes(losses: FloatArray, risks: FloatArray) -> FloatArray:
    """Logarithm of the stake against each risk, shape (risks,)."""
    wagers = STAKES[:, None] / risks[None, :]
    grown = np.zeros_like(wagers)
    for loss in losses:
        grown += np.log1p(wagers * (loss - risks[None, :]))
    return np.asarray(np.logaddexp.reduce(grown, axis=0) - np.log(len(STAKES)), dtype=np.float64)


def _checked(losses: npt.ArrayLike) -> FloatArray:
    known = np.asarray(losses, dtype=np.float64)
    if known.size and not (np.isfinite(known).all() and known.min() >= 0 and known.max() <= 1):
        raise InputError("Losses must be numbers within 0..1")
    return known
