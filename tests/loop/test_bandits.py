"""A project whose strategy is a bandit: what its rounds brought decides, and each round says which strategy chose it."""

import dataclasses

import pytest

from medloop.core.records import Query, Round, new_id, now
from medloop.core.states import RoundState
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.bandits import played
from medloop.loop.querying.queries import make_query
from medloop.query.bandit import Played

from .conftest import FAST, MakeWorkspace
from .made_up import add_evaluation, add_model, add_prediction, every_case

NAMES = ("entropy", "random")
BANDIT = dataclasses.replace(FAST, strategy="bandit:entropy+random")


def add_round(workspace: Workspace, index: int, strategy: str, score: float | None) -> None:
    """A round that is over, with a model of its own, evaluated if there is a score."""
    model = add_model(workspace, index)
    query = Query(id=new_id("query"), strategy=strategy, seed=0, model_id=None, choices=(), created_at=now())
    told = Round(
        id=new_id("round"),
        index=index,
        state=RoundState.CLOSED,
        query_id=query.id,
        model_id=model.id,
        created_at=now(),
        updated_at=now(),
    )
    with workspace.store.write("test") as tx:
        tx.add(query)
        tx.add(told)
    if score is not None:
        add_evaluation(workspace, model, "validation", index, {"case00": score})


@pytest.fixture
def project(make_workspace: MakeWorkspace) -> Workspace:
    return make_workspace(["validation", *["train"] * 6], settings=BANDIT)


def test_the_reward_of_a_round_is_the_rise_of_the_score_over_the_largest_rise(project: Workspace) -> None:
    for index, (strategy, score) in enumerate([("random", 0.2), ("entropy", 0.6), ("random", 0.7), ("entropy", 0.65)], start=1):
        add_round(project, index, strategy, score)
    with project.store.read() as tx:
        found = played(tx, NAMES)
    assert [one.name for one in found] == ["entropy", "random", "entropy"]
    assert [one.reward for one in found] == pytest.approx([1.0, 0.25, 0.0])


def test_rounds_without_a_score_and_of_other_strategies_bring_nothing(project: Workspace) -> None:
    for index, (strategy, score) in enumerate([("random", 0.2), ("coreset", 0.3), ("entropy", None), ("random", 0.4)], start=1):
        add_round(project, index, strategy, score)
    with project.store.read() as tx:
        assert played(tx, NAMES) == [Played("random", 1.0)]


def test_a_query_is_made_by_one_of_the_strategies_and_says_so(project: Workspace) -> None:
    model = add_model(project, 1)
    add_evaluation(project, model, "validation", 1, {"case00": 0.5})
    for case in every_case(project):
        add_prediction(project, model, case)
    chosen = set()
    for index in range(2, 12):
        query = make_query(project, index)
        assert query is not None
        assert query == dataclasses.replace(make_query(project, index) or query, id=query.id, created_at=query.created_at)
        assert all(choice.reason.endswith(f"{query.strategy} drawn by the bandit (chance 50%)") for choice in query.choices)
        assert all(choice.probability is None for choice in query.choices)
        chosen.add(query.strategy)
    assert chosen == set(NAMES)


def test_the_strategy_whose_rounds_pay_is_drawn_more_often(project: Workspace) -> None:
    for index in range(1, 60):
        add_round(project, index, NAMES[index % 2], 0.01 * (index // 2))  # only rounds by entropy raise the score
    with project.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    for case in every_case(project):
        add_prediction(project, model, case)
    reasons = {(query.strategy, query.choices[0].reason) for index in range(60, 80) if (query := make_query(project, index))}
    shares = {strategy: float(reason.split("chance ")[1].rstrip("%)")) for strategy, reason in reasons}
    assert shares["entropy"] > 70
    assert shares["random"] == pytest.approx(100 - shares["entropy"], abs=1)


def test_scores_of_test_cases_never_decide_which_strategy_chooses(make_workspace: MakeWorkspace) -> None:
    project = make_workspace(["test", *["train"] * 6], settings=BANDIT)
    for index in range(1, 9):
        add_round(project, index, NAMES[index % 2], None)
        with project.store.read() as tx:
            model = tx.live_model()
        assert model is not None
        add_evaluation(project, model, "test", index, {"case00": 0.1 * index})
    with project.store.read() as tx:
        assert played(tx, NAMES) == []


def test_without_validation_or_audit_scores_the_strategies_take_turns_and_say_so(make_workspace: MakeWorkspace) -> None:
    project = make_workspace(["test", *["train"] * 6], settings=BANDIT)
    model = add_model(project, 1)
    add_evaluation(project, model, "test", 1, {"case00": 0.5})
    for case in every_case(project):
        add_prediction(project, model, case)
    queries = [query for index in range(2, 6) if (query := make_query(project, index))]
    assert [query.strategy for query in queries] == ["entropy", "random", "entropy", "random"]
    assert queries[0].choices[0].reason.endswith("entropy in turn: the bandit has no validation or audit scores to go by")
