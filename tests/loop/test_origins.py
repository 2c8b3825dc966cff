"""Whose annotation a case opens with, where annotations began, and which of them lean on a model."""

import numpy as np
import pytest

from medloop.core.arrays import MaskArray
from medloop.core.errors import ReplacesError
from medloop.core.records import Annotation, Annotator, Case, Prediction
from medloop.images.encode import decode_mask, encode_mask
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project

from .conftest import SMALL, MakeWorkspace
from .made_up import add_answer, add_model, add_prediction, case_named


def leans(workspace: Workspace, annotation: Annotation) -> bool:
    with workspace.store.read() as tx:
        return leans_on_proposal(tx, tx.get(Annotation, annotation.id))


def proposed(workspace: Workspace, prediction: Prediction, case: Case) -> MaskArray:
    return decode_mask(workspace.store.blobs.get(prediction.mask or ""), case.grid.shape)


def with_proposal(workspace: Workspace, name: str = "case00", *, index: int = 1) -> tuple[Case, Prediction]:
    case = case_named(workspace, name)
    return case, add_prediction(workspace, add_model(workspace, index), case, foreground=0.1)


def painted(mask: MaskArray, value: int = 2) -> MaskArray:
    """The mask with one slice painted whole."""
    after = mask.copy()
    after[:, :, 3] = value
    return after


@pytest.fixture
def tests(make_workspace: MakeWorkspace) -> Workspace:
    """A test case with an imported annotation, one without, and a training case with one."""
    return make_workspace(["test", "train", "test"], labelled=2)


@pytest.mark.parametrize("name", ["case00", "case01"])
def test_a_case_with_an_imported_annotation_opens_with_it_and_not_with_the_proposal(tests: Workspace, name: str) -> None:
    case, _ = with_proposal(tests, name)
    opened = open_case(tests, case.id, annotator_named(tests, "Ann").id)
    with tests.store.read() as tx:
        standing = standing_annotation(tx, case.id)
    assert standing is not None
    assert opened.annotation == standing
    assert opened.assignment.base_id == standing.id
    assert opened.assignment.began_with == "annotation"
    truth = load_mask(tests.store.blobs, standing, case).array
    np.testing.assert_array_equal(read_draft(tests, opened.assignment.id).mask, truth)


def test_a_case_that_somebody_else_annotated_opens_with_their_annotation(pool: Workspace, ann: Annotator) -> None:
    case, _ = with_proposal(pool)
    theirs = add_answer(pool, annotator_named(pool, "Bob"), case, labels=(2, 1))
    opened = open_case(pool, case.id, ann.id)
    assert opened.annotation is not None
    assert opened.annotation.id == theirs.id
    np.testing.assert_array_equal(read_draft(pool, opened.assignment.id).mask, load_mask(pool.store.blobs, theirs, case).array)


def test_a_draft_keeps_what_it_began_with_when_others_annotate_meanwhile(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    opened = open_case(pool, case.id, ann.id)
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 4, 2)]))
    add_answer(pool, annotator_named(pool, "Bob"), case)
    again = open_case(pool, case.id, ann.id)
    assert again.assignment.id == opened.assignment.id
    assert again.annotation is not None, "the other's annotation is told"
    expected = proposed(pool, prediction, case).copy()
    expected[:4, 0, 0] = 2
    np.testing.assert_array_equal(read_draft(pool, again.assignment.id).mask, expected)


def test_an_open_case_that_was_not_edited_begins_anew_with_an_annotation_that_came_meanwhile(pool: Workspace, ann: Annotator) -> None:
    case, _ = with_proposal(pool)
    opened = open_case(pool, case.id, ann.id)
    theirs = add_answer(pool, annotator_named(pool, "Bob"), case)
    again = open_case(pool, case.id, ann.id)
    assert again.assignment.id != opened.assignment.id
    assert again.assignment.base_id == theirs.id


def test_confirming_a_test_case_with_an_expert_label_is_refused_until_it_is_said(tests: Workspace) -> None:
    case, _ = with_proposal(tests)
    ann = annotator_named(tests, "Ann")
    opened = open_case(tests, case.id, ann.id)
    with pytest.raises(ReplacesError, match=r"case00 has an annotation imported on .*judged by \(test\)"):
        submit(tests, opened.assignment.id, Submitted())
    done = submit(tests, opened.assignment.id, Submitted(replace=True))
    with tests.store.read() as tx:
        assert [a.id for a in consensus_annotations(tx, "test")] == [done.id]
        assert done.supersedes == opened.assignment.base_id
    assert not leans(tests, done), "it began with the expert's label"


def test_a_confirmed_proposal_never_outweighs_an_imported_label_unless_it_names_it(tests: Workspace) -> None:
    case, prediction = with_proposal(tests, "case01")
    with tests.store.read() as tx:
        imported = standing_annotation(tx, case.id)
    assert imported is not None
    add_answer(tests, annotator_named(tests, "Ann"), case, proposal=prediction)
    with tests.store.read() as tx:
        assert standing_annotation(tx, case.id) == imported


def test_an_imported_label_of_a_training_case_is_replaced_by_a_correction_that_began_with_it(tests: Workspace) -> None:
    case = case_named(tests, "case01")
    opened = open_case(tests, case.id, annotator_named(tests, "Ann").id)
    save_patch(tests, opened.assignment.id, Edit(0, [(0, 4, 2)]))
    done = submit(tests, opened.assignment.id, Submitted())
    with tests.store.read() as tx:
        assert standing_annotation(tx, case.id) == done


def test_an_imported_label_that_came_while_a_case_was_open_is_not_replaced_unseen(pool: Workspace, ann: Annotator) -> None:
    case, _ = with_proposal(pool)
    opened = open_case(pool, case.id, ann.id)
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 4, 2)]))
    with pool.store.write("import") as tx:
        label = Annotation(
            id="annotation-label",
            case_id=case.id,
            task_id=pool.task.id,
            annotator_id=annotator_named(pool, "import", program=True).id,
            kind="mask",
            blob=pool.store.blobs.put(encode_mask(np.ones(SMALL, dtype=np.uint8))),
            origin="imported",
            created_at="2026-01-01T00:00:00.000000Z",
        )
        tx.add(label)
    with pytest.raises(ReplacesError, match="imported on 2026-01-01"):
        submit(pool, opened.assignment.id, Submitted())
    assert submit(pool, opened.assignment.id, Submitted(replace=True)).supersedes == label.id


def test_an_untouched_proposal_leans_and_says_so(pool: Workspace, ann: Annotator) -> None:
    case, _ = with_proposal(pool)
    done = submit(pool, open_case(pool, case.id, ann.id).assignment.id, Submitted())
    assert (done.began_with, done.untouched) == ("prediction", 1.0)
    assert leans(pool, done)


def test_the_untouched_share_is_of_the_voxels_of_proposal_and_annotation(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    opened = open_case(pool, case.id, ann.id)
    before = proposed(pool, prediction, case)
    after = painted(before)
    save_patch(pool, opened.assignment.id, Edit(0, runs_between(before, after)))
    done = submit(pool, opened.assignment.id, Submitted())
    region = (before > 0) | (after > 0)
    assert done.untouched == pytest.approx(((before == after) & region).sum() / region.sum())


def test_a_stroke_that_was_undone_leaves_a_proposal_untouched(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    opened = open_case(pool, case.id, ann.id)
    before = proposed(pool, prediction, case)
    save_patch(pool, opened.assignment.id, Edit(0, runs_between(before, painted(before))))
    save_patch(pool, opened.assignment.id, Edit(1, runs_between(painted(before), before)))
    assert submit(pool, opened.assignment.id, Submitted()).untouched == 1.0


def test_an_annotation_drawn_anew_after_clearing_the_proposal_does_not_lean(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    opened = open_case(pool, case.id, ann.id)
    before, empty = proposed(pool, prediction, case), np.zeros(SMALL, dtype=np.uint8)
    drawn = before.copy()
    drawn[:, :, 3] = 1
    save_patch(pool, opened.assignment.id, Edit(0, runs_between(before, empty)))
    save_patch(pool, opened.assignment.id, Edit(1, runs_between(empty, drawn)))
    done = submit(pool, opened.assignment.id, Submitted())
    assert done.untouched == 0.0
    assert not leans(pool, done)


def test_leaning_goes_through_annotations_that_began_with_a_proposal(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    submit(pool, open_case(pool, case.id, ann.id).assignment.id, Submitted())
    add_prediction(pool, add_model(pool, 2), case, foreground=0.4)
    opened = open_case(pool, case.id, annotator_named(pool, "Bob").id)
    before = proposed(pool, prediction, case)
    save_patch(pool, opened.assignment.id, Edit(0, runs_between(before, painted(before))))
    third = submit(pool, opened.assignment.id, Submitted())
    assert third.began_with == "annotation"
    assert 0.0 < (third.untouched or 0.0) < 1.0
    assert leans(pool, third)
    fourth = submit(pool, open_case(pool, case.id, ann.id).assignment.id, Submitted())
    assert fourth.untouched == third.untouched, "what the second person touched stays touched"


def test_a_proposal_that_came_later_and_was_put_into_the_draft_leans_too(pool: Workspace, ann: Annotator) -> None:
    case = case_named(pool, "case00")
    opened = open_case(pool, case.id, ann.id)
    assert opened.assignment.began_with == "blank"
    came = add_prediction(pool, add_model(pool, 1), case, foreground=0.1)
    later = proposed(pool, came, case)
    save_patch(pool, opened.assignment.id, Edit(0, runs_between(np.zeros(SMALL, dtype=np.uint8), later)))
    done = submit(pool, opened.assignment.id, Submitted())
    assert (done.began_with, done.proposal_id, done.untouched) == ("prediction", came.id, 1.0)
    assert leans(pool, done)


def test_a_proposal_put_into_a_draft_around_labels_that_were_kept_leans(pool: Workspace, ann: Annotator) -> None:
    case = case_named(pool, "case00")
    opened = open_case(pool, case.id, ann.id).assignment
    came = add_prediction(pool, add_model(pool, 1), case, foreground=0.1)
    later = proposed(pool, came, case)
    kept = np.zeros(SMALL, dtype=np.uint8)
    kept[0, :, :] = 2
    save_patch(pool, opened.id, Edit(0, runs_between(np.zeros(SMALL, dtype=np.uint8), kept)))
    mixed = np.where((kept == 0) & (later == 1), 1, kept).astype(np.uint8)
    assert (mixed == 1).sum() < (later == 1).sum(), "a kept label lies where the proposal has another one"
    save_patch(pool, opened.id, Edit(1, runs_between(kept, mixed)))
    done = submit(pool, opened.id, Submitted())
    assert (done.began_with, done.proposal_id) == ("prediction", came.id)
    assert leans(pool, done)


def test_a_hypothesis_taken_into_a_blank_draft_leans_until_it_is_drawn_over_or_taken_back(pool: Workspace, ann: Annotator) -> None:
    case = case_named(pool, "case00")
    opened = open_case(pool, case.id, ann.id).assignment
    came = add_prediction(pool, add_model(pool, 1), case, foreground=0.1)
    save_patch(pool, opened.id, Edit(0, [(100, 60, 1)], taken=True))  # no stored proposal: a sample of the model
    save_patch(pool, opened.id, Edit(1, [(100, 60, 0)]))
    save_patch(pool, opened.id, Edit(2, [(0, 20, 1)]))
    undone = submit(pool, opened.id, Submitted())
    assert not leans(pool, undone), "taken back, and drawn by hand"
    other = open_case(pool, case_named(pool, "case01").id, ann.id).assignment
    add_prediction(pool, add_model(pool, 2), case_named(pool, "case01"), foreground=0.1)
    save_patch(pool, other.id, Edit(0, [(100, 60, 1)], taken=True))
    save_patch(pool, other.id, Edit(1, [(100, 15, 1), (200, 40, 1)]))
    done = submit(pool, other.id, Submitted())
    assert (done.began_with, done.untouched) == ("prediction", pytest.approx(45 / 100))
    assert leans(pool, done)
    assert came.id != done.proposal_id


def test_a_mask_from_elsewhere_leans_when_a_proposal_was_shown_unless_its_maker_says_otherwise(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    mask = painted(proposed(pool, prediction, case))
    done = submit(pool, open_case(pool, case.id, ann.id).assignment.id, Submitted(mask=mask))
    assert done.began_with == "elsewhere"
    assert leans(pool, done)
    other, _ = with_proposal(pool, "case01", index=2)
    own = submit(pool, open_case(pool, other.id, ann.id).assignment.id, Submitted(mask=mask, independent=True))
    assert (own.began_with, own.untouched) == ("blank", None)
    assert not leans(pool, own)


def test_a_mask_without_a_model_does_not_lean(pool: Workspace, ann: Annotator) -> None:
    opened = open_case(pool, case_named(pool, "case00").id, ann.id)
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 9, 1)]))
    done = submit(pool, opened.assignment.id, Submitted())
    assert (done.began_with, done.untouched) == ("blank", None)
    assert not leans(pool, done)


def test_a_simulated_annotator_with_the_truth_does_not_lean(pool: Workspace) -> None:
    case, prediction = with_proposal(pool)
    robot = annotator_named(pool, "oracle", kind="simulated")
    done = submit(pool, open_case(pool, case.id, robot.id).assignment.id, Submitted(mask=proposed(pool, prediction, case)))
    assert not leans(pool, done)


def test_annotations_from_before_origins_were_kept_lean_when_they_were_shown_a_proposal(pool: Workspace, ann: Annotator) -> None:
    case, prediction = with_proposal(pool)
    assert not leans(pool, add_answer(pool, ann, case))
    assert leans(pool, add_answer(pool, ann, case, proposal=prediction))


def test_python_confirms_a_proposal_no_more_silently_than_the_page(pool: Workspace) -> None:
    with_proposal(pool)
    project = Project(pool)
    opened = project.next("Ann")
    while opened is not None and opened.case.name != "case00":
        project.skip(opened, "not this one")
        opened = project.next("Ann")
    assert opened is not None
    mask = project.proposal(opened)
    assert mask is not None
    assert leans(pool, project.submit(opened, mask))


def test_a_proposal_put_into_a_draft_that_began_with_an_annotation_leans(tests: Workspace) -> None:
    case, prediction = with_proposal(tests, "case01")
    opened = open_case(tests, case.id, annotator_named(tests, "Ann").id)
    before = read_draft(tests, opened.assignment.id).mask
    save_patch(tests, opened.assignment.id, Edit(0, runs_between(before, proposed(tests, prediction, case))))
    done = submit(tests, opened.assignment.id, Submitted())
    assert (done.began_with, done.untouched) == ("prediction", 1.0)
    assert leans(tests, done)


def test_ones_own_imported_label_of_a_test_case_is_replaced_only_when_that_is_said(tests: Workspace) -> None:
    case, ann = case_named(tests, "case02"), annotator_named(tests, "Ann")
    label = Annotation(
        id="annotation-label",
        case_id=case.id,
        task_id=tests.task.id,
        annotator_id=ann.id,
        kind="mask",
        blob=tests.store.blobs.put(encode_mask(np.ones(SMALL, dtype=np.uint8))),
        origin="imported",
        created_at="2026-01-01T00:00:00.000000Z",
    )
    with tests.store.write("import") as tx:
        tx.add(label)
    opened = open_case(tests, case.id, ann.id)
    with pytest.raises(ReplacesError):
        submit(tests, opened.assignment.id, Submitted())
    assert submit(tests, opened.assignment.id, Submitted(replace=True)).supersedes == label.id


def test_the_draft_of_a_closed_correction_stays_what_it_was_when_the_case_is_corrected_again(pool: Workspace, ann: Annotator) -> None:
    case, _ = with_proposal(pool)
    drafts = []
    for stroke in ((0, 9, 2), (20, 9, 1), (40, 9, 2)):
        opened = open_case(pool, case.id, ann.id)
        save_patch(pool, opened.assignment.id, Edit(0, [stroke]))
        drafts.append((opened.assignment.id, read_draft(pool, opened.assignment.id).mask))
        submit(pool, opened.assignment.id, Submitted())
    for assignment_id, mask in drafts:
        np.testing.assert_array_equal(read_draft(pool, assignment_id).mask, mask)
