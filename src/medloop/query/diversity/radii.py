"""How far a case stands for others: a radius from the purity of balls, a kernel's width from nearest neighbours."""

import numpy as np

from medloop.core.arrays import Features, FloatArray, IntArray
from medloop.query.diversity.tables import BLOCK_NUMBERS, squared_distances

PURITY = 0.95
"""Share of balls that must hold a single pseudo-label, as in the paper."""

_CENTRES = 1000
"""Cases, evenly spaced, around which balls are looked at."""


def purity_radius(features: Features, labels: IntArray, *, purity: float = PURITY) -> float:
    """The largest radius at which that share of balls holds cases of one label only.

    A ball is pure while its radius is less than the distance to the nearest case of another label; so the answer is
    a quantile of these distances, and nothing has to be tried out. Balls are looked at around 1000 cases.

    Args:
        features: Shape (cases, dimensions).
        labels: Classes or clusters, shape (cases,).
        purity: 0..1.

    Returns:
        The radius; the median nearest distance when there is one label only.

    Source: Yehuda et al. 2022, arXiv:2205.11320, section 3.3.
    """
    others = np.sqrt(_nearest(features, labels))
    if not np.isfinite(others).all():
        return nearest_distance(features)
    impure = min(len(others) - 1, int((1.0 - purity) * len(others) + 1e-9))  # as many balls may be
    return float(np.nextafter(np.sort(others)[impure], 0.0)) or nearest_distance(features)


def nearest_distance(features: Features) -> float:
    """Median distance to the nearest case that is not alike; 1 if all are.

    Args:
        features: Shape (cases, dimensions).
    """
    distances = np.sqrt(_nearest(features, np.arange(len(features))))
    apart = distances[np.isfinite(distances) & (distances > 1e-6)]
    return float(np.median(apart)) if len(apart) else 1.0


def _nearest(features: Features, labels: IntArray) -> FloatArray:
    """Squared distance of the sampled cases to the nearest case of another label, infinite without any."""
    table = features - features.mean(axis=0)
    sample = np.arange(0, len(table), -(-len(table) // _CENTRES))
    nearest = np.full(len(sample), np.inf)
    block = max(1, BLOCK_NUMBERS // len(sample))
    for start in range(0, len(table), block):
        away = squared_distances(table[sample], table[start : start + block])
        away[labels[sample][:, None] == labels[start : start + block]] = np.inf
        np.minimum(nearest, away.min(axis=1), out=nearest)
    return nearest
