"""What a strategy is: a pure function of the pool's numbers, and the facts that help people to choose it; and what many of them share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.query.pool import Pick, Pool, checked_number
from medloop.query.sharding import topmost

Select: TypeAlias = Callable[[Pool, int, np.random.Generator], list[Pick]]


@dataclass(frozen=True)
class Strategy:
    """One way to choose cases.

    Attributes:
        name: As given on the command line.
        title: As shown to people.
        paper: Where it comes from.
        needs: What the pool must hold: names of `medloop.query.pool.NEEDS`.
        cost: What it takes beyond predicting the pool once.
        advice: When to use it, and when not.
        select: (pool, count, rng) → at most `count` picks in order; see `medloop.testing.check_strategy`.
    """

    name: str
    title: str
    paper: str
    needs: frozenset[str]
    cost: str
    advice: str
    select: Select


def ordered(rule: Select) -> Select:
    """Let a rule see the pool sorted by case id, and translate its picks back."""

    @wraps(rule)
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        wanted = checked_number(count, len(pool.case_ids))
        if not wanted:
            return []
        arranged, places = pool.in_order()
        return [replace(p, index=places[p.index]) for p in rule(arranged, wanted, rng)]

    return select


def highest(score: str, reason: str) -> Select:
    """The rule that takes the cases with the highest score of that name; ties by case id.

    Args:
        score: Name in `Pool.scores`.
        reason: Words for the picked cases; `{value}` is replaced by the score.
    """

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
        values = pool.score(score)
        best = topmost(values, count, pool.sharding)
        return [Pick(int(n), float(values[n]), reason.format(value=f"{values[n]:.3g}")) for n in best]

    return select


def in_turn(picks: Sequence[int], count: int, reason: str) -> list[Pick]:
    """Cases in their order as picks of falling scores, from `count` down, all for one reason."""
    return [Pick(n, float(count - place), reason) for place, n in enumerate(picks)]


def draw_weighted(weights: CaseScores, count: int, rng: np.random.Generator) -> list[int]:
    """Draw without replacement with chances in proportion to the weights; never a weight of zero.

    Source: Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003: the largest keys u^(1/w).
    """
    keys = np.full(len(weights), -np.inf)
    positive = weights > 0
    keys[positive] = np.log(1.0 - rng.random(len(weights))[positive]) / weights[positive]
    return [int(n) for n in np.argsort(-keys, kind="stable")[: min(count, int(positive.sum()))]]
