"""Weights from the chances kept with the queries."""

from dataclasses import replace

import pytest

from medloop.core.errors import InputError
from medloop.core.records import Annotator, Choice, Query, Round, new_id, now
from medloop.core.states import RoundState
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.case_weights import training_weights

from .conftest import MakeWorkspace
from .made_up import add_answer, case_named


def add_round(workspace: Workspace, index: int, chances: dict[str, float | None], state: RoundState = RoundState.CLOSED) -> None:
    choices = tuple(Choice(case_id=case_named(workspace, name).id, score=0.0, reason="drawn", probability=p) for name, p in chances.items())
    query = Query(id=new_id("query"), strategy="random", seed=0, model_id=None, choices=choices, created_at=now())
    with workspace.store.write("system") as tx:
        tx.add(query)
        tx.add(Round(id=new_id("round"), index=index, state=state, query_id=query.id, created_at=now(), updated_at=now()))


def test_two_rounds_of_one_pool_by_hand(pool: Workspace, ann: Annotator) -> None:
    # N = 6, M = 2: v₁ = 1 + 4/5 · (1/(6 · 0.5) - 1) = 7/15; v₂ = 1 + 4/4 · (1/(5 · 0.1) - 1) = 2
    add_round(pool, 1, {"case03": 0.5})
    add_round(pool, 2, {"case01": 0.1})
    add_round(pool, 3, {"case00": 0.9}, RoundState.ANNOTATING)
    for name in ("case03", "case01"):
        add_answer(pool, ann, case_named(pool, name))
    with pool.store.read() as tx:
        weights = training_weights(tx)
    assert weights == {case_named(pool, "case03").id: pytest.approx(7 / 15), case_named(pool, "case01").id: pytest.approx(2.0)}


def test_a_training_on_new_cases_alone_counts_their_draws_alone(pool: Workspace, ann: Annotator) -> None:
    # without case03 the pool has N = 5, and M = 2: v₁ = 1 + 3/4 · (1/(5 · 0.1) - 1) = 1.75; v₂ = 1 + 3/3 · (1/(4 · 0.5) - 1) = 0.5
    add_round(pool, 1, {"case03": 0.5})
    add_round(pool, 2, {"case01": 0.1, "case02": 0.5})
    for name in ("case03", "case01", "case02"):
        add_answer(pool, ann, case_named(pool, name))
    new = {case_named(pool, name).id for name in ("case01", "case02")}
    with pool.store.read() as tx:
        weights = training_weights(tx, new)
        assert training_weights(tx, new | {case_named(pool, "case03").id}) == training_weights(tx)
    assert weights == {case_named(pool, "case01").id: pytest.approx(1.75), case_named(pool, "case02").id: pytest.approx(0.5)}


def test_old_cases_chosen_for_their_errors_have_no_weights(pool: Workspace, ann: Annotator) -> None:
    add_round(pool, 1, {"case03": 0.5, "case04": 0.5})
    add_round(pool, 2, {"case01": 0.1})
    for name in ("case03", "case04", "case01"):
        add_answer(pool, ann, case_named(pool, name))
    misclassified = {case_named(pool, name).id for name in ("case03", "case01")}
    with pool.store.read() as tx, pytest.raises(InputError, match="1 of the cases learned before were chosen again"):
        training_weights(tx, misclassified)


def test_chances_come_back_from_the_store_and_certain_picks_are_refused(pool: Workspace, ann: Annotator) -> None:
    add_round(pool, 1, {"case03": None})
    with pool.store.read() as tx:
        assert tx.find(Query)[0].choices[0].probability is None
        with pytest.raises(InputError, match="certain, not drawn"):
            training_weights(tx)


def test_an_answer_nobody_drew_is_refused(pool: Workspace, ann: Annotator) -> None:
    add_round(pool, 1, {"case03": 0.5})
    add_answer(pool, ann, case_named(pool, "case05"))
    with pool.store.read() as tx, pytest.raises(InputError, match="case05 was annotated without being drawn"):
        training_weights(tx)


def test_a_pool_that_grew_is_refused(pool: Workspace) -> None:
    add_round(pool, 1, {"case03": 0.5})
    late = replace(case_named(pool, "case05"), id="case-late", name="late", added_at=now())
    with pool.store.write("cli") as tx:
        tx.add(late)
    with pool.store.read() as tx, pytest.raises(InputError, match="late was added later"):
        training_weights(tx)


def test_audit_cases_and_imported_answers_are_outside_the_pool(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3 + ["audit"], labelled=1)
    add_round(workspace, 1, {"case03": None, "case01": 0.5, "case02": 1.0})
    with workspace.store.read() as tx:
        assert training_weights(tx) == {}  # drawn, not answered yet


def test_before_the_first_finished_round_there_are_none(pool: Workspace) -> None:
    with pool.store.read() as tx:
        assert training_weights(tx) == {}
