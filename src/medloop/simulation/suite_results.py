"""Results of a suite as one value: every study's own, and the ranking over all of them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medloop.core.records import Json
from medloop.metrics.intervals import Interval, interval_words
from medloop.simulation.comparisons import Comparison, compare_settings
from medloop.simulation.curves import by_strategy
from medloop.simulation.efficiency import Needed
from medloop.simulation.files import read_json
from medloop.simulation.prepare import SETUP, Setup
from medloop.simulation.ranking import PenaltyMatrix, RankSummary, mean_ranks, penalty_matrix
from medloop.simulation.results import StudyResult, collect
from medloop.simulation.strategy_summary import StrategySummary
from medloop.simulation.suite import Part, Suite
from medloop.simulation.verdict import overall_verdict

FORMAT = 2
"""2: intervals may be missing, with a note; comparisons over all studies."""

HEADLINE_SHARE = "98%"
"""The share of the full-data score whose price in labels heads every table."""


@dataclass(frozen=True)
class SuiteResult:
    """Everything a suite found.

    Attributes:
        suite: As asked for.
        studies: Of the parts that have begun, in order.
        not_begun: Names of the others.
        ranks: Mean ranks over all studies with a finished curve, best first.
        comparisons: Area of every pair of the ranked strategies, averaged over the same studies.
        penalties: Significant wins over the same.
        unranked: Strategies that not every study has, such as foreground-aware ones in a classification.
        verdict: What may be said over all.
    """

    suite: Suite
    studies: tuple[tuple[Part, StudyResult], ...]
    not_begun: tuple[str, ...]
    ranks: tuple[RankSummary, ...]
    comparisons: tuple[Comparison, ...]
    penalties: PenaltyMatrix
    unranked: tuple[str, ...]
    verdict: str

    @property
    def missing(self) -> tuple[str, ...]:
        """Rounds and whole studies that are not done, in words."""
        left = [f"{part.name}: {unit}" for part, result in self.studies for unit in result.missing]
        return (*left, *self.not_begun)

    def to_json(self) -> Json:
        """The result as plain values; equal suites on equal data give equal bytes."""
        return {
            "format": FORMAT,
            "studies": [
                {"name": part.name, "dataset": part.dataset, "budget": part.budget, **result.to_json()} for part, result in self.studies
            ],
            "ranks": [dataclasses.asdict(rank) for rank in self.ranks],
            "comparisons": [dataclasses.asdict(one) for one in self.comparisons],
            "penalties": dataclasses.asdict(self.penalties),
            "unranked": list(self.unranked),
            "verdict": self.verdict,
            "missing": list(self.missing),
        }


def collect_suite(suite: Suite, out: Path) -> SuiteResult:
    """Gather what is done; an unfinished suite gives the runs whose rounds are all there."""
    begun = [(part, part.folder(out)) for part in suite.parts if (part.folder(out) / SETUP).exists()]
    studies = tuple((part, collect(part.design, Setup.from_json(read_json(folder / SETUP)), folder)) for part, folder in begun)
    settings = {part.name: by_strategy(result.curves) for part, result in studies if result.curves}
    patients = {part.name: result.setup.patients for part, result in studies}
    ranks = mean_ranks(settings)
    everywhere = dict.fromkeys(name for setting in settings.values() for name in setting)
    ranked = {rank.strategy for rank in ranks}
    comparisons = compare_settings({n: {s: c for s, c in own.items() if s in ranked} for n, own in settings.items()}, patients)
    return SuiteResult(
        suite=suite,
        studies=studies,
        not_begun=tuple(part.name for part in suite.parts if part not in [p for p, _ in begun]),
        ranks=ranks,
        comparisons=comparisons,
        penalties=penalty_matrix(settings, patients),
        unranked=tuple(name for name in everywhere if name not in ranked),
        verdict=overall_verdict(ranks, comparisons, len({part.dataset for part, result in studies if result.curves})),
    )


OVERVIEW = ("data set", "budget", "strategy", f"labels to {HEADLINE_SHARE} of full data", "area (AUBC)", "final score", "seeds")


def overview(studies: Sequence[tuple[Part, StudyResult]]) -> list[tuple[str, ...]]:
    """One row per data set, budget and strategy under the heads `OVERVIEW`, best area first within a study."""
    return [
        (part.dataset, part.budget, *_row(summary))
        for part, result in studies
        if result.summary
        for summary in sorted(result.summary.strategies, key=lambda s: (-s.area.mean, s.strategy))
    ]


def needed_share(needed: Needed | None) -> str:
    """Labels needed as a share of the pool, in one line."""
    if needed is None:
        return "unknown"
    if needed.of_pool is None:
        return f"not reached ({needed.reached:.0%} of seeds)"
    if needed.note or needed.of_pool_low is None:
        return f"{needed.of_pool:.0%} ({needed.note})"
    high = "not reached" if needed.of_pool_high is None else f"{needed.of_pool_high:.0%}"
    return f"{needed.of_pool:.0%} ({needed.of_pool_low:.0%} to {high})"


def _row(s: StrategySummary) -> tuple[str, ...]:
    return s.strategy, needed_share(s.labels_to.get(HEADLINE_SHARE)), _with_interval(s.area), _with_interval(s.final), str(s.seeds)


def _with_interval(value: Interval) -> str:
    return f"{value.mean:.4f} ({interval_words(value, '.4f')})"
