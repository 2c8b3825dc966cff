"""Cases that a person queries: their choice, not a draw."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError
from medloop.core.records import BY_HAND, Query, Round
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drawn import drawn_estimates
from medloop.loop.project import Project
from medloop.loop.querying import by_hand
from medloop.loop.querying.by_hand import cases_called, query_by_hand
from medloop.loop.querying.rounds import prepare_round
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, every_case


@pytest.fixture
def seen(make_workspace: MakeWorkspace) -> Workspace:
    """Eight cases of which a model is ever less sure; the last two are kept for evaluation."""
    workspace = make_workspace(["train"] * 6 + ["test", "audit"])
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.1 * n)
    return workspace


def test_all_of_them_are_queried_and_the_strategy_only_orders(seen: Workspace) -> None:
    wanted = [case.id for case in every_case(seen)[1:4]]
    made = query_by_hand(seen, wanted, by="Ann")
    assert [c.case_id for c in made.query.choices] == wanted[::-1]
    assert made.query.strategy == BY_HAND
    assert all(c.probability is None and c.left is None and c.reason.startswith("chosen by Ann; entropy: ") for c in made.query.choices)
    opened = next_assignment(seen, annotator_named(seen, "Bo").id)
    assert opened is not None
    assert opened.assignment.case_id == wanted[-1]
    assert verify(seen.store).ok


def test_of_many_the_strategy_takes_the_best(seen: Workspace) -> None:
    cases = every_case(seen)
    made = query_by_hand(seen, [case.id for case in cases[:5]], count=2)
    assert [c.case_id for c in made.query.choices] == [cases[4].id, cases[3].id]


def test_before_there_is_a_model_they_are_queried_too(pool: Workspace) -> None:
    cases = every_case(pool)
    assert {c.case_id for c in query_by_hand(pool, [cases[0].id, cases[5].id]).query.choices} == {cases[0].id, cases[5].id}


def test_cases_that_cannot_be_queried_are_named_with_the_reason(seen: Workspace) -> None:
    cases = every_case(seen)
    ann = annotator_named(seen, "Ann")
    opened = open_case(seen, cases[1].id, ann.id)
    done = open_case(seen, cases[2].id, annotator_named(seen, "Bo").id)
    submit(seen, done.assignment.id, Submitted(mask=np.ones(cases[2].grid.shape, np.uint8)))
    query_by_hand(seen, [cases[3].id])
    made = query_by_hand(seen, [case.id for case in cases])
    assert [c.case_id for c in made.query.choices] == [cases[n].id for n in (5, 4, 0)]
    assert made.left == (
        ("case01", "somebody has it open"),
        ("case02", "it is annotated"),
        ("case03", "it is queried already"),
        ("case06", "it is kept for evaluation"),
        ("case07", "it is of the audit sample, which is drawn at random"),
    )
    with pytest.raises(StateError, match="None of these 2 cases can be queried: case01: somebody has it open; case02: it is annotated"):
        query_by_hand(seen, [opened.assignment.case_id, cases[2].id])


def test_what_names_nothing_is_refused(seen: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="needs cases, got none"):
        query_by_hand(seen, [])
    with pytest.raises(NotFoundError, match="no case 'case-nowhere'"):
        query_by_hand(seen, ["case-nowhere"])
    with pytest.raises(NotFoundError, match="No case is called there"):
        cases_called(seen, ["case01", "there"])
    monkeypatch.setattr(by_hand, "MOST", 2)
    with pytest.raises(InputError, match="At most 2 cases are queried by hand, got 3"):
        query_by_hand(seen, [case.id for case in every_case(seen)[:3]])


def test_two_people_who_choose_the_same_case_at_once_query_it_once(seen: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    case = every_case(seen)[0]
    real = by_hand._made

    def slower(*given: object) -> Query:
        monkeypatch.setattr(by_hand, "_made", real)
        query_by_hand(seen, [case.id], by="Bo")
        return real(*given)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(by_hand, "_made", slower)
    with pytest.raises(ConflictError, match="Somebody queried case00 at the same moment"):
        query_by_hand(seen, [case.id], by="Ann")


def test_a_prepared_round_that_holds_one_of_them_is_prepared_anew(seen: Workspace) -> None:
    prepared = prepare_round(seen)
    assert prepared is not None
    assert prepared.query_id is not None
    chosen = seen.store.get(Query, prepared.query_id).choices[0].case_id
    assert query_by_hand(seen, [chosen]).round == 2
    assert [job.kind for job in seen.store.jobs.list(limit=10)] == ["query"]
    prepare_round(seen)
    with seen.store.read() as tx:
        again = tx.get(Query, str(tx.get(Round, prepared.id).query_id))
    assert chosen not in {c.case_id for c in again.choices}


def test_estimates_of_the_pool_leave_them_out_and_say_why(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, settings=dataclasses.replace(FAST, strategy="random"))
    model = add_model(workspace, 1)
    for case in every_case(workspace):
        add_prediction(workspace, model, case)
    made = query_by_hand(workspace, [every_case(workspace)[0].id])
    opened = open_case(workspace, made.query.choices[0].case_id, annotator_named(workspace, "Ann").id)
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(every_case(workspace)[0].grid.shape, np.uint8)))
    (estimate,) = drawn_estimates(workspace)
    assert estimate.mean is None
    assert estimate.note == "no estimate from the queried cases: a person chose them, so they speak for themselves alone"


def test_the_library_takes_names(seen: Workspace) -> None:
    made = Project(seen).query_these(["case01", "case02", "case03"], count=1)
    assert [c.case_id for c in made.query.choices] == [every_case(seen)[3].id]
