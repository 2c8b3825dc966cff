"""Ask where a made-up case would be hardest, and take the real case nearest to it.

Points between the latent codes of the most uncertain cases are judged by their surroundings: the doubt at a point is
the doubt of the real cases, weighted by nearness. The points of the highest doubt are the synthetic queries; each
hands its place to the nearest real case, which a person can read.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseScores, Features, IntArray
from medloop.core.errors import ShapeError
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, ordered

PARENTS = 24
"""Most unsure cases between which points are made: 276 pairs."""

SHARES = (0.25, 0.5, 0.75)
"""Places between two parents, from the first to the second."""

_BLOCK_NUMBERS = 1 << 22
"""Distances held at once."""


@dataclass(frozen=True, eq=False)
class SyntheticPoints:
    """Places between cases, the most doubtful first.

    Attributes:
        codes: Shape (points, dimensions).
        parents: The two cases each lies between, shape (points, 2).
        doubt: Estimated at each point, shape (points,), falling.
    """

    codes: Features
    parents: IntArray
    doubt: CaseScores


def uncertain_points(codes: Features, scores: CaseScores, *, parents: int = PARENTS) -> SyntheticPoints:
    """Points between the latent codes of the most uncertain cases.

    Args:
        codes: Shape (cases, dimensions).
        scores: Doubt of each case, shape (cases,).
        parents: How many of the most uncertain cases to pair.

    Raises:
        ShapeError: Not one score per case.
    """
    if codes.ndim != 2 or scores.shape != (len(codes),):
        raise ShapeError(f"Codes need one score per case, got {codes.shape} and {scores.shape}")
    chosen = np.argsort(-scores, kind="stable")[:parents]
    first, second = (chosen[side] for side in np.triu_indices(len(chosen), 1))
    pairs = np.repeat(np.stack([first, second], axis=1), len(SHARES), axis=0)
    share = np.tile(SHARES, len(first))[:, None]
    table = codes.astype(np.float64)
    points = (1 - share) * table[pairs[:, 0]] + share * table[pairs[:, 1]]
    doubt = smoothed(points, table, scores.astype(np.float64))
    order = np.argsort(-doubt, kind="stable")
    return SyntheticPoints(points[order], pairs[order], doubt[order])


def smoothed(points: Features, codes: Features, scores: CaseScores) -> CaseScores:
    """Scores at points, from those of the cases around them (Nadaraya-Watson, Gaussian kernel).

    The kernel is as wide as the median distance of a case to its nearest other one.

    Args:
        points: Shape (points, dimensions).
        codes: Shape (cases, dimensions), at least one.
        scores: Shape (cases,).

    Returns:
        Shape (points,), within the range of the scores.
    """
    from scipy.spatial.distance import cdist

    width = max(_typical_gap(codes), 1e-12)
    result = np.empty(len(points))
    block = max(1, _BLOCK_NUMBERS // max(1, len(codes)))
    for start in range(0, len(points), block):
        logits = -cdist(points[start : start + block], codes, "sqeuclidean") / (2 * width**2)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        result[start : start + block] = weights @ scores / weights.sum(axis=1)
    return result


def nearest_real(points: Features, codes: Features, count: int) -> list[tuple[int, int]]:
    """The first `count` different real cases that are nearest to the points, in the points' order.

    Args:
        points: Synthetic codes, most wanted first, shape (points, dimensions).
        codes: Codes of the real cases, shape (cases, dimensions).
        count: How many pairs.

    Returns:
        Pairs (case, point). A case already taken leaves its point to the next nearest one; fewer pairs than asked
        when points or cases run out. Ties go to the lower index.

    Source: Mayer and Timofte 2020 (ASAL), arXiv:1808.06671: the real sample nearest to the synthetic one.
    """
    wanted = min(count, len(points), len(codes))
    taken = np.zeros(len(codes), dtype=bool)
    pairs = []
    for place in range(wanted):
        squared = ((codes - points[place]) ** 2).sum(axis=1)
        case = int(np.argmin(np.where(taken, np.inf, squared)))
        taken[case] = True
        pairs.append((case, place))
    return pairs


@ordered
def select_asal(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The real cases nearest to the most doubtful synthetic points; where these run out, the most uncertain cases."""
    unsure, codes = pool.score("entropy"), pool.table("latent").astype(np.float64)
    points = uncertain_points(codes, unsure)
    pairs = nearest_real(points.codes, codes, count)
    reason = "nearest to a synthetic case between two uncertain ones (estimated entropy {:.3g})"
    picks = [Pick(case, float(points.doubt[place]), reason.format(points.doubt[place])) for case, place in pairs]
    taken = {case for case, _ in pairs}
    rest = [int(n) for n in np.argsort(-unsure, kind="stable") if n not in taken][: count - len(picks)]
    return picks + [Pick(n, float(unsure[n]), f"the model is uncertain (entropy {unsure[n]:.3g})") for n in rest]


def _typical_gap(codes: Features) -> float:
    """Median over the cases of the distance to the nearest other one."""
    from sklearn.neighbors import NearestNeighbors

    rule = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="sqeuclidean")
    return float(np.sqrt(np.median(rule.fit(codes).kneighbors()[0]))) if len(codes) > 1 else 1.0


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="asal",
        title="Nearest real case to a synthetic query",
        paper="Mayer and Timofte 2020 (ASAL), arXiv:1808.06671, with interpolated codes of an autoencoder in place of a GAN",
        needs=frozenset({"entropy", "latent"}),
        cost="a small autoencoder on thumbnails (a minute or so, once) and one distance between every pair of codes",
        advice="Large pools whose uncertain cases cluster: looks between them instead of at them; little use below a hundred cases.",
        select=select_asal,
    ),
)
