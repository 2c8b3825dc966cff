"""Everything that can be said about the finished runs of one study: all strategies, all pairs, and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloop.metrics.intervals import Interval, mean_over_runs
from medloop.simulation.comparisons import Comparison, compare
from medloop.simulation.curves import Curve, by_strategy, shared_seeds
from medloop.simulation.ranking import PenaltyMatrix, penalty_matrix
from medloop.simulation.strategy_summary import Pool, StrategySummary, summarise_strategy
from medloop.simulation.verdict import verdict


@dataclass(frozen=True)
class Summary:
    """All strategies, all pairs, the full-data score over seeds, and what may be said.

    Attributes:
        seeds: Whose runs are counted: in an unfinished study those that every strategy begun has finished. Where there is no
            such seed, every strategy stands by itself and none is compared.
    """

    strategies: tuple[StrategySummary, ...]
    comparisons: tuple[Comparison, ...]
    penalties: PenaltyMatrix
    full: Interval | None
    verdict: str
    seeds: tuple[int, ...] = ()


def summarise(curves: Sequence[Curve], full: Mapping[int, float], patients: Mapping[str, str], pool: Pool) -> Summary:
    """Statistics over the finished curves of a study.

    Args:
        curves: Any order; all with the same rounds.
        full: Seed → score of its full-data model, of the seeds that have one.
        patients: Held-out case name → patient.
        pool: What could be asked.
    """
    seeds = tuple(shared_seeds(list(by_strategy(curves).values())))
    grouped = by_strategy([c for c in curves if not seeds or c.seed in seeds])
    full = {seed: score for seed, score in full.items() if not seeds or seed in seeds} or full
    strategies = tuple(summarise_strategy(name, own, full, pool) for name, own in grouped.items())
    comparisons = compare(grouped, patients)
    bound = mean_over_runs(list(full.values())) if full else None
    penalties = penalty_matrix({"": grouped}, {"": patients})
    return Summary(strategies, comparisons, penalties, bound, verdict(strategies, comparisons), seeds)
