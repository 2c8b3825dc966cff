"""What may be said after a study: one or two sentences that claim no more than the runs show."""

from collections.abc import Sequence

from medloop.simulation.comparisons import Comparison
from medloop.simulation.ranking import RankSummary
from medloop.simulation.strategy_summary import StrategySummary


def verdict(strategies: Sequence[StrategySummary], comparisons: Sequence[Comparison]) -> str:
    """The winner of one study, or why there is none."""
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


def overall_verdict(ranks: Sequence[RankSummary], datasets: int) -> str:
    """The winner over several data sets and budgets, or why there is none.

    Args:
        ranks: Best first.
        datasets: How many data sets are behind them.
    """
    if len(ranks) < 2:
        return "Too few strategies have been run everywhere to rank them."
    best, *others = ranks
    if best.rank.groups < 2:
        return "No winner: with a single seed, luck cannot be told from merit."
    close = [r.strategy for r in others if best.rank.high >= r.rank.low]
    if close:
        return f"No winner: {best.strategy} has the best mean rank ({best.rank.mean:.2f}), but its interval overlaps {', '.join(close)}."
    if datasets < 2:
        return f"{best.strategy} ranks best, apart from every other strategy, on one data set; others may say otherwise."
    return f"{best.strategy} ranks best over {datasets} data sets, its interval apart from every other strategy's."


def _clearly_better(best: StrategySummary, other: StrategySummary, comparisons: Sequence[Comparison]) -> bool:
    """Intervals over seeds apart, and the paired comparison significant."""
    pair = next((c for c in comparisons if {c.a, c.b} == {best.strategy, other.strategy}), None)
    return best.area.low > other.area.high and pair is not None and pair.significant
