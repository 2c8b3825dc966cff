"""Strategies that ask for cases which stand for the others."""

import numpy as np

from medloop.query.diversity.clusters import cluster
from medloop.query.diversity.covering import cover, greedy_cover
from medloop.query.diversity.sharded_kcentre import sharded_k_centre
from medloop.query.diversity.similarities import Cosine
from medloop.query.diversity.tables import cosine_similarity, unit_rows
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, in_turn, ordered

CANDIDATES_PER_PICK = 2
"""Suggestive annotation covers the pool from the K = 2k most unsure cases: K = 16 and k = 8 in the paper."""

CANDIDATES_PER_CLUSTER = 3
"""Representative annotation lets this many cases of each cluster stand for election; our choice."""


@ordered
def select_coreset(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Greedy k-centre over the embeddings, around the answered cases; the first of all is drawn when none is answered."""
    features = pool.table("features")
    first = int(rng.integers(len(features)))
    picks = sharded_k_centre(features, pool.labelled_features, count, first=first, sharding=pool.sharding)
    return in_turn(picks, count, "unlike every annotated case")


@ordered
def select_suggestive(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The most unsure cases, and of these the ones that best stand for the whole pool."""
    unsure = pool.score("entropy")
    features = pool.table("features")
    candidates = np.argsort(-unsure, kind="stable")[: CANDIDATES_PER_PICK * count]
    similarity = cosine_similarity(features[candidates], features)
    picks = greedy_cover(similarity, [int(n) for n in candidates], count)
    return [Pick(n, float(unsure[n]), f"the model is uncertain (entropy {unsure[n]:.3g}) and many cases resemble it") for n in picks]


@ordered
def select_facility_location(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """Cases that resemble as many as possible which no answered case resembles."""
    picks = cover(pool.table("features"), Cosine(), count, known=pool.labelled_features, sharding=pool.sharding)
    return in_turn(picks, count, "resembles many cases that no annotated one resembles")


@ordered
def select_representative(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Clusters first; each puts up the cases that cover it; of all these, the ones that cover the pool.

    Answered cases are not looked at: the whole budget is meant to be chosen before any answer.
    """
    features = unit_rows(pool.table("features"))
    labels = cluster(features, count, rng)
    elected: list[int] = []
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        elected += [int(members[n]) for n in cover(features[members], Cosine(), CANDIDATES_PER_CLUSTER)]
    picks = cover(features, Cosine(), count, candidates=elected)
    rest = [n for n in range(len(features)) if n not in set(picks)] if len(picks) < count else []
    return in_turn((picks + rest)[:count], count, "stands for a group of cases that are alike")


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="coreset",
        title="Core-set (greedy k-centre)",
        paper="Sener and Savarese 2018, arXiv:1708.00489",
        needs=frozenset({"features"}),
        cost="cases × 64 distances between embeddings, and all distances of the few that may be picked",
        advice="Varied pools and large batches; ignores uncertainty, so outliers are queried early.",
        select=select_coreset,
    ),
    Strategy(
        name="suggestive",
        title="Suggestive annotation",
        paper="Yang et al. 2017, arXiv:1706.04737; with predictive entropy as the uncertainty in place of a bootstrap's variance",
        needs=frozenset({"entropy", "features"}),
        cost="one prediction per case and 2 × batch × cases similarities",
        advice="Uncertainty and coverage together: of the most uncertain cases, those that resemble many others.",
        select=select_suggestive,
    ),
    Strategy(
        name="facility-location",
        title="Facility location",
        paper="Wei et al. 2015, Submodularity in data subset selection and active learning",
        needs=frozenset({"features"}),
        cost="cases × cases / 2 similarities: about a minute for 100,000 cases",
        advice="Few annotations and many near-duplicates: queries what is common before what is rare.",
        select=select_facility_location,
    ),
    Strategy(
        name="representative",
        title="Representative annotation",
        paper="Zheng et al. 2019, doi:10.1609/aaai.v33i01.33015901; with k-means in place of agglomerative clusters",
        needs=frozenset({"features"}),
        cost="a clustering, and similarities of 3 × batch candidates to all cases",
        advice="The whole budget in one go before any annotation, when experts are available only once.",
        select=select_representative,
    ),
)
