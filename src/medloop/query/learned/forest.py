"""A regression forest as plain numbers: readable JSON instead of a pickle, and evaluated without scikit-learn."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray, IntArray
from medloop.core.errors import FormatError, ShapeError

_BLOCK_ROWS = 1 << 14


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees as one list of nodes; a leaf is its own left and right child.

    Attributes:
        inputs: Names of the input columns.
        roots: First node of each tree, shape (trees,).
        feature: Column that a node compares, shape (nodes,).
        threshold: At most this goes left, shape (nodes,).
        left: Child node, shape (nodes,).
        right: Child node, shape (nodes,).
        value: What a leaf says, shape (nodes,).
        depth: Longest way from a root to a leaf.
    """

    inputs: tuple[str, ...]
    roots: IntArray
    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    value: FloatArray
    depth: int


def forest_predictions(forest: Forest, rows: FloatArray) -> CaseScores:
    """Mean of the trees' leaves for every row.

    Args:
        forest: The trees.
        rows: Shape (cases, inputs).

    Returns:
        Shape (cases,).

    Raises:
        ShapeError: Another number of columns.
    """
    if rows.ndim != 2 or rows.shape[1] != len(forest.inputs):
        raise ShapeError(f"The forest takes {len(forest.inputs)} columns, got shape {rows.shape}")
    blocks = [_leaves(forest, rows[n : n + _BLOCK_ROWS]) for n in range(0, len(rows), _BLOCK_ROWS)]
    return np.concatenate([forest.value[found].mean(axis=1) for found in blocks] or [np.zeros(0)])


def forest_from_json(text: str) -> Forest:
    """The forest that `benchmarks/train_learned.py` wrote.

    Raises:
        FormatError: Text that is no forest: fields missing, lists of other lengths, nodes outside, or numbers that are none.
    """
    try:
        kept: Mapping[str, Any] = json.loads(text)
        roots, feature, left, right = (np.array(kept[name], dtype=np.int64) for name in ("roots", "feature", "left", "right"))
        threshold, value = (np.array(kept[name], dtype=np.float64) for name in ("threshold", "value"))
        forest = Forest(tuple(kept["inputs"]), roots, feature, threshold, left, right, value, int(kept["depth"]))
        _require_sound(forest)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise FormatError(f"Not a forest: {error}", remedy="write it again with benchmarks/train_learned.py") from error
    return forest


def _leaves(forest: Forest, rows: FloatArray) -> IntArray:
    """The leaf of every row in every tree, shape (rows, trees); inputs are compared as float32, as scikit-learn does."""
    values, line = rows.astype(np.float32), np.arange(len(rows))[:, None]
    at = np.tile(forest.roots, (len(rows), 1))
    for _ in range(forest.depth):
        goes_left = values[line, forest.feature[at]] <= forest.threshold[at]
        at = np.where(goes_left, forest.left[at], forest.right[at])
    return at


def _require_sound(forest: Forest) -> None:
    nodes = len(forest.value)
    lists = (forest.feature, forest.threshold, forest.left, forest.right, forest.value)
    if not nodes or not len(forest.roots) or any(found.shape != (nodes,) for found in lists) or not 0 <= forest.depth <= nodes:
        raise ValueError("it needs roots, and lists of equal length")
    if any(found.min() < 0 or found.max() >= nodes for found in (forest.roots, forest.left, forest.right)):
        raise ValueError(f"nodes must lie in 0..{nodes - 1}")
    if forest.feature.min() < 0 or forest.feature.max() >= len(forest.inputs):
        raise ValueError("a node compares a column that is not named")
    if not (np.isfinite(forest.threshold).all() and np.isfinite(forest.value).all()):
        raise ValueError("thresholds and values must be finite")
