"""Strategies for few answers: typical cases first, as a model that knows little is unsure of the wrong things.

As in the papers, embeddings are scaled to length 1.
"""

import numpy as np

from medloop.core.arrays import Features
from medloop.query.diversity.clusters import cluster, typiclust
from medloop.query.diversity.covering import cover
from medloop.query.diversity.radii import nearest_distance, purity_radius
from medloop.query.diversity.similarities import Ball, Gaussian
from medloop.query.diversity.tables import unit_rows
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, highest, in_turn, ordered

PSEUDO_CLASSES = 10
"""Clusters by which the radius of ProbCover is found when the number of classes is not known."""

TYPICAL_ROUNDS = 3
"""Rounds of typical cases before doubt takes over; the paper sets the change by budget, we by round."""


@ordered
def select_typiclust(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """The most typical case of each cluster that has the fewest answers."""
    features, known = _unit(pool)
    return in_turn(typiclust(features, known, count, rng), count, "typical of a group with few annotations")


@ordered
def select_probcover(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Cases with the most uncovered neighbours within a radius at which 95 % of neighbourhoods are pure.

    Clusters stand for classes when the purity is measured: as many as the model or the answers have classes, else 10.
    """
    features, known = _unit(pool)
    labels = cluster(features, _classes(pool), rng)
    picks = cover(features, Ball(purity_radius(features, labels)), count, known=known, sharding=pool.sharding)
    return in_turn(picks, count, "many cases close to it, and none of them annotated")


@ordered
def select_maxherding(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The cover by a Gaussian kernel as wide as the median distance to the nearest case."""
    features, known = _unit(pool)
    picks = cover(features, Gaussian(nearest_distance(features)), count, known=known, sharding=pool.sharding)
    return in_turn(picks, count, "resembles many cases that no annotated one resembles")


_margin = highest("margin", "two classes are almost equally likely ({value})")


def select_typical_then_margin(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """TypiClust in the first rounds, the smallest margin after them."""
    pool.score("margin")  # so that a pool which will fail later fails in the first round
    early = pool.round <= TYPICAL_ROUNDS
    pool.table("features")
    return (select_typiclust if early else _margin)(pool, count, rng)


def _unit(pool: Pool) -> tuple[Features, Features | None]:
    known = pool.labelled_features
    return unit_rows(pool.table("features")), None if known is None else unit_rows(known)


def _classes(pool: Pool) -> int:
    """How many classes there seem to be."""
    if pool.samples is not None:
        return int(pool.samples.shape[2])
    known = len(np.unique(pool.labelled["classes"])) if "classes" in pool.labelled else 0
    return known if known > 1 else PSEUDO_CLASSES


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="typiclust",
        title="TypiClust",
        paper="Hacohen et al. 2022, arXiv:2202.02794",
        needs=frozenset({"features"}),
        cost="a clustering of the pool into annotated + batch groups, at most 500",
        advice="The first rounds, with embeddings learned without labels; later it wastes queries on easy cases.",
        select=select_typiclust,
    ),
    Strategy(
        name="probcover",
        title="ProbCover",
        paper="Yehuda et al. 2022, arXiv:2205.11320; the radius from the distance to the nearest case of another cluster",
        needs=frozenset({"features"}),
        cost="cases × cases / 2 distances between embeddings: about a minute for 100,000 cases",
        advice="The first rounds, when embeddings form groups; sensitive to its radius.",
        select=select_probcover,
    ),
    Strategy(
        name="maxherding",
        title="MaxHerding",
        paper="Bae et al. 2024, arXiv:2407.12212",
        needs=frozenset({"features"}),
        cost="cases × cases / 2 distances between embeddings, more while nothing is annotated: minutes for 100,000 cases",
        advice="As ProbCover, with a smooth edge in place of a radius, and so less sensitive to it.",
        select=select_maxherding,
    ),
    Strategy(
        name="tcm",
        title="Typical cases, then smallest margin (TCM)",
        paper="Doucet et al. 2024, arXiv:2403.03728; the change after 3 rounds is ours",
        needs=frozenset({"features", "margin"}),
        cost="a clustering in the first 3 rounds, one prediction per case later",
        advice="One strategy for a whole project that starts with nothing: typical cases first, uncertain ones later.",
        select=select_typical_then_margin,
    ),
)
