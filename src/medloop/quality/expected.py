"""The score to expect of a prediction without its truth, or the honest word that it cannot be estimated.

Several signs of quality are known of every prediction: how much another model says the same, how much its own samples
agree, doubt around the mask, size and shape. Which of them tells anything depends on the model, so predictors are tried
in the order in which the benchmark places them, each on evaluated patients it has not seen. One is used only if it ranks
these by their true score (Spearman's correlation) and its interval is narrower than "anything".
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import ShapeError
from medloop.core.names import counted
from medloop.metrics.conformal import conformal_quantile
from medloop.metrics.intervals import group_means, group_numbers
from medloop.quality.regression import FEWEST_PATIENTS, DiceRegression

Signs: TypeAlias = Mapping[str, float]

LEAST_RANK = 0.6
"""Correlation of ranks on unseen patients below which a predicted score is no number to show."""

CHANCE = 0.01
"""A sign that tells nothing reaches the rank that is asked of few patients no more often than this."""

WIDEST = 0.4
"""Half of a 90 % interval beyond which it says nothing: 0.1 to 0.9."""

COVERAGE = 0.9

SECOND_MODEL, OWN_SAMPLES, ALL_SIGNS, REVERSE = "model_agreement", "sample_agreement", "all signs", "reverse classification"

TITLES = {
    SECOND_MODEL: "agreement with another model",
    ALL_SIGNS: "a regression on all signs",
    OWN_SAMPLES: "agreement of its samples",
    REVERSE: "reverse classification",
}
"""Predictors in the order of the benchmark, in words."""


@dataclass(frozen=True)
class Quality:
    """An expected score in 0..1 with its 90 % interval."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class Predictor:
    """A predictor that ranks unseen patients.

    Attributes:
        name: One of `TITLES`.
        signs: What it needs to know of a prediction.
        predict: From a table of these signs, shape (cases, signs), to expected scores.
        margin: Half width of the 90 % interval.
        rank: Spearman's correlation of unseen patients' expected and true scores.
    """

    name: str
    signs: tuple[str, ...]
    predict: Callable[[FloatArray], FloatArray]
    margin: float
    rank: float


@dataclass(frozen=True)
class QualityRule:
    """From signs to a quality; the first predictor whose signs are known decides.

    Attributes:
        predictors: Those that tell something, best first.
        note: Why there is none, in words; "" where there is one.
        patients: Evaluated patients behind it.
    """

    predictors: tuple[Predictor, ...] = ()
    note: str = "predicted quality cannot be estimated: no evaluated patients"
    patients: int = 0

    def __call__(self, signs: Signs) -> Quality | None:
        """The quality expected of a prediction with these signs; None where it cannot be estimated."""
        for one in self.predictors:
            if all(name in signs for name in one.signs):
                row = np.array([[signs[name] for name in one.signs]])
                expected = float(np.clip(one.predict(row)[0], 0.0, 1.0))
                return Quality(expected, max(0.0, expected - one.margin), min(1.0, expected + one.margin))
        return None


def fit_quality(signs: Sequence[Signs], truth: FloatArray, patients: Sequence[Hashable]) -> QualityRule:
    """Learn on evaluated cases which signs tell the true score.

    Args:
        signs: Of each evaluated case's prediction.
        truth: True scores in 0..1, shape (cases,).
        patients: Patient of each case.

    Returns:
        The rule; without a predictor where fewer than `FEWEST_PATIENTS` patients are there, or none of them tells anything.

    Raises:
        ShapeError: Lengths that differ.
    """
    if not len(signs) == len(truth) == len(patients):
        raise ShapeError(f"Every case needs signs, a true score and a patient, got {len(signs)}, {len(truth)} and {len(patients)}")
    count = len(set(patients))
    if count < FEWEST_PATIENTS:
        return QualityRule(
            (), f"predicted quality cannot be estimated: {counted(count, 'evaluated patient')}, at least {FEWEST_PATIENTS} needed", count
        )
    tried: list[Predictor] = []
    for name in TITLES:
        one = _try(name, signs, truth, patients)
        tried += [one] if one else []
        if one and _tells(one, count) and all(sign in known for known in signs for sign in one.signs):
            break  # whatever is predicted like these has the signs, too
    kept = tuple(one for one in tried if _tells(one, count))
    return QualityRule(kept, "" if kept else _nothing_tells(tried, count), count)


def unseen_line(x: FloatArray, truth: FloatArray, patients: Sequence[Hashable]) -> FloatArray:
    """What a straight line expects of each case when it is fitted on all other patients, shape (cases,)."""
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    found: FloatArray = cross_val_predict(_line(), x[:, None], truth, groups=group_numbers(patients), cv=LeaveOneGroupOut())
    return np.clip(found, 0.0, 1.0)


def rank_correlation(expected: FloatArray, truth: FloatArray, patients: Sequence[Hashable]) -> float:
    """Spearman's correlation over patients; 0 where one side is all the same."""
    from scipy import stats

    a, b = group_means(expected, patients), group_means(truth, patients)
    return float(stats.spearmanr(a, b).statistic) if np.ptp(a) > 1e-9 and np.ptp(b) > 1e-9 else 0.0


def least_rank(patients: int) -> float:
    """Correlation of ranks asked of so many patients: `LEAST_RANK`, or more where chance alone reaches that too often."""
    from scipy.special import stdtrit

    t = float(stdtrit(patients - 2, 1.0 - CHANCE))
    return max(LEAST_RANK, t / float(np.sqrt(patients - 2 + t * t)))


def _tells(one: Predictor, patients: int) -> bool:
    return one.rank >= least_rank(patients) and one.margin < WIDEST


def _try(name: str, signs: Sequence[Signs], truth: FloatArray, patients: Sequence[Hashable]) -> Predictor | None:
    """One predictor, judged on patients it has not seen; None where too few cases have its signs."""
    wanted = tuple(sorted(set.intersection(*(set(s) for s in signs)))) if name == ALL_SIGNS else (name,)
    at = [n for n, known in enumerate(signs) if all(sign in known for sign in wanted)]
    of = [patients[n] for n in at]
    if len(set(of)) < FEWEST_PATIENTS or (name == ALL_SIGNS and len(wanted) < 2):
        return None
    x, y = np.array([[signs[n][sign] for sign in wanted] for n in at]), np.asarray(truth, dtype=np.float64)[at]
    predict: Callable[[FloatArray], FloatArray]
    if name == ALL_SIGNS:
        fitted = DiceRegression(trees=0).fit(x, y, patients=of)
        unseen, predict = fitted.out_of_fold_, fitted.predict
    else:
        unseen = unseen_line(x[:, 0], y, of)
        predict = _line().fit(x, y).predict
    margin = conformal_quantile(np.abs(y - unseen), COVERAGE, of)
    return Predictor(name, wanted, predict, margin, rank_correlation(unseen, y, of))


def _line() -> Any:
    """Least squares by a line; so little of a penalty that it only keeps a sign that hardly varies from deciding anything."""
    from sklearn.linear_model import Ridge

    return Ridge(1e-9)


def _nothing_tells(tried: Sequence[Predictor], count: int) -> str:
    best = max(tried, key=lambda one: one.rank, default=None)
    start = f"predicted quality cannot be estimated: on {counted(count, 'evaluated patient')}"
    if best is None:
        return f"{start} no sign is known of enough predictions"
    if best.rank >= least_rank(count):
        return f"{start} {TITLES[best.name]} is off by up to {best.margin:.2f}, at most {WIDEST:g} is wanted"
    return f"{start} {TITLES[best.name]} ranks the true scores with {best.rank:.2f}, at least {least_rank(count):.2g} needed"
