"""A reviewer draws the decision, and no verdict falls on what nobody has looked at."""

import numpy as np
import pytest

from medloop.core.errors import ConflictError, ReturnedError, StateError
from medloop.core.records import Assignment, Case, Provenance
from medloop.loop.annotating.adjudicating import Ruling, adjudicate, adjudicate_draft, restore
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.history import case_history
from medloop.loop.annotating.review_verdicts import Looked, Signed, approve, return_case
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.readings import REVIEWING, case_readings, restored_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.annotator_skill import agreement_over_time, skilled_annotators
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .test_readings import cube, disagreeing, read_case, reading, standing

RED = 1


def paint(workspace: Workspace, assignment: Assignment, value: int = RED) -> int:
    """Set the first voxel of the draft."""
    return save_patch(workspace, assignment.id, Edit(base_revision=assignment.revision, runs=[(0, 1, value)]))


def in_force(workspace: Workspace, case: Case) -> list[str]:
    with workspace.store.read() as tx:
        return [a.id for a in tx.current_annotations(case_ids=[case.id]) if a.origin == "human"]


def test_a_reviewers_draft_begins_with_what_stands_also_where_people_read_blind_and_becomes_what_stands(
    make_workspace: MakeWorkspace,
) -> None:
    workspace, (_, _, rita), case, _ = disagreeing(make_workspace)
    consensus = standing(workspace, case.id)
    opened = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    assert (opened.assignment.base_id, opened.assignment.blind) == (consensus.id, False)
    revision = paint(workspace, opened.assignment)
    made = adjudicate_draft(workspace, opened.assignment.id, Submitted(revision=revision, effort_seconds=7.0), looked=Looked(consensus.id))
    assert standing(workspace, case.id).id == made.id
    assert (made.origin, made.supersedes, made.effort_seconds) == ("adjudicated", consensus.id, 7.0)
    drawn = load_mask(workspace.store.blobs, made, case).array
    assert drawn[0, 0, 0] == RED
    with workspace.store.read() as tx:
        assert tx.get(Assignment, opened.assignment.id).state == "submitted"
        assert tx.find(Provenance, where={"annotation_id": made.id})[0].parts["brush"]["voxels"] == 1
    assert reading(workspace, case.id).state == "accepted"
    assert verify(workspace.store).ok
    undo_submit(workspace, opened.assignment.id)
    drain(workspace)
    assert standing(workspace, case.id).origin == "consensus"
    assert reading(workspace, case.id).state == "in review", "what was approved no longer stands"


def test_a_reviewers_draft_is_no_reading_and_comes_back_to_nobody_as_one(make_workspace: MakeWorkspace) -> None:
    workspace, (ann, _, rita), case, _ = disagreeing(make_workspace)
    opened = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    revision = paint(workspace, opened.assignment)
    with pytest.raises(StateError, match="its draft is a decision and no reading"):
        submit(workspace, opened.assignment.id, Submitted(revision=revision))
    assert rita.id not in reading(workspace, case.id).open
    following = next_assignment(workspace, rita.id)
    assert following is not None
    assert following.case.id != case.id
    with pytest.raises(StateError, match="You have this case open as its reviewer, with edits"):
        open_case(workspace, case.id, rita.id)
    again = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    assert (again.assignment.id, again.assignment.revision) == (opened.assignment.id, revision)
    reads = open_case(workspace, case.id, ann.id)
    with pytest.raises(StateError, match="its draft is a reading and no decision"):
        adjudicate_draft(workspace, reads.assignment.id, Submitted(revision=0))


def test_an_empty_handed_reader_may_go_on_as_the_reviewer(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, _ = disagreeing(make_workspace)
    reads = open_case(workspace, case.id, rita.id)
    assert reads.assignment.base_id is None, "blind"
    reviews = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    assert reviews.assignment.id != reads.assignment.id
    assert workspace.store.get(Assignment, reads.assignment.id).state == "released"


def test_a_draft_of_what_stood_before_does_not_come_back_for_what_stands_now(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, given = disagreeing(make_workspace)
    left = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    paint(workspace, left.assignment)
    with workspace.store.write(rita.id) as tx:
        tx.change(Assignment, left.assignment.id, verb="release", fields={"state": "released"})
    adjudicate(workspace, case.id, annotator_named(workspace, "Lena").id, [Ruling(given[0].id)])
    fresh = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    assert fresh.assignment.id != left.assignment.id
    np.testing.assert_array_equal(read_draft(workspace, fresh.assignment.id).mask, cube(4))


def test_a_draft_that_changed_elsewhere_is_no_decision(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, _ = disagreeing(make_workspace)
    opened = open_case(workspace, case.id, rita.id, reason=REVIEWING)
    paint(workspace, opened.assignment)
    with pytest.raises(ConflictError, match="The draft is at revision 1, the page knows 0"):
        adjudicate_draft(workspace, opened.assignment.id, Submitted(revision=0))


def test_no_verdict_falls_on_readings_that_nobody_has_looked_at(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, given = disagreeing(make_workspace)
    decided = adjudicate(workspace, case.id, rita.id, [Ruling(given[0].id)])
    seen = in_force(workspace, case)
    read_case(workspace, case.id, annotator_named(workspace, "Eva"), cube(6))
    assert standing(workspace, case.id).id == decided.id, "a decision stands before later readings"
    looked = Looked(decided.id, seen)
    with pytest.raises(ConflictError, match="has other readings by now"):
        approve(workspace, case.id, rita.id, looked=looked)
    with pytest.raises(ConflictError, match="has other readings by now"):
        return_case(workspace, case.id, rita.id, comment="again", to=rita.id, looked=looked)
    with pytest.raises(ConflictError, match="has other readings by now"):
        adjudicate(workspace, case.id, rita.id, [Ruling(given[1].id)], looked=looked)
    with pytest.raises(ConflictError, match="has other readings by now"):
        restore(workspace, given[1].id, rita.id, looked=looked)
    with pytest.raises(ConflictError, match="Another annotation"):
        restore(workspace, given[1].id, rita.id, looked=Looked(given[0].id))
    approve(workspace, case.id, rita.id, looked=Looked(decided.id, in_force(workspace, case)))


def test_one_person_approves_an_annotation_once_and_may_sign_it_later(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, _ = disagreeing(make_workspace)
    approve(workspace, case.id, rita.id)
    with pytest.raises(StateError, match="You have approved this annotation already"):
        approve(workspace, case.id, rita.id)
    approve(workspace, case.id, rita.id, signed=Signed("Rita Roe"))
    with pytest.raises(StateError, match="You have approved this annotation already"):
        approve(workspace, case.id, rita.id, signed=Signed("Rita Roe"))
    approve(workspace, case.id, annotator_named(workspace, "Lena").id, signed=Signed("Lena Low"))


def test_a_return_is_not_settled_by_a_submission_that_began_before_it(make_workspace: MakeWorkspace) -> None:
    workspace, (_, bob, rita), case, given = disagreeing(make_workspace)
    opened = open_case(workspace, case.id, bob.id)
    review = return_case(workspace, case.id, rita.id, comment="too far left", looked=Looked(given[1].id))
    with pytest.raises(ReturnedError, match="Rita returned this case to you while you had it open: too far left"):
        submit(workspace, opened.assignment.id, Submitted(mask=cube(4)))
    assert reading(workspace, case.id).state == "returned"
    submit(workspace, opened.assignment.id, Submitted(mask=cube(4), returned=review.id))
    assert reading(workspace, case.id).state != "returned"


def test_who_opens_a_returned_case_again_has_seen_the_comment(make_workspace: MakeWorkspace) -> None:
    workspace, (_, bob, rita), case, given = disagreeing(make_workspace)
    opened = open_case(workspace, case.id, bob.id)
    return_case(workspace, case.id, rita.id, comment="too far left", looked=Looked(given[1].id))
    again = open_case(workspace, case.id, bob.id)
    assert again.assignment.id == opened.assignment.id
    submit(workspace, again.assignment.id, Submitted(mask=cube(4)))


def test_history_says_what_was_restored_and_what_can_be(make_workspace: MakeWorkspace) -> None:
    workspace, (_, _, rita), case, given = disagreeing(make_workspace)
    made = restore(workspace, given[0].id, rita.id)
    lines = case_history(workspace, case.id)
    assert [(line.what, line.restorable) for line in lines if line.annotation_id == made.id] == [("restored", False), ("approved", False)]
    assert [line.annotation_id for line in lines if line.restorable][:2] == [a.id for a in given]
    with workspace.store.read() as tx:
        assert restored_among(tx, case_readings(tx, [case.id]).values()) == {made.id}


def test_the_lead_sees_what_everybody_has_to_do_and_the_agreement_of_each_label(make_workspace: MakeWorkspace) -> None:
    workspace, (_, bob, rita), case, given = disagreeing(make_workspace)
    return_case(workspace, case.id, rita.id, comment="too far left", looked=Looked(given[1].id))
    opened = next_assignment(workspace, bob.id)
    assert opened is not None
    lines = {line.annotator: (line.open, line.returned) for line in skilled_annotators(workspace)}
    assert lines == {"Ann": (0, 0), "Bob": (1, 1), "Rita": (0, 0)}
    (window,) = agreement_over_time(workspace)
    assert window.by_label["1"] == pytest.approx(0.25)
