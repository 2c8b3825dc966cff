"""Selective prediction: what risk is left when only the surest cases are accepted.

Cases are accepted from the surest downwards. The selective risk is the mean loss of the accepted; the generalised risk
counts the rest as free of loss and divides by all cases. Cases of equal confidence come in random order; figures
are the exact expectation over these orders.

Sources: El-Yaniv and Wiener 2010, JMLR 11 (risk and coverage); Geifman et al. 2019, arXiv:1805.08206 (AURC, excess AURC);
Traub et al. 2024, arXiv:2407.01032 (AUGRC).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, ShapeError


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Points of a curve, one per distinct confidence, from the strictest threshold to the one that accepts all.

    Attributes:
        threshold: Accept cases of at least this confidence, shape (points,).
        coverage: Share of cases accepted, shape (points,), rising to 1.
        risk: Mean loss of the accepted, shape (points,).
        joint_risk: Summed loss of the accepted over the number of all cases, shape (points,), never falling.
    """

    threshold: FloatArray
    coverage: FloatArray
    risk: FloatArray
    joint_risk: FloatArray


def risk_coverage(confidence: npt.ArrayLike, loss: npt.ArrayLike) -> RiskCoverage:
    """The risk–coverage curve.

    Args:
        confidence: Higher means accept sooner, shape (cases,).
        loss: What accepting the case costs, at least 0, shape (cases,); for example 1 - Dice.

    Raises:
        ShapeError: Different lengths, or no case.
        InputError: Numbers that are not finite, or a loss below 0.
    """
    sure, cost = _checked(confidence, loss)
    order = np.argsort(-sure, kind="stable")
    last = np.flatnonzero(np.append(np.diff(sure[order]) != 0, True))
    total = np.cumsum(cost[order])[last]
    return RiskCoverage(sure[order][last], (last + 1) / len(sure), total / (last + 1), total / len(sure))


def aurc(confidence: npt.ArrayLike, loss: npt.ArrayLike) -> float:
    """Area under the risk–coverage curve: mean selective risk over 1, 2, … all cases accepted. Lower is better.

    A random order gives the mean loss. See `risk_coverage` for arguments and errors.

    Source: Geifman et al. 2019, arXiv:1805.08206, section 3.
    """
    cost = _expected_losses(confidence, loss)
    return float(np.mean(np.cumsum(cost) / np.arange(1, len(cost) + 1)))


def excess_aurc(confidence: npt.ArrayLike, loss: npt.ArrayLike) -> float:
    """AURC above that of the best order there is: 0 when cases are ranked exactly by their loss.

    See `risk_coverage` for arguments and errors.

    Source: Geifman et al. 2019, arXiv:1805.08206, section 3 (E-AURC).
    """
    return aurc(confidence, loss) - aurc(-np.asarray(loss, dtype=np.float64), loss)


def augrc(confidence: npt.ArrayLike, loss: npt.ArrayLike) -> float:
    """Area under the generalised risk–coverage curve: mean of the undetected loss over all coverages. Lower is better.

    A random order gives half the mean loss. See `risk_coverage` for arguments and errors.

    Source: Traub et al. 2024, arXiv:2407.01032, section 3.
    """
    joint = np.concatenate([[0.0], np.cumsum(_expected_losses(confidence, loss))])
    cases = len(joint) - 1
    return float(np.trapezoid(joint / cases, dx=1.0 / cases))


def _expected_losses(confidence: npt.ArrayLike, loss: npt.ArrayLike) -> FloatArray:
    """Losses from the surest case down, each replaced by the mean of its ties."""
    sure, cost = _checked(confidence, loss)
    _, group, size = np.unique(-sure, return_inverse=True, return_counts=True)
    means: FloatArray = np.bincount(group, weights=cost) / size
    return np.repeat(means, size)


def _checked(confidence: npt.ArrayLike, loss: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    sure, cost = np.asarray(confidence, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != cost.shape or not len(sure):
        raise ShapeError(f"Confidence and loss must be two lists of the same length, at least one case, got {sure.shape} and {cost.shape}")
    if not (np.isfinite(sure).all() and np.isfinite(cost).all()) or cost.min() < 0:
        raise InputError("Confidence and loss must be finite, and a loss at least 0")
    return sure, cost
