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


def policy_from_json(text: str) -> Policy:
    """The policy that `benchmarks/train_learned.py` wrote.

    Raises:
        FormatError: Text that is no policy, or one for other inputs.
    """
    try:
        kept: Mapping[str, Any] = json.loads(text)["weights"]
        weights = tuple(float(kept[name]) for name in INPUTS)
        if len(kept) != len(INPUTS) or not np.isfinite(weights).all():
            raise ValueError(f"it needs a finite weight for each of {', '.join(INPUTS)} and no other")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"Not a policy: {error}", remedy="write it again with benchmarks/train_learned.py") from error
    return Policy(weights)
