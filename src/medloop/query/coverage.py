"""Strategies that ask for cases which stand for the others."""

import numpy as np

from medloop.query.diversity import cosine_similarity, greedy_cover, k_centre
from medloop.query.pool import Pick, Pool
from medloop.query.selecting import ordered
from medloop.query.strategy import Strategy

CANDIDATES_PER_PICK = 2
"""Suggestive annotation covers the pool from the K = 2k most unsure cases: K = 16 and k = 8 in the paper."""


@ordered
def select_coreset(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Greedy k-centre over the embeddings, around the answered cases; the first of all is drawn when none is answered."""
    features = pool.require_features()
    picks = k_centre(features, pool.labelled_features, count, first=int(rng.integers(len(features))))
    return [Pick(n, float(count - place), "unlike every answered case") for place, n in enumerate(picks)]


@ordered
def select_suggestive(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The most unsure cases, and of these the ones that best stand for the whole pool."""
    unsure = pool.score("entropy")
    features = pool.require_features()
    candidates = np.argsort(-unsure, kind="stable")[: CANDIDATES_PER_PICK * count]
    similarity = cosine_similarity(features[candidates], features)
    picks = greedy_cover(similarity, [int(n) for n in candidates], count)
    return [Pick(n, float(unsure[n]), f"the model is unsure (entropy {unsure[n]:.3g}) and many cases resemble it") for n in picks]


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="coreset",
        title="Core-set (greedy k-centre)",
        paper="Sener and Savarese 2018, arXiv:1708.00489",
        needs=frozenset({"features"}),
        cost="cases × (answered + batch) distances between embeddings",
        advice="Varied pools and large batches; ignores doubt, so outliers are asked early.",
        select=select_coreset,
    ),
    Strategy(
        name="suggestive",
        title="Suggestive annotation",
        paper="Yang et al. 2017, arXiv:1706.04737; with predictive entropy as the doubt in place of a bootstrap's variance",
        needs=frozenset({"entropy", "features"}),
        cost="one prediction per case and 2 × batch × cases similarities",
        advice="The default for segmentation: of the most unsure cases, those that resemble many others.",
        select=select_suggestive,
    ),
)
