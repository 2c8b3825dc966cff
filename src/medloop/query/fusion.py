"""New strategies out of known ones: each part ranks the pool, and the weighted mean of the ranks decides."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import SettingError
from medloop.query.aggregation.ranks import fuse, order_points, rank_points
from medloop.query.pool import SCORES, Pick, Pool
from medloop.query.selecting import ordered
from medloop.query.strategies import strategy
from medloop.query.strategy import Strategy

DEPTH = 10
"""A strategy is asked for this many times the batch; the cases behind these share the last places."""

Part: TypeAlias = str | Strategy


def fused(name: str, parts: Mapping[str, float]) -> Strategy:
    """A strategy that adds up the places which several scores and strategies give.

    Args:
        name: Its name.
        parts: Weight by name of a score (`medloop.query.pool.SCORES`) or of a registered strategy; what is both is taken as a
            score. A score with a negative weight prefers low values, for example minutes. Only ratios of weights matter.

    Returns:
        A strategy that needs what its parts need.

    Raises:
        SettingError: No part, a weight of 0 or that is not a number, or a negative one for a strategy.
        NotFoundError: A part that is neither a score nor a strategy.
    """
    if not parts or not all(np.isfinite(weight) and weight != 0 for weight in parts.values()):
        raise SettingError(f"A fused strategy needs parts with finite weights other than 0, got {dict(parts)}")
    found: dict[str, Part] = {part: part if part in SCORES else strategy(part) for part in sorted(parts)}
    backward = [part for part in parts if parts[part] < 0 and part not in SCORES]
    if backward:
        raise SettingError(f"Only scores may have a negative weight, {', '.join(backward)} may not", remedy="name the score instead")
    return _described(name, dict(parts), found)


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
