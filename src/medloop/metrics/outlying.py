"""How far a case lies from cases that are known, and how often such a case would be as far by chance.

Several descriptions (what a network makes of an image, what the image itself looks like) each give a distance; the chance is a conformal
p-value against cases of the known domain that were held out. A p-value of 0.02 says: of cases drawn like those, at most 2 in 100 lie as
far out. Patients are the unit: the cases of one count together as one.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, Features, FloatArray
from medloop.core.errors import ShapeError
from medloop.metrics.intervals import group_numbers

LEVEL = 0.05
"""Of cases of the known domain, at most this share is called outside (with 19 or more held-out patients)."""

_FLOOR = 1e-3
"""Columns that hardly vary among the known cases are taken to vary by this share of their size."""

_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Distances:
    """Mahalanobis distances from known cases, with a covariance shrunk towards the identity.

    Attributes:
        centre, scale: Of the known cases, shape (dimensions,).
        whitening: Shape (dimensions, dimensions).
    """

    centre: FloatArray
    scale: FloatArray
    whitening: FloatArray

    def __call__(self, rows: Features) -> FloatArray:
        """Distance of each row in units of the known cases' spread, shape (cases,); 1 is usual."""
        away = ((np.asarray(rows, dtype=np.float64) - self.centre) / self.scale) @ self.whitening
        found: FloatArray = np.sqrt((away**2).mean(axis=1))
        return found


def fit_distances(known: Features) -> Distances:
    """Distances from known cases, shape (cases, dimensions).

    Raises:
        ShapeError: Fewer than two cases.

    Source: Lee et al. 2018, arXiv:1807.03888 (one class); Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4 (shrinkage).
    """
    rows = np.asarray(known, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ShapeError(f"Distances need at least two known cases, got shape {rows.shape}")
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    scale = np.maximum(spread, _FLOOR * np.maximum(1.0, np.abs(centre)))
    scaled = (rows - centre) / scale
    covariance = _shrunk(scaled)
    values, axes = np.linalg.eigh(covariance)
    return Distances(centre, scale, axes / np.sqrt(np.maximum(values, _FLOOR)))


def _shrunk(rows: FloatArray) -> FloatArray:
    """Covariance of centred rows, drawn to a multiple of the identity as far as it is noise."""
    count, wide = rows.shape
    sample = rows.T @ rows / count
    level = float(np.trace(sample)) / wide
    away = float(((sample - level * np.eye(wide)) ** 2).sum())
    noise = float((((rows**2).sum(axis=1) ** 2).sum() / count - (sample**2).sum()) / count)
    share = 1.0 if away <= 0 else min(1.0, max(0.0, noise / away))
    found: FloatArray = (1.0 - share) * sample + share * max(level, _FLOOR) * np.eye(wide)
    return found


def conformal_p(distances: FloatArray, held_out: FloatArray, patients: Sequence[Hashable]) -> FloatArray:
    """For each case the share of held-out patients that lie at least as far out, the case itself counted as one.

    With several descriptions a case lies as far out as by the worst, each in units of its spread over the held-out cases and the case:
    that is symmetric in all of them, so the chance is exact for a case of a new patient drawn like theirs.

    Args:
        distances: Of the cases in question, shape (cases, descriptions).
        held_out: Of cases of the known domain, shape (held out, descriptions).
        patients: The patient of each held-out case; its cases share one vote.

    Returns:
        Shape (cases,); at least 1 / (patients + 1).

    Raises:
        ShapeError: Descriptions or patients that do not fit, or no held-out case.

    Source: Vovk et al. 2005, section 2.2; Lee, Barber and Willett 2023, arXiv:2306.06342 (cases within patients).
    """
    new, known = np.log(np.maximum(distances, 1e-12)), np.log(np.maximum(held_out, 1e-12))
    if new.ndim != 2 or known.ndim != 2 or new.shape[1] != known.shape[1] or not len(known) or len(known) != len(patients):
        raise ShapeError(f"Distances of {new.shape} do not fit {known.shape} held-out ones of {len(patients)} patients")
    number = group_numbers(patients)
    votes = 1.0 / np.bincount(number)[number]
    found = [_chances(new[start : start + _AT_ONCE], known, votes) for start in range(0, len(new), _AT_ONCE)]
    return np.concatenate(found) if found else np.zeros(0)


def _chances(new: FloatArray, known: FloatArray, votes: FloatArray) -> FloatArray:
    together = np.concatenate([np.broadcast_to(known, (len(new), *known.shape)), new[:, None]], axis=1)
    middle = np.median(together, axis=1, keepdims=True)
    spread = np.maximum(np.median(np.abs(together - middle), axis=1, keepdims=True), 1e-6)
    out = ((together - middle) / spread).max(axis=2)
    as_far = out[:, :-1] >= out[:, -1:] - 1e-9
    found: FloatArray = (1.0 + as_far @ votes) / (1.0 + votes.sum())
    return found


def outside_level(patients: int) -> float:
    """The p-value up to which a case counts as outside: 0.05; with fewer than 19 held-out patients the lowest there is."""
    return max(LEVEL, 1.0 / (patients + 1))


def is_outside(p_values: npt.ArrayLike, patients: int) -> BoolArray:
    """Which cases lie outside the known domain, by `outside_level`."""
    found: BoolArray = np.asarray(p_values, dtype=np.float64) <= outside_level(patients) + 1e-9
    return found
