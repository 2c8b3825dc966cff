"""The strategy that adds up places instead of scores; `medloop.query.fusion` makes others from any parts."""

import numpy as np

from medloop.core.arrays import CaseScores, Features
from medloop.query.diversity import cosine_similarity
from medloop.query.pool import Pick, Pool
from medloop.query.ranks import borda
from medloop.query.selecting import ordered
from medloop.query.strategy import Strategy


def representativeness(features: Features) -> CaseScores:
    """Mean cosine similarity of each case to the pool, shape (cases,), -1 to 1; cases × dimensions multiplications.

    Raises:
        ShapeError: Not a table.
        InputError: NaN or infinity.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    middle = (features / np.where(lengths > 0, lengths, 1.0)).mean(axis=0, keepdims=True)
    similarity: CaseScores = cosine_similarity(features, middle)[:, 0] * np.linalg.norm(middle)
    return similarity


@ordered
def select_borda(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """Places by entropy and places by likeness to the pool, added up."""
    unsure, typical = pool.score("entropy"), representativeness(pool.table("features"))
    points = borda(unsure, typical)
    best = np.argsort(-points, kind="stable")[:count]
    reason = "unsure (entropy {:.3g}) and typical of the pool (similarity {:.2f})"
    return [Pick(int(n), float(points[n]), reason.format(unsure[n], typical[n])) for n in best]


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="borda",
        title="Borda count of doubt and likeness",
        paper="Ozdemir et al. 2018, arXiv:1807.06962; entropy, and mean cosine similarity of the embeddings to the pool",
        needs=frozenset({"entropy", "features"}),
        cost="one prediction per case",
        advice="Small batches where odd cases are not wanted; nothing keeps two picks of one batch apart.",
        select=select_borda,
    ),
)
