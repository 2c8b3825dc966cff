"""Slices, regions or superpixels in place of whole cases: what is queried, and that submitting fills it only."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import SettingError
from medloop.core.records import Assignment, Prediction, ProjectSettings, Source
from medloop.core.settings import QueryUnit
from medloop.images.encode import decode_mask, encode_mask
from medloop.images.phantoms import phantom_2d
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.drafts import packed_draft, read_draft
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart, annotated_voxels
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.status import status
from medloop.loop.project import Project
from medloop.loop.querying.parts import queried_parts
from medloop.loop.querying.rounds import prepare_round
from medloop.loop.worker import drain
from medloop.query.subvolume.units import rank_superpixels
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
    assert opened.assignment.reason.endswith("; whole, as no slice is uncertain that is not annotated yet")
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


def test_superpixels_are_queried_by_the_smallest_boxes_around_them(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=dataclasses.replace(SLICES, query_unit="superpixel", query_parts=2))
    predicted(workspace, {4: 200, 9: 100})
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    parts = parts_of(workspace, opened.assignment)
    image = load_image(workspace.store.blobs, opened.case).array
    doubt = np.zeros(SMALL)
    doubt[..., 4], doubt[..., 9] = 0.3, 0.1
    likely = rank_superpixels(doubt, image, 2, spacing_mm=opened.case.grid.spacing_mm)
    assert parts == tuple(BoxPart(box.start, box.stop) for box in likely)
    assert all(isinstance(part, BoxPart) and (part.start[2], part.stop[2]) == (4, 5) for part in parts)
    assert opened.assignment.reason.startswith("superpixel ")
    done = submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
    answer = load_annotation(workspace.store.blobs, done, opened.case)
    assert not isinstance(answer, int)
    assert np.array_equal(answer.array != UNKNOWN, annotated_voxels(parts, SMALL))


def test_a_picture_is_queried_by_superpixels_until_nothing_uncertain_is_left(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([], settings=dataclasses.replace(SLICES, query_unit="superpixel", query_parts=3))
    phantom = phantom_2d(0, 1, (64, 48))
    add_case(
        workspace,
        phantom.image,
        NewCase(name="flat", patient="patient", split="train", source=Source(format="phantom", names=("flat",), sha256="0" * 64)),
    )
    (case,) = every_case(workspace)
    seen = add_prediction(workspace, add_model(workspace, 1), case)
    doubt = np.zeros(case.grid.shape, dtype=np.uint8)
    doubt[10:40, 10:40] = 150
    with workspace.store.write("worker") as tx:
        tx.add(dataclasses.replace(seen, id=f"{seen.id}u", uncertainty=workspace.store.blobs.put(encode_mask(doubt))))
    annotated = np.zeros(case.grid.shape, dtype=bool)
    while (opened := next_assignment(workspace, annotator_named(workspace, "Ann").id)) and (
        parts := parts_of(workspace, opened.assignment)
    ):
        assert len(parts) <= 3
        assert (annotated_voxels(parts, case.grid.shape) & ~annotated & (doubt > 0)).any()
        annotated |= annotated_voxels(parts, case.grid.shape)
        submit(workspace, opened.assignment.id, Submitted(mask=np.ones(case.grid.shape, dtype=np.uint8)))
    assert opened is not None
    assert not (doubt[~annotated] > 0).any()
    verify(workspace.store)


@pytest.mark.parametrize(("before", "after"), [("slice", "case"), ("case", "slice"), ("slice", "superpixel"), ("region", "slice")])
def test_a_round_is_finished_in_the_unit_it_was_queried_with(make_workspace: MakeWorkspace, before: QueryUnit, after: QueryUnit) -> None:
    workspace = make_workspace(["train"] * 5, settings=dataclasses.replace(SLICES, query_unit=before, batch_size=2))
    predicted(workspace, {4: 100, 9: 200})
    ann = annotator_named(workspace, "Ann")

    def annotate() -> tuple[str | None, tuple[Part, ...], str]:
        opened = next_assignment(workspace.reload(), ann.id)
        assert opened is not None
        done = submit(workspace.reload(), opened.assignment.id, Submitted(mask=np.ones(SMALL, dtype=np.uint8)))
        return opened.assignment.round_id, parts_of(workspace, opened.assignment), done.kind

    first = annotate()
    prepare_round(workspace)  # the next round, made in advance with the unit of now
    configure(workspace, settings={"query_unit": after})
    second = annotate()
    assert (first[0], first[2], len(first[1])) == (second[0], second[2], len(second[1]))
    assert first[2] == ("mask" if before == "case" else "partial")
    assert {type(part) for part in first[1]} == {type(part) for part in second[1]}
    third = annotate()
    assert third[0] != second[0]
    assert [type(part) for part in third[1]] == {"case": [], "slice": [SlicePart]}.get(after, [BoxPart])
    assert third[2] == ("mask" if after == "case" else "partial")


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
        assert ("; whole, as no model has seen it" in opened.assignment.reason) == (opened.case.split == "train")
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


@pytest.mark.parametrize("unit", ["slice", "region", "superpixel"])
def test_a_classification_is_queried_by_whole_cases(tmp_path: Path, unit: QueryUnit) -> None:
    with pytest.raises(SettingError, match=f"A {unit} is queried to be segmented, this is a classification; leave query_unit at case"):
        Workspace.create(tmp_path / "p", name="x", kind="classification", labels=["a", "b"], settings=ProjectSettings(query_unit=unit))
