"""Toy tasks, their learner, and whether what was learned on some kinds of tasks helps on others."""

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

import toy_learner
from medloop.query.learned.candidates import NAMES, after_choosing, candidates
from medloop.query.learned.forest import forest_predictions
from medloop.query.learned.learned import choose_one_by_one, lal_strategy, policy_strategy, shipped_forest, shipped_policy
from medloop.query.learned.policy import INPUTS, Policy
from medloop.query.strategies import strategy
from medloop.testing.check_strategy import check_strategy
from toy_episodes import Episode, first_answers, learning_curve
from toy_learner import held_out_accuracy, held_out_loss, learn, mean_answers, sampled_answers
from toy_tasks import KINDS, ToyTask, draw_task
from train_learned import TRAINED_ON, PolicyTraining, gather_gains, policy_gradient, train_lal, train_policy
from train_learned import toy_tasks as some_tasks

HELD_OUT = sorted(set(KINDS) - set(TRAINED_ON))


def mean_curves(chosen, tasks, *, batch: int = 1, rounds: int = 15) -> np.ndarray:
    """Mean accuracy over the rounds of each task; equal first answers for every strategy."""
    curves = [learning_curve(chosen, task, np.random.default_rng(n), start=3, rounds=rounds, batch=batch) for n, task in enumerate(tasks)]
    return np.array(curves).mean(axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_have_unit_variance_and_are_repeated_by_their_seed(kind):
    first, second = (draw_task(np.random.default_rng(1), kind=kind, cases=80, tests=50) for _ in range(2))
    assert first.features.tolist() == second.features.tolist()
    assert (len(first.features), len(first.test_classes)) == (80, 50)
    assert np.vstack([first.features, first.test_features]).std(axis=0) == pytest.approx(np.ones(first.features.shape[1]))
    assert set(first.classes) <= set(range(first.count))


def test_the_learner_is_gaussian_process_regression():
    task = draw_task(np.random.default_rng(3), kind="moons")
    labelled = np.arange(10)
    found = learn(task, labelled)
    codes = np.eye(task.count)[task.classes[labelled]]
    reference = GaussianProcessRegressor(RBF(toy_learner.LENGTH_SCALE), alpha=toy_learner.NOISE, optimizer=None)
    means, spread = reference.fit(task.features[labelled], codes - codes.mean(axis=0)).predict(task.test_features, return_std=True)
    logits = toy_learner.SHARPNESS * (codes.mean(axis=0) + means)
    assert mean_answers(found, task.test_features) == pytest.approx(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    drawn = np.log(np.concatenate([sampled_answers(found, task.test_features, np.random.default_rng(n)) for n in range(300)]))
    contrast = (drawn[..., 0] - drawn[..., 1]).std(axis=0)
    assert contrast == pytest.approx(toy_learner.SHARPNESS * toy_learner.PRIOR_SPREAD * np.sqrt(2) * spread[:, 0], rel=0.1)


def test_losses_by_hand():
    task = draw_task(np.random.default_rng(0), kind="rings", tests=2)
    right = np.eye(task.count)[task.test_classes]
    assert (held_out_loss(task, right), held_out_accuracy(task, right)) == (0.0, 1.0)
    assert held_out_loss(task, np.full((2, 2), 0.5)) == pytest.approx(0.5)


@given(st.integers(0, 1000), st.integers(0, 9))
def test_first_answers_hold_every_class_once_at_least(seed, count):
    classes = np.random.default_rng(seed).integers(0, 3, 20)
    found = first_answers(classes, count, np.random.default_rng(seed))
    assert len(set(found)) == len(found) == max(count, len(set(classes)))
    assert set(classes[found]) == set(classes)


def test_a_gain_is_what_answering_brings():
    episode = Episode(draw_task(np.random.default_rng(2), kind="board"), np.random.default_rng(0), start=4)
    case, before = int(episode.open_cases()[7]), episode.loss
    gain = episode.gain(case)
    assert episode.loss == before
    episode.answer([case])
    assert gain == pytest.approx(before - episode.loss)
    assert case not in episode.open_cases()


def test_cases_are_chosen_one_by_one_in_the_state_left_by_the_others():
    rng = np.random.default_rng(0)
    state = candidates(rng.dirichlet(np.ones(2), size=(3, 10)), rng.normal(size=(10, 2)), None)
    picks = choose_one_by_one(lambda s: s.novelty, state, 4)
    for index, worth in picks:
        assert worth == pytest.approx(state.novelty[index])
        state = after_choosing(state, index)
    assert len({n for n, _ in choose_one_by_one(lambda s: s.novelty, state, 99)}) == 10


def test_measured_gains_follow_the_order_of_the_table():
    task = draw_task(np.random.default_rng(5), kind="blobs")
    rows, gains = gather_gains(task, np.random.default_rng(0), picks=3, tried=4)
    assert rows.shape == (12, len(NAMES))
    assert gains.reshape(3, 4).mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)
    assert len(set(rows[:, NAMES.index("answered")])) == 3


def test_a_forest_learns_that_doubtful_and_new_cases_gain_more():
    tasks = some_tasks(12, np.random.default_rng(0), kinds=("blobs", "moons"))
    forest = train_lal(tasks, np.random.default_rng(1), picks=12, tried=10)
    found = [gather_gains(task, np.random.default_rng(2), picks=12, tried=10) for task in tasks]
    rows, gains = np.concatenate([r for r, _ in found]), np.concatenate([g for _, g in found])
    expected = forest_predictions(forest, rows)
    assert np.corrcoef(expected, gains)[0, 1] > 0.1
    assert expected[rows[:, NAMES.index("novelty")] < 0.05].mean() < expected[rows[:, NAMES.index("doubt")] > 0.9].mean()
    check_strategy(lal_strategy(lambda: forest, name="mine", trained_on="my tasks"))


def test_a_policy_learns_to_beat_its_first_steps():
    settings = PolicyTraining(tasks=25, episodes=4, picks=8, step=0.2)
    tasks = some_tasks(25, np.random.default_rng(0), kinds=("moons",))
    policy = train_policy(tasks, np.random.default_rng(1), settings)
    chosen = policy_strategy(lambda: policy, name="mine", trained_on="my tasks")
    trials = some_tasks(12, np.random.default_rng(9), kinds=("moons",))
    assert mean_curves(chosen, trials, rounds=8).mean() > mean_curves(strategy("random"), trials, rounds=8).mean() + 0.02
    check_strategy(chosen)


def test_equal_seeds_give_equal_policies():
    tasks, settings = some_tasks(2, np.random.default_rng(0)), PolicyTraining(tasks=2, episodes=2, picks=3)
    assert len({train_policy(tasks, np.random.default_rng(1), settings) for _ in range(2)}) == 1


def test_equal_rewards_leave_a_policy_alone():
    """A task whose loss never changes has no gradient: every episode is as good as the others."""
    task = draw_task(np.random.default_rng(0), kind="moons")
    alike = ToyTask(task.features, np.zeros_like(task.classes), task.test_features, np.zeros_like(task.test_classes), 2)
    gradient = policy_gradient(Policy((0.0,) * len(INPUTS)), alike, np.random.default_rng(0), PolicyTraining(episodes=3, picks=4))
    assert gradient == pytest.approx(np.zeros(len(INPUTS)), abs=1e-9)


@pytest.mark.parametrize("name", ["lal", "policy"])
def test_shipped_weights_beat_random_on_kinds_of_tasks_they_never_saw(name):
    tasks = some_tasks(16, np.random.default_rng(77), kinds=HELD_OUT)
    gains = mean_curves(strategy(name), tasks) - mean_curves(strategy("random"), tasks)
    assert gains.mean() > 0.02
    assert gains.mean() > 2 * gains.std() / np.sqrt(len(gains))


@pytest.mark.parametrize("name", ["lal", "policy"])
def test_shipped_weights_beat_random_in_batches_too(name):
    tasks = some_tasks(12, np.random.default_rng(78), kinds=HELD_OUT)
    options = {"batch": 4, "rounds": 5}
    assert mean_curves(strategy(name), tasks, **options).mean() > mean_curves(strategy("random"), tasks, **options).mean()


def test_shipped_files_are_small_readable_and_for_these_inputs():
    sizes = {name: len(files("medloop.query.learned").joinpath("weights", name).read_bytes()) for name in ("lal.json", "policy.json")}
    assert max(sizes.values()) < 100_000
    assert shipped_forest().inputs == NAMES
    assert len(shipped_policy().weights) == len(INPUTS)
    assert set(json.loads(files("medloop.query.learned").joinpath("weights", "policy.json").read_text())["weights"]) == set(INPUTS)
