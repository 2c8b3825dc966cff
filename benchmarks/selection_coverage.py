"""Selection by spread: k-centre, BADGE, TypiClust, balls and kernels, on one made pool with groups.

The pool has 256 dimensions and 200 groups of unit variance whose centres are twice as spread; every hundredth case
is answered, 1000 at most. The plain sides are the rules as the papers write them, without any saving.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseProbabilities, Features
from medloop.query.diversity.badge import badge
from medloop.query.diversity.clusters import typiclust
from medloop.query.diversity.covering import cover
from medloop.query.diversity.kcentre import k_centre
from medloop.query.diversity.radii import nearest_distance
from medloop.query.diversity.similarities import Ball, Gaussian
from selection_tasks import Task

BATCH, DIMENSIONS, CLASSES, GROUPS = 100, 256, 10, 200


@dataclass(frozen=True)
class Embedded:
    """A pool to choose from.

    Attributes:
        features: Shape (cases, dimensions), float32.
        known: Answered cases, shape (answered, dimensions).
        probabilities: Shape (cases, classes).
        seed: For rules that draw.
    """

    features: Features
    known: Features
    probabilities: CaseProbabilities
    seed: int


def make_groups(cases: int, seed: int) -> Embedded:
    """A pool in groups, as embeddings of a trained network are."""
    return _make(cases, seed, spread=2.0)


def make_cloud(cases: int, seed: int) -> Embedded:
    """A pool without any structure, the hardest for rules that rely on it."""
    return _make(cases, seed, spread=0.0)


def take_k_centre(pool: Embedded) -> list[int]:
    return k_centre(pool.features, pool.known, BATCH)


def take_k_centre_plainly(pool: Embedded) -> list[int]:
    """Every distance of every case, one centre at a time, in double precision where the choice is made."""
    nearest = np.full(len(pool.features), np.inf)
    for centre in pool.known:
        _shorten(nearest, pool.features, centre)
    picks: list[int] = []
    for _ in range(min(BATCH, len(pool.features))):
        picks.append(int(np.argmax(nearest)))
        _shorten(nearest, pool.features, pool.features[picks[-1]])
        nearest[picks[-1]] = -1.0
    return picks


def take_badge(pool: Embedded) -> list[int]:
    return [draw.index for draw in badge(pool.features, pool.probabilities, BATCH, np.random.default_rng(pool.seed))]


def take_badge_plainly(pool: Embedded) -> list[int]:
    """k-means++ over built gradients; draws differ, their distribution does not."""
    errors = pool.probabilities.copy()
    errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1.0
    gradients = np.einsum("nc,nd->ncd", errors, pool.features).reshape(len(errors), -1)
    rng, nearest = np.random.default_rng(pool.seed), np.full(len(gradients), np.inf)
    picks = [int(np.argmax(np.einsum("nd,nd->n", gradients, gradients)))]
    for _ in range(min(BATCH, len(gradients)) - 1):
        _shorten(nearest, gradients, gradients[picks[-1]])
        nearest[picks] = 0.0
        picks.append(int(rng.choice(len(nearest), p=nearest / nearest.sum())))
    return picks


def take_typiclust(pool: Embedded) -> list[int]:
    return typiclust(pool.features, pool.known, BATCH, np.random.default_rng(pool.seed))


def take_balls(pool: Embedded) -> list[int]:
    return cover(pool.features, Ball(1.1 * nearest_distance(pool.features)), BATCH, known=pool.known)


def take_kernels(pool: Embedded) -> list[int]:
    return cover(pool.features, Gaussian(nearest_distance(pool.features)), BATCH, known=pool.known)


def _make(cases: int, seed: int, *, spread: float) -> Embedded:
    rng = np.random.default_rng(seed)
    answered = max(1, min(1000, cases // 100))
    centres = np.float32(spread) * rng.standard_normal((GROUPS, DIMENSIONS), dtype=np.float32)
    rows = rng.standard_normal((cases + answered, DIMENSIONS), dtype=np.float32)
    rows += centres[rng.integers(GROUPS, size=len(rows))]
    weights = 0.1 * rng.standard_normal((DIMENSIONS, CLASSES), dtype=np.float32)
    chances = np.exp(rows[:cases] @ weights)
    return Embedded(rows[:cases], rows[cases:], chances / chances.sum(axis=1, keepdims=True), seed)


def _shorten(nearest: np.ndarray, rows: Features, centre: np.ndarray) -> None:
    """Let one more centre count."""
    for start in range(0, len(rows), 4096):
        away = rows[start : start + 4096] - centre.astype(np.float64)
        np.minimum(nearest[start : start + 4096], np.einsum("nd,nd->n", away, away), out=nearest[start : start + 4096])


_K_CENTRE = {"medloop": take_k_centre, "plain": take_k_centre_plainly}

TASKS: tuple[Task, ...] = (
    Task("k-centre, groups", make_groups, 100_000, _K_CENTRE, "1.0 CPU-s, 200 MiB", exact=True),
    Task("k-centre, no structure", make_cloud, 100_000, _K_CENTRE, "1.0 CPU-s, 200 MiB", exact=True),
    Task("k-centre, a million", make_groups, 1_000_000, {"medloop": take_k_centre}, "12 CPU-s"),
    Task("BADGE", make_groups, 100_000, {"medloop": take_badge, "plain": take_badge_plainly}, "0.45 CPU-s, 20 MiB"),
    Task("TypiClust", make_groups, 100_000, {"medloop": take_typiclust}, "5 CPU-s"),
    Task("ProbCover", make_groups, 100_000, {"medloop": take_balls}, "60 CPU-s"),
    Task("ProbCover, no structure", make_cloud, 100_000, {"medloop": take_balls}, "60 CPU-s"),
    Task("MaxHerding", make_groups, 100_000, {"medloop": take_kernels}, "60 CPU-s"),
    Task("MaxHerding, no structure", make_cloud, 100_000, {"medloop": take_kernels}, "60 CPU-s"),
)
