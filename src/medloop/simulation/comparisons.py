"""Pairs of strategies: how far their areas are apart, and whether that is more than chance.

Two kinds of chance matter: which patients are measured, and how a run happened to go (its seed). P values ask
about patients, on these runs; intervals of differences ask about both, by drawing seeds and patients with
replacement. A difference is called significant only if both agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.seeds import generator
from medloop.metrics.curves import area_under, holm, permutation_test
from medloop.metrics.intervals import Interval, group_means
from medloop.simulation.curves import DRAWS, LEVEL, STATISTICS_SEED, Curve, shared_seeds


@dataclass(frozen=True)
class Comparison:
    """Area of `a` minus area of `b`, paired over seeds and patients.

    Attributes:
        difference: Interval over seeds and patients drawn together; `groups` counts patients.
        p: Sign-flip test over patients.
        p_holm: The same, adjusted for all pairs of the study.
    """

    a: str
    b: str
    difference: Interval
    p: float
    p_holm: float

    @property
    def significant(self) -> bool:
        """Whether test and interval agree that there is a difference."""
        return self.p_holm < LEVEL and (self.difference.low > 0 or self.difference.high < 0)


def compare(by_name: Mapping[str, Sequence[Curve]], patients: Mapping[str, str]) -> tuple[Comparison, ...]:
    """Every pair of strategies, over the seeds both have finished."""
    pairs = [(a, b) for a, b in combinations(by_name, 2) if shared_seeds([by_name[a], by_name[b]])]
    tables = [_differences(by_name[a], by_name[b], patients) for a, b in pairs]
    raw = [permutation_test(t.mean(axis=0), generator(STATISTICS_SEED, "test", *p)) for t, p in zip(tables, pairs, strict=True)]
    adjusted = holm(raw)
    return tuple(
        Comparison(a, b, two_way_interval(table, generator(STATISTICS_SEED, "interval", a, b)), p, float(q))
        for (a, b), table, p, q in zip(pairs, tables, raw, adjusted, strict=True)
    )


def two_way_interval(table: FloatArray, rng: np.random.Generator) -> Interval:
    """95 % interval of the mean of a table whose rows (seeds) and columns (patients) are both drawn anew.

    Args:
        table: Shape (seeds, patients).
        rng: Source of the draws.

    Source: Owen 2007, "The pigeonhole bootstrap", doi:10.1214/07-AOAS122; it errs on the wide side.
    """
    seeds, patients = table.shape
    rows = rng.multinomial(seeds, np.full(seeds, 1 / seeds), DRAWS) / seeds
    columns = rng.multinomial(patients, np.full(patients, 1 / patients), DRAWS) / patients
    means = np.einsum("ds,sp,dp->d", rows, table, columns, optimize=True)
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(table.mean())
    return Interval(mean, min(float(low), mean), max(float(high), mean), patients)


def _differences(a: Sequence[Curve], b: Sequence[Curve], patients: Mapping[str, str]) -> FloatArray:
    """Area of a minus area of b, shape (seeds, patients)."""
    rows = []
    for seed in shared_seeds([a, b]):
        first, second = (next(c for c in curves if c.seed == seed) for curves in (a, b))
        rows.append(_areas(first, patients) - _areas(second, patients))
    return np.array(rows)


def _areas(curve: Curve, patients: Mapping[str, str]) -> FloatArray:
    """Normalised area under each held-out patient's own curve, shape (patients,)."""
    names = sorted(patients)
    areas = [area_under(curve.labelled, [scores[name] for scores in curve.per_case]) for name in names]
    return group_means(areas, [patients[name] for name in names])
