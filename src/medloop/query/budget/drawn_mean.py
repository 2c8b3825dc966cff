"""What cases that a strategy drew say about the whole pool: an unbiased mean, and an interval that knows how they were drawn.

After every draw the losses seen so far and the new one over its chance estimate the pool's mean without bias:

    a_m = 1/N · (Σ_{t<m} L_t + L_m / q_m),    R_LURE = 1/M · Σ c_m a_m,    c_m = N (N - M) / ((N - m) (N - m + 1))

Their errors are differences of a martingale, so they are uncorrelated whatever the strategy learned in between, and their squares add up
to the variance. It falls to 0 as the pool runs out: the finite-population correction is part of it. As the losses of masks are skewed,
one draw that nobody saw is put beside those that were, as in `medloop.metrics.intervals`. Measured coverage: benchmarks/lure.py.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, CaseScores, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.core.names import counted
from medloop.metrics.intervals import CONFIDENCE, MIN_PATIENTS, Interval, t_quantile, too_few
from medloop.query.budget.bias import lure_weights

REACH = 2.5
"""The unseen draw lies so many standard deviations of the a_m above the mean loss: by simulation the least with which the coverage of
8 to 60 draws by five strategies lies at 94 to 97 %."""

FLOOR = 0.05
"""The unseen draw lies at least so far away: draws that agree to the last digit do not prove that all cases do."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Cases in the order in which they were drawn.

    Attributes:
        losses: 1 - score of each, 0..1, shape (draws,); anything where `judged` is False.
        chances: Chance of each among the cases left at that moment, shape (draws,).
        pool: Cases before the first draw.
        patients: Patient of each, as many as draws.
        shares: What each case counts, of mean 1 over the pool, shape (draws,); None for cases alike. With
            cases / (patients · cases of this patient) patients count alike.
        judged: Whether each could be judged, shape (draws,): skipped cases keep their place; None for all.
        scaled: Whether the shares have a mean of 1 over the pool; else the draws themselves tell what they add up to.
    """

    losses: CaseScores
    chances: CaseScores
    pool: int
    patients: Sequence[Hashable]
    shares: CaseScores | None = None
    judged: BoolArray | None = None
    scaled: bool = True

    def __post_init__(self) -> None:
        lengths = {len(self.losses), len(self.chances), len(self.patients)}
        lengths |= {len(part) for part in (self.shares, self.judged) if part is not None}
        if len(lengths) != 1:
            raise ShapeError(f"Every draw needs one loss, chance and patient, got lengths {sorted(lengths)}")

    @property
    def seen(self) -> BoolArray:
        """Which draws were judged."""
        return np.ones(len(self.losses), dtype=bool) if self.judged is None else self.judged

    @property
    def is_ratio(self) -> bool:
        """Whether the mean is one weighted sum over another, as not all of the pool counts, or by shares of an unknown sum."""
        return not (self.scaled and self.seen.all())

    @property
    def weights(self) -> FloatArray:
        """What the loss of each draw weighs in the mean, shape (draws,): 0 for those that were not judged."""
        shares = np.ones(len(self.losses)) if self.shares is None else self.shares
        found = lure_weights(list(self.chances), self.pool) * shares * self.seen
        return found * (len(found) / found.sum() if found.sum() > 0 else 0.0) if self.is_ratio else found


def drawn_mean(draws: Draws) -> Interval:
    """The mean score (1 - loss) of the pool, with a 95 % interval.

    The interval is of this pool: it says nothing of patients beyond it. Where draws could not be judged, it is of the cases that can be.

    Returns:
        Patients of the judged draws in `groups`; no interval with fewer than `MIN_PATIENTS` of them, or where a few weights decide all.

    Raises:
        InputError: Losses outside 0..1, chances outside (0, 1], or nothing judged.
        SettingError: More draws than cases.
        ShapeError: Draws without a loss, chance or patient.

    Source: Farquhar, Gal and Rainforth 2021, arXiv:2101.11665, theorem 2 (unbiased) and appendix B (its variance).
    """
    losses, seen = np.where(draws.seen, draws.losses, 0.0), draws.seen
    if not seen.any():
        raise InputError("A mean of draws needs at least one that was judged")
    if not (np.isfinite(losses).all() and losses.min() >= 0 and losses.max() <= 1):
        raise InputError(f"Losses lie in 0..1, got {losses.min():g} to {losses.max():g}")
    weights = draws.weights
    loss = float((weights * losses).mean())
    patients = len({p for p, known in zip(draws.patients, seen, strict=True) if known})
    note = _too_little(weights, patients)
    if note:
        return Interval(_within(1.0 - loss), None, None, patients, note)
    low, high = _loss_bounds(draws, losses, loss)
    return Interval(_within(1.0 - loss), _within(1.0 - high), _within(1.0 - low), patients)


def _too_little(weights: FloatArray, patients: int) -> str:
    if patients < MIN_PATIENTS:
        return too_few(patients, MIN_PATIENTS, "patients")
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0
    if effective < MIN_PATIENTS:
        return f"no interval: the weights are so unequal that the draws count as {counted(round(effective), 'case')}"
    return ""


def _loss_bounds(draws: Draws, losses: FloatArray, loss: float) -> tuple[float, float]:
    """Ends of the interval of the mean loss."""
    cases, drawn = draws.pool, len(losses)
    shares = np.ones(drawn) if draws.shares is None else draws.shares
    place = np.arange(1, drawn + 1)
    parts = cases * (cases - drawn) / np.maximum((cases - place) * (cases - place + 1.0), 1.0)  # c_m
    ratio = draws.is_ratio
    counts = shares * ((losses - loss) * draws.seen if ratio else losses)  # what is not judged is no part of a ratio's error
    steps = (np.concatenate([[0.0], np.cumsum(counts)[:-1]]) + counts / draws.chances) / cases  # a_m
    scale = _judged_share(draws, shares) if ratio else 1.0
    offs, wide = parts * (steps - (0.0 if ratio else loss)) / scale, t_quantile(drawn - 1, CONFIDENCE)
    above, below = _unseen(losses[draws.seen], loss, float(steps.std(ddof=1)) / scale)
    left = ((cases - drawn) / cases) ** 0.5  # 0 once the pool is drawn: then nothing is unseen
    low, high = (
        loss + sign * (left * unseen / (drawn + 1) + wide * max(_error(offs), _error(np.append(offs, left * unseen))))
        for sign, unseen in ((-1.0, below), (1.0, above))
    )
    return low, high


def _unseen(losses: FloatArray, loss: float, spread: float) -> tuple[float, float]:
    """How far above and below the mean loss a draw may lie that nobody saw; below only where all losses are the same right or wrong."""
    away = max(REACH * spread, FLOOR)
    if losses.max() > losses.min() or losses[0] not in (0.0, 1.0):
        return away, 0.0
    return max(away, 1.0 - loss), loss


def _error(parts: FloatArray) -> float:
    """Standard error of a mean of uncorrelated parts."""
    return float(np.sqrt((parts**2).sum() / (len(parts) * (len(parts) - 1))))


def _judged_share(draws: Draws, shares: FloatArray) -> float:
    """The part of the pool that can be judged, in the unit of the shares, as the draws estimate it."""
    return max(float((lure_weights(list(draws.chances), draws.pool) * shares * draws.seen).mean()), float(shares.mean()) / len(shares))


def _within(score: float) -> float:
    return min(max(score, 0.0), 1.0)
