"""Learn during a project which of several strategies serves it best: one strategy a round, drawn by what its rounds brought.

The rise of a metric between two rounds is noisy: with fewer than some ten rounds this is hardly better than drawing strategies at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy

PREFIX = "bandit:"
"""`bandit:entropy+coreset+random` draws one of the three for every round."""

EXPLORE = 0.2
"""γ, share of the draws that are spread evenly."""

FORGET = 0.01
"""α, share of all weight that is spread evenly after every round: which strategy is best changes as annotations come in."""


@dataclass(frozen=True)
class Played:
    """A round that is over.

    Attributes:
        name: The strategy that chose its cases.
        reward: 0 (useless) to 1; for example the rise of the score over the largest rise so far.
    """

    name: str
    reward: float


def arms(name: str) -> tuple[str, ...]:
    """The strategies among which a bandit draws; of any other name that one."""
    return tuple(name.removeprefix(PREFIX).split("+")) if name.startswith(PREFIX) else (name,)


def chances(names: Sequence[str], played: Sequence[Played]) -> FloatArray:
    """Chance of each strategy to choose the next round, shape (strategies,); at least `EXPLORE` / strategies.

    Args:
        names: Strategies, all different.
        played: Rounds of these strategies, oldest first.

    Raises:
        InputError: A reward outside 0..1.

    Source: Auer et al. 2002, doi:10.1137/S0097539701398375, section 8 (EXP3.S); strategies as arms after Hsu and Lin 2015,
    doi:10.1609/aaai.v29i1.9597 (active learning by learning).
    """
    weights = np.full(len(names), 1.0 / len(names))
    for one in played:
        if not 0 <= one.reward <= 1:
            raise InputError(f"The reward of a round lies within 0..1, got {one.reward} for {one.name}")
        arm = names.index(one.name)
        weights[arm] *= np.exp(EXPLORE / len(names) * one.reward / _mixed(weights)[arm])
        weights = (1.0 - FORGET) * weights / weights.sum() + FORGET / len(names)
    return _mixed(weights)


def _mixed(weights: FloatArray) -> FloatArray:
    return (1.0 - EXPLORE) * weights + EXPLORE / len(weights)


def bandit(name: str, find: Callable[[str], Strategy]) -> Strategy:
    """A strategy that draws one of several; in a project by their rounds so far (`chances`), on bare arrays evenly.

    Args:
        name: `PREFIX`, then names of strategies with "+" between them.
        find: The strategy of a name.

    Raises:
        SettingError: Fewer than two strategies, or one twice.
        NotFoundError: A strategy that is not registered.
    """
    names = arms(name)
    if len(names) < 2 or len(set(names)) != len(names):
        raise SettingError(f"A bandit needs two or more different strategies, got {name!r}", remedy="bandit:A+B")
    parts = [find(part) for part in names]

    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        drawn, *streams = rng.spawn(len(parts) + 1)
        picks = [part.select(pool, count, stream) for part, stream in zip(parts, streams, strict=True)]
        return picks[int(drawn.integers(len(parts)))]  # all were made, so that what any of them refuses is refused

    return Strategy(
        name=name,
        title=f"Bandit over {', '.join(names)}",
        paper="Auer et al. 2002, doi:10.1137/S0097539701398375 (EXP3.S); Hsu and Lin 2015, doi:10.1609/aaai.v29i1.9597",
        needs=frozenset().union(*(part.needs for part in parts)),
        cost="; ".join(sorted({part.cost for part in parts})),
        advice="When nobody knows which strategy suits and there will be more than some ten rounds; each round says which one chose it.",
        select=select,
    )
