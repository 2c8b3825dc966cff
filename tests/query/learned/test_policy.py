"""The policy: its gradient against finite differences, its text, and that rewards move it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from learned_weights import log_chance_gradient, policy_chances, policy_to_json
from medloop.core.errors import FormatError
from medloop.query.learned.candidates import candidates
from medloop.query.learned.policy import (
    INPUTS,
    Policy,
    policy_from_json,
    policy_inputs,
)

ZERO = Policy((0.0,) * len(INPUTS))


def state(seed: int = 0):
    rng = np.random.default_rng(seed)
    return candidates(rng.dirichlet(np.ones(3), size=(4, 9)), rng.normal(size=(9, 2)), rng.normal(size=(3, 2)))


def test_without_weights_every_case_has_the_same_chance():
    assert policy_chances(ZERO, state()) == pytest.approx(np.full(9, 1 / 9))


def test_a_weight_on_one_number_is_an_odds_ratio():
    found = state()
    chances = policy_chances(Policy((2.0, *ZERO.weights[1:])), found)
    doubt = policy_inputs(found)[:, 0]
    assert np.log(chances[4] / chances[1]) == pytest.approx(2.0 * (doubt[4] - doubt[1]))


@given(st.integers(0, 1000), st.integers(0, 8))
def test_the_gradient_is_that_of_finite_differences(seed, index):
    found, weights = state(seed), np.random.default_rng(seed).normal(size=len(INPUTS))
    numeric = approx_fprime(weights, lambda w: np.log(policy_chances(Policy(tuple(w)), found)[index]), 1e-6)
    assert log_chance_gradient(Policy(tuple(weights)), found, index) == pytest.approx(numeric, abs=1e-4)


@given(st.integers(0, 1000))
def test_gradients_cancel_over_what_the_policy_would_do(seed):
    policy, found = Policy(tuple(np.random.default_rng(seed).normal(size=len(INPUTS)))), state(seed)
    chances = policy_chances(policy, found)
    assert sum(c * log_chance_gradient(policy, found, n) for n, c in enumerate(chances)) == pytest.approx(np.zeros(len(INPUTS)), abs=1e-12)


def test_text_keeps_every_bit():
    policy = Policy(tuple(np.random.default_rng(0).normal(size=len(INPUTS)).tolist()))
    assert policy_from_json(policy_to_json(policy)) == policy


def test_damaged_text_is_refused():
    kept = json.loads(policy_to_json(ZERO))["weights"]
    broken = [{**kept, "doubt": float("nan")}, {**kept, "moon": 1.0}, {k: kept[k] for k in list(kept)[1:]}, {**kept, "doubt": "a"}, 3]
    for text in ["", "[]", "{}", *(json.dumps({"weights": weights}) for weights in broken)]:
        with pytest.raises(FormatError, match="Not a policy"):
            policy_from_json(text)
