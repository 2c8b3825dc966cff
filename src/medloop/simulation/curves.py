"""Learning curves of a study's runs, and their mean over seeds with its interval.

The held-out cases are the same for all strategies and seeds, and a seed's first round is shared, so every
comparison is paired over seeds and over patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.metrics.intervals import mean_over_runs

LEVEL = 0.05
"""Below this p value a difference is called significant."""


@dataclass(frozen=True)
class Curve:
    """One run: a strategy with a seed.

    Attributes:
        labelled: Answered cases after each round.
        scores: Mean score over held-out patients after each round.
        per_case: After each round, held-out case name → score.
        picks: Case names asked in each round.
        foreground: Foreground voxels in all answers after each round, counted in the truth; empty where not counted.
        minutes: Of annotation after each round, by the stated model; empty in results of older versions.
    """

    strategy: str
    seed: int
    labelled: tuple[int, ...]
    scores: tuple[float, ...]
    per_case: tuple[Mapping[str, float], ...]
    picks: tuple[tuple[str, ...], ...] = ()
    foreground: tuple[int, ...] = ()
    minutes: tuple[float, ...] = ()


@dataclass(frozen=True)
class MeanPoint:
    """A point of a mean curve: interval over seeds; None with too few, and then `note` says so."""

    labelled: int
    mean: float
    low: float | None
    high: float | None
    note: str = ""


def by_strategy(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """The curves of each strategy in order of first appearance, sorted by seed."""
    names = dict.fromkeys(c.strategy for c in curves)
    return {name: sorted((c for c in curves if c.strategy == name), key=lambda c: c.seed) for name in names}


def shared_seeds(curves: Sequence[Sequence[Curve]]) -> list[int]:
    """Seeds that every one of several strategies has finished, ascending."""
    return sorted(set.intersection(*({c.seed for c in own} for own in curves))) if curves else []


def mean_points(curves: Sequence[Curve]) -> tuple[MeanPoint, ...]:
    """The mean curve of one strategy; intervals over seeds, point by point."""
    intervals = [mean_over_runs(column) for column in np.array([c.scores for c in curves]).T]
    return tuple(MeanPoint(x, i.mean, i.low, i.high, i.note) for x, i in zip(curves[0].labelled, intervals, strict=True))


def labels_to_reach(labelled: Sequence[float], scores: Sequence[float], target: float) -> float | None:
    """Answered cases at which a curve first reaches a score, by linear interpolation; None if it never does."""
    if scores[0] >= target:
        return float(labelled[0])
    for n in range(1, len(scores)):
        if scores[n] >= target:
            share = (target - scores[n - 1]) / (scores[n] - scores[n - 1])
            return float(labelled[n - 1] + share * (labelled[n] - labelled[n - 1]))
    return None
