"""Cases judged when they arrive: the verdict stands on the case, what is worth it becomes a round, the rest stays unlabelled."""

import dataclasses

import numpy as np
import pytest

from medloop.core.records import Case, Query, Round
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.follow_up import request_query
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project
from medloop.loop.querying.queries import make_query
from medloop.loop.querying.rounds import open_round, prepare_round
from medloop.loop.querying.streaming import StreamVerdict, judge_arrivals, verdicts
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import add_cases, add_model, add_prediction, every_case

FIXED = dataclasses.replace(FAST, stream="fixed", stream_budget=0.3)


def judged(workspace: Workspace) -> dict[str, StreamVerdict]:
    with workspace.store.read() as tx:
        return {tx.get(Case, case_id).name: one for case_id, one in verdicts(tx).items()}


@pytest.fixture
def project(make_workspace: MakeWorkspace) -> Workspace:
    """Four cases, of which the model is surest of case02 and least sure of case03."""
    workspace = make_workspace(["train"] * 4, settings=FIXED)
    model = add_model(workspace, 1)
    for case, entropy in zip(every_case(workspace), (0.2, 0.3, 0.1, 0.4), strict=True):
        add_prediction(workspace, model, case, entropy=entropy)
    return workspace


def test_a_case_is_compared_with_those_that_came_before_it(project: Workspace) -> None:
    judge_arrivals(project)
    assert [(name, one.annotate, one.score) for name, one in judged(project).items()] == [
        ("case00", True, 1.0),
        ("case01", True, 1.0),
        ("case02", False, 0.0),
        ("case03", True, 1.0),
    ]
    assert judged(project)["case02"].reason == "score 0 stays below 0.7"
    verify(project.store)


def test_what_is_worth_it_is_handed_out_with_its_verdict_and_the_rest_stays_unlabelled(project: Workspace) -> None:
    judge_arrivals(project)
    ann, handed = annotator_named(project, "Ann"), {}
    while (opened := next_assignment(project, ann.id)) is not None:
        handed[opened.case.name] = opened.assignment.reason
        submit(project, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
    assert sorted(handed) == ["case00", "case01", "case03"]
    assert handed["case03"] == "annotate now: score 1 reaches 0.7"
    with project.store.read() as tx:
        assert [tx.get(Query, r.query_id).strategy for r in tx.find(Round) if r.query_id] == ["stream:fixed"]


@pytest.mark.parametrize("state", ["annotating", "querying"])
def test_a_case_that_was_queried_before_the_setting_is_in_no_second_round(make_workspace: MakeWorkspace, state: str) -> None:
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(FAST, batch_size=2))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.1 * n)
    (open_round if state == "annotating" else prepare_round)(workspace)
    configure(workspace, settings={"stream": "fixed"}, actor="Ann")
    workspace = workspace.reload()
    judge_arrivals(workspace)
    ann, handed = annotator_named(workspace, "Ann"), []
    while (opened := next_assignment(workspace, ann.id)) is not None:
        handed.append(opened.case.name)
        submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
    with workspace.store.read() as tx:
        chosen = [c.case_id for r in tx.find(Round) if r.query_id for c in tx.get(Query, r.query_id).choices]
        asked_by_pool = [q for q in tx.find(Query) if not q.strategy.startswith("stream:")]
    assert len(chosen) == len(set(chosen))
    assert len(handed) == len(set(handed))
    assert len(judged(workspace)) == (2 if state == "annotating" else 4)
    assert len(asked_by_pool) == 1


def test_nothing_is_judged_twice_and_later_cases_by_themselves(project: Workspace) -> None:
    judge_arrivals(project)
    assert judge_arrivals(project) == []
    with project.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    add_cases(project, 1)
    add_prediction(project, model, next(case for case in every_case(project) if case.name == "added00"), entropy=0.25)
    (new,) = judge_arrivals(project)
    assert (new.annotate, new.score) == (False, 0.5)


def test_the_pool_is_queried_until_there_is_a_model_and_again_once_the_stream_is_off(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=FIXED)
    assert judge_arrivals(workspace) == []
    assert make_query(workspace, 1) is not None
    model = add_model(workspace, 1)
    for case in every_case(workspace):
        add_prediction(workspace, model, case)
    assert make_query(workspace, 1) is None
    with Project(workspace) as opened:
        opened.configure(stream="off")
        assert make_query(opened.workspace, 1) is not None


def test_the_state_of_a_rule_goes_on_where_it_was_and_begins_anew_with_another_budget(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=dataclasses.replace(FAST, stream="rate", stream_budget=0.5))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.5 - 0.1 * n)
        judge_arrivals(workspace)
    with workspace.store.read() as tx:
        first, second = tx.events_about("case", verbs=["judge"])
    assert [event.body["state"]["threshold"] for event in (first, second)] == pytest.approx([0.51, 0.50])
    with Project(workspace) as project:
        project.configure(stream_budget=0.25)
        add_cases(workspace, 1)
        case = next(case for case in every_case(workspace) if case.name == "added00")
        add_prediction(project.workspace, model, case, entropy=0.0)
        judge_arrivals(project.workspace)
        with workspace.store.read() as tx:
            third = tx.events_about("case", verbs=["judge"])[-1]
        assert third.body["state"]["threshold"] == pytest.approx(0.75 - 0.02 * 0.25)
        assert set(project.verdicts()) == {"case00", "case01", "added00"}


def test_the_learned_rule_learns_from_what_annotators_changed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=dataclasses.replace(FAST, stream="learned", stream_budget=0.6))
    model, (first, second) = add_model(workspace, 1), every_case(workspace)
    add_prediction(workspace, model, first)
    (one,) = judge_arrivals(workspace)
    assert one.annotate  # chance ½ reaches the price 0.4
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
    add_prediction(workspace, model, second, entropy=0.9)
    judge_arrivals(workspace)
    with workspace.store.read() as tx:
        state = tx.events_about("case", verbs=["judge"])[-1].body["state"]
    assert state["weights"] == pytest.approx([0.5, 0.5])  # one step towards "worth it"


def test_the_worker_judges_when_it_has_predicted_the_pool(project: Workspace) -> None:
    with project.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    request_query(project, model)
    assert drain(project) == 1
    assert len(judged(project)) == 4
