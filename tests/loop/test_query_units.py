"""Slices or regions in place of whole cases: what is queried, that submitting it fills only that, and that it is not queried again."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import SettingError
from medloop.core.records import Assignment, Prediction, ProjectSettings
from medloop.core.settings import QueryUnit
from medloop.images.encode import decode_mask, encode_mask
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.drafts import packed_draft, read_draft
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart, annotated_voxels
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.status import status
from medloop.loop.project import Project
from medloop.loop.querying.parts import queried_parts
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import add_model, add_prediction, every_case

SLICES = dataclasses.replace(FAST, query_unit="slice", batch_size=1)


def predicted(workspace: Workspace, entropy: dict[int, int]) -> None:
    """Every case predicted, as unsure as these bytes say on some slices of the last axis."""
    model = add_model(workspace, 1)
    doubt = np.zeros(SMALL, dtype=np.uint8)
    for index, value in entropy.items():
        doubt[..., index] = value
    for case in every_case(workspace):
        seen = add_prediction(workspace, model, case)
        unsure = dataclasses.replace(seen, id=f"{seen.id}u", uncertainty=workspace.store.blobs.put(encode_mask(doubt)))
        with workspace.store.write("worker") as tx:
            tx.add(unsure)


def parts_of(workspace: Workspace, assignment: Assignment) -> tuple[Part, ...]:
    with workspace.store.read() as tx:
        return queried_parts(tx, assignment)


@pytest.fixture
def volumes(make_workspace: MakeWorkspace) -> Workspace:
    workspace = make_workspace(["train"], settings=SLICES)
    predicted(workspace, {4: 100, 9: 200, 11: 150})
    return workspace


def test_the_most_uncertain_slice_is_queried_then_the_next_until_none_is_left(volumes: Workspace) -> None:
    ann = annotator_named(volumes, "Ann")
    for index in (9, 11, 4):
        opened = next_assignment(volumes, ann.id)
        assert opened is not None
        assert parts_of(volumes, opened.assignment) == (SlicePart(2, index),)
        assert opened.assignment.reason.startswith(f"axial slice {index + 1} of 16: about ")
        done = submit(volumes, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
        assert done.kind == "partial"
        answer = load_annotation(volumes.store.blobs, done, opened.case)
        assert not isinstance(answer, int)
        assert (answer.array[..., index] == 1).all()
        assert (np.delete(answer.array, index, axis=2) == UNKNOWN).all()
    opened = next_assignment(volumes, ann.id)
    assert opened is not None
    assert parts_of(volumes, opened.assignment) == ()
    assert (read_draft(volumes, opened.assignment.id).mask[..., [4, 9, 11]] == 1).all()  # what was annotated is not lost in the whole
    assert submit(volumes, opened.assignment.id, Submitted()).kind == "mask"
    assert next_assignment(volumes, ann.id) is None
    verify(volumes.store)


def test_regions_are_boxes_where_the_model_is_unsure_and_as_many_as_wanted(make_workspace: MakeWorkspace) -> None:
    settings = dataclasses.replace(SLICES, query_unit="region", query_parts=2)
    workspace = make_workspace(["train"], settings=settings)
    predicted(workspace, {4: 200})
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    parts = parts_of(workspace, opened.assignment)
    assert len(parts) == 2
    assert all(isinstance(part, BoxPart) and part.start[2] <= 4 < part.stop[2] for part in parts)
    assert opened.assignment.reason.count("region ") == 2
    done = submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
    answer = load_annotation(workspace.store.blobs, done, opened.case)
    assert not isinstance(answer, int)
    assert np.array_equal(answer.array != UNKNOWN, annotated_voxels(parts, SMALL))


def test_a_case_that_a_person_chose_is_annotated_whole(volumes: Workspace) -> None:
    chosen = open_case(volumes, every_case(volumes)[0].id, annotator_named(volumes, "Ann").id)
    assert parts_of(volumes, chosen.assignment) == ()
    assert submit(volumes, chosen.assignment.id, Submitted()).kind == "mask"


def test_whole_overrules_the_part(volumes: Workspace) -> None:
    opened = next_assignment(volumes, annotator_named(volumes, "Ann").id)
    assert opened is not None
    assert submit(volumes, opened.assignment.id, Submitted(whole=True)).kind == "mask"


def annotated_slice(workspace: Workspace, name: str) -> Assignment:
    """Somebody's annotation of the queried slice 9: all of label 1."""
    opened = next_assignment(workspace, annotator_named(workspace, name).id)
    assert opened is not None
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
    return opened.assignment


def test_a_draft_begins_with_the_slices_annotated_before_whoever_opens_the_case(volumes: Workspace) -> None:
    first = annotated_slice(volumes, "Ann")
    chosen = open_case(volumes, first.case_id, annotator_named(volumes, "Bob").id).assignment
    undo_submit(volumes, first.id)
    draft = read_draft(volumes, chosen.id).mask  # stays as it was when it was opened
    assert (draft[..., 9] == 1).all()
    assert (draft[..., 8] != 1).any()
    revision, packed = packed_draft(volumes, chosen.id)
    assert revision == 0
    assert np.array_equal(decode_mask(packed, SMALL), draft)


def test_a_slice_withdrawn_before_is_not_in_a_draft_opened_later(volumes: Workspace) -> None:
    first = annotated_slice(volumes, "Ann")
    undo_submit(volumes, first.id)
    chosen = open_case(volumes, first.case_id, annotator_named(volumes, "Bob").id).assignment
    assert (read_draft(volumes, chosen.id).mask[..., 9] != 1).any()


def test_undoing_a_slice_made_elsewhere_gives_it_back_as_the_draft(volumes: Workspace) -> None:
    first = annotated_slice(volumes, "Ann")
    before = read_draft(volumes, first.id, upto=0).mask
    undo_submit(volumes, first.id)
    draft = read_draft(volumes, first.id).mask
    assert (draft[..., 9] == 1).all()
    assert np.array_equal(np.delete(draft, 9, axis=2), np.delete(before, 9, axis=2))
    assert parts_of(volumes, first) == (SlicePart(2, 9),)


def test_damaged_uncertainty_makes_the_case_be_queried_whole_and_says_so(volumes: Workspace) -> None:
    with volumes.store.read() as tx:
        (blob,) = {str(p.uncertainty) for p in tx.find(Prediction) if p.uncertainty}
    (found,) = (path for path in (volumes.folder / "blobs").rglob("*") if path.name in (blob, blob[2:]))
    found.chmod(0o600)
    found.write_bytes(b"damaged")
    opened = next_assignment(volumes, annotator_named(volumes, "Ann").id)
    assert opened is not None
    assert parts_of(volumes, opened.assignment) == ()
    assert "whole, as its parts cannot be ranked" in opened.assignment.reason


def test_evaluation_cases_and_cases_no_model_has_seen_are_queried_whole(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "audit"], settings=dataclasses.replace(SLICES, batch_size=2))
    ann = annotator_named(workspace, "Ann")
    for _ in range(3):
        opened = next_assignment(workspace, ann.id)
        assert opened is not None
        assert parts_of(workspace, opened.assignment) == ()
        submit(workspace, opened.assignment.id, Submitted())


def test_a_project_of_slices_trains_on_slices(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, labelled=2, settings=dataclasses.replace(SLICES, batch_size=2, train_steps=2))
    with Project(workspace) as project:
        project.train()
        for _ in range(2):
            opened = project.next("Ann")
            assert opened is not None
            (part,) = project.parts(opened)
            assert isinstance(part, SlicePart)
            assert part.axis == 2
            project.submit(opened, np.ones(SMALL, dtype=np.uint8))
        drain(workspace)
        newest = status(workspace).model
        assert newest is not None
        assert newest.index == 2


@pytest.mark.parametrize("unit", ["slice", "region"])
def test_a_classification_is_queried_by_whole_cases(tmp_path: Path, unit: QueryUnit) -> None:
    with pytest.raises(SettingError, match=f"A {unit} is queried to be segmented, this is a classification; leave query_unit at case"):
        Workspace.create(tmp_path / "p", name="x", kind="classification", labels=["a", "b"], settings=ProjectSettings(query_unit=unit))
