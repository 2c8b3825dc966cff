"""Which proposals of a stream are accepted without a look: the lowest threshold whose accepted cases are bad rarely enough, for sure.

Of the accepted at most `risk` are bad, and this holds with probability `sure` over the patients that set the threshold. Thresholds of a
fixed ladder (`RUNGS`), which no case has chosen, are tested one after the other from the strictest down, beginning where enough patients
and a third of all are accepted (earlier one bad case would end it), and the last one before the first failure is taken: as no test
follows a failure, each may use the whole error. That of one threshold: the chance that so few bad ones, or fewer, were seen among so many
accepted patients if the share were `risk` (binomial where each patient is good or bad; where patients have several cases, Hoeffding's and
Bentkus's bound). The share is of patients: a patient's
accepted cases count together as one.

Sources: Angelopoulos et al. 2021, arXiv:2110.01052 (learn then test, fixed sequences); Geifman and El-Yaniv 2017, arXiv:1705.08500
(selection with guaranteed risk); Bates et al. 2021, arXiv:2101.02703 (Hoeffding and Bentkus).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil, e, exp, inf, log

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.intervals import group_numbers
from medloop.quality.deferral import FEWEST_PATIENTS, require_risk

RUNGS = (*(1.0 - np.exp(-np.linspace(9.2, 0.0, 93))).tolist(), -inf)
"""Thresholds on a score within 0..1, from 0.9999 to 0 in steps of a tenth of what is left to 1; last, everything is accepted."""

FIRST_SHARE = 1 / 3
"""Of the patients, so many are accepted where the tests begin: of too few a single bad one is a failure, after which nothing is tested."""


@dataclass(frozen=True)
class Acceptance:
    """Scores above `above` are accepted.

    Attributes:
        above: Infinite where no threshold can be promised; minus infinity where all may be accepted.
        risk, sure: What was asked for.
        error: Chance of having seen so little if the promise were broken; at most 1 - sure where something is accepted.
        patients: Calibration patients.
        accepted: Patients of these with an accepted case.
        coverage: Share of the calibration cases accepted.
        share_bad: Mean share of bad ones among the accepted cases of these patients.
    """

    above: float
    risk: float
    sure: float
    error: float
    patients: int
    accepted: int
    coverage: float
    share_bad: float


def fewest_accepted(risk: float, sure: float) -> int:
    """Patients without a single bad case that a promise needs: 22 for 10 % with 90 % certainty, 45 for 5 %.

    Raises:
        SettingError: A risk or a certainty outside 0..1.
    """
    require_risk(risk)
    if not 0 < sure < 1:
        raise SettingError(f"A certainty must lie between 0 and 1, got {sure:g}")
    return max(FEWEST_PATIENTS, ceil(log(1.0 - sure) / log(1.0 - risk) - 1e-9))


def fit_acceptance(scores: npt.ArrayLike, bad: npt.ArrayLike, patients: Sequence[Hashable], *, risk: float, sure: float) -> Acceptance:
    """The lowest threshold that keeps the promise; see the top of this file.

    Args:
        scores: Within 0..1, higher means more trusted, shape (cases,); from a rule that did not learn from these cases.
        bad: Whether accepting each would have been wrong, shape (cases,).
        patients: Patient of each case.
        risk: Between 0 and 1.
        sure: Between 0 and 1.

    Raises:
        ShapeError: Different lengths.
        InputError: Fewer patients than `fewest_accepted`, or scores that are no numbers within 0..1.
        SettingError: A risk or a certainty outside 0..1.
    """
    trust, wrong = np.asarray(scores, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    if not len(trust) == len(wrong) == len(patients):
        raise ShapeError(f"Every score needs a truth and a patient, got {len(trust)}, {len(wrong)} and {len(patients)}")
    if trust.size and not (np.isfinite(trust).all() and trust.min() >= 0 and trust.max() <= 1):
        raise InputError("Scores must be numbers within 0..1")
    member, fewest = group_numbers(patients), fewest_accepted(risk, sure)
    people = int(member.max()) + 1 if len(member) else 0
    require_patients(people, risk, sure)
    first = max(fewest, ceil(people * FIRST_SHARE))
    best = Acceptance(inf, risk, sure, 1.0, people, 0, 0.0, 0.0)
    for rung in RUNGS:
        accepted = trust > rung
        shares = _shares(wrong, member, accepted)
        if len(shares) < first:
            continue
        error = _error(shares, risk)
        if error > 1.0 - sure:
            break
        best = Acceptance(float(rung), risk, sure, error, people, len(shares), float(accepted.mean()), float(shares.mean()))
    return best


def require_patients(patients: int, risk: float, sure: float) -> None:
    """Refuse to promise what so few patients cannot carry, even if none were bad.

    Raises:
        InputError: Fewer than `fewest_accepted`.
        SettingError: A risk or a certainty outside 0..1.
    """
    if patients < (fewest := fewest_accepted(risk, sure)):
        rule = f"Accepting cases of which at most {risk:.3g} are bad, {sure:.3g} sure, needs at least {fewest} evaluated patients"
        raise InputError(f"{rule}, got {patients}", remedy="annotate more test or audit cases, or allow a higher risk")


def _shares(wrong: FloatArray, member: IntArray, accepted: BoolArray) -> FloatArray:
    """Share of bad ones among the accepted cases of each patient who has any."""
    counts = np.bincount(member[accepted])
    sums = np.bincount(member[accepted], weights=wrong[accepted])
    return np.asarray(sums[counts > 0] / counts[counts > 0], dtype=np.float64)


def _error(shares: FloatArray, risk: float) -> float:
    """The chance of a mean this low or lower if its expectation were the risk."""
    from scipy.special import bdtr

    number, mean = len(shares), float(shares.mean())
    if np.isin(shares, (0.0, 1.0)).all():
        return float(bdtr(round(mean * number), number, risk))
    low = min(mean, risk)
    hoeffding = exp(-number * (_part(low, risk) + _part(1.0 - low, 1.0 - risk)))
    return min(hoeffding, e * float(bdtr(ceil(number * mean - 1e-9), number, risk)), 1.0)


def _part(a: float, b: float) -> float:
    return a * log(a / b) if a > 0 else 0.0
