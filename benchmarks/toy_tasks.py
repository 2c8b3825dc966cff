"""Small tasks with known answers, points in the plane or in a few dimensions: where learned strategies are trained and tried."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from medloop.core.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ToyTask:
    """Cases as points.

    Attributes:
        features: Of the pool, unit variance per axis, shape (cases, dimensions).
        classes: Of the pool, shape (cases,).
        test_features: Cases that are never asked, shape (tests, dimensions).
        test_classes: Theirs, shape (tests,).
        count: Number of classes.
    """

    features: FloatArray
    classes: IntArray
    test_features: FloatArray
    test_classes: IntArray
    count: int


def draw_task(rng: np.random.Generator, *, kind: str, cases: int = 120, tests: int = 200) -> ToyTask:
    """A random task of that kind (`KINDS`): turned, noisy, and with classes of unequal size.

    Args:
        rng: Source of randomness.
        kind: Name in `KINDS`.
        cases: Size of the pool.
        tests: Number of test cases.
    """
    points, classes = KINDS[kind](rng, cases + tests)
    turn, _ = np.linalg.qr(rng.normal(size=(points.shape[1], points.shape[1])))
    turned = points @ turn
    scaled = (turned - turned.mean(axis=0)) / turned.std(axis=0)
    order = rng.permutation(len(scaled))
    pool, test = order[:cases], order[cases:]
    return ToyTask(scaled[pool], classes[pool], scaled[test], classes[test], max(2, int(classes.max()) + 1))


def _blobs(rng: np.random.Generator, count: int) -> tuple[FloatArray, IntArray]:
    """Several clusters per class, some much larger than others."""
    clusters, classes = int(rng.integers(4, 9)), int(rng.integers(2, 4))
    middles = rng.uniform(-3.0, 3.0, (clusters, 2))
    member = rng.choice(clusters, count, p=rng.dirichlet(np.full(clusters, 1.5)))
    points = middles[member] + rng.uniform(0.2, 0.6) * rng.normal(size=(count, 2))
    return points, (np.arange(clusters) % classes)[member]


def _moons(rng: np.random.Generator, count: int) -> tuple[FloatArray, IntArray]:
    """Two half circles that reach into each other."""
    classes = (rng.random(count) < rng.uniform(0.3, 0.7)).astype(np.int64)
    angles = rng.uniform(0.0, np.pi, count)
    points = np.column_stack([np.cos(angles), np.sin(angles)])
    points[classes == 1] = [1.0, 0.5] - points[classes == 1]
    return points + rng.uniform(0.05, 0.25) * rng.normal(size=(count, 2)), classes


def _board(rng: np.random.Generator, count: int) -> tuple[FloatArray, IntArray]:
    """Fields of a chess board, two or three each way, unevenly filled."""
    fields = int(rng.integers(2, 4))
    filling = rng.dirichlet(np.full(fields**2, 2.0))
    field = rng.choice(fields**2, count, p=filling)
    corner = np.column_stack([field // fields, field % fields])
    return corner + rng.random((count, 2)), corner.sum(axis=1) % 2


def _rings(rng: np.random.Generator, count: int) -> tuple[FloatArray, IntArray]:
    """A disc and the ring around it."""
    classes = (rng.random(count) < rng.uniform(0.4, 0.8)).astype(np.int64)
    radii = np.where(classes == 1, 1.0, 0.35) + rng.uniform(0.1, 0.2) * rng.normal(size=count)
    angles = rng.uniform(0.0, 2.0 * np.pi, count)
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]), classes


def _clouds(rng: np.random.Generator, count: int) -> tuple[FloatArray, IntArray]:
    """Clusters in three to twelve dimensions, two to five classes, more spread along some axes than along others."""
    dimensions, classes = int(rng.integers(3, 13)), int(rng.integers(2, 6))
    clusters = classes + int(rng.integers(0, 5))
    middles = rng.normal(size=(clusters, dimensions))
    member = rng.choice(clusters, count, p=rng.dirichlet(np.full(clusters, 2.0)))
    spread = rng.uniform(0.3, 0.8) * rng.uniform(0.5, 1.5, dimensions)
    return middles[member] + spread * rng.normal(size=(count, dimensions)), (np.arange(clusters) % classes)[member]


KINDS: Mapping[str, Callable[[np.random.Generator, int], tuple[FloatArray, IntArray]]] = MappingProxyType(
    {"blobs": _blobs, "moons": _moons, "board": _board, "rings": _rings, "clouds": _clouds}
)
"""Kinds of tasks by name."""
