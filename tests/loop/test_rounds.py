import dataclasses

import pytest

from medloop.core.errors import StateError
from medloop.core.records import Annotator, Assignment, Case, Job, Query, Round
from medloop.core.states import RoundState
from medloop.loop.annotating.annotations import next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.leases import release_stale
from medloop.loop.foundation.round_moves import mark_failed
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying import rounds
from medloop.loop.querying.queries import AUDIT_REASON, make_query

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, every_case


def all_rounds(workspace: Workspace) -> list[Round]:
    with workspace.store.read() as tx:
        return tx.find(Round, order=("index",))


def jobs(workspace: Workspace) -> list[Job]:
    return workspace.store.jobs.list(limit=100)


def answer(workspace: Workspace, person: Annotator) -> str | None:
    opened = next_assignment(workspace, person.id)
    if opened is None:
        return None
    submit(workspace, opened.assignment.id, Submitted(effort_seconds=1.0))
    return opened.case.name


def test_a_round_goes_to_training_when_its_last_case_is_answered(pool: Workspace, ann: Annotator) -> None:
    answer(pool, ann)
    assert [r.state for r in all_rounds(pool)] == [RoundState.ANNOTATING]
    answer(pool, ann)
    assert [r.state for r in all_rounds(pool)] == [RoundState.TRAINING]
    assert [j.kind for j in jobs(pool)] == ["train"]


def test_asking_goes_on_while_a_training_waits(pool: Workspace, ann: Annotator) -> None:
    asked = [answer(pool, ann) for _ in range(6)]
    assert len(set(asked)) == 6
    assert [r.state for r in all_rounds(pool)] == [RoundState.TRAINING] * 3
    assert len([j for j in jobs(pool) if j.kind == "train"]) == 1


def test_a_round_whose_cases_are_all_skipped_ends_without_training(pool: Workspace, ann: Annotator) -> None:
    for _ in range(2):
        opened = next_assignment(pool, ann.id)
        assert opened is not None
        skip_case(pool, opened.assignment.id, reason="motion")
    assert [r.state for r in all_rounds(pool)] == [RoundState.CLOSED]
    assert jobs(pool) == []


def test_a_training_starts_between_rounds_after_so_many_answers(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 8, settings=dataclasses.replace(FAST, batch_size=8, train_after=3))
    ann = annotator_named(workspace, "Ann")
    answer(workspace, ann)
    answer(workspace, ann)
    assert jobs(workspace) == []
    answer(workspace, ann)
    assert [j.kind for j in jobs(workspace)] == ["train"]


def test_the_same_project_asks_the_same_cases_again(make_workspace: MakeWorkspace) -> None:
    orders = []
    for name in ("first", "second"):
        workspace = make_workspace(["train"] * 6, name=name)
        ann = annotator_named(workspace, "Ann")
        orders.append([answer(workspace, ann) for _ in range(6)])
    assert orders[0] == orders[1]


def test_audit_cases_are_mixed_in_until_all_are_answered_and_evaluation_cases_never_asked(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4 + ["audit"] * 2 + ["test", "validation"])
    ann = annotator_named(workspace, "Ann")
    asked = []
    while (name := answer(workspace, ann)) is not None:
        asked.append(name)
    assert sorted(asked) == [f"case{n:02d}" for n in range(6)]
    with workspace.store.read() as tx:
        reasons = [c.reason for q in tx.find(Query) for c in q.choices]
    assert reasons.count(AUDIT_REASON) == 2


def test_a_prepared_round_gets_the_newer_query(pool: Workspace) -> None:
    first = rounds.prepare_round(pool)
    second = rounds.prepare_round(pool)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert first.query_id != second.query_id
    assert [r.state for r in all_rounds(pool)] == [RoundState.QUERYING]


def test_the_upcoming_case_is_the_one_that_is_asked(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    upcoming = rounds.upcoming_case(pool, after=opened.case.id)
    submit(pool, opened.assignment.id, Submitted())
    following = next_assignment(pool, ann.id)
    assert following is not None
    assert following.case.id == upcoming


def test_a_failed_training_leaves_its_rounds_to_the_next_one(pool: Workspace, ann: Annotator) -> None:
    answer(pool, ann)
    answer(pool, ann)
    mark_failed(pool, "out of memory")
    (failed,) = all_rounds(pool)
    assert failed.state == RoundState.FAILED
    assert failed.message == "out of memory"


def test_an_assignment_left_untouched_is_released(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    release_stale(pool, hours=0)
    with pool.store.read() as tx:
        assert tx.get(Assignment, opened.assignment.id).state == "released"
    bob = annotator_named(pool, "Bob")
    taken = next_assignment(pool, bob.id)
    assert taken is not None
    assert taken.case.id == opened.case.id


def test_a_case_chosen_from_the_worklist_comes_back_once_something_was_drawn(pool: Workspace, ann: Annotator) -> None:
    proposed = rounds.next_choice(pool, ann.id)
    assert proposed is not None
    with pool.store.read() as tx:
        other = next(case for case in tx.find(Case) if case.id != proposed.case_id)
    chosen = open_case(pool, other.id, ann.id)
    untouched = rounds.next_choice(pool, ann.id)
    assert untouched is not None
    assert untouched.case_id == proposed.case_id
    save_patch(pool, chosen.assignment.id, Edit(0, [(0, 4, 1)]))
    drawn = rounds.next_choice(pool, ann.id)
    assert drawn is not None
    assert (drawn.case_id, drawn.assignment_id) == (other.id, chosen.assignment.id)


def test_rounds_refuse_impossible_moves() -> None:
    from medloop.core.states import move_round

    with pytest.raises(StateError, match="from closed to training"):
        move_round(RoundState.CLOSED, RoundState.TRAINING)


def test_a_round_is_not_named_after_foreground_that_nobody_predicted(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(FAST, strategy="foreground"))
    model = add_model(workspace, 1)
    for case in every_case(workspace):
        add_prediction(workspace, model, case, foreground=0.0)
    notes: list[str] = []
    query = make_query(workspace, 2, note=notes.append)
    assert query is not None
    assert (query.strategy, notes) == ("random", ["foreground found nothing to choose by; random chose"])
