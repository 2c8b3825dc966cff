"""Whether two sets of cases come from the same distribution: tests that permute patients, never cases.

Cases of one patient resemble each other; permuted one by one they would make every difference look certain. So a patient is what is
exchanged, and counts once however many cases it has. Each test says how large a difference is beside how sure it is: with many patients
a difference that nobody would mind is sure, too. Several p-values together are corrected by Holm's rule.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, Features, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.metrics.intervals import group_numbers

FEWEST_PATIENTS = 8
"""On each side: with seven against seven a difference has to be all but complete to show."""

PERMUTATIONS = 1999
FOLDS = 5
RIDGE = 1.0
"""Of the classifier, in units of the rows' mean squared length: features are standardised, and often more than patients."""

_AT_ONCE = 500
_FLAT = 1e-9


@dataclass(frozen=True)
class TwoSample:
    """What a test found.

    Attributes:
        statistic: Of the test.
        p: Chance of as large a statistic without a difference.
        effect: How large the difference is, from 0; of the classifier the area under its ROC curve, 0.5 for none.
    """

    statistic: float
    p: float
    effect: float


@dataclass(frozen=True, eq=False)
class Sides:
    """Rows of two sides with their patients.

    Attributes:
        rows: Shape (cases, dimensions).
        patient: Number of each case's patient, counted from 0, shape (cases,).
        new: Whether each patient is of the new side, shape (patients,).
    """

    rows: Features
    patient: npt.NDArray[np.int64]
    new: BoolArray


def two_sides(reference: Features, new: Features, patients: Sequence[Hashable], new_patients: Sequence[Hashable]) -> Sides:
    """Both sides as one table, each column brought to mean 0 and deviation 1; columns without any spread are left out.

    Args:
        reference: Shape (cases, dimensions).
        new: Of other patients, the same dimensions.
        patients: Of the reference.
        new_patients: Of the new side.

    Raises:
        ShapeError: Dimensions that differ, or not one patient for each case.
        InputError: A patient on both sides, or numbers that are not finite.
    """
    first, second = np.asarray(reference, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ShapeError(f"Two samples need rows of as many numbers, got shapes {first.shape} and {second.shape}")
    if (len(first), len(second)) != (len(patients), len(new_patients)):
        raise ShapeError(f"Every case needs its patient, got {len(first)} and {len(second)} cases, {len(patients)} and {len(new_patients)}")
    if both := set(patients) & set(new_patients):
        raise InputError(f"Two samples are of different patients, {len(both)} are in both", remedy="leave them out of one")
    rows = np.concatenate([first, second])
    if not np.isfinite(rows).all():
        raise InputError("Numbers that describe cases must be finite")
    spread = rows.std(axis=0)
    kept = spread > _FLAT * np.maximum(1.0, np.abs(rows).max(axis=0, initial=0.0))
    scaled = (rows[:, kept] - rows[:, kept].mean(axis=0)) / spread[kept]
    number = group_numbers([*patients, *new_patients]).astype(np.int64)
    is_new = np.zeros(int(number.max(initial=-1)) + 1, dtype=bool)
    is_new[number[len(first) :]] = True
    return Sides(scaled, number, is_new)


def mmd_test(sides: Sides, rng: np.random.Generator, *, permutations: int = PERMUTATIONS) -> TwoSample:
    """Squared maximum mean discrepancy between both sides, without bias, under a Gaussian kernel as wide as the median distance.

    The kernel of two patients is the mean over their cases; patients are permuted. The effect is the discrepancy, of 0 to about 1.4.

    Source: Gretton et al. 2012, Journal of Machine Learning Research 13, equation 3 and section 8 (the median as width).
    """
    kernel = _patient_kernel(sides)
    labels = np.concatenate([sides.new[None], _permuted(sides.new, rng, permutations)])
    found = np.concatenate([_mmd_squared(kernel, part) for part in _parts(labels)])
    return TwoSample(float(found[0]), _tail(found), float(np.sqrt(max(0.0, found[0]))))


def classifier_test(sides: Sides, rng: np.random.Generator, *, permutations: int = PERMUTATIONS) -> TwoSample:
    """How well a classifier tells both sides apart on patients that it has not seen: a ridge regression on which side each is.

    Folds hold whole patients, and are drawn without looking at sides. What is said of held-out patients is then linear in the sides
    (`_left_out`), so that every permutation of patients trains all folds again at the cost of one multiplication.

    Source: Lopez-Paz and Oquab 2017, arXiv:1610.06545, with a permutation of patients for its normal approximation.
    """
    rows = _patient_means(sides)
    saying = _left_out(rows, _folds(len(rows), rng))
    labels = np.concatenate([sides.new[None], _permuted(sides.new, rng, permutations)])
    found = np.concatenate([_areas((2.0 * part - 1.0) @ saying.T, part) for part in _parts(labels)])
    return TwoSample(float(found[0]), _tail(found), float(found[0]))


def ks_test(reference: FloatArray, new: FloatArray) -> TwoSample:
    """The largest distance between two distribution functions; one number per patient on each side.

    Source: Kolmogorov 1933 and Smirnov 1939; exact for few patients.
    """
    from scipy.stats import ks_2samp

    found = ks_2samp(reference, new)
    return TwoSample(float(found.statistic), float(found.pvalue), float(found.statistic))


def patient_medians(values: FloatArray, patients: Sequence[Hashable]) -> FloatArray:
    """Median over the cases of each patient, in order of first appearance, shape (patients, …)."""
    number = group_numbers(patients)
    return np.stack([np.median(values[number == n], axis=0) for n in range(int(number.max(initial=-1)) + 1)])


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values that may be held against one level together: the chance of any false alarm is then at most that level.

    Source: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    found = np.empty(len(p))
    found[order] = raised
    return tuple(float(one) for one in found)


def _patient_means(sides: Sides) -> FloatArray:
    weights = _membership(sides)
    means: FloatArray = weights @ sides.rows
    return means


def _membership(sides: Sides) -> FloatArray:
    """Weight of each case in its patient's mean, shape (patients, cases)."""
    member = (sides.patient[None] == np.arange(len(sides.new))[:, None]).astype(np.float64)
    weights: FloatArray = member / member.sum(axis=1, keepdims=True)
    return weights


def _patient_kernel(sides: Sides) -> FloatArray:
    squared = _squared_distances(sides.rows)
    between = sides.patient[:, None] != sides.patient[None]
    apart = squared[between & (squared > 0)]
    width = float(np.median(apart)) if len(apart) else 1.0
    weights = _membership(sides)
    kernel: FloatArray = weights @ np.exp(-squared / width) @ weights.T
    return kernel


def _squared_distances(rows: FloatArray) -> FloatArray:
    lengths = (rows**2).sum(axis=1)
    found: FloatArray = np.maximum(0.0, lengths[:, None] + lengths[None] - 2.0 * rows @ rows.T)
    return found


def _mmd_squared(kernel: FloatArray, labels: BoolArray) -> FloatArray:
    """For each row of labels, shape (permutations, patients): the estimate that leaves out every patient's kernel with itself."""
    off = kernel - np.diag(np.diag(kernel))
    new, old = labels.astype(np.float64), (~labels).astype(np.float64)
    n, m = new.sum(axis=1), old.sum(axis=1)
    within_new, within_old = ((side @ off * side).sum(axis=1) for side in (new, old))
    across = (new @ off * old).sum(axis=1)
    found: FloatArray = within_new / (n * (n - 1)) + within_old / (m * (m - 1)) - 2.0 * across / (n * m)
    return found


def _folds(patients: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return (rng.permutation(patients) % min(FOLDS, patients)).astype(np.int64)


def _left_out(rows: FloatArray, folds: npt.NDArray[np.int64]) -> FloatArray:
    """What is said of each patient by the classifier of the other folds, as weights of all patients' sides, shape (patients, patients)."""
    saying = np.zeros((len(rows), len(rows)))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        mean = rows[outside].mean(axis=0)
        known, asked = rows[outside] - mean, rows[inside] - mean
        gram = known @ known.T
        strength = RIDGE * max(float(np.trace(gram)) / len(outside), _FLAT)
        centred = np.linalg.solve(gram + strength * np.eye(len(outside)), np.eye(len(outside)) - 1.0 / len(outside))
        saying[np.ix_(inside, outside)] = asked @ known.T @ centred
    return saying


def _areas(scores: FloatArray, labels: BoolArray) -> FloatArray:
    """Area under the ROC curve of each row, shape (rows,); 0.5 where all scores agree."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=1)
    new = labels.sum(axis=1)
    old = labels.shape[1] - new
    found: FloatArray = ((ranks * labels).sum(axis=1) - new * (new + 1) / 2.0) / (new * old)
    return found


def _permuted(labels: BoolArray, rng: np.random.Generator, count: int) -> BoolArray:
    found: BoolArray = rng.permuted(np.tile(labels, (count, 1)), axis=1)
    return found


def _parts(labels: BoolArray) -> list[BoolArray]:
    return [labels[start : start + _AT_ONCE] for start in range(0, len(labels), _AT_ONCE)]


def _tail(found: FloatArray) -> float:
    """Share of the statistics at least as large as the first, itself among them."""
    return float((found >= found[0] - 1e-12).mean())
