"""Value for time: which cases are worth most of an expert's minutes.

*Value per minute* ranks cases by doubt over predicted minutes. *Knapsack* looks at the batch as a whole: the cases of
highest total doubt that together fit the time of an average batch. Minutes come from `medloop.query.budget.minutes`;
where annotators have rates a minute counts by its rate.
"""

from collections.abc import Callable

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.query.budget.knapsack import best_batch, require_prices
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, ordered


def value_per_minute(values: CaseScores, minutes: CaseScores) -> CaseScores:
    """What a minute spent on each case is worth.

    Args:
        values: Worth of an answer, shape (cases,), >= 0.
        minutes: Predicted minutes, shape (cases,), > 0.

    Raises:
        ShapeError: Different lengths.
        InputError: Values below 0, minutes that are not above 0, NaN or infinity.
    """
    require_prices(values, minutes)
    return values / minutes


@ordered
def select_value_per_minute(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The cases with most doubt per predicted minute; ties by case id."""
    doubt, (prices, priced) = pool.score("entropy"), _prices(pool)
    worth = value_per_minute(np.maximum(doubt, 0.0), prices)
    best = np.argsort(-worth, kind="stable")[:count]
    return [Pick(int(n), float(worth[n]), f"high uncertainty (entropy {doubt[n]:.3g}) for about {priced(prices[n])}") for n in best]


@ordered
def select_knapsack(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The `count` cases of highest total doubt that together take no longer than `count` average cases."""
    doubt, (prices, priced) = np.maximum(pool.score("entropy"), 0.0), _prices(pool)
    require_prices(doubt, prices)
    found = best_batch(doubt, prices, count, count * float(prices.mean()))
    worth = value_per_minute(doubt, prices)
    picks = sorted(found.indices, key=lambda n: (-worth[n], n))
    return [Pick(n, float(worth[n]), f"high uncertainty within the time of an average batch ({priced(prices[n])})") for n in picks]


def _prices(pool: Pool) -> tuple[CaseScores, Callable[[float], str]]:
    """What each case costs, and how to say it: by the annotators' rates where the pool has "cost", else in minutes."""
    minutes = pool.score("minutes")
    require_prices(np.zeros_like(minutes), minutes)
    if "cost" in pool.scores:
        return pool.score("cost"), lambda price: f"a cost of {price:.2g}"
    return minutes, lambda price: f"{price:.2g} minutes"


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="value-per-minute",
        title="Uncertainty per minute",
        paper="Settles et al. 2008, Active Learning with Real Annotation Costs (NIPS workshop); entropy over predicted minutes",
        needs=frozenset({"entropy", "minutes"}),
        cost="one prediction per case and a regression on the recorded times",
        advice="When cases differ much in length; prefers short cases, and is entropy where no time was recorded.",
        select=select_value_per_minute,
    ),
    Strategy(
        name="knapsack",
        title="Highest uncertainty within the time of an average batch",
        paper="Kuo et al. 2018, arXiv:1809.02882; with a fixed number of cases",
        needs=frozenset({"entropy", "minutes"}),
        cost="one prediction per case, a regression on the recorded times, and a table of cases × batch × 500",
        advice="When a session has a fixed length: the batch takes no longer than average cases would, and holds the highest uncertainty.",
        select=select_knapsack,
    ),
)
