"""Cases that a lead gives to people: whom they are handed out to, and to whom not."""

import dataclasses

import pytest

from medloop.core.errors import NotFoundError
from medloop.core.records import Annotator, Assignee
from medloop.loop.annotating.annotations import next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.leases import release_assignment
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.leaving import release_work
from medloop.loop.querying.assigning import Assigned, assign_cases, unassign_cases
from medloop.loop.querying.rounds import outlook, upcoming_case
from medloop.store import audit

from .conftest import FAST, MakeWorkspace
from .made_up import case_named


def give(workspace: Workspace, who: Annotator, *names: str) -> Assigned:
    return assign_cases(workspace, [case_named(workspace, name).id for name in names], who.id, actor="Lea")


def next_name(workspace: Workspace, who: Annotator) -> str:
    opened = next_assignment(workspace, who.id)
    return opened.case.name if opened else ""


def annotate_next(workspace: Workspace, who: Annotator) -> str:
    opened = next_assignment(workspace, who.id)
    assert opened is not None
    submit(workspace, opened.assignment.id, Submitted(revision=0))
    return opened.case.name


def test_what_was_given_to_somebody_comes_first_in_its_order_and_goes_to_nobody_else(pool: Workspace, ann: Annotator) -> None:
    bea = annotator_named(pool, "Bea")
    assert give(pool, bea, "case05", "case03") == Assigned(2)
    assert outlook(pool, bea.id).case == "case05"
    assert upcoming_case(pool, annotator_id=bea.id) == case_named(pool, "case05").id
    others = [annotate_next(pool, ann) for _ in range(4)]
    assert sorted(others) == ["case00", "case01", "case02", "case04"]
    assert next_name(pool, ann) == ""
    assert [annotate_next(pool, bea), annotate_next(pool, bea)] == ["case05", "case03"]
    assert next_name(pool, bea) == ""


def test_of_two_readings_one_is_kept_for_whom_the_case_was_given_to(make_workspace: MakeWorkspace) -> None:
    pool = make_workspace(["train"] * 1, settings=dataclasses.replace(FAST, readings=2))
    ann, bea, cid = (annotator_named(pool, name) for name in ("Ann", "Bea", "Cid"))
    give(pool, cid, "case00")
    assert annotate_next(pool, ann) == "case00"
    assert next_name(pool, bea) == "", "the second reading is Cid's"
    assert annotate_next(pool, cid) == "case00"


def test_a_case_stays_with_whom_it_was_given_to_after_their_draft_was_released(pool: Workspace, ann: Annotator) -> None:
    bea = annotator_named(pool, "Bea")
    give(pool, bea, "case00")
    opened = next_assignment(pool, bea.id)
    assert opened is not None
    release_assignment(pool, opened.assignment.id, actor="Lea")
    assert "case00" not in [annotate_next(pool, ann) for _ in range(5)]
    assert next_name(pool, bea) == "case00"


def test_taken_back_or_left_behind_a_case_is_anybodys_again(pool: Workspace, ann: Annotator) -> None:
    bea = annotator_named(pool, "Bea")
    give(pool, bea, "case00", "case01")
    assert unassign_cases(pool, [case_named(pool, "case00").id], actor="Lea") == Assigned(1)
    release_work(pool, "bea", actor="Lea")
    with pool.store.read() as tx:
        assert all(one.ended_at for one in tx.find(Assignee))
    assert sorted(annotate_next(pool, ann) for _ in range(6)) == [f"case0{n}" for n in range(6)]
    assert audit.verify(pool.store, blobs=False).ok


def test_who_skips_what_was_given_to_them_does_not_get_it_again(pool: Workspace) -> None:
    bea = annotator_named(pool, "Bea")
    give(pool, bea, "case00")
    opened = next_assignment(pool, bea.id)
    assert opened is not None
    skip_case(pool, opened.assignment.id, reason="blurred")
    assert next_name(pool, bea) != "case00"
    assert give(pool, bea, "case00").left == (("case00", "it was skipped or flagged: open it to bring it back"),)


def test_a_case_that_needs_no_further_reading_is_not_given_and_the_reason_is_said(pool: Workspace, ann: Annotator) -> None:
    bea = annotator_named(pool, "Bea")
    submit(pool, open_case(pool, case_named(pool, "case00").id, ann.id).assignment.id, Submitted(revision=0))
    open_case(pool, case_named(pool, "case01").id, ann.id)
    found = give(pool, bea, "case00", "case01", "case02", "case02")
    assert (found.cases, dict(found.left)) == (
        1,
        {"case00": "it needs no further reading", "case01": "what it needs (1 reading) is open or assigned already: unassign it first"},
    )
    assert give(pool, ann, "case00").left == (("case00", "they have read it"),)
    assert give(pool, bea, "case02") == Assigned(1), "again changes nothing"
    with pool.store.read() as tx:
        assert tx.count(Assignee) == 1


def test_of_several_cases_with_an_unknown_one_none_is_given(pool: Workspace, ann: Annotator) -> None:
    with pytest.raises(NotFoundError):
        assign_cases(pool, [case_named(pool, "case00").id, "case-0"], ann.id, actor="Lea")
    with pool.store.read() as tx:
        assert tx.count(Assignee) == 0
