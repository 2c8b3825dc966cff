"""Train the learned strategies on toy tasks, and write the two files that ship with the package.

    python benchmarks/train_learned.py --out src/medloop/query/learned/weights

Seed 0 gave both files that ship. On one machine a seed gives the same bytes again, with one thread or two. On another, lal.json may differ
where two features part the rows of a node alike and the last digits of floats decide between them: in 8 of 1512 nodes, all values equal.

Both learn on `TRAINED_ON` and are tried on other kinds of tasks. Real pools may differ from toys in more ways than kinds do.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from learned_weights import forest_to_json, log_chance_gradient, plain_forest, policy_chances, policy_to_json
from medloop.core.arrays import FloatArray
from medloop.query.diversity.coverage import select_coreset
from medloop.query.learned.candidates import NAMES, Candidates, candidates, describe
from medloop.query.learned.forest import Forest
from medloop.query.learned.policy import INPUTS, Policy
from medloop.query.strategies import strategy
from toy_episodes import Episode
from toy_tasks import ToyTask, draw_task

TRAINED_ON = ("blobs", "board", "clouds")
"""Kinds of tasks behind the files that ship; the other kinds are left for trials."""

START = 3
"""Answers at the beginning of every episode."""

TREES, LEAVES = 24, 32
"""Size of the forest: larger ones predict no better on trials, and this file stays below 100 KB."""


@dataclass(frozen=True)
class PolicyTraining:
    """How the policy learns.

    Attributes:
        tasks: Number of tasks, one step of the weights for each.
        episodes: Episodes per task, all from the same first answers; the mean of the others is the baseline of each.
        picks: Choices per episode.
        step: Length of a step (Adam).
    """

    tasks: int = 160
    episodes: int = 8
    picks: int = 15
    step: float = 0.1


def train_lal(tasks: Sequence[ToyTask], rng: np.random.Generator, *, picks: int = 30, tried: int = 16) -> Forest:
    """Learn to predict by how much more an answer lowers the error than one to a typical case, where the answers are known.

    Args:
        tasks: Tasks to learn from, one episode each.
        rng: Source of randomness.
        picks: Cases per episode.
        tried: Cases whose gain is measured before each pick.

    Source: Konyushkova, Sznitman and Fua 2017, arXiv:1703.03365, algorithms 1 and 2; the answered cases grow by random, by entropy
    or by core-set choices in place of by the learned rule itself, and the mean gain of a step is taken off: only the order matters.
    """
    from sklearn.ensemble import RandomForestRegressor

    found = [gather_gains(task, rng, picks=picks, tried=tried) for task in tasks]
    rows, gains = np.concatenate([r for r, _ in found]), np.concatenate([g for _, g in found])
    seed = int(rng.integers(1 << 31))
    model = RandomForestRegressor(TREES, max_leaf_nodes=LEAVES, min_samples_leaf=20, max_features=0.5, random_state=seed)
    return plain_forest(model.fit(rows, gains), NAMES)


def gather_gains(task: ToyTask, rng: np.random.Generator, *, picks: int, tried: int) -> tuple[FloatArray, FloatArray]:
    """Play one episode and measure at every step what some answers would gain.

    Returns:
        What `candidates.describe` says of the tried cases, shape (picks × tried, 8), and by how much more than the mean of its step
        each lowered the Brier score on the test cases, shape (picks × tried,).
    """
    episode, way = Episode(task, rng, start=START), int(rng.integers(3))
    rows, gains = [], []
    for _ in range(picks):
        left, pool = episode.open_cases(), episode.pool()
        some = rng.permutation(len(left))[:tried]
        rows.append(describe(_candidates(episode))[some])
        found = np.array([episode.gain(int(left[n])) for n in some])
        gains.append(found - found.mean())
        chosen = int(some[0]) if way == 0 else (strategy("entropy").select, select_coreset)[way - 1](pool, 1, rng)[0].index
        episode.answer([int(left[chosen])])
    return np.concatenate(rows), np.concatenate(gains)


def train_policy(tasks: Sequence[ToyTask], rng: np.random.Generator, settings: PolicyTraining) -> Policy:
    """Learn a policy by its own successes: choices after which the error fell more than in other episodes become likelier.

    Args:
        tasks: Tasks to draw from.
        rng: Source of randomness.
        settings: How long and how fast.

    Source: Williams 1992, doi:10.1007/BF00992696 (REINFORCE), with the mean of the other episodes as baseline; learning whom to ask by
    rewards over episodes follows Bachman, Sordoni and Trischler 2017, arXiv:1708.00088; Kingma and Ba 2015, arXiv:1412.6980 (Adam).
    """
    weights, mean, square = np.zeros(len(INPUTS)), np.zeros(len(INPUTS)), np.zeros(len(INPUTS))
    for n in range(1, settings.tasks + 1):
        gradient = policy_gradient(Policy(tuple(weights.tolist())), tasks[int(rng.integers(len(tasks)))], rng, settings)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        weights += settings.step * (mean / (1 - 0.9**n)) / (np.sqrt(square / (1 - 0.99**n)) + 1e-8)
    return Policy(tuple(weights.tolist()))


def policy_gradient(policy: Policy, task: ToyTask, rng: np.random.Generator, settings: PolicyTraining) -> FloatArray:
    """Estimated gradient of the summed fall of the error by the weights, shape (12,)."""
    seed = int(rng.integers(1 << 31))
    played = [_play(policy, task, np.random.default_rng(seed), rng, settings.picks) for _ in range(settings.episodes)]
    rewards = np.array([falls for _, falls in played])
    ahead = rewards[:, ::-1].cumsum(axis=1)[:, ::-1]  # what is still to come at each pick
    others = (ahead.sum(axis=0) - ahead) / max(1, len(played) - 1)
    gradients = np.array([steps for steps, _ in played])
    total: FloatArray = np.einsum("et,etw->w", ahead - others, gradients) / len(played)
    return total


def _play(policy: Policy, task: ToyTask, first: np.random.Generator, rng: np.random.Generator, picks: int) -> tuple[FloatArray, FloatArray]:
    """One episode: gradients of the log chances, shape (picks, 12), and falls of the loss, shape (picks,)."""
    episode, steps, falls = Episode(task, first, start=START), [], []
    for _ in range(picks):
        state, left, before = _candidates(episode), episode.open_cases(), episode.loss
        chosen = int(rng.choice(len(left), p=policy_chances(policy, state)))
        steps.append(log_chance_gradient(policy, state, chosen))
        episode.answer([int(left[chosen])])
        falls.append(before - episode.loss)
    return np.array(steps), np.array(falls)


def _candidates(episode: Episode) -> Candidates:
    left = episode.open_cases()
    return candidates(episode.samples[:, left], episode.task.features[left], episode.task.features[episode.labelled])


def toy_tasks(count: int, rng: np.random.Generator, *, kinds: Sequence[str] = TRAINED_ON) -> list[ToyTask]:
    """Random tasks of these kinds in turn."""
    return [draw_task(rng, kind=kinds[n % len(kinds)]) for n in range(count)]


def main(folder: Path, seed: int) -> None:
    """Write lal.json and policy.json; takes a few minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    (folder / "lal.json").write_text(forest_to_json(train_lal(toy_tasks(150, rng), rng), digits=5) + "\n")
    rng = np.random.default_rng(seed)
    (folder / "policy.json").write_text(policy_to_json(train_policy(toy_tasks(200, rng), rng, PolicyTraining()), digits=5) + "\n")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, help="Folder of lal.json and policy.json.")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    main(given.out, given.seed)
