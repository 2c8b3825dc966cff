"""Simulated annotations on which medloop and other libraries are compared, in raters.py and in tests/raters."""

from typing import Any

import numpy as np
from scipy import ndimage

from medloop.core.arrays import IntArray, MaskArray


def table_of_classes(seed: int, items: int, people: int, classes: int, density: float) -> IntArray:
    """Simulated annotations with at least two per item, shape (items, people), -1 for none."""
    rng = np.random.default_rng(seed)
    truth, skill = rng.integers(0, classes, items), rng.uniform(0.4, 0.95, people)
    table = np.where(rng.random((items, people)) < skill, truth[:, None], rng.integers(0, classes, (items, people)))
    left_out = rng.random((items, people)) > density
    left_out[:, :2] = False
    return np.where(left_out, -1, table)


def masks_of_ball(size: int, people: int, labels: int, *, axes: int = 3) -> list[MaskArray]:
    """Balls in shells of equal width with wavering borders, one mask per annotator."""
    rng = np.random.default_rng(0)
    away = np.linalg.norm(np.indices((size,) * axes, dtype=np.float32) - size / 2, axis=0)
    found = []
    for _ in range(people):
        waver = ndimage.zoom(rng.normal(size=(size // 8,) * axes).astype(np.float32), 8, order=1)
        depth = (0.28 * size - away - rng.normal() * 0.012 * size + 0.023 * size * waver) / (0.28 * size) * labels
        found.append(np.clip(np.ceil(depth), 0, labels).astype(np.uint8))
    return found


def probabilities_of(seed: int, items: int, classes: int) -> tuple[IntArray, Any]:
    """Annotated classes, a tenth of them wrong, and out-of-sample probabilities."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    rows = rng.dirichlet(np.ones(classes), items) * 0.6
    rows[np.arange(items), truth] += 0.4
    wrong = rng.random(items) < 0.1
    return np.where(wrong, (truth + 1) % classes, truth), rows
