"""Several strategies and scores as one: each part ranks the pool, and the weighted mean of the ranks decides."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import SettingError
from medloop.query.aggregation.ranks import fuse, order_points, rank_points
from medloop.query.pool import SCORES, Pick, Pool
from medloop.query.strategy import Strategy, ordered

PREFIX = "fusion:"
"""`fusion:entropy+coreset` counts both alike, `fusion:2*entropy+-1*minutes` weighs them."""

DEPTH = 10
"""A strategy chooses this many times the batch; the cases behind these share the last places."""

Part: TypeAlias = str | Strategy


def fused(name: str, find: Callable[[str], Strategy]) -> Strategy:
    """A strategy that adds up the places which several scores and strategies give.

    Args:
        name: `PREFIX`, then parts with "+" between them, each with its weight and "*" before it where that is not 1: names of scores
            (`medloop.query.pool.SCORES`) or of strategies; what is both is taken as a score. A score with a negative weight prefers
            low values, for example minutes. Only ratios of weights matter.
        find: The strategy of a name.

    Returns:
        A strategy that needs what its parts need.

    Raises:
        SettingError: No part, one given twice, a weight of 0 or that is not a number, or a negative one for a strategy.
        NotFoundError: A part that is neither a score nor a strategy.
    """
    weights = _weights(name)
    parts: dict[str, Part] = {part: part if part in SCORES else find(part) for part in sorted(weights)}
    backward = [part for part in weights if weights[part] < 0 and part not in SCORES]
    if backward:
        raise SettingError(f"Only scores may have a negative weight, {', '.join(backward)} may not", remedy="name the score instead")
    return _described(name, weights, parts)


def _weights(name: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in name.removeprefix(PREFIX).split("+"):
        weight, sign, part = text.rpartition("*")
        try:
            value = float(weight) if sign else 1.0
        except ValueError:
            value = np.nan
        if not part or part in found or not np.isfinite(value) or not value:
            raise SettingError(f"A fusion needs different parts with finite weights other than 0, got {name!r}", remedy="fusion:2*A+B")
        found[part] = value
    return found


def _described(name: str, weights: Mapping[str, float], parts: Mapping[str, Part]) -> Strategy:
    words = ", ".join(f"{part} × {weights[part]:g}" for part in parts)
    strategies = [part for part in parts.values() if isinstance(part, Strategy)]

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        streams = dict(zip(parts, rng.spawn(len(parts)), strict=True))
        points = {part: _points(parts[part], pool, count, streams[part], weights[part]) for part in parts}
        total = fuse(points, {part: abs(weight) for part, weight in weights.items()})
        best = np.argsort(-total, kind="stable")[:count]
        return [Pick(int(n), float(total[n]), f"ranks high over {words} (mean place {total[n]:.0%})") for n in best]

    return Strategy(
        name=name,
        title=f"Fusion of {words}",
        paper="weighted Borda count, Ozdemir et al. 2018, arXiv:1807.06962, of: " + "; ".join([*(s.paper for s in strategies), words]),
        needs=frozenset().union(*({part} if isinstance(part, str) else part.needs for part in parts.values())),
        cost="; ".join(sorted({s.cost for s in strategies})) or "none beyond the scores",
        advice="As good as its parts and weights; only places count, so a part that hardly differs between cases has its full say.",
        select=select,
    )


def _points(part: Part, pool: Pool, count: int, rng: np.random.Generator, weight: float) -> FloatArray:
    if isinstance(part, str):
        return rank_points(np.sign(weight) * pool.score(part))
    picks = part.select(pool, min(DEPTH * count, len(pool.case_ids)), rng)
    return order_points([p.index for p in picks], len(pool.case_ids))
