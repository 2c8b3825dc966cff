"""Predicted Dice, learned from several signs of quality on cases whose truth is known.

Few evaluated cases are the rule, so the candidates are small (ridge lines, a forest) and which one is used is decided
inside the training cases only. The errors reported come from an outer loop whose cases had no say in that choice:
they are honest, and they calibrate the interval.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.core.errors import InputError, ShapeError
from medloop.metrics.intervals import group_numbers
from medloop.quality.intervals import Margin, fit_margin

FOLDS = 5

FEWEST_PATIENTS = 10
"""Below this, nothing learned carries an interval: 90 % coverage needs nine patients, and folds need their share."""

PENALTIES = (0.1, 1.0, 10.0, 100.0)


class DiceRegression:
    """Dice from features.

    Args:
        coverage: Rate at which the interval around a prediction should hold the truth.
        trees: Of the forest among the candidates; 0 leaves it out.

    Attributes:
        out_of_fold_: Predictions for the training cases by models that saw neither them nor their patient, shape (cases,).
        error_: Mean absolute error of these.
        margin_: Half width of the interval, from these errors.
        chosen_: Which candidate the final model is.

    Source: Robinson et al. 2018, arXiv:1806.06244 (learned Dice); Krstajic et al. 2014, doi:10.1186/1758-2946-6-10
    (nested cross-validation).
    """

    def __init__(self, *, coverage: float = 0.9, trees: int = 100) -> None:
        self.coverage = coverage
        self.trees = trees

    def fit(self, features: FloatArray, truth: FloatArray, *, patients: Sequence[Hashable] | None = None) -> "DiceRegression":
        """Choose and fit.

        Args:
            features: Shape (cases, features), all finite.
            truth: True Dice, shape (cases,).
            patients: Patient of each case; cases of one patient stay in one fold. None takes each as its own.

        Raises:
            ShapeError: Lengths that do not fit.
            InputError: Fewer than `FEWEST_PATIENTS` patients, or numbers that are not finite.
        """
        from sklearn.model_selection import GroupKFold

        x, y, groups = _checked(features, truth, patients)
        self.out_of_fold_: FloatArray = np.empty(len(y))
        for seen, unseen in GroupKFold(FOLDS).split(x, groups=groups):
            self.out_of_fold_[unseen] = _clip(self._search().fit(x[seen], y[seen], groups=groups[seen]).predict(x[unseen]))
        self.error_ = float(np.abs(self.out_of_fold_ - y).mean())
        self.margin_: Margin = fit_margin(self.out_of_fold_, y, coverage=self.coverage, patients=groups.tolist())
        search = self._search().fit(x, y, groups=groups)
        chosen = search.best_params_
        penalty = f" with penalty {chosen['model__alpha']:g}" if "model__alpha" in chosen else ""
        self.model_, self.chosen_ = search.best_estimator_, f"{type(chosen['model']).__name__}{penalty}"
        return self

    def predict(self, features: FloatArray) -> FloatArray:
        """Expected Dice, shape (cases,), within 0..1."""
        return _clip(self.model_.predict(np.asarray(features, dtype=np.float64)))

    def _search(self) -> Any:
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import GridSearchCV, GroupKFold
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        candidates: list[dict[str, list[Any]]] = [{"model": [Ridge()], "model__alpha": list(PENALTIES)}]
        if self.trees:
            candidates.append({"model": [ExtraTreesRegressor(self.trees, min_samples_leaf=3, random_state=0)]})
        pipeline = Pipeline([("scale", StandardScaler()), ("model", None)])
        return GridSearchCV(pipeline, candidates, scoring="neg_mean_absolute_error", cv=GroupKFold(FOLDS))


def feature_table(cases: Sequence[dict[str, float]]) -> tuple[tuple[str, ...], FloatArray]:
    """Rows of `quality_features` as column names and a table, shape (cases, features).

    Raises:
        ShapeError: Without cases, or with other features in some.
    """
    if not cases or any(list(case) != list(cases[0]) for case in cases):
        raise ShapeError("All cases need the same features, and at least one case", remedy="give a second model to all or to none")
    return tuple(cases[0]), np.array([list(case.values()) for case in cases], dtype=np.float64)


def _clip(values: FloatArray) -> FloatArray:
    return np.clip(values, 0.0, 1.0)


def _checked(features: FloatArray, truth: FloatArray, patients: Sequence[Hashable] | None) -> tuple[FloatArray, FloatArray, IntArray]:
    x, y = np.asarray(features, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    names = list(range(len(y))) if patients is None else list(patients)
    if x.ndim != 2 or y.shape != x.shape[:1] or len(names) != len(y):
        raise ShapeError(f"Expected features (cases, features), one Dice and one patient per case, got {x.shape}, {y.shape}, {len(names)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("Features and true Dice must be finite numbers")
    groups = group_numbers(names)
    if (count := len(np.unique(groups))) < FEWEST_PATIENTS:
        raise InputError(f"A Dice regression needs at least {FEWEST_PATIENTS} patients, got {count}", remedy="evaluate more patients")
    return x, y, groups
