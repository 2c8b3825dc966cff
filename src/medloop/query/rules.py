"""The built-in rules that choose: pure functions of the pool's numbers, a count and a generator."""

from collections.abc import Callable
from functools import partial, wraps
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.query.diversity import cosine_similarity, greedy_cover, k_centre
from medloop.query.pool import Pick, Pool, checked_count

Select: TypeAlias = Callable[[Pool, int, np.random.Generator], list[Pick]]

CANDIDATES_PER_PICK = 2
"""Suggestive annotation covers the pool from the K = 2k most unsure cases: K = 16 and k = 8 in the paper."""


def ordered(rule: Select) -> Select:
    """Let a rule see the pool sorted by case id, and translate its picks back."""

    @wraps(rule)
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        wanted = checked_count(pool, count)
        if not wanted:
            return []
        arranged, places = pool.in_order()
        return [Pick(places[p.index], p.score, p.reason) for p in rule(arranged, wanted, rng)]

    return select


@ordered
def select_random(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Every case with the same chance, without replacement."""
    return [Pick(int(n), 0.0, "drawn at random") for n in rng.permutation(len(pool.case_ids))[:count]]


def highest(score: str, reason: str) -> Select:
    """The rule that takes the cases with the highest score of that name; ties by case id.

    Args:
        score: Name in `Pool.scores`.
        reason: Words for the picked cases; `{value}` is replaced by the score.
    """

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
        values = pool.score(score)
        best = np.argsort(-values, kind="stable")[:count]
        return [Pick(int(n), float(values[n]), reason.format(value=f"{values[n]:.3g}")) for n in best]

    return select


def foreground_aware(score: str, share: float, reason: str) -> Select:
    """The rule that draws a share of the picks in proportion to their foreground, the rest evenly.

    Args:
        score: Name of the foreground share per case, 0..1.
        share: Part of the picks drawn by foreground, 0..1.
        reason: Words for these; `{value}` is replaced by the share of foreground.
    """

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        foreground = np.clip(pool.score(score), 0.0, None)
        aimed = round(share * count)
        drawn = _draw_weighted(foreground, aimed, rng)
        rest = rng.permutation([n for n in range(len(foreground)) if n not in set(drawn)])[: count - len(drawn)]
        picks = [Pick(n, float(foreground[n]), reason.format(value=f"{foreground[n]:.1%}")) for n in drawn]
        return picks + [Pick(int(n), 0.0, "drawn at random") for n in rest]

    return select


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


def _draw_weighted(weights: CaseScores, count: int, rng: np.random.Generator) -> list[int]:
    """Draw without replacement with chances in proportion to the weights; never a weight of zero.

    Source: Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003: the largest keys u^(1/w).
    """
    keys = np.full(len(weights), -np.inf)
    positive = weights > 0
    keys[positive] = np.log(1.0 - rng.random(len(weights))[positive]) / weights[positive]
    return [int(n) for n in np.argsort(-keys, kind="stable")[: min(count, int(positive.sum()))]]


least_confidence = highest("least_confidence", "the model trusts its best guess little (doubt {value})")
margin = highest("margin", "two answers are almost equally likely ({value})")
entropy = highest("entropy", "the model is unsure (entropy {value})")
bald = highest("bald", "the model's samples disagree ({value} nats)")
foreground_guess = partial(foreground_aware, "foreground", reason="drawn for its guessed foreground ({value} of it)")
foreground_truth = partial(foreground_aware, "oracle_foreground", reason="drawn for its true foreground ({value} of it)")
