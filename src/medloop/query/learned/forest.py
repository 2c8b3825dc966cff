"""A regression forest as plain numbers: readable JSON instead of a pickle, and evaluated without scikit-learn."""

import json
from collections.abc import Mapping, Sequence
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


def plain_forest(model: Any, inputs: Sequence[str]) -> Forest:
    """The trees of a fitted scikit-learn `RandomForestRegressor` or `ExtraTreesRegressor` with one output.

    Args:
        model: The fitted model.
        inputs: Names of its input columns.
    """
    trees = [estimator.tree_ for estimator in model.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    own = np.arange(sum(tree.node_count for tree in trees))
    left, right = (_children(trees, roots, side) for side in ("children_left", "children_right"))
    leaf = left < 0
    feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees]))
    threshold = np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees]))
    value = np.concatenate([tree.value[:, 0, 0] for tree in trees])
    depth = max(tree.max_depth for tree in trees)
    return Forest(tuple(inputs), roots, feature, threshold, np.where(leaf, own, left), np.where(leaf, own, right), value, depth)


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


def forest_to_json(forest: Forest, *, digits: int = 17) -> str:
    """The forest as text; 17 digits keep every bit, fewer make a small file."""
    whole = {"inputs": forest.inputs, "depth": forest.depth}
    whole |= {name: getattr(forest, name).tolist() for name in ("roots", "feature", "left", "right")}
    parts = {name: [float(f"{x:.{digits}g}") for x in getattr(forest, name).tolist()] for name in ("threshold", "value")}
    return json.dumps(whole | parts, separators=(",", ":"), allow_nan=False)


def forest_from_json(text: str) -> Forest:
    """The forest that `forest_to_json` wrote.

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
        raise FormatError(f"Not a forest: {error}", remedy="write it again with forest_to_json") from error
    return forest


def _children(trees: Sequence[Any], roots: IntArray, side: str) -> IntArray:
    """Children counted over all trees; leaves keep -1."""
    lists = [np.where((own := getattr(tree, side)) < 0, -1, own + root) for tree, root in zip(trees, roots, strict=True)]
    return np.concatenate(lists)


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
