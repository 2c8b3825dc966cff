"""A policy that chooses cases: softmax over a linear score of what `candidates.describe` says, learned by policy gradient."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import FormatError
from medloop.query.learned.candidates import NAMES, Candidates, describe

VARYING = NAMES[:6]
"""Numbers that differ between the cases of a pool; those that do not cancel in the softmax."""

INPUTS = (*VARYING, *(f"early {name}" for name in VARYING))
"""What the policy weighs: each number, and each over √(1 + answered), so that it can begin differently than it goes on."""


@dataclass(frozen=True)
class Policy:
    """A linear policy.

    Attributes:
        weights: One per member of `INPUTS`.
    """

    weights: tuple[float, ...]


def policy_inputs(state: Candidates) -> FloatArray:
    """`INPUTS` of every case, shape (cases, 12)."""
    varying = describe(state)[:, : len(VARYING)]
    return np.hstack([varying, varying / np.sqrt(1.0 + state.answered)])


def policy_scores(policy: Policy, state: Candidates) -> CaseScores:
    """Logit of every case, shape (cases,); the difference of two is the log of how much likelier the one is chosen."""
    scores: CaseScores = policy_inputs(state) @ np.asarray(policy.weights)
    return scores


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


def policy_from_json(text: str) -> Policy:
    """The policy that `policy_to_json` wrote.

    Raises:
        FormatError: Text that is no policy, or one for other inputs.
    """
    try:
        kept: Mapping[str, Any] = json.loads(text)["weights"]
        weights = tuple(float(kept[name]) for name in INPUTS)
        if len(kept) != len(INPUTS) or not np.isfinite(weights).all():
            raise ValueError(f"it needs a finite weight for each of {', '.join(INPUTS)} and no other")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"Not a policy: {error}", remedy="write it again with policy_to_json") from error
    return Policy(weights)
