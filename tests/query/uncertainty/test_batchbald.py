"""BatchBALD against joint mutual information by plain enumeration, and a plain greedy choice."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query import scores
from medloop.query.uncertainty import batchbald as bb

seeds = st.integers(0, 2**32 - 1)


def answers(seed, samples, cases, classes, sharpness=0.5):
    return np.random.default_rng(seed).dirichlet(np.full(classes, sharpness), size=(samples, cases))


def joint_information(samples, batch) -> float:
    """I(y_batch; w) in nats by listing every joint answer."""
    joint, remaining = 0.0, 0.0
    for answer in itertools.product(range(samples.shape[2]), repeat=len(batch)):
        each = np.prod([samples[:, n, c] for n, c in zip(batch, answer, strict=True)], axis=0)
        joint -= each.mean() * math.log(max(each.mean(), 1e-300))
        remaining -= np.mean(each * np.log(np.maximum(each, 1e-300)))
    return joint - remaining


def plain_greedy(samples, count):
    batch = []
    for _ in range(count):
        gains = [-1.0 if n in batch else joint_information(samples, [*batch, n]) for n in range(samples.shape[1])]
        batch.append(int(np.argmax(gains)))
    return batch


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 5), st.integers(2, 3))
def test_gains_add_up_to_the_joint_information(seed, samples, classes):
    given_samples = answers(seed, samples, 6, classes)
    found = bb.batchbald(given_samples, 4, np.random.default_rng(0))
    for n in range(1, 5):
        assert sum(found.gains[:n]) == pytest.approx(joint_information(given_samples, found.indices[:n]), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_batch_is_the_plain_greedy_one(seed):
    given_samples = answers(seed, 4, 8, 3)
    assert list(bb.batchbald(given_samples, 4, np.random.default_rng(0)).indices) == plain_greedy(given_samples, 4)


def test_the_first_pick_is_that_of_bald():
    given_samples = answers(3, 6, 50, 4)
    found = bb.batchbald(given_samples, 1, np.random.default_rng(0))
    information = scores.mutual_information(given_samples)
    assert found.indices[0] == int(np.argmax(information))
    assert found.gains[0] == pytest.approx(information.max(), abs=1e-5)


def test_a_duplicate_is_not_picked_next():
    """Cases 0 and 1 tell two pairs of models apart, both in the same way; case 2 tells a little, but something else."""
    one, other = [[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0], [0.5, 0.5]]
    tells_others = np.array([one, other, one, other])
    tells_others[2:, 2] = [0.8, 0.2]
    assert bb.batchbald(tells_others, 2, np.random.default_rng(0)).indices == (0, 2)
    certain = np.array([[[1.0, 0.0]] * 3, [[0.0, 1.0]] * 3])
    assert bb.batchbald(certain, 3, np.random.default_rng(0)).gains == pytest.approx((math.log(2), 0.0, 0.0), abs=1e-5)


def test_equal_cases_go_by_index():
    assert bb.batchbald(np.full((3, 5, 2), 0.5), 5, np.random.default_rng(0)).indices == (0, 1, 2, 3, 4)


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from([50, 300, 1000]))
def test_bounds_pick_what_full_evaluation_picks(seed, configurations):
    given_samples = answers(seed, 8, 120, 3).astype(np.float32)
    rng, known, picks = np.random.default_rng(1), bb.no_outcomes(8), []
    remaining = bb.conditional_entropies(given_samples)
    for _ in range(8):
        left = np.array([n for n in range(120) if n not in picks])
        gains = bb.gains_of(known, given_samples, remaining, left)
        picks.append(int(left[np.argmax(gains >= gains.max() - 1e-5)]))
        known = bb.with_outcomes(known, given_samples[:, picks[-1]], configurations, rng)
    assert list(bb.batchbald(given_samples, 8, np.random.default_rng(1), configurations=configurations).indices) == picks


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 40))
def test_groups_bound_the_gain_of_every_case(seed, groups):
    given_samples, rng = answers(seed, 6, 30, 3), np.random.default_rng(0)
    known = bb.no_outcomes(6)
    for case in range(5):
        known = bb.with_outcomes(known, given_samples[:, case], 100, rng)
    few, remaining, cases = bb.grouped(known, groups), bb.conditional_entropies(given_samples), np.arange(30)
    assert few.masses.sum() == pytest.approx(1.0)
    assert few.posteriors.sum(axis=1) == pytest.approx(1.0)
    exact = bb.gains_of(known, given_samples, remaining, cases)
    assert (bb.gains_of(few, given_samples, remaining, cases) >= exact - 1e-5).all()


def test_drawn_configurations_come_close_to_all_of_them():
    given_samples, rng = answers(11, 6, 10, 3), np.random.default_rng(0)
    known, drawn = bb.no_outcomes(6), bb.no_outcomes(6)
    for case in range(6):
        known = bb.with_outcomes(known, given_samples[:, case], 10**6, rng)
        drawn = bb.with_outcomes(drawn, given_samples[:, case], 300, rng)
    remaining, cases = bb.conditional_entropies(given_samples), np.arange(6, 10)
    assert len(known.masses) == 3**6
    assert bb.gains_of(drawn, given_samples, remaining, cases) == pytest.approx(
        bb.gains_of(known, given_samples, remaining, cases), abs=0.02
    )


def test_gains_shrink_also_where_configurations_are_drawn():
    gains = np.array(bb.batchbald(answers(12, 10, 200, 5, sharpness=5.0), 12, np.random.default_rng(0), configurations=1000).gains)
    assert (np.diff(gains) < 0.01).all()


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=">= 2 samples"):
        bb.batchbald(answers(0, 1, 3, 2), 1, rng)
    with pytest.raises(InputError, match="softmax"):
        bb.batchbald(answers(0, 2, 3, 2) * 2, 1, rng)
    with pytest.raises(SettingError, match="count >= 0"):
        bb.batchbald(answers(0, 2, 3, 2), -1, rng)
    assert bb.batchbald(answers(0, 2, 3, 2), 9, rng).indices.__len__() == 3
