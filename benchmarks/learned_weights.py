"""From fitted models to the weights that strategies read, as text, and what a policy learns by."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.query.learned.candidates import Candidates
from medloop.query.learned.forest import Forest
from medloop.query.learned.policy import INPUTS, Policy, policy_inputs, policy_scores


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


def forest_to_json(forest: Forest, *, digits: int = 17) -> str:
    """The forest as text; 17 digits keep every bit, fewer make a small file."""
    whole = {"inputs": forest.inputs, "depth": forest.depth}
    whole |= {name: getattr(forest, name).tolist() for name in ("roots", "feature", "left", "right")}
    parts = {name: [float(f"{x:.{digits}g}") for x in getattr(forest, name).tolist()] for name in ("threshold", "value")}
    return json.dumps(whole | parts, separators=(",", ":"), allow_nan=False)


def policy_chances(policy: Policy, state: Candidates) -> FloatArray:
    """Chance of every case to be chosen next while the policy learns, shape (cases,)."""
    from scipy.special import softmax

    chances: FloatArray = softmax(policy_scores(policy, state))
    return chances


def log_chance_gradient(policy: Policy, state: Candidates, index: int) -> FloatArray:
    """Gradient of the log chance of one case by the weights, shape (12,)."""
    inputs = policy_inputs(state)
    gradient: FloatArray = inputs[index] - policy_chances(policy, state) @ inputs
    return gradient


def policy_to_json(policy: Policy, *, digits: int = 17) -> str:
    """The policy as text; 17 digits keep every bit."""
    weights = {name: float(f"{w:.{digits}g}") for name, w in zip(INPUTS, policy.weights, strict=True)}
    return json.dumps({"weights": weights}, indent=1, allow_nan=False)


def _children(trees: Sequence[Any], roots: IntArray, side: str) -> IntArray:
    """Children counted over all trees; leaves keep -1."""
    lists = [np.where((own := getattr(tree, side)) < 0, -1, own + root) for tree, root in zip(trees, roots, strict=True)]
    return np.concatenate(lists)
