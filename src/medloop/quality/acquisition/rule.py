"""Limits for signs, from images that were good enough: how unusual an image is, at a stated rate of false alarms.

Each sign is counted from the references' median in units of how far their bad side usually lies; the most unusual sign is
the image's score. Every reference is scored in the same way by the others, those of its own patient left out, and the limit
is the conformal quantile of these scores: a good image of a new patient stays below it at the stated rate, whatever the
distribution and however many signs are looked at together. Nothing is promised for images that are not drawn like the references.

Source: Vovk et al. 2005, Algorithmic Learning in a Random World; Barber et al. 2021, Predictive inference with the jackknife+,
doi:10.1214/20-AOS1965 (scores of left-out cases).
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.core.errors import SettingError, ShapeError
from medloop.core.names import counted
from medloop.metrics.conformal import conformal_quantile
from medloop.metrics.intervals import group_numbers

ALARM = 0.05
"""Share of good images that may be called bad."""

TAIL = 0.9
"""Quantile of the references that is one unit away from their median."""


@dataclass(frozen=True)
class Direction:
    """How a sign is read: +1 when large is bad, -1 when small is; and the smallest difference that is looked at."""

    bad: int
    least: float


@dataclass(frozen=True, eq=False)
class AcquisitionRule:
    """What references teach.

    Attributes:
        names: Signs, in the order of the arrays.
        directions: How each is read.
        middle, unit: Median of each sign and the distance that counts as one, shape (signs,).
        limit: Score up to which an image is usual; infinite where there are too few patients.
        patients: Behind it.
        alarm: The rate of false alarms.
    """

    names: tuple[str, ...]
    directions: tuple[Direction, ...]
    middle: FloatArray
    unit: FloatArray
    limit: float
    patients: int
    alarm: float

    @property
    def calibrated(self) -> bool:
        """Whether the rate of false alarms is known."""
        return math.isfinite(self.limit)

    @property
    def note(self) -> str:
        """Why it is not, in words; "" where it is."""
        if self.calibrated:
            return ""
        return f"{counted(self.patients, 'patient')} to compare with, at least {fewest_patients(self.alarm)} needed at {self.alarm:.3g}"

    def scores(self, signs: Mapping[str, float]) -> dict[str, float]:
        """How unusual each sign is, by name: up to 0 better than the median, 1 as a tenth of the references; unknown signs left out."""
        known = [n for n, name in enumerate(self.names) if name in signs]
        return {
            self.names[n]: float(_scores(np.array(signs[self.names[n]]), self.directions[n], self.middle[n], self.unit[n])) for n in known
        }

    def usual(self, name: str) -> float:
        """The value of a sign up to which (or down to which) an image is usual."""
        at = self.names.index(name)
        return float(self.middle[at] + self.directions[at].bad * self.limit * self.unit[at])


def fewest_patients(alarm: float) -> int:
    """Patients below which no limit keeps a rate of false alarms: with fewer, even the worst of them is no limit."""
    return math.ceil(round(1.0 / alarm, 9)) - 1


def require_alarm(alarm: float) -> None:
    """Refuse what is no rate of false alarms.

    Raises:
        SettingError: It is not within 0.001 to 0.5.
    """
    if not 0.001 <= alarm <= 0.5:
        raise SettingError(f"A rate of false alarms lies within 0.001 to 0.5, got {alarm:g}", remedy="0.05 calls one good image in 20 bad")


def fit_rule(
    signs: Sequence[Mapping[str, float]], patients: Sequence[Hashable], directions: Mapping[str, Direction], *, alarm: float = ALARM
) -> AcquisitionRule:
    """Learn from references what is usual.

    Args:
        signs: Of each reference.
        patients: Patient of each.
        directions: Of the signs that count, by name; one that a reference lacks is not looked at.
        alarm: Share of good images that may be called bad.

    Returns:
        The rule; not calibrated where there are fewer than `fewest_patients` patients.

    Raises:
        ShapeError: Not one patient per reference.
        SettingError: A rate outside its range.
    """
    require_alarm(alarm)
    if len(signs) != len(patients):
        raise ShapeError(f"Every reference needs its patient, got {len(signs)} references and {len(patients)} patients")
    names = tuple(name for name in directions if signs and all(name in one for one in signs))
    read = tuple(directions[name] for name in names)
    count = len(set(patients))
    if not names:
        empty = np.zeros(0)
        return AcquisitionRule(names, read, empty, empty, math.inf, count, alarm)
    table = np.array([[one[name] for name in names] for one in signs], dtype=np.float64)
    middle, unit = _usual(table, read)
    limit = conformal_quantile(_left_out(table, group_numbers(patients), read), 1.0 - alarm, patients) if count > 1 else math.inf
    return AcquisitionRule(names, read, middle, unit, limit, count, alarm)


def _usual(table: FloatArray, directions: Sequence[Direction]) -> tuple[FloatArray, FloatArray]:
    """Median and unit of each column of shape (references, signs)."""
    bad = np.array([one.bad for one in directions])
    turned = table * bad
    middle, tail = np.quantile(turned, [0.5, TAIL], axis=0)
    unit = np.maximum(tail - middle, [one.least for one in directions])
    return middle * bad, unit


def _left_out(table: FloatArray, member: IntArray, directions: Sequence[Direction]) -> FloatArray:
    """The score of each reference by the references of other patients, shape (references,)."""
    bad = np.array([one.bad for one in directions])
    scores = np.empty(len(table))
    for patient in range(int(member.max()) + 1):
        own = member == patient
        middle, unit = _usual(table[~own], directions)
        scores[own] = ((table[own] - middle) * bad / unit).max(axis=1)
    return scores


def _scores(value: FloatArray, direction: Direction, middle: FloatArray, unit: FloatArray) -> FloatArray:
    scored: FloatArray = (value - middle) * direction.bad / unit
    return scored
