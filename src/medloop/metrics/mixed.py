"""A mean over model seeds and patients together, when both vary by chance.

Every seed judged the same patients. Whether a difference would be seen again depends on other seeds and on other
patients, so both variances count:

    variance of the mean = variance of the seeds' means / seeds + variance of the patients' means / patients

Either part also holds the rest (a seed with a patient), which is so counted twice: the interval errs on the wide side.
The degrees of freedom are those of the smaller side. Approximations of Satterthwaite's kind give more of them, and too
many just when a few seeds happen to agree.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import ShapeError
from medloop.metrics.intervals import MIN_PATIENTS, MIN_RUNS, NO_SPREAD, Interval, student_interval, too_few


@dataclass(frozen=True)
class MixedMean:
    """A mean of differences.

    Attributes:
        interval: 95 % interval, none where all pairs are alike; `groups` counts patients.
        p: Two-sided p value of no difference; None where too few seeds or patients can decide.
        error: Standard error.
        freedom: Degrees of freedom.
    """

    interval: Interval
    p: float | None
    error: float = 0.0
    freedom: int = 0


def mixed_mean(table: FloatArray) -> MixedMean:
    """Mean of a table of differences whose rows (seeds) and columns (patients) would both be others another time.

    Args:
        table: Shape (seeds, patients).

    Raises:
        ShapeError: Not two axes, or nothing in it.

    Source: the two-way random model of variance components, Searle et al. 1992, Variance Components, section 4.3, without
        taking the rest off (the upper end of Owen 2007, doi:10.1214/07-AOAS122).
    """
    if table.ndim != 2 or not table.size:
        raise ShapeError(f"A table of differences has seeds and patients, at least one each, got shape {table.shape}")
    seeds, patients = table.shape
    mean = float(table.mean())
    if seeds < MIN_RUNS:
        return MixedMean(Interval(mean, None, None, patients, too_few(seeds, MIN_RUNS, "seeds")), None)
    if patients < MIN_PATIENTS:
        return MixedMean(Interval(mean, None, None, patients, too_few(patients, MIN_PATIENTS, "patients")), None)
    variance = table.mean(axis=1).var(ddof=1) / seeds + table.mean(axis=0).var(ddof=1) / patients
    return from_error(mean, float(np.sqrt(variance)), min(seeds, patients) - 1, patients)


def mean_of_means(parts: list[MixedMean]) -> MixedMean:
    """The mean over several independent tables (data sets), each counting the same.

    Args:
        parts: At least one; undecided when one of them is.

    Raises:
        ShapeError: None.
    """
    if not parts:
        raise ShapeError("A mean over data sets needs at least one, got none")
    mean, patients = float(np.mean([part.interval.mean for part in parts])), sum(part.interval.groups for part in parts)
    undecided = next((part for part in parts if part.p is None), None)
    if undecided is not None:
        return MixedMean(Interval(mean, None, None, patients, undecided.interval.note), None)
    error = float(np.sqrt(sum(part.error**2 for part in parts))) / len(parts)
    return from_error(mean, error, min(part.freedom for part in parts), patients)


def from_error(mean: float, error: float, freedom: int, patients: int) -> MixedMean:
    """Student's interval and two-sided p value; without any spread p is that of equal signs, 2 / 2^(freedom + 1)."""
    from scipy.special import stdtr

    spread = error > NO_SPREAD * abs(mean)
    alike = "all pairs differ by the same" if mean else "the pairs are identical"
    p = 2.0 * float(stdtr(freedom, -abs(mean) / error)) if spread else 2.0**-freedom if mean else 1.0
    return MixedMean(student_interval(mean, error, freedom, patients, alike=alike), p, error, freedom)
