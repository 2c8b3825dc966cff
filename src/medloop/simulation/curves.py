"""Learning curves of a study and the statistics over them: means, areas, tests, and a verdict that may be "none".

The held-out cases are the same for all strategies and seeds, and a seed's first round is shared, so every
comparison is paired over seeds and over patients. Two kinds of chance matter: which patients are measured, and
how a run happened to go (its seed). P values ask about patients, on these runs; intervals of differences ask
about both, by drawing seeds and patients with replacement. A strategy is called better only if both agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.seeds import generator
from medloop.metrics.curves import area_under, holm, permutation_test
from medloop.metrics.intervals import Interval, bootstrap_mean, group_means

LEVEL = 0.05
DRAWS = 2000
STATISTICS_SEED = 0
LABEL_SHARES = (0.95, 0.98)


@dataclass(frozen=True)
class Curve:
    """One run: a strategy with a seed.

    Attributes:
        labelled: Answered cases after each round.
        scores: Mean score over held-out patients after each round.
        per_case: After each round, held-out case name → score.
        picks: Case names asked in each round.
    """

    strategy: str
    seed: int
    labelled: tuple[int, ...]
    scores: tuple[float, ...]
    per_case: tuple[Mapping[str, float], ...]
    picks: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class MeanPoint:
    """A point of a mean curve: interval over seeds."""

    labelled: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class StrategySummary:
    """One strategy over all its seeds.

    Attributes:
        points: Mean curve.
        area: Normalised area under the curve (the mean height), interval over seeds.
        labels_to: Share of the full-data score → answered cases at which the mean curve reaches it, or None.
        seeds: Number of finished runs.
    """

    strategy: str
    points: tuple[MeanPoint, ...]
    area: Interval
    labels_to: Mapping[str, float | None]
    seeds: int


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


@dataclass(frozen=True)
class Summary:
    """All strategies, all pairs, the full-data score over seeds, and what may be said."""

    strategies: tuple[StrategySummary, ...]
    comparisons: tuple[Comparison, ...]
    full: Interval | None
    verdict: str


def summarise(curves: Sequence[Curve], full_scores: Sequence[float], patients: Mapping[str, str]) -> Summary:
    """Statistics over the finished curves of a study.

    Args:
        curves: Any order; all with the same rounds.
        full_scores: Score of the full-data model of each seed that has one.
        patients: Held-out case name → patient.
    """
    full = bootstrap_mean(full_scores, range(len(full_scores)), generator(STATISTICS_SEED, "full")) if full_scores else None
    names = list(dict.fromkeys(c.strategy for c in curves))
    by_name = {name: sorted((c for c in curves if c.strategy == name), key=lambda c: c.seed) for name in names}
    strategies = tuple(_summary(name, by_name[name], full) for name in names)
    comparisons = compare(by_name, patients)
    return Summary(strategies, comparisons, full, verdict(strategies, comparisons))


def compare(by_name: Mapping[str, Sequence[Curve]], patients: Mapping[str, str]) -> tuple[Comparison, ...]:
    """Every pair of strategies, over the seeds both have finished."""
    pairs = [(a, b) for a, b in combinations(by_name, 2) if _shared_seeds(by_name[a], by_name[b])]
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


def labels_to_reach(labelled: Sequence[int], scores: Sequence[float], target: float) -> float | None:
    """Answered cases at which a curve first reaches a score, by linear interpolation; None if it never does."""
    if scores[0] >= target:
        return float(labelled[0])
    for n in range(1, len(scores)):
        if scores[n] >= target:
            share = (target - scores[n - 1]) / (scores[n] - scores[n - 1])
            return float(labelled[n - 1] + share * (labelled[n] - labelled[n - 1]))
    return None


def verdict(strategies: Sequence[StrategySummary], comparisons: Sequence[Comparison]) -> str:
    """One or two sentences that claim no more than the runs show."""
    if len(strategies) < 2:
        return "One strategy alone cannot be compared."
    best, *others = sorted(strategies, key=lambda s: (-s.area.mean, s.strategy))
    if min(s.seeds for s in strategies) < 2:
        return "No winner: with a single seed, luck cannot be told from merit."
    close = [s.strategy for s in others if not _clearly_better(best, s, comparisons)]
    if not close:
        return f"{best.strategy} has the highest area under the curve, and its lead over every other strategy is significant."
    listed = ", ".join(close)
    return (
        f"No winner: {best.strategy} has the highest area under the curve ({best.area.mean:.4f}), "
        f"but its lead over {listed} is within what seeds and patients explain."
    )


def _clearly_better(best: StrategySummary, other: StrategySummary, comparisons: Sequence[Comparison]) -> bool:
    """Intervals over seeds apart, and the paired comparison significant."""
    pair = next((c for c in comparisons if {c.a, c.b} == {best.strategy, other.strategy}), None)
    return best.area.low > other.area.high and pair is not None and pair.significant


def _summary(name: str, curves: Sequence[Curve], full: Interval | None) -> StrategySummary:
    seeds = [c.seed for c in curves]
    scores = np.array([c.scores for c in curves])
    intervals = [bootstrap_mean(column, seeds, generator(STATISTICS_SEED, "curve", name, n)) for n, column in enumerate(scores.T)]
    labelled = curves[0].labelled
    points = tuple(MeanPoint(x, i.mean, i.low, i.high) for x, i in zip(labelled, intervals, strict=True))
    area = bootstrap_mean([area_under(c.labelled, c.scores) for c in curves], seeds, generator(STATISTICS_SEED, "area", name))
    means = [p.mean for p in points]
    reached = {f"{share:.0%}": labels_to_reach(labelled, means, share * full.mean) if full else None for share in LABEL_SHARES}
    return StrategySummary(name, points, area, reached, len(curves))


def _shared_seeds(a: Sequence[Curve], b: Sequence[Curve]) -> list[int]:
    return sorted({c.seed for c in a} & {c.seed for c in b})


def _differences(a: Sequence[Curve], b: Sequence[Curve], patients: Mapping[str, str]) -> FloatArray:
    """Area of a minus area of b, shape (seeds, patients)."""
    rows = []
    for seed in _shared_seeds(a, b):
        first, second = (next(c for c in curves if c.seed == seed) for curves in (a, b))
        rows.append(_areas(first, patients) - _areas(second, patients))
    return np.array(rows)


def _areas(curve: Curve, patients: Mapping[str, str]) -> FloatArray:
    """Normalised area under each held-out patient's own curve, shape (patients,)."""
    names = sorted(patients)
    areas = [area_under(curve.labelled, [scores[name] for scores in curve.per_case]) for name in names]
    return group_means(areas, [patients[name] for name in names])
