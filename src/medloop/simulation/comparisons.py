"""Pairs of strategies: how far their areas are apart, and whether that is more than chance.

Two kinds of chance matter: which patients are measured, and how a run happened to go (its seed). Interval and p value
both ask about other seeds and other patients at once (`medloop.metrics.mixed`); p values are Holm-adjusted over all
pairs. With fewer than three shared seeds or five patients nothing can be decided, and p is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.metrics.curves import area_under, holm
from medloop.metrics.intervals import Interval, group_means
from medloop.metrics.mixed import MixedMean, mean_of_means, mixed_mean
from medloop.simulation.curves import LEVEL, Curve, shared_seeds

Setting: TypeAlias = Mapping[str, Sequence[Curve]]
"""Strategy → its runs on one data set with one budget."""

Patients: TypeAlias = Mapping[str, str]
"""Held-out case name → patient."""


@dataclass(frozen=True)
class Comparison:
    """Area of `a` minus area of `b`, paired over seeds and patients.

    Attributes:
        difference: 95 % interval over seeds and patients together; `groups` counts patients. Not adjusted for the number of pairs.
        p: Two-sided; None where too few seeds or patients can decide.
        p_holm: The same, adjusted for all pairs that were compared.
    """

    a: str
    b: str
    difference: Interval
    p: float | None
    p_holm: float | None

    @property
    def significant(self) -> bool:
        """Whether the adjusted test says that there is a difference."""
        return self.p_holm is not None and self.p_holm < LEVEL


def compare(by_name: Setting, patients: Patients) -> tuple[Comparison, ...]:
    """Every pair of strategies of one study, over the seeds both have finished."""
    return compare_settings({"": by_name}, {"": patients})


def compare_settings(settings: Mapping[str, Setting], patients: Mapping[str, Patients]) -> tuple[Comparison, ...]:
    """Every pair of strategies over all settings that have finished seeds of both; every setting counts the same.

    Args:
        settings: Name → runs by strategy.
        patients: The same names → held-out case name → patient.
    """
    names = dict.fromkeys(name for setting in settings.values() for name in setting)
    found = [(a, b, parts) for a, b in combinations(names, 2) if (parts := _parts(settings, patients, a, b))]
    means = [mean_of_means(parts) for _, _, parts in found]
    adjusted = holm_of([mean.p for mean in means])
    return tuple(Comparison(a, b, mean.interval, mean.p, q) for (a, b, _), mean, q in zip(found, means, adjusted, strict=True))


def holm_of(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment over the tests that could be made; the others stay None."""
    made = iter(holm([p for p in p_values if p is not None]).tolist())
    return [None if p is None else float(next(made)) for p in p_values]


def _parts(settings: Mapping[str, Setting], patients: Mapping[str, Patients], a: str, b: str) -> list[MixedMean]:
    return [
        mixed_mean(
            np.array([_areas(one, patients[name]) - _areas(other, patients[name]) for one, other in seed_pairs(setting[a], setting[b])])
        )
        for name, setting in settings.items()
        if a in setting and b in setting and shared_seeds([setting[a], setting[b]])
    ]


def seed_pairs(a: Sequence[Curve], b: Sequence[Curve]) -> list[tuple[Curve, Curve]]:
    """The runs of two strategies seed by seed, of the seeds both have."""
    first, second = ({c.seed: c for c in curves} for curves in (a, b))
    return [(first[seed], second[seed]) for seed in shared_seeds([a, b])]


def _areas(curve: Curve, patients: Patients) -> FloatArray:
    """Normalised area under each held-out patient's own curve, shape (patients,)."""
    names = sorted(patients)
    areas = [area_under(curve.labelled, [scores[name] for scores in curve.per_case]) for name in names]
    return group_means(areas, [patients[name] for name in names])
