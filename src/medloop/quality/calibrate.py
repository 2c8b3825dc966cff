"""Making stated probabilities come true: maps fitted on validation cases, applied to any later probabilities.

`TemperatureScaling` has one number and never changes which class is the most likely. `IsotonicScaling` bends each
class's probability freely (but never against its order); it needs more voxels or cases and may change the answer.
Both are plain values that survive JSON, so they can lie beside a model's weights.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import CaseProbabilities, ClassSamples, FloatArray, IntArray
from medloop.core.errors import FormatError, ShapeError
from medloop.core.records import Json
from medloop.metrics.calibration import SMALLEST, checked_rows

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures are sought between these; trained networks lie between 0.5 and 5."""


@dataclass(frozen=True)
class TemperatureScaling:
    """Logits divided by one number: above 1 less sure, below 1 surer.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """

    temperature: float

    def __call__(self, probabilities: FloatArray, *, axis: int = 0) -> FloatArray:
        """Calibrated probabilities, float64, the shape given.

        Args:
            probabilities: Any shape; sums to 1 over the classes. What was at 0 stays close to it.
            axis: Which axis holds the classes: 0 for maps, 1 for tables of cases.
        """
        return _tempered(probabilities, self.temperature, axis)

    def to_json(self) -> Json:
        """As JSON; `calibrator_from_json` reads it."""
        return {"kind": "temperature", "temperature": self.temperature}


@dataclass(frozen=True)
class IsotonicScaling:
    """A rising curve for each class, then division by the sum over the classes.

    Attributes:
        curves: For each class the corners (stated, calibrated) of its curve. Of two classes only the second has one,
            the first is what is left to 1.

    Source: Zadrozny and Elkan 2002, doi:10.1145/775047.775151, section 4.
    """

    curves: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    def __call__(self, probabilities: FloatArray, *, axis: int = 0) -> FloatArray:
        """Calibrated probabilities, float64; see `TemperatureScaling.__call__`.

        Raises:
            ShapeError: Another number of classes than it was fitted on.
        """
        classes = len(self.curves) + (len(self.curves) == 1)
        if probabilities.shape[axis] != classes:
            raise ShapeError(f"The calibration is for {classes} classes, got {probabilities.shape[axis]}")
        stated = np.moveaxis(np.asarray(probabilities, dtype=np.float64), axis, 0)
        if classes == 2:
            second = np.interp(stated[1], *self.curves[0])
            return np.moveaxis(np.stack([1.0 - second, second]), 0, axis)
        bent = np.stack([np.interp(p, *curve) for p, curve in zip(stated, self.curves, strict=True)])
        return np.moveaxis(bent / bent.sum(axis=0), 0, axis)

    def to_json(self) -> Json:
        """As JSON; `calibrator_from_json` reads it."""
        return {"kind": "isotonic", "curves": [[list(x), list(y)] for x, y in self.curves]}


Calibrator: TypeAlias = TemperatureScaling | IsotonicScaling


def fit_temperature(truth: IntArray, probabilities: CaseProbabilities | ClassSamples) -> TemperatureScaling:
    """The temperature under which the truth is most likely.

    Args:
        truth: Class per case or voxel, shape (rows,).
        probabilities: Of a model that did not learn from these, shape (rows, classes); or its samples, shape (samples, rows, classes):
            then each sample will be divided, and their mean is what the truth is held against.

    Raises:
        ShapeError: Lengths that do not fit, or no row.
        InputError: Probabilities outside 0..1 or NaN.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    samples = probabilities if probabilities.ndim == 3 else probabilities[None]
    t, logits = checked_rows(truth, samples.mean(axis=0)), _logits(samples)
    logits -= logits.max(axis=2, keepdims=True)
    true = logits[:, np.arange(len(t)), t]

    def loss(log_temperature: float) -> float:
        colder = np.exp(-log_temperature)
        stated = np.exp(true * colder) / np.exp(logits * colder).sum(axis=2)
        return float(-np.log(np.maximum(stated.mean(axis=0), SMALLEST)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return TemperatureScaling(float(np.exp(found.x)))


def fit_isotonic(truth: IntArray, probabilities: CaseProbabilities) -> IsotonicScaling:
    """The rising curves that fit the truth best. No probability becomes 0 or 1 exactly: rows are finite.

    See `fit_temperature` for arguments and errors.
    """
    from sklearn.isotonic import IsotonicRegression

    t = checked_rows(truth, probabilities)
    least = 1.0 / (len(t) + 1)
    curves = []
    for label in range(1 if probabilities.shape[1] == 2 else 0, probabilities.shape[1]):
        curve = IsotonicRegression(y_min=least, y_max=1.0 - least, out_of_bounds="clip")
        curve.fit(probabilities[:, label].astype(np.float64), (t == label).astype(np.float64))
        curves.append((tuple(map(float, curve.X_thresholds_)), tuple(map(float, curve.y_thresholds_))))
    return IsotonicScaling(tuple(curves))


def calibrator_from_json(record: Json) -> Calibrator:
    """Inverse of `to_json`.

    Raises:
        FormatError: When it is neither of the two.
    """
    try:
        if record["kind"] == "temperature":
            return TemperatureScaling(float(record["temperature"]))
        if record["kind"] == "isotonic":
            return IsotonicScaling(tuple((tuple(map(float, x)), tuple(map(float, y))) for x, y in record["curves"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"Not a calibration: {error}", remedy="fit it again") from error
    raise FormatError(f"A calibration is of kind temperature or isotonic, got {record['kind']!r}", remedy="fit it again")


def _logits(probabilities: FloatArray) -> FloatArray:
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST))


def _tempered(probabilities: FloatArray, temperature: float, axis: int) -> FloatArray:
    scaled = _logits(probabilities) / temperature
    powers = np.exp(scaled - scaled.max(axis=axis, keepdims=True))
    tempered: FloatArray = powers / powers.sum(axis=axis, keepdims=True)
    return tempered
