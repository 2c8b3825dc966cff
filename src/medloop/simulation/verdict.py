"""What may be said after a study: one or two sentences that claim no more than the runs show."""

from collections.abc import Sequence

from medloop.core.names import counted
from medloop.simulation.comparisons import Comparison
from medloop.simulation.ranking import RankSummary
from medloop.simulation.strategy_summary import StrategySummary


def verdict(strategies: Sequence[StrategySummary], comparisons: Sequence[Comparison]) -> str:
    """The winner of one study, or why there is none."""
    if len(strategies) < 2:
        return "One strategy alone cannot be compared."
    best, *others = sorted(strategies, key=lambda s: (-s.area.mean, s.strategy))
    if too_few := _undecided(comparisons):
        return too_few
    close = [s.strategy for s in others if not _beats(best.strategy, s.strategy, comparisons)]
    if not close:
        return f"{best.strategy} has the highest area under the curve, and its lead over every other strategy is significant."
    listed = ", ".join(close)
    return (
        f"No winner: {best.strategy} has the highest area under the curve ({best.area.mean:.4f}), "
        f"but its lead over {listed} is within what seeds and patients explain."
    )


def strategy_advice(strategies: Sequence[StrategySummary], comparisons: Sequence[Comparison]) -> str:
    """Which strategy to use after one study, or that it cannot be told."""
    best = min(strategies, key=lambda s: (-s.area.mean, s.strategy))
    others = [s.strategy for s in strategies if s is not best]
    if others and all(_beats(best.strategy, name, comparisons) for name in others):
        return f"Use {best.strategy} on data like these."
    seeds = counted(best.seeds, "seed")
    return f"Which strategy to use is open with {'this' if best.seeds == 1 else 'these'} {seeds}: more seeds, rounds or patients may."


def overall_verdict(ranks: Sequence[RankSummary], comparisons: Sequence[Comparison], datasets: int) -> str:
    """The winner over several data sets and budgets, or why there is none.

    Args:
        ranks: Best first.
        comparisons: Of all pairs, over all settings.
        datasets: How many data sets are behind them.
    """
    if len(ranks) < 2:
        return "Too few strategies have been run everywhere to rank them."
    best, *others = ranks
    if too_few := _undecided(comparisons):
        return too_few
    close = [r.strategy for r in others if not _beats(best.strategy, r.strategy, comparisons)]
    if close:
        return (
            f"No winner: {best.strategy} has the best mean rank ({best.rank.mean:.2f}), "
            f"but its lead in area over {', '.join(close)} is within what seeds and patients explain."
        )
    if datasets < 2:
        return f"{best.strategy} ranks best, its lead over every other strategy significant, on one data set; others may say otherwise."
    return f"{best.strategy} ranks best over {datasets} data sets, its lead over every other strategy significant."


def _undecided(comparisons: Sequence[Comparison]) -> str:
    """Why nothing can be decided at all; "" where some pair can."""
    if not comparisons:
        return "No winner: no seed was finished by two strategies."
    notes = [c.difference.note for c in comparisons if c.p is None]
    return f"No winner: luck and merit cannot be distinguished ({notes[0]})." if len(notes) == len(comparisons) else ""


def _beats(best: str, other: str, comparisons: Sequence[Comparison]) -> bool:
    """Whether the area of the first is significantly larger."""
    pair = next((c for c in comparisons if {c.a, c.b} == {best, other}), None)
    return pair is not None and pair.significant and (pair.difference.mean > 0) == (pair.a == best)
