"""Explanation by example: the answered cases that a model sees as most alike.

Distances are between embeddings of one model; those of different models do not compare.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.core.errors import SettingError, ShapeError

Distance: TypeAlias = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Neighbour:
    """One of the nearest cases: its place in the table, and its distance (cosine: 0..2)."""

    index: int
    distance: float


def nearest(query: FloatArray, features: Features, *, count: int = 5, distance: Distance = "cosine") -> list[Neighbour]:
    """The nearest rows of a table to one vector, nearest first; ties go to the earlier row.

    Args:
        query: Shape (dimensions,).
        features: Shape (cases, dimensions).
        count: At most so many.
        distance: "cosine" compares directions, "euclidean" also lengths.

    Raises:
        ShapeError: A vector of another length than the table's rows.
        SettingError: A count below 1, or an unknown distance.

    Source: Cover & Hart 1967, doi:10.1109/TIT.1967.1053964; explanation by nearest training examples, Caruana et al. 1999,
        Case-based explanation of non-case-based learning methods, AMIA Symposium, 212-215.
    """
    if query.ndim != 1 or features.ndim != 2 or features.shape[1] != len(query):
        raise ShapeError(f"A vector (dimensions,) is compared with a table (cases, dimensions), got {query.shape} and {features.shape}")
    if count < 1 or distance not in ("cosine", "euclidean"):
        raise SettingError(f"Request at least one neighbour by cosine or euclidean distance, got {count} by {distance!r}")
    found = _cosine(query, features) if distance == "cosine" else np.linalg.norm(features.astype(np.float64) - query, axis=1)
    order = np.argsort(found, kind="stable")[:count]
    return [Neighbour(int(n), float(found[n])) for n in order]


def _cosine(query: FloatArray, features: Features) -> FloatArray:
    """1 - cosine; a vector of zeros has no direction and is 1 from everything."""
    lengths = np.linalg.norm(features.astype(np.float64), axis=1) * np.linalg.norm(query.astype(np.float64))
    products = features.astype(np.float64) @ query
    distances: FloatArray = 1.0 - np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return distances
