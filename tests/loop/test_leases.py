"""Cases that somebody opened and left: given back after a stated time, the draft kept for who left it."""

import numpy as np
import pytest

from medloop.core.errors import StateError
from medloop.core.records import Annotator, Assignment, Round
from medloop.core.states import RoundState
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.reviewing import visits_of
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.leases import last_sign, release_stale, release_untouched
from medloop.loop.foundation.round_moves import advance
from medloop.loop.foundation.workspace import LEASE_HOURS, Workspace

from .conftest import MakeWorkspace


def test_a_case_with_one_stroke_left_open_is_given_back_and_its_round_ends(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4)
    ann, bob = annotator_named(workspace, "Ann"), annotator_named(workspace, "Bob")
    left = next_assignment(workspace, ann.id)
    assert left is not None
    save_patch(workspace, left.assignment.id, Edit(0, [(0, 3, 1)]))
    assert release_stale(workspace, hours=0) == (left.assignment.id,)
    for _ in range(2):
        opened = next_assignment(workspace, bob.id)
        assert opened is not None
        submit(workspace, opened.assignment.id, Submitted())
    advance(workspace)
    with workspace.store.read() as tx:
        assert tx.find(Round)[0].state in (RoundState.TRAINING, RoundState.RECONCILING, RoundState.CLOSED)
        assert left.case.id in {a.case_id for a in tx.current_annotations()}


def test_the_owner_finds_the_draft_again_even_when_somebody_else_annotated_meanwhile(pool: Workspace, ann: Annotator) -> None:
    left = next_assignment(pool, ann.id)
    assert left is not None
    save_patch(pool, left.assignment.id, Edit(0, [(0, 3, 1)]))
    before = read_draft(pool, left.assignment.id).mask
    release_stale(pool, hours=0)
    with pytest.raises(StateError, match=r"released, not open; open the case again; your draft is kept"):
        save_patch(pool, left.assignment.id, Edit(1, [(3, 3, 1)]))
    theirs = submit(pool, open_case(pool, left.case.id, annotator_named(pool, "Bob").id).assignment.id, Submitted())
    again = open_case(pool, left.case.id, ann.id)
    assert (again.assignment.id, again.assignment.revision) == (left.assignment.id, 1)
    np.testing.assert_array_equal(read_draft(pool, again.assignment.id).mask, before)
    assert again.annotation is not None
    assert again.annotation.id == theirs.id, "what stands by now is told"
    assert save_patch(pool, again.assignment.id, Edit(1, [(3, 3, 1)])) == 2
    submit(pool, again.assignment.id, Submitted())
    fresh = open_case(pool, left.case.id, ann.id)
    assert fresh.assignment.id != left.assignment.id, "a submitted draft does not come back"


def test_a_case_that_was_passed_over_is_given_back_at_once_for_others(pool: Workspace, ann: Annotator) -> None:
    passed = next_assignment(pool, ann.id)
    assert passed is not None
    assert release_untouched(pool, passed.assignment.id).state == "released"
    theirs = next_assignment(pool, annotator_named(pool, "Bob").id)
    assert theirs is not None
    assert theirs.case.id == passed.case.id
    assert release_untouched(pool, passed.assignment.id).state == "released", "a second time changes nothing"


def test_a_case_that_was_edited_or_opened_again_meanwhile_is_not_given_back(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    again = open_case(pool, opened.case.id, ann.id)
    assert again.assignment.id == opened.assignment.id
    assert release_untouched(pool, opened.assignment.id).state == "open"
    edited = next_assignment(pool, annotator_named(pool, "Bob").id)
    assert edited is not None
    save_patch(pool, edited.assignment.id, Edit(0, [(0, 3, 1)]))
    assert release_untouched(pool, edited.assignment.id).state == "open"
    submit(pool, edited.assignment.id, Submitted())
    assert release_untouched(pool, edited.assignment.id).state == "submitted"


def test_the_next_case_of_its_owner_may_be_the_draft_given_back(pool: Workspace, ann: Annotator) -> None:
    left = next_assignment(pool, ann.id)
    assert left is not None
    save_patch(pool, left.assignment.id, Edit(0, [(0, 3, 1)]))
    release_stale(pool, hours=0)
    again = next_assignment(pool, ann.id)
    assert again is not None
    assert (again.assignment.id, again.assignment.revision, again.assignment.state) == (left.assignment.id, 1, "open")


def test_edits_and_showing_a_case_again_are_signs_of_life(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    signs = []
    for act in (
        lambda: None,
        lambda: save_patch(pool, opened.assignment.id, Edit(0, [(0, 3, 1)])),
        lambda: next_assignment(pool, ann.id),
        lambda: open_case(pool, opened.case.id, ann.id),
    ):
        act()
        with pool.store.read() as tx:
            signs.append(last_sign(tx, tx.get(Assignment, opened.assignment.id)))
            assert visits_of(tx, opened.assignment.id) == ()
    assert signs == sorted(set(signs))
    assert release_stale(pool, hours=LEASE_HOURS) == ()
    with pool.store.read() as tx:
        assert tx.get(Assignment, opened.assignment.id).state == "open"


def test_a_case_given_back_is_asked_before_a_new_round_is_begun(pool: Workspace, ann: Annotator) -> None:
    taken = [next_assignment(pool, person.id) for person in (ann, annotator_named(pool, "Bob"))]
    assert all(taken)
    release_stale(pool, hours=0)
    third = next_assignment(pool, annotator_named(pool, "Eva").id)
    assert third is not None
    assert third.case.id in {opened.case.id for opened in taken if opened}
    with pool.store.read() as tx:
        assert tx.count(Round, where={"state": "annotating"}) == 1
