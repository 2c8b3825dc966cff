"""The steps of a draft can be gone through again, and end where the draft stands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.arrays import MaskArray
from medloop.core.errors import NotFoundError
from medloop.core.records import Annotation, Annotator, Case
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Point
from medloop.interaction.runs import apply_runs, runs_between
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.propagating import propagate
from medloop.loop.annotating.refining import Refiner, add_prompt
from medloop.loop.annotating.steps import annotation_steps, draft_steps
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.workspace import Workspace
from tests.loop.films import add_film, film

from .conftest import MakeWorkspace


def test_steps_say_what_they_were_and_give_the_same_mask_at_the_end(pool: Workspace, ann: Annotator) -> None:
    assignment = open_case(pool, add_film(pool).id, ann.id).assignment
    begun = read_draft(pool, assignment.id).mask
    for frame in (2, 5):
        before = read_draft(pool, assignment.id)
        after = before.mask.copy(order="F")
        after[..., frame][film()[1][..., frame]] = 1
        save_patch(pool, assignment.id, Edit(before.revision, runs_between(before.mask, after)))
    last = read_draft(pool, assignment.id)
    save_patch(pool, assignment.id, Edit(last.revision, runs_between(last.mask, read_draft(pool, assignment.id, upto=1).mask)))
    propagate(pool, assignment.id, base_revision=3)
    made = draft_steps(pool, assignment.id)
    steps = made.steps
    assert made.who == pool.store.get(Annotator, ann.id).name
    assert [(step.revision, step.what) for step in steps] == [(1, "stroke"), (2, "stroke"), (3, "taken back"), (4, "propagated")]
    mask = apply_runs(np.zeros_like(begun), made.began)
    np.testing.assert_array_equal(mask, begun)
    for step in steps:
        mask = apply_runs(mask, step.runs)
        np.testing.assert_array_equal(mask, read_draft(pool, assignment.id, upto=step.revision).mask)
    submit(pool, assignment.id, Submitted(revision=4))
    assert [step.revision for step in draft_steps(pool, assignment.id).steps] == [1, 2, 3, 4]


def replayed(pool: Workspace, annotation: Annotation) -> tuple[MaskArray, list[str]]:
    made = annotation_steps(pool, annotation.id)
    mask = np.zeros(pool.store.get(Case, annotation.case_id).grid.shape, dtype=np.uint8)
    for runs in (made.began, *(step.runs for step in made.steps)):
        mask = apply_runs(mask, runs)
    return mask, [step.what for step in made.steps]


def test_the_steps_of_an_annotation_end_where_it_was_submitted_though_its_draft_went_on(pool: Workspace, ann: Annotator) -> None:
    case = add_film(pool)
    assignment = open_case(pool, case.id, ann.id).assignment
    whole = film()[1].astype(np.uint8)
    save_patch(pool, assignment.id, Edit(0, [(5, 3, 1)]))
    early = submit(pool, assignment.id, Submitted(revision=1))
    undo_submit(pool, assignment.id)
    save_patch(pool, assignment.id, Edit(1, [(5, 3, 0), (40, 2, 2)]))
    late = submit(pool, assignment.id, Submitted(mask=whole))
    first = apply_runs(np.zeros_like(whole), [(5, 3, 1)])
    for annotation, mask, words in ((early, first, ["stroke"]), (late, whole, ["stroke", "stroke", "mask sent whole"])):
        found, said = replayed(pool, annotation)
        np.testing.assert_array_equal(found, mask)
        assert said == words


def test_the_steps_of_a_partial_annotation_end_in_it_where_it_says_something(pool: Workspace, ann: Annotator) -> None:
    case = add_film(pool)
    assignment = open_case(pool, case.id, ann.id).assignment
    save_patch(pool, assignment.id, Edit(0, [(0, 1600, 1), (1600, 1600, 2)]))
    annotation = submit(pool, assignment.id, Submitted(revision=1, parts=[SlicePart(2, 1)]))
    found, said = replayed(pool, annotation)
    assert (found[..., 1] == 2).all()
    assert said == ["stroke"]


def test_a_step_says_which_prompts_it_holds_and_who_refined(pool: Workspace, ann: Annotator) -> None:
    case = add_film(pool)
    assignment = open_case(pool, case.id, ann.id).assignment
    add_prompt(pool, assignment.id, Point((14, 20, 0)), base_revision=0, refiner=Refiner(ClassicalEngine()))
    (step,) = draft_steps(pool, assignment.id).steps
    assert (step.what, step.prompts[0]["voxel"], bool(step.engine)) == ("prompt: point", [14, 20, 0], True)


def test_an_annotation_that_was_not_drawn_here_has_no_steps(make_workspace: MakeWorkspace) -> None:
    brought = make_workspace(["train"], labelled=1)
    with brought.store.read() as tx:
        (annotation,) = tx.find(Annotation)
    with pytest.raises(NotFoundError, match="this annotation is a mask that is imported"):
        annotation_steps(brought, annotation.id)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 3)), max_size=12))
def test_runs_in_order_are_the_same_as_all_at_once(runs: list[tuple[int, int, int]]) -> None:
    mask = np.zeros((4, 5, 1), dtype=np.uint8, order="F")
    stepwise = mask
    for run in runs:
        stepwise = apply_runs(stepwise, [run])
    np.testing.assert_array_equal(stepwise, apply_runs(mask, runs))
