"""Strategies that weigh doubt and spread together."""

import numpy as np

from medloop.query.diversity.badge import badge
from medloop.query.diversity.remoteness import contexts, contextual_k_centre, farthest_on_average
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, in_turn, ordered

UNSURE_PER_PICK = 10
"""MedAL looks at this many unsure cases per pick; the paper fixes a number per data set."""


@ordered
def select_badge(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """k-means++ over the gradients of the last layer, from the mean of the samples."""
    probabilities = pool.require_samples().mean(axis=0)
    draws = badge(pool.table("features"), probabilities, count, rng)
    reason = "would change the model much, and unlike the others"
    return [Pick(draw.index, draw.squared_distance, reason, draw.probability) for draw in draws]


@ordered
def select_medal(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """Of the most uncertain cases, those farthest on average from all answered ones."""
    unsure, features = pool.score("entropy"), pool.table("features")
    candidates = np.argsort(-unsure, kind="stable")[: UNSURE_PER_PICK * count]
    picks = [int(candidates[n]) for n in farthest_on_average(features[candidates], pool.labelled_features, count)]
    return [Pick(n, float(unsure[n]), f"uncertain (entropy {unsure[n]:.3g}) and far from the annotated cases") for n in picks]


@ordered
def select_cdal(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Greedy k-centre over what the model confuses each class with; the first is drawn.

    Answered cases are not looked at, as their samples are not kept.
    """
    rows = contexts(pool.require_samples())
    picks = contextual_k_centre(rows, count, first=int(rng.integers(len(rows))))
    return in_turn(picks, count, "classes are confused here unlike elsewhere")


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="badge",
        title="BADGE",
        paper="Ash et al. 2020, arXiv:1906.03671",
        needs=frozenset({"features", "samples"}),
        cost="cases × batch products of embeddings; no gradient is built",
        advice="Classification with batches of any size: weighs uncertainty and diversity without a setting.",
        select=select_badge,
    ),
    Strategy(
        name="medal",
        title="MedAL",
        paper="Smailagic et al. 2018, arXiv:1809.09287",
        needs=frozenset({"entropy", "features"}),
        cost="10 × batch × annotated distances between embeddings",
        advice="Small sets of medical images; the mean distance favours the rim of the pool.",
        select=select_medal,
    ),
    Strategy(
        name="cdal",
        title="Contextual diversity (CDAL, core-set form)",
        paper="Agarwal et al. 2020, arXiv:2008.05723; the model's samples in place of an image's regions",
        needs=frozenset({"samples"}),
        cost="several samples per case and cases × batch × classes² products",
        advice="Many classes that are mistaken for each other; annotated cases are not taken into account.",
        select=select_cdal,
    ),
)
