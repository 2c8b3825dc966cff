"""Everything that can be said about the finished runs of one study: all strategies, all pairs, and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloop.core.seeds import generator
from medloop.metrics.intervals import Interval, bootstrap_mean
from medloop.simulation.comparisons import Comparison, compare
from medloop.simulation.curves import STATISTICS_SEED, Curve, by_strategy
from medloop.simulation.ranking import PenaltyMatrix, penalty_matrix
from medloop.simulation.strategy_summary import Pool, StrategySummary, summarise_strategy
from medloop.simulation.verdict import verdict


@dataclass(frozen=True)
class Summary:
    """All strategies, all pairs, the full-data score over seeds, and what may be said."""

    strategies: tuple[StrategySummary, ...]
    comparisons: tuple[Comparison, ...]
    penalties: PenaltyMatrix
    full: Interval | None
    verdict: str


def summarise(curves: Sequence[Curve], full: Mapping[int, float], patients: Mapping[str, str], pool: Pool) -> Summary:
    """Statistics over the finished curves of a study.

    Args:
        curves: Any order; all with the same rounds.
        full: Seed → score of its full-data model, of the seeds that have one.
        patients: Held-out case name → patient.
        pool: What could be asked.
    """
    grouped = by_strategy(curves)
    strategies = tuple(summarise_strategy(name, own, full, pool) for name, own in grouped.items())
    comparisons = compare(grouped, patients)
    bound = bootstrap_mean(list(full.values()), list(full), generator(STATISTICS_SEED, "full")) if full else None
    return Summary(strategies, comparisons, penalty_matrix({"": grouped}), bound, verdict(strategies, comparisons))
