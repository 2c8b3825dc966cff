"""Strategies that were learned on other tasks; `benchmarks/train_learned.py` made the files that ship."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.query.learned.candidates import Candidates, after_choosing, candidates, describe
from medloop.query.learned.forest import Forest, forest_from_json, forest_predictions
from medloop.query.learned.policy import Policy, policy_from_json, policy_scores
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Select, Strategy, ordered

NEEDS = frozenset({"features", "samples"})


def choose_one_by_one(worth: Callable[[Candidates], CaseScores], state: Candidates, count: int) -> list[tuple[int, float]]:
    """Again and again the best case, given that those before it are chosen.

    Args:
        worth: Score of every case in a state, higher is better, shape (cases,).
        state: Before the first choice.
        count: How many; at most all cases.

    Returns:
        (index, worth when chosen) in order of choosing; ties go to the lower index.
    """
    picks: dict[int, float] = {}
    for _ in range(min(count, len(state.novelty))):
        scores = worth(state).copy()
        scores[list(picks)] = -np.inf
        best = int(np.argmax(scores))
        picks[best] = float(scores[best])
        state = after_choosing(state, best)
    return list(picks.items())


def choosing_by(worth: Callable[[Candidates], CaseScores], reason: str) -> Select:
    """The rule that takes one case after the other by its worth; `{value}` in the reason is replaced by it."""

    @ordered
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
        state = candidates(pool.require_samples(), pool.table("features"), pool.labelled_features)
        return [Pick(n, value, reason.format(value=f"{value:.3g}")) for n, value in choose_one_by_one(worth, state, count)]

    return select


def lal_strategy(load: Callable[[], Forest], *, name: str, trained_on: str) -> Strategy:
    """A strategy that asks where a forest expects the largest gain.

    Args:
        load: Gives the forest when it is first needed.
        name: Name of the strategy.
        trained_on: The tasks behind the forest, in words for those who choose a strategy.
    """
    return Strategy(
        name=name,
        title="Learning active learning (LAL)",
        paper="Konyushkova, Sznitman and Fua 2017, arXiv:1703.03365; with numbers per case that mean the same in every pool",
        needs=NEEDS,
        cost="several samples per case, and batch × cases walks through 24 small trees",
        advice=f"Classification with few annotations. Trained on {trained_on}: compare with random first.",
        select=choosing_by(
            lambda state: forest_predictions(load(), describe(state)), "expected to lower the error by {value} more than a typical case"
        ),
    )


def policy_strategy(load: Callable[[], Policy], *, name: str, trained_on: str) -> Strategy:
    """A strategy that takes the likeliest choice of a policy.

    Args:
        load: Gives the policy when it is first needed.
        name: Name of the strategy.
        trained_on: The tasks behind the policy, in words for those who choose a strategy.
    """
    return Strategy(
        name=name,
        title="Learned policy (policy gradient)",
        paper="after Bachman, Sordoni and Trischler 2017, arXiv:1708.00088, with a linear policy; Williams 1992, doi:10.1007/BF00992696",
        needs=NEEDS,
        cost="several samples per case, and batch × cases distances",
        advice=f"Classification; weighs uncertainty, density and novelty. Trained on {trained_on}: compare with random first.",
        select=choosing_by(lambda state: policy_scores(load(), state), "the learned policy rates it highest ({value})"),
    )


@cache
def shipped_forest() -> Forest:
    """The forest that ships with the package."""
    return forest_from_json(_shipped("lal.json"))


@cache
def shipped_policy() -> Policy:
    """The policy that ships with the package."""
    return policy_from_json(_shipped("policy.json"))


def _shipped(name: str) -> str:
    return files("medloop.query.learned").joinpath("weights", name).read_text(encoding="utf-8")


STRATEGIES: tuple[Strategy, ...] = (
    lal_strategy(shipped_forest, name="lal", trained_on="toy tasks of a few dimensions, no medical image among them"),
    policy_strategy(shipped_policy, name="policy", trained_on="toy tasks of a few dimensions, no medical image among them"),
)
