"""Intervals around a predicted score that hold the true score at a stated rate, whatever made the prediction.

Calibration cases and new cases must be exchangeable: drawn alike, independent (one case per patient), and unseen by
whatever predicts. Then a new case's score lies inside with at least the stated probability, on average over draws of
calibration and new case; no normal distribution is assumed. Under a shift that the calibration cases do not show,
nothing is promised.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import SettingError, ShapeError
from medloop.metrics.conformal import conformal_quantile

LOWEST, HIGHEST = 0.0, 1.0
"""Scores such as Dice lie between these, and so do intervals."""


@dataclass(frozen=True)
class Margin:
    """The same distance to both sides of every prediction; infinite margins give the whole range.

    Source: Lei et al. 2018, arXiv:1604.04173, algorithm 2 (split conformal prediction).
    """

    margin: float

    def __call__(self, predicted: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends, shape (cases,) each."""
        return _clip(np.asarray(predicted) - self.margin), _clip(np.asarray(predicted) + self.margin)


def fit_margin(predicted: FloatArray, truth: FloatArray, *, coverage: float = 0.9, patients: Sequence[Hashable] | None = None) -> Margin:
    """The margin that covers new cases at the stated rate.

    Args:
        predicted: Predictions for calibration cases, shape (cases,).
        truth: Their true scores, shape (cases,).
        coverage: Rate to cover at, between 0 and 1.
        patients: Patient of each case; None takes every case as its own patient.

    Returns:
        The margin; infinite with fewer than coverage / (1 - coverage) patients.

    Raises:
        ShapeError: Different lengths.
        InputError: Numbers that are not finite.
        SettingError: A coverage outside 0..1.
    """
    if np.shape(predicted) != np.shape(truth):
        raise ShapeError(f"Predictions and true scores must belong to the same cases, got {np.shape(predicted)} and {np.shape(truth)}")
    return Margin(conformal_quantile(np.abs(np.asarray(truth) - np.asarray(predicted)), coverage, patients))


class QuantileIntervals:
    """Intervals whose width follows the case: linear quantiles of the score, widened until they cover.

    Args:
        coverage: Rate to cover at, between 0 and 1.
        penalty: Of the coefficients (L1), on standardised features.

    Attributes:
        widening_: What is added to both ends; negative where the quantiles were too wide.

    Source: Romano et al. 2019, arXiv:1905.03222, algorithm 1 (conformalised quantile regression).
    """

    def __init__(self, *, coverage: float = 0.9, penalty: float = 0.01) -> None:
        if not 0.0 < coverage < 1.0:
            raise SettingError(f"A coverage must lie between 0 and 1, got {coverage:g}")
        self.coverage = coverage
        self.penalty = penalty

    def fit(
        self, features: FloatArray, truth: FloatArray, *, calibration_features: FloatArray, calibration_truth: FloatArray
    ) -> "QuantileIntervals":
        """Learn quantiles on one part and the widening on another.

        Args:
            features: Shape (cases, features).
            truth: True scores, shape (cases,).
            calibration_features: Of other cases (other patients), shape (calibration cases, features).
            calibration_truth: Their true scores.
        """
        from sklearn.linear_model import QuantileRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        tail = (1.0 - self.coverage) / 2.0
        ends = (QuantileRegressor(quantile=q, alpha=self.penalty, solver="highs") for q in (tail, 1.0 - tail))
        self.ends_ = [make_pipeline(StandardScaler(), end).fit(features, truth) for end in ends]
        low, high = (end.predict(calibration_features) for end in self.ends_)
        self.widening_ = conformal_quantile(np.maximum(low - calibration_truth, calibration_truth - high), self.coverage)
        return self

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends, shape (cases,) each; ends that cross meet in their middle."""
        low, high = (end.predict(features) for end in self.ends_)
        low, high = low - self.widening_, high + self.widening_
        middle = (low + high) / 2.0
        return _clip(np.minimum(low, middle)), _clip(np.maximum(high, middle))


def _clip(values: FloatArray) -> FloatArray:
    return np.clip(values, LOWEST, HIGHEST)
