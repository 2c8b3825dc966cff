"""What a strategy is: a pure function of the pool's numbers, and the facts that help people to choose it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from medloop.query.pool import Pick, Pool

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
