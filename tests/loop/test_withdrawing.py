"""Annotations taken out of use: by flagging or skipping their case, or by undoing a submission."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import ConflictError, NotFoundError, StateError
from medloop.core.records import Annotation, Annotator, Assignment, Round, Withdrawal
from medloop.core.states import RoundState
from medloop.loop.annotating.annotations import Opened, flag_case, next_assignment, open_case, skip_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.crowds import training_annotations
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.refusals import refusals
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.store.audit import verify

from .conftest import SMALL, MakeWorkspace
from .made_up import case_named


def opened_by(workspace: Workspace, name: str, by: str = "Ann") -> Opened:
    return open_case(workspace, case_named(workspace, name).id, annotator_named(workspace, by).id)


def learned(workspace: Workspace) -> list[str]:
    """Names of the cases whose annotations a training would learn from now."""
    with workspace.store.read() as tx:
        ids = {a.case_id for a in training_annotations(workspace, tx)}
        return [row.name for row in tx.worklist() if row.case_id in ids]


def state(workspace: Workspace, name: str) -> str:
    with workspace.store.read() as tx:
        return next(row.state for row in tx.worklist() if row.name == name)


@pytest.mark.parametrize("refuse", [flag_case, skip_case])
def test_a_flagged_or_skipped_case_loses_its_imported_annotation_everywhere_but_in_the_history(
    make_workspace: MakeWorkspace, tmp_path: Path, refuse: Callable[..., Assignment]
) -> None:
    workspace = make_workspace(["train", "train", "test"], labelled=3)
    refuse(workspace, opened_by(workspace, "case00").assignment.id, reason="wrong patient")
    assert learned(workspace) == ["case01"]
    assert state(workspace, "case00") == ("flagged" if refuse is flag_case else "skipped")
    report = export_project(workspace, tmp_path / "out", "nifti")
    assert report.cases == 2
    assert any("case00" in note and "wrong patient" in note and "Ann" in note for note in report.notes)
    assert progress(workspace).annotated == 2
    with workspace.store.read() as tx:
        assert tx.count(Annotation) == 3
        assert [w.verb for w in tx.find(Withdrawal, where={"case_id": case_named(workspace, "case00").id})] == [state(workspace, "case00")]
    assert verify(workspace.store).ok


def test_a_new_annotation_brings_a_flagged_case_back(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train"], labelled=2)
    flag_case(workspace, opened_by(workspace, "case00").assignment.id, reason="wrong patient")
    again = opened_by(workspace, "case00", "Bob")
    assert again.annotation is None
    assert not read_draft(workspace, again.assignment.id).mask.any()
    submit(workspace, again.assignment.id, Submitted())
    assert learned(workspace) == ["case00", "case01"]
    assert state(workspace, "case00") == "answered"
    with workspace.store.read() as tx:
        assert refusals(tx, [again.case.id]) == {}


def test_flagging_takes_the_annotations_of_everybody_and_those_they_replaced(pool: Workspace) -> None:
    for by in ("Ann", "Ann", "Bob"):
        submit(pool, opened_by(pool, "case00", by).assignment.id, Submitted())
    flag_case(pool, opened_by(pool, "case00", "Eva").assignment.id, reason="blurred")
    with pool.store.read() as tx:
        assert tx.current_annotations() == []
        assert tx.count(Withdrawal) == 3


def test_partial_annotations_of_a_flagged_case_teach_no_more(pool: Workspace) -> None:
    submit(pool, opened_by(pool, "case00").assignment.id, Submitted(parts=[SlicePart(2, 3)]))
    flag_case(pool, opened_by(pool, "case00").assignment.id, reason="blurred")
    assert learned(pool) == []


def test_a_flagged_case_stays_flagged_while_somebody_looks_at_it(pool: Workspace) -> None:
    flag_case(pool, opened_by(pool, "case00").assignment.id, reason="blurred")
    opened_by(pool, "case00", "Bob")
    assert state(pool, "case00") == "flagged"


def test_why_by_whom_and_when_a_case_was_left_out_is_told(pool: Workspace) -> None:
    case = case_named(pool, "case00")
    skip_case(pool, opened_by(pool, "case00").assignment.id, reason="too small")
    with pool.store.read() as tx:
        told = refusals(tx, [case.id, case_named(pool, "case01").id])
    assert set(told) == {case.id}
    assert (told[case.id].verb, told[case.id].reason, told[case.id].by) == ("skipped", "too small", "Ann")


def test_a_submission_can_be_undone_and_goes_on_as_it_was(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 5, 1)]))
    before = read_draft(pool, opened.assignment.id).mask
    first = submit(pool, opened.assignment.id, Submitted())
    again = undo_submit(pool, opened.assignment.id)
    assert (again.id, again.state, again.revision) == (opened.assignment.id, "open", 1)
    np.testing.assert_array_equal(read_draft(pool, again.id).mask, before)
    with pool.store.read() as tx:
        assert tx.current_annotations() == []
        assert tx.get(Annotation, first.id) == first
    following = next_assignment(pool, ann.id)
    assert following is not None
    assert following.assignment.id == opened.assignment.id, "it comes back first"
    assert submit(pool, again.id, Submitted()).supersedes is None
    assert verify(pool.store).ok


def test_what_stood_before_an_undone_submission_stands_again(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"], labelled=1)
    with workspace.store.read() as tx:
        (expert,) = tx.current_annotations()
    opened = opened_by(workspace, "case00")
    submit(workspace, opened.assignment.id, Submitted(replace=True))
    undo_submit(workspace, opened.assignment.id)
    with workspace.store.read() as tx:
        assert tx.current_annotations() == [expert]


def test_a_case_that_was_flagged_before_an_undone_submission_is_flagged_again(pool: Workspace) -> None:
    flag_case(pool, opened_by(pool, "case00").assignment.id, reason="blurred")
    opened = opened_by(pool, "case00", "Bob")
    submit(pool, opened.assignment.id, Submitted())
    undo_submit(pool, opened.assignment.id)
    assert state(pool, "case00") == "flagged"


def test_a_mask_from_elsewhere_is_the_draft_after_its_submission_was_undone(pool: Workspace) -> None:
    mask = np.random.default_rng(0).integers(0, 3, SMALL).astype(np.uint8)
    opened = opened_by(pool, "case00")
    submit(pool, opened.assignment.id, Submitted(mask=mask))
    undo_submit(pool, opened.assignment.id)
    np.testing.assert_array_equal(read_draft(pool, opened.assignment.id).mask, mask)


def test_only_the_last_submission_of_a_person_can_be_undone_and_only_once(pool: Workspace) -> None:
    first, second = opened_by(pool, "case00"), None
    with pytest.raises(StateError, match="no submission to undo"):
        undo_submit(pool, first.assignment.id)
    submit(pool, first.assignment.id, Submitted())
    second = opened_by(pool, "case00")
    submit(pool, second.assignment.id, Submitted())
    with pytest.raises(ConflictError, match="annotated this case again"):
        undo_submit(pool, first.assignment.id)
    undo_submit(pool, second.assignment.id)
    with pytest.raises(StateError, match="no submission to undo"):
        undo_submit(pool, second.assignment.id)
    with pytest.raises(NotFoundError):
        undo_submit(pool, "assignment-none")


def test_a_draft_that_was_begun_after_a_submission_is_not_lost_by_undoing_it(pool: Workspace) -> None:
    opened = opened_by(pool, "case00")
    submit(pool, opened.assignment.id, Submitted())
    again = opened_by(pool, "case00")
    save_patch(pool, again.assignment.id, Edit(0, [(0, 5, 1)]))
    with pytest.raises(ConflictError, match="changed it"):
        undo_submit(pool, opened.assignment.id)


def test_an_annotation_that_was_flagged_away_cannot_be_undone(pool: Workspace) -> None:
    opened = opened_by(pool, "case00")
    submit(pool, opened.assignment.id, Submitted())
    flag_case(pool, opened_by(pool, "case00", "Bob").assignment.id, reason="blurred")
    with pytest.raises(StateError):
        undo_submit(pool, opened.assignment.id)


def test_an_undone_case_of_a_round_keeps_its_round_open(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2)
    ann = annotator_named(workspace, "Ann")
    first = next_assignment(workspace, ann.id)
    assert first is not None
    submit(workspace, first.assignment.id, Submitted())
    undo_submit(workspace, first.assignment.id)
    other = annotator_named(workspace, "Bob")
    second = next_assignment(workspace, other.id)
    assert second is not None
    assert second.case.id != first.case.id
    submit(workspace, second.assignment.id, Submitted())
    with workspace.store.read() as tx:
        (only,) = tx.find(Round)
        assert only.state == RoundState.ANNOTATING
        assert tx.get(Assignment, first.assignment.id).state == "open"


def test_a_reason_is_one_line_that_no_terminal_obeys(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    opened = opened_by(workspace, "case00")
    flag_case(workspace, opened.assignment.id, reason=" wrong\x1b[2J patient\nsee \u202enote\u2028 می\u200cخواهم ")
    with workspace.store.read() as tx:
        assert refusals(tx, [opened.case.id])[opened.case.id].reason == "wrong [2J patient see note می\u200cخواهم"
