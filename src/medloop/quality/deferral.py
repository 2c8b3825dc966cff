"""Who looks at a prediction: nobody (accept), one person (review), or two (second expert), by controlled risk.

A case is accepted when its score is above a threshold. The threshold is the lowest under which the mean loss of
accepted calibration patients, with room for one new patient of the worst kind, stays at the stated risk:

    (sum over patients of loss · accepted  +  1) / (patients + 1)  ≤  risk

Promise: for a new patient drawn like the calibration patients, the expected loss from accepting, where deferred
cases cost nothing, is at most the risk. With loss 1 for a prediction below a required score, and 0 otherwise, this
is the chance that a case is accepted although it should not have been. It is not the share of bad cases among the
accepted; the measured share is reported beside it, and `select_by_share` controls that one for a whole pool.

Sources: Angelopoulos et al. 2022, arXiv:2208.02814, theorem 1 (conformal risk control); Jin and Candès 2023,
arXiv:2210.01408 (conformal selection).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.intervals import group_numbers

Decision: TypeAlias = Literal["accept", "review", "second expert"]

ROUNDING = 1e-9
"""(9 · 0 + 1) / 10 is a risk of 0.1, whatever the last bit says."""


@dataclass(frozen=True)
class Threshold:
    """Accept scores above `above`.

    Attributes:
        above: Minus infinity when all may be accepted.
        risk: What was asked for.
        bound: The left side of the rule above at this threshold; at most `risk`.
        patients: Calibration patients behind it.
        coverage: Share of the calibration cases above it.
        accepted_loss: Mean loss of these cases, 0 when there are none; measured on the cases that chose the threshold.
    """

    above: float
    risk: float
    bound: float
    patients: int
    coverage: float
    accepted_loss: float

    def accepts(self, scores: npt.ArrayLike) -> BoolArray:
        """Which cases lie above, shape (cases,)."""
        return np.asarray(scores, dtype=np.float64) > self.above


@dataclass(frozen=True)
class Deferral:
    """Two thresholds by one rule: above `accept` nobody looks, not above `second` two people do."""

    accept: Threshold
    second: Threshold

    def decide(self, scores: npt.ArrayLike) -> list[Decision]:
        """One decision per score."""
        accepted, single = self.accept.accepts(scores), self.second.accepts(scores)
        return ["accept" if a else "review" if s else "second expert" for a, s in zip(accepted, single, strict=True)]


def fit_deferral(
    scores: npt.ArrayLike, truth: npt.ArrayLike, *, risk: float, good: float, hard: float, patients: Sequence[Hashable] | None = None
) -> Deferral:
    """Thresholds from evaluated cases.

    At most `risk` of all cases are accepted though their true score is below `good`, and at most `risk` are seen by
    one person only though it is below `hard`. As hard cases are also not good, the second threshold is never above
    the first.

    Args:
        scores: Higher means more trusted, shape (cases,); from a rule that did not learn from these cases.
        truth: True scores in 0..1, shape (cases,).
        risk: Between 0 and 1.
        good: True score that an accepted case must reach.
        hard: True score below which one person is not enough; at most `good`.
        patients: Patient of each case; None takes every case as its own patient.

    Raises:
        ShapeError: Different lengths.
        InputError: Too few patients for the risk, or numbers that are not finite.
        SettingError: A risk outside 0..1, or `hard` above `good`.
    """
    if not hard <= good:  # also where one is no number
        raise SettingError(f"hard must be at most good, got {hard:g} above {good:g}")
    true = np.asarray(truth, dtype=np.float64)
    accept, second = (control_risk(scores, (true < limit).astype(np.float64), risk=risk, patients=patients) for limit in (good, hard))
    return Deferral(accept, second)


def control_risk(scores: npt.ArrayLike, losses: npt.ArrayLike, *, risk: float, patients: Sequence[Hashable] | None = None) -> Threshold:
    """The lowest threshold whose expected loss from accepting is at most `risk`; see the top of this file.

    Args:
        scores: Higher means more trusted, shape (cases,).
        losses: What accepting costs, 0..1, shape (cases,).
        risk: Between 0 and 1.
        patients: Patient of each case, whose losses are averaged; None takes every case as its own patient.

    Raises:
        ShapeError: Different lengths.
        InputError: Too few patients, losses outside 0..1, or numbers that are not finite.
        SettingError: A risk outside 0..1.
    """
    trust, cost = _checked(scores, losses)
    if patients is not None and len(patients) != len(trust):
        raise ShapeError(f"Every case needs its patient, got {len(trust)} cases and {len(patients)} patients")
    patient = group_numbers(patients or range(len(trust)))
    cases = np.bincount(patient)
    require_enough(count := len(cases), risk)
    ladder = np.concatenate([[-inf], np.unique(trust)])
    above_rung = trust[:, None] > ladder
    bounds = ((cost / cases[patient]) @ above_rung + 1.0) / (count + 1)
    rung = int(np.argmax(bounds <= risk + ROUNDING))  # bounds fall, and enough patients let the last one pass
    accepted = above_rung[:, rung]
    loss = float(cost[accepted].mean()) if accepted.any() else 0.0
    return Threshold(float(ladder[rung]), risk, float(bounds[rung]), count, float(accepted.mean()), loss)


def select_by_share(scores: npt.ArrayLike, bad: npt.ArrayLike, pool_scores: npt.ArrayLike, *, share: float) -> BoolArray:
    """Which cases of a pool to accept so that, in expectation, at most `share` of the accepted are bad.

    Args:
        scores: Of calibration cases, one per patient, shape (cases,).
        bad: Whether accepting each would have been wrong, shape (cases,).
        pool_scores: Of the pool, shape (pool,).
        share: Between 0 and 1.

    Returns:
        Shape (pool,).

    Raises:
        ShapeError: Different lengths of scores and bad, or no case.
        InputError: Numbers that are not finite.
        SettingError: A share outside 0..1.

    Source: Jin and Candès 2023, arXiv:2210.01408, algorithm 1, with ties counted against acceptance.
    """
    from scipy.stats import false_discovery_control

    require_risk(share)
    trust, wrong = _checked(scores, np.asarray(bad, dtype=np.float64))
    pool = np.asarray(pool_scores, dtype=np.float64)
    bad_scores = np.sort(trust[wrong > 0])
    as_high = len(bad_scores) - np.searchsorted(bad_scores, pool, side="left")
    p_values = (as_high + 1.0) / (len(trust) + 1.0)
    accepted: BoolArray = false_discovery_control(p_values) <= share + ROUNDING
    return accepted


FEWEST_PATIENTS = 5
"""However high the risk, fewer patients carry no promise: as with every other interval."""


def fewest_patients(risk: float) -> int:
    """Calibration patients without which no case can be accepted at this risk: 9 for 0.1, 19 for 0.05.

    Raises:
        SettingError: A risk outside 0..1.
    """
    require_risk(risk)
    return max(FEWEST_PATIENTS, ceil(1.0 / risk - 1.0 - 1e-9))


_UNCOUNTED = {"validation": ", which chose the weights and do not count"}


def require_enough(patients: int, risk: float, *, counted: Mapping[str, int] | None = None) -> None:
    """Refuse to promise what too few patients cannot carry.

    Args:
        patients: Evaluated ones that may judge.
        risk: What is promised.
        counted: Evaluated patients of every split, also of those that may not, so that this count and others can be told apart.

    Raises:
        InputError: Fewer than `fewest_patients(risk)`.
        SettingError: A risk outside 0..1.
    """
    if patients < (fewest := fewest_patients(risk)):
        listed = ", ".join(f"{count} {split}{_UNCOUNTED.get(split, '')}" for split, count in (counted or {}).items())
        raise InputError(
            f"A risk of {risk:g} needs at least {fewest} evaluated patients, got {patients}{f' ({listed})' if listed else ''}",
            remedy="annotate more evaluation cases" + (" or accept a higher risk" if patients >= FEWEST_PATIENTS else ""),
        )


def _checked(scores: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    trust, cost = np.asarray(scores, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if trust.ndim != 1 or trust.shape != cost.shape:
        raise ShapeError(f"Scores and losses must be two lists of the same length, got {trust.shape} and {cost.shape}")
    if not (np.isfinite(trust).all() and np.isfinite(cost).all()) or (len(cost) and not 0 <= cost.min() <= cost.max() <= 1):
        raise InputError("Scores must be finite and losses lie in 0..1")
    return trust, cost


def require_risk(risk: float) -> None:
    """Refuse a risk that is none.

    Raises:
        SettingError: A risk outside 0..1.
    """
    if not 0.0 < risk < 1.0:
        raise SettingError(f"A risk must lie between 0 and 1, got {risk:g}")
