"""The strategy that adds up places instead of scores; `medloop.query.fusion` makes others from any parts."""

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.query.aggregation.ranks import borda
from medloop.query.diversity.tables import cosine_similarity
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, ordered

MOST_ANCHORS = 256
"""Cases that stand for the pool when coverage is measured, spread evenly over it in its order."""

_DIGITS = 12
"""Gains are rounded to these, so that cases that add nothing tie."""


def coverage_gains(similarity: FloatArray, covered: FloatArray) -> CaseScores:
    """How much better each case would cover the anchors than what is answered or chosen already.

    Args:
        similarity: Of every case to every anchor, shape (cases, anchors).
        covered: Highest similarity of each anchor to an answered or chosen case, shape (anchors,).

    Returns:
        Mean rise of `covered`, shape (cases,), 0 or more.
    """
    gains: CaseScores = np.maximum(similarity - covered, 0.0).mean(axis=1)
    return np.round(gains, _DIGITS)


@ordered
def select_borda(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """Places by entropy and places by what a case adds to the coverage of the pool, added up again for every pick."""
    unsure, features = pool.score("entropy"), pool.table("features").astype(np.float64)
    anchors = features[np.unique(np.linspace(0, len(features) - 1, min(MOST_ANCHORS, len(features))).astype(np.intp))]
    similarity, covered = cosine_similarity(features, anchors), np.full(len(anchors), -1.0)
    if pool.labelled_features is not None and len(pool.labelled_features):
        covered = cosine_similarity(anchors, pool.labelled_features).max(axis=1)
    picks: dict[int, Pick] = {}
    for _ in range(count):
        gains = coverage_gains(similarity, covered)
        points = borda(unsure, gains)
        points[list(picks)] = -np.inf
        best = int(np.argmax(points))
        reason = f"uncertain (entropy {unsure[best]:.3g}) and like cases that are not covered yet ({gains[best]:.2g})"
        picks[best] = Pick(best, float(points[best]), reason)
        covered = np.maximum(covered, similarity[best])
    return list(picks.values())


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="borda",
        title="Borda count of uncertainty and coverage",
        paper="Ozdemir et al. 2018, arXiv:1807.06962; entropy, and what a case adds to the coverage of the pool by cosine similarity",
        needs=frozenset({"entropy", "features"}),
        cost="one prediction per case, and batch × cases × 256 similarities",
        advice="Like suggestive, without its cut: no case is lost for being second in uncertainty; equal weights are an assumption.",
        select=select_borda,
    ),
)
