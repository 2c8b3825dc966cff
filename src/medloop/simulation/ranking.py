"""Strategies ranked over several settings, a setting being one data set with one budget.

Two views that fail differently: the penalty matrix counts how often one strategy significantly beats another, the
mean rank also counts small but steady leads. The shared first round, equal for all, counts in neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias

import numpy as np
from scipy import stats

from medloop.core.arrays import FloatArray
from medloop.metrics.curves import holm, paired_t_test
from medloop.metrics.intervals import Interval
from medloop.simulation.curves import LEVEL, Curve, seed_weights, shared_seeds

Setting: TypeAlias = Mapping[str, Sequence[Curve]]
"""Strategy → its runs on one data set with one budget."""

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PenaltyMatrix:
    """How often the strategy of the row significantly beats that of the column.

    Attributes:
        strategies: Of rows and columns.
        wins: Sum over settings of the share of rounds won, p values Holm-adjusted over all ordered pairs of a round.
        uncorrected: The same without adjustment, as in the literature.
        settings: Settings in which both strategies have two seeds or more: the most an entry of `wins` can be.
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
        rank: Interval over seeds, drawn anew within every setting; it says nothing about other data sets.
        best: Share of the resamplings in which its mean rank is the lowest.
    """

    strategy: str
    rank: Interval
    best: float


def penalty_matrix(settings: Mapping[str, Setting]) -> PenaltyMatrix:
    """Count significant wins over all settings and rounds.

    Every round is a one-sided paired t-test over the seeds both strategies have, in either direction. A sign-flip test
    could not reach 0.05 with fewer than five seeds.

    Args:
        settings: Name → runs by strategy.

    Source: Ash et al. 2020, BADGE, arXiv:1906.03671, section 4.1 (two-sided 90 % t-test there); the Holm adjustment is ours.
    """
    names = tuple(dict.fromkeys(name for setting in settings.values() for name in setting))
    wins, raw, possible = (np.zeros((len(names), len(names))) for _ in range(3))
    for setting in settings.values():
        pairs, p_values = _tests(setting)
        for (a, b), own in zip(pairs, p_values.T, strict=True):
            possible[names.index(a), names.index(b)] += 1
            raw[names.index(a), names.index(b)] += np.mean(own < LEVEL)
        for (a, b), own in zip(pairs, np.array([holm(row) for row in p_values]).reshape(p_values.shape).T, strict=True):
            wins[names.index(a), names.index(b)] += np.mean(own < LEVEL)
    penalty = wins.sum(axis=0) / max(1, len(names) - 1)
    return PenaltyMatrix(names, _plain(wins), _plain(raw), _plain(possible), tuple(float(p) for p in penalty))


def mean_ranks(settings: Mapping[str, Setting], rng: np.random.Generator) -> tuple[RankSummary, ...]:
    """Mean rank of every strategy that all settings have, best first; empty when they share fewer than two.

    Scores are ranked within each setting, seed and round (ties share their ranks), averaged over rounds, then seeds,
    then settings, so that every setting counts the same.

    Args:
        settings: Name → runs by strategy.
        rng: Source of the draws.
    """
    names = common_strategies(settings)
    tables = [table for setting in settings.values() if len(table := _ranks(setting, names))]
    if len(names) < 2 or not tables:
        return ()
    means = np.mean([t.mean(axis=0) for t in tables], axis=0)
    drawn = np.mean([seed_weights(len(t), rng) @ t for t in tables], axis=0)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    best = np.mean(drawn <= drawn.min(axis=1, keepdims=True) + 1e-12, axis=0)
    seeds = min(len(t) for t in tables)

    def summary(n: int) -> RankSummary:
        mean = float(means[n])
        return RankSummary(names[n], Interval(mean, min(float(low[n]), mean), max(float(high[n]), mean), seeds), float(best[n]))

    return tuple(sorted((summary(n) for n in range(len(names))), key=lambda s: (s.rank.mean, s.strategy)))


def common_strategies(settings: Mapping[str, Setting]) -> tuple[str, ...]:
    """Strategies that every setting has, in order of first appearance."""
    everywhere = dict.fromkeys(name for setting in settings.values() for name in setting)
    return tuple(name for name in everywhere if all(name in setting for setting in settings.values()))


def _tests(setting: Setting) -> tuple[list[tuple[str, str]], FloatArray]:
    """Ordered pairs with two shared seeds or more, and p values of shape (rounds after the first, pairs)."""
    pairs = [(a, b) for a, b in permutations(setting, 2) if len(shared_seeds([setting[a], setting[b]])) > 1]
    rounds = len(next(iter(setting.values()))[0].scores)
    if not pairs or rounds < 2:
        return [], np.zeros((0, 0))
    return pairs, np.array([[paired_t_test(d) for d in _differences(setting[a], setting[b])] for a, b in pairs]).T


def _differences(a: Sequence[Curve], b: Sequence[Curve]) -> FloatArray:
    """Scores of a minus scores of b over shared seeds, shape (rounds after the first, seeds)."""
    rows = [_of_seed(a, seed) - _of_seed(b, seed) for seed in shared_seeds([a, b])]
    return np.array(rows).T[1:]


def _ranks(setting: Setting, names: Sequence[str]) -> FloatArray:
    """Mean rank over rounds, shape (seeds, strategies); no rows without a shared seed or a second round."""
    own = [setting[name] for name in names]
    seeds = shared_seeds(own)
    if not seeds or len(own[0][0].scores) < 2:
        return np.zeros((0, len(names)))
    scores = np.array([[_of_seed(curves, seed)[1:] for curves in own] for seed in seeds])
    ranks: FloatArray = stats.rankdata(-scores, axis=1).mean(axis=2)
    return ranks


def _of_seed(curves: Sequence[Curve], seed: int) -> FloatArray:
    return np.array(next(c for c in curves if c.seed == seed).scores)


def _plain(matrix: FloatArray) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in matrix)
