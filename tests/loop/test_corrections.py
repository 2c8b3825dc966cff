"""What a finished answer says about who touched what, and how that counts in training."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Annotation, Annotator, Assignment, Model, Prediction, new_id, now
from medloop.images.encode import encode_mask
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.corrections import correction_of, touched_of
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.filling import fill_between
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.crowds import Crowd
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.training_set import training_cases
from medloop.loop.learning.voxel_weights import DRAWN_WEIGHT, weighing_of
from medloop.loop.worker import drain

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import add_model, every_case

PLANE = 24 * 24


@pytest.fixture
def mended(pool: Workspace, ann: Annotator) -> Annotation:
    """A proposal of label 1 on slices 4 and 5; Ann drew five voxels on slice 4, two of them as they were."""
    opened = open_proposed(pool, ann)
    save_patch(pool, opened.id, Edit(0, [(4 * PLANE, 5, 1), (4 * PLANE + 2, 3, 2)]))
    return submit(pool, opened.id, Submitted())


def open_proposed(pool: Workspace, ann: Annotator) -> Assignment:
    case = every_case(pool)[0]
    mask = np.zeros(SMALL, dtype=np.uint8)
    mask[..., 4:6] = 1
    prediction = Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=add_model(pool, 3).id,
        mask=pool.store.blobs.put(encode_mask(mask)),
        uncertainty=None,
        probabilities=(0.8, 0.1, 0.1),
        features=None,
        scores={},
        created_at=now(),
    )
    with pool.store.write("worker") as tx:
        tx.add(prediction)
    return open_case(pool, case.id, ann.id).assignment


def test_touched_are_the_voxels_an_edit_went_over(pool: Workspace, mended: Annotation) -> None:
    correction = correction_of(pool, mended)
    assert (correction.annotator, correction.model, correction.edits) == ("Ann", 3, 1)
    assert np.flatnonzero(correction.touched.ravel(order="F")).tolist() == [4 * PLANE + n for n in range(5)]
    assert correction.to_json()["touched_voxels"] == 5
    assert correction.answered.all()


def test_a_mask_made_elsewhere_touches_what_it_changes(pool: Workspace, ann: Annotator) -> None:
    opened = open_proposed(pool, ann)
    mask = np.zeros(SMALL, dtype=np.uint8)
    mask[..., 4:6], mask[0, 0, 9] = 1, 2
    touched = correction_of(pool, submit(pool, opened.id, Submitted(mask=mask))).touched
    assert np.argwhere(touched).tolist() == [[0, 0, 9]]


def test_an_accepted_proposal_has_no_touched_voxel(pool: Workspace, ann: Annotator) -> None:
    accepted = submit(pool, open_proposed(pool, ann).id, Submitted())
    assert correction_of(pool, accepted).to_json()["touched_share"] == 0


def test_a_mask_from_nothing_is_all_of_the_persons_making(pool: Workspace, ann: Annotator) -> None:
    opened = open_case(pool, every_case(pool)[1].id, ann.id).assignment
    correction = correction_of(pool, submit(pool, opened.id, Submitted(mask=np.zeros(SMALL, dtype=np.uint8))))
    assert (correction.model, correction.touched.all()) == (None, True)


def test_a_second_correction_keeps_the_touches_of_the_first(pool: Workspace, mended: Annotation, ann: Annotator) -> None:
    again = open_case(pool, mended.case_id, ann.id).assignment
    save_patch(pool, again.id, Edit(0, [(7 * PLANE, 1, 1)]))
    second = submit(pool, again.id, Submitted())
    assert second.supersedes == mended.id
    assert correction_of(pool, second).touched.sum() == 6


def test_only_answered_slices_of_a_partial_answer_count(pool: Workspace, ann: Annotator) -> None:
    opened = open_proposed(pool, ann)
    save_patch(pool, opened.id, Edit(0, [(4 * PLANE, 2, 0), (9 * PLANE, 2, 1)]))
    correction = correction_of(pool, submit(pool, opened.id, Submitted(parts=[SlicePart(2, 4)])))
    assert (correction.touched.sum(), correction.answered.sum()) == (2, PLANE)


@pytest.fixture
def filled(pool: Workspace, ann: Annotator) -> Annotation:
    """Ann drew squares on slices 2 and 6 of an empty case and had those between filled in."""
    opened = open_case(pool, every_case(pool)[1].id, ann.id).assignment
    before = np.zeros(SMALL, dtype=np.uint8)
    after = before.copy(order="F")
    after[4:10, 4:10, [2, 6]] = 1
    revision = save_patch(pool, opened.id, Edit(0, runs_between(before, after)))
    fill_between(pool, opened.id, axis=2, base_revision=revision)
    return submit(pool, opened.id, Submitted())


def test_of_a_filled_answer_the_drawn_slices_count_as_touched(pool: Workspace, filled: Annotation) -> None:
    touched = correction_of(pool, filled).touched
    assert np.flatnonzero(touched.any(axis=(0, 1))).tolist() == [2, 6]
    assert touched[:, :, [2, 6]].all()


def test_a_mended_proposal_with_slices_filled_in_likewise(pool: Workspace, ann: Annotator) -> None:
    opened = open_proposed(pool, ann)
    before = read_draft(pool, opened.id).mask
    after = before.copy(order="F")
    after[2:6, 2:6, [1, 8]] = 2
    revision = save_patch(pool, opened.id, Edit(0, runs_between(before, after)))
    made = fill_between(pool, opened.id, axis=2, base_revision=revision)
    save_patch(pool, opened.id, Edit(made.draft.revision, [(9 * PLANE, 3, 1)]))
    touched = correction_of(pool, submit(pool, opened.id, Submitted())).touched
    assert np.flatnonzero(touched.any(axis=(0, 1))).tolist() == [1, 8, 9]
    assert touched[:, :, 9].all()


def scope_of(workspace: Workspace) -> AnnotatedLabels:
    with workspace.store.read() as tx:
        return annotated_labels(tx, workspace.task)


def test_where_slices_were_filled_in_drawn_ones_count_more_in_training(pool: Workspace, mended: Annotation, filled: Annotation) -> None:
    cases = {case.id: case for case in every_case(pool)}
    weighing = weighing_of(pool, [mended, filled])
    by_hand, between = (c.touched for c in training_cases(pool, [[mended], [filled]], cases, weighing, Crowd(), scope_of(pool)))
    assert by_hand is not None
    assert between is not None
    assert by_hand().all()
    assert (between() == touched_of(pool, [filled], cases[filled.case_id])).all()
    assert weighing_of(pool, [mended, filled]).weight == DRAWN_WEIGHT
    assert weighing_of(pool, [mended]).weight == 1


def test_a_setting_says_more_than_the_rule_for_filled_answers(pool: Workspace, mended: Annotation, filled: Annotation) -> None:
    weighed = dataclasses.replace(pool.project, settings=dataclasses.replace(pool.settings, correction_weight=2.0))
    found = weighing_of(dataclasses.replace(pool, project=weighed), [mended, filled])
    assert (found.weight, found.by_setting, found.filled) == (2.0, True, {filled.id})


def test_a_training_with_filled_answers_says_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=2)
    opened = open_case(workspace, every_case(workspace)[-1].id, annotator_named(workspace, "Ann").id).assignment
    before = read_draft(workspace, opened.id).mask
    after = before.copy(order="F")
    after[4:10, 4:10, [2, 6]] = 1
    revision = save_patch(workspace, opened.id, Edit(0, runs_between(before, after)))
    fill_between(workspace, opened.id, axis=2, base_revision=revision)
    submit(workspace, opened.id, Submitted())
    start_training(workspace, actor="test")
    drain(workspace)
    with workspace.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    assert (model.metrics["filled_answers"], model.metrics["drawn_weight"], model.recipe["touched_weight"]) == (
        1,
        DRAWN_WEIGHT,
        DRAWN_WEIGHT,
    )


def test_training_cases_know_their_touched_voxels_only_when_these_count(pool: Workspace, mended: Annotation) -> None:
    cases = {case.id: case for case in every_case(pool)}
    assert training_cases(pool, [[mended]], cases, weighing_of(pool, [mended]), Crowd(), scope_of(pool))[0].touched is None
    weighed = dataclasses.replace(pool.project, settings=dataclasses.replace(pool.settings, correction_weight=5.0))
    asking = dataclasses.replace(pool, project=weighed)
    touched = training_cases(asking, [[mended]], cases, weighing_of(asking, [mended]), Crowd(), scope_of(asking))[0].touched
    assert touched is not None
    assert (touched() == touched_of(pool, [mended], cases[mended.case_id])).all()


def test_a_training_weighs_corrections_and_says_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=2, settings=dataclasses.replace(FAST, correction_weight=3.0))
    start_training(workspace, actor="test")
    drain(workspace)
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    assert opened.prediction is not None
    save_patch(workspace, opened.assignment.id, Edit(0, [(0, 40, 1)]))
    submit(workspace, opened.assignment.id, Submitted())
    start_training(workspace, actor="test")
    drain(workspace)
    with workspace.store.read() as tx:
        first, second = tx.find(Model, order=("index",))
    assert (first.metrics["corrected_answers"], second.metrics["corrected_answers"]) == (0, 1)
    assert second.metrics["correction_weight"] == second.recipe["touched_weight"] == 3.0


@pytest.mark.parametrize("weight", [0.5, 101.0, float("nan")])
def test_a_weight_outside_its_range_is_refused(make_workspace: MakeWorkspace, weight: float) -> None:
    with pytest.raises(SettingError, match="correction_weight must lie between 1 and 100"):
        make_workspace(["train"], settings=dataclasses.replace(FAST, correction_weight=weight))
