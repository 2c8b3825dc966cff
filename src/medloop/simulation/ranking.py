"""Strategies ranked over several settings, a setting being one data set with one budget.

Two views that fail differently: the penalty matrix counts how often one strategy significantly beats another, the
mean rank also counts small but steady leads. The shared first round, equal for all, counts in neither.
Wins ask about other seeds and other patients together, ranks about other seeds of the same patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from scipy import stats

from medloop.core.arrays import FloatArray
from medloop.metrics.intervals import MIN_RUNS, Interval, group_means, student_interval, too_few
from medloop.metrics.mixed import MixedMean, mixed_mean
from medloop.simulation.comparisons import Patients, Setting, holm_of, seed_pairs
from medloop.simulation.curves import LEVEL, Curve, shared_seeds

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PenaltyMatrix:
    """How often the strategy of the row significantly beats that of the column.

    Attributes:
        strategies: Of rows and columns.
        wins: Sum over settings of the share of rounds won, p values Holm-adjusted over all pairs and rounds of a setting.
        uncorrected: The same without adjustment, as in the literature.
        settings: Settings in which both strategies share enough seeds (three): the most an entry of `wins` can be.
        penalty: Mean of each column of `wins`: how much a strategy is beaten by the others; lower is better.
    """

    strategies: tuple[str, ...]
    wins: Matrix
    uncorrected: Matrix
    settings: Matrix
    penalty: tuple[float, ...]


@dataclass(frozen=True)
class RankSummary:
    """Mean rank of one strategy, 1 is best.

    Attributes:
        rank: 95 % interval over seeds; it says nothing about other data sets and other patients.
        best: Share of the runs (seed and setting) in which no strategy ranks before it.
    """

    strategy: str
    rank: Interval
    best: float


def penalty_matrix(settings: Mapping[str, Setting], patients: Mapping[str, Patients]) -> PenaltyMatrix:
    """Count significant wins over all settings and rounds.

    Every round is a two-sided test over the seeds both strategies have and the patients, see `medloop.metrics.mixed`.

    Args:
        settings: Name → runs by strategy.
        patients: The same names → held-out case name → patient.

    Source: Ash et al. 2020, BADGE, arXiv:1906.03671, section 4.1 (two-sided 90 % t-test over seeds there); patients and the
        Holm adjustment are ours.
    """
    names = tuple(dict.fromkeys(name for setting in settings.values() for name in setting))
    wins, raw, possible = (np.zeros((len(names), len(names))) for _ in range(3))
    for setting_name, setting in settings.items():
        tests = _tests(setting, patients[setting_name])
        adjusted = iter(holm_of([test.p for rounds in tests.values() for test in rounds]))
        for (a, b), rounds in tests.items():
            i, j = names.index(a), names.index(b)
            possible[i, j] += 1
            possible[j, i] += 1
            for test in rounds:
                winner, loser = (i, j) if test.interval.mean > 0 else (j, i)
                raw[winner, loser] += _below(test.p) / len(rounds)
                wins[winner, loser] += _below(next(adjusted)) / len(rounds)
    penalty = wins.sum(axis=0) / max(1, len(names) - 1)
    return PenaltyMatrix(names, _plain(wins), _plain(raw), _plain(possible), tuple(float(p) for p in penalty))


def mean_ranks(settings: Mapping[str, Setting]) -> tuple[RankSummary, ...]:
    """Mean rank of every strategy that all settings have, best first; empty when they share fewer than two.

    Scores are ranked within each setting, seed and round (ties share their ranks), averaged over rounds, then seeds,
    then settings, so that every setting counts the same.

    Args:
        settings: Name → runs by strategy.
    """
    names = common_strategies(settings)
    tables = [table for setting in settings.values() if len(table := _ranks(setting, names))]
    if len(names) < 2 or not tables:
        return ()
    best = np.concatenate([table <= table.min(axis=1, keepdims=True) + 1e-12 for table in tables]).mean(axis=0)
    found = [RankSummary(name, _mean_rank([t[:, n] for t in tables], len(names)), float(best[n])) for n, name in enumerate(names)]
    return tuple(sorted(found, key=lambda s: (s.rank.mean, s.strategy)))


def _mean_rank(of_settings: Sequence[FloatArray], most: int) -> Interval:
    """Mean over settings of the mean over seeds, with Student's interval at the degrees of freedom of the fewest seeds."""
    seeds, mean = min(len(own) for own in of_settings), float(np.mean([own.mean() for own in of_settings]))
    if seeds < MIN_RUNS:
        return Interval(mean, None, None, seeds, too_few(seeds, MIN_RUNS, "seeds"))
    error = np.sqrt(sum(own.var(ddof=1) / len(own) for own in of_settings)) / len(of_settings)
    found = student_interval(mean, float(error), seeds - 1, seeds, alike=f"the rank is the same in all {seeds} seeds")
    if found.low is None or found.high is None:
        return found
    return Interval(mean, max(1.0, found.low), min(float(most), found.high), seeds)


def common_strategies(settings: Mapping[str, Setting]) -> tuple[str, ...]:
    """Strategies that every setting has, in order of first appearance."""
    everywhere = dict.fromkeys(name for setting in settings.values() for name in setting)
    return tuple(name for name in everywhere if all(name in setting for setting in settings.values()))


def _tests(setting: Setting, patients: Patients) -> dict[tuple[str, str], list[MixedMean]]:
    """One test for each round after the first, of the pairs whose seeds and patients can decide."""
    found = {(a, b): _rounds(setting[a], setting[b], patients) for a, b in combinations(setting, 2)}
    return {pair: rounds for pair, rounds in found.items() if rounds and all(test.p is not None for test in rounds)}


def _rounds(a: Sequence[Curve], b: Sequence[Curve], patients: Patients) -> list[MixedMean]:
    pairs, names = seed_pairs(a, b), sorted(patients)
    groups = [patients[name] for name in names]

    def table(n: int) -> FloatArray:
        gaps = ([one.per_case[n][name] - other.per_case[n][name] for name in names] for one, other in pairs)
        return np.array([group_means(gap, groups) for gap in gaps])

    return [mixed_mean(table(n)) for n in range(1, len(pairs[0][0].scores))] if pairs else []


def _below(p: float | None) -> bool:
    return p is not None and p < LEVEL


def _ranks(setting: Setting, names: Sequence[str]) -> FloatArray:
    """Mean rank over rounds, shape (seeds, strategies); no rows without a shared seed or a second round."""
    own = [setting[name] for name in names]
    seeds = shared_seeds(own)
    if not seeds or len(own[0][0].scores) < 2:
        return np.zeros((0, len(names)))
    scores = np.array([[next(c for c in curves if c.seed == seed).scores[1:] for curves in own] for seed in seeds])
    ranks: FloatArray = stats.rankdata(-scores, axis=1).mean(axis=2)
    return ranks


def _plain(matrix: FloatArray) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in matrix)
