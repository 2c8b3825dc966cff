import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, IntegrityError, LabelError, ShapeError, StateError
from medloop.core.records import Annotation, Case, Evaluation, Model, Snapshot
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.crowds import training_annotations
from medloop.loop.foundation.partial_annotations import (
    UNKNOWN,
    BoxPart,
    SlicePart,
    annotated_voxels,
    decode_partial,
    encode_partial,
    merged_annotation,
)
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.project import Project
from medloop.loop.querying.pool_table import pool_table
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import FAST, SMALL, MakeWorkspace

SHAPE = (4, 3, 5)


@st.composite
def parts_of(draw: st.DrawFn) -> list[SlicePart | BoxPart]:
    found: list[SlicePart | BoxPart] = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            axis = draw(st.integers(0, 2))
            found.append(SlicePart(axis, draw(st.integers(0, SHAPE[axis] - 1))))
        else:
            start = [draw(st.integers(0, n - 1)) for n in SHAPE]
            stop = [draw(st.integers(a + 1, n)) for a, n in zip(start, SHAPE, strict=True)]
            found.append(BoxPart((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])))
    return found


def covers(part: SlicePart | BoxPart, voxel: tuple[int, int, int]) -> bool:
    if isinstance(part, SlicePart):
        return voxel[part.axis] == part.index
    return all(a <= v < b for a, v, b in zip(part.start, voxel, part.stop, strict=True))


@given(parts_of(), st.integers(0, 1000))
def test_a_partial_answer_comes_back_and_is_unknown_outside_its_parts(parts: list[SlicePart | BoxPart], seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)
    again, stored = decode_partial(encode_partial(mask, parts), SHAPE)
    assert list(again) == parts
    for voxel in np.ndindex(*SHAPE):
        inside = any(covers(part, voxel) for part in parts)
        assert stored[voxel] == (mask[voxel] if inside else UNKNOWN)


@pytest.mark.parametrize(
    "parts",
    [[], [SlicePart(3, 0)], [SlicePart(0, 4)], [SlicePart(0, -1)], [BoxPart((0, 0, 0), (4, 3, 6))], [BoxPart((1, 1, 1), (1, 2, 2))]],
)
def test_parts_must_lie_within_the_image(parts: list[SlicePart | BoxPart]) -> None:
    with pytest.raises(InputError):
        annotated_voxels(parts, SHAPE)


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x02{}", b"\xff\xff\xff\xff" + b"x" * 9])
def test_damaged_partial_answers_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode_partial(data, SHAPE)


def give_slices(workspace: Workspace, case_id: str, slices: dict[int, int], *, by: str = "Ann") -> Annotation:
    """Answer slices along K: index → the value that fills it."""
    opened = open_case(workspace, case_id, annotator_named(workspace, by).id)
    mask = np.zeros(opened.case.grid.shape, dtype=np.uint8)
    for index, value in slices.items():
        mask[:, :, index] = value
    parts = [SlicePart(2, index) for index in slices]
    return submit(workspace, opened.assignment.id, Submitted(parts=parts, mask=mask, effort_seconds=5.0))


def give_all(workspace: Workspace, case_id: str, *, by: str = "Ann") -> Annotation:
    opened = open_case(workspace, case_id, annotator_named(workspace, by).id)
    mask = np.zeros(opened.case.grid.shape, dtype=np.uint8)
    mask[4:12, 4:12, 4:12] = 1
    mask[14:18, 14:18, 4:8] = 2
    return submit(workspace, opened.assignment.id, Submitted(mask=mask))


def ids(workspace: Workspace) -> list[str]:
    with workspace.store.read() as tx:
        return [c.id for c in tx.find(Case, order=("name",))]


def test_partial_answers_add_up_and_the_later_one_wins(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    give_slices(pool, case_id, {3: 1, 4: 1})
    give_slices(pool, case_id, {4: 2, 9: 0}, by="Bob")
    with pool.store.read() as tx:
        answers, case = tx.partial_annotations(case_ids=[case_id]), tx.get(Case, case_id)
        merged = merged_annotation(pool.store.blobs, answers, case).array
    assert {n: int(merged[0, 0, n]) for n in (2, 3, 4, 9)} == {2: UNKNOWN, 3: 1, 4: 2, 9: 0}
    assert np.array_equal(
        load_annotation(pool.store.blobs, answers[0], case).array == UNKNOWN, np.isin(np.indices(SMALL)[2], [3, 4], invert=True)
    )


def test_a_case_answered_in_part_is_unanswered_and_may_be_asked_again(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    give_slices(pool, case_id, {3: 1})
    with pool.store.read() as tx:
        assert tx.case_counts().annotated == 0
        assert tx.current_annotations() == []
        assert consensus_annotations(tx, "train") == []
        assert [a.kind for a in training_annotations(pool, tx)] == ["partial"]
        table = pool_table(pool, tx)
        assert tx.get(Case, case_id).name in table.named(table.askable(tx.refused_cases(["train"]))["train"])


def test_a_full_answer_replaces_the_parts_of_its_annotator_and_decides_over_those_of_others(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    give_slices(pool, case_id, {3: 1})
    give_slices(pool, case_id, {5: 1}, by="Bob")
    full = give_all(pool, case_id)
    with pool.store.read() as tx:
        assert [a.annotator_id for a in tx.partial_annotations()] == [annotator_named(pool, "Bob").id]
        assert tx.current_annotations() == [full]
        assert training_annotations(pool, tx) == [full]
        assert tx.case_counts().annotated == 1
    assert verify(pool.store).ok


def test_who_has_answered_the_whole_case_cannot_answer_a_part_of_it(pool: Workspace) -> None:
    case_id = ids(pool)[0]
    give_all(pool, case_id)
    with pytest.raises(StateError, match="whole case already"):
        give_slices(pool, case_id, {3: 1})
    assert give_slices(pool, case_id, {3: 1}, by="Bob").supersedes is None


def test_a_partial_answer_is_checked_inside_its_parts_only(pool: Workspace) -> None:
    opened = next_assignment(pool, annotator_named(pool, "Ann").id)
    assert opened is not None
    mask = np.full(SMALL, 9, dtype=np.uint8)
    with pytest.raises(LabelError):
        submit(pool, opened.assignment.id, Submitted(parts=[SlicePart(0, 1)], mask=mask))
    with pytest.raises(ShapeError):
        submit(pool, opened.assignment.id, Submitted(parts=[SlicePart(0, 1)], mask=mask[1:]))
    mask[1] = 1
    assert submit(pool, opened.assignment.id, Submitted(parts=[SlicePart(0, 1)], mask=mask)).kind == "partial"
    with pytest.raises(StateError):
        submit(pool, opened.assignment.id, Submitted(parts=[SlicePart(0, 1)], mask=mask))


def test_a_draft_can_be_submitted_in_part(pool: Workspace) -> None:
    opened = next_assignment(pool, annotator_named(pool, "Ann").id)
    assert opened is not None
    done = submit(pool, opened.assignment.id, Submitted(parts=[BoxPart((0, 0, 0), (2, 2, 2))], revision=0))
    answer = load_annotation(pool.store.blobs, done, opened.case)
    assert (answer.array != UNKNOWN).sum() == 8


def test_a_script_answers_parts_through_the_project(pool: Workspace) -> None:
    project = Project(pool)
    opened = project.next("Ann")
    assert opened is not None
    done = project.submit_parts(opened, np.ones(SMALL, dtype=np.uint8), [SlicePart(0, 3)])
    assert (load_annotation(pool.store.blobs, done, opened.case).array == 1).sum() == SMALL[1] * SMALL[2]


def test_parts_end_a_round_and_train_a_model_that_is_judged_on_whole_cases_only(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test", "test", "train", "train", "train"], labelled=1, settings=dataclasses.replace(FAST, batch_size=2))
    ann = annotator_named(workspace, "Ann").id
    give_slices(workspace, ids(workspace)[1], {4: 1, 8: 2})
    for _ in range(2):
        opened = next_assignment(workspace, ann)
        assert opened is not None
        mask = np.zeros(SMALL, dtype=np.uint8)
        mask[4:12, 4:12, 6] = 1
        submit(workspace, opened.assignment.id, Submitted(parts=[SlicePart(2, 6), SlicePart(2, 7)], mask=mask))
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        snapshot = tx.get(Snapshot, model.snapshot_id)
        (evaluation,) = tx.find(Evaluation)
    assert len(snapshot.annotation_ids) == 2
    assert np.isfinite(model.metrics["loss"])
    assert set(evaluation.per_case) == {ids(workspace)[0]}
    assert evaluation.labelled_cases == 2
    assert [r.state for r in progress(workspace).rounds][:1] == ["closed"]


def test_parts_of_one_case_are_one_training_case(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, labelled=1)
    give_slices(workspace, ids(workspace)[1], {4: 1})
    give_slices(workspace, ids(workspace)[1], {5: 1})
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        assert len(tx.get(Snapshot, model.snapshot_id).annotation_ids) == 3
    assert model.metrics["training_cases"] == 2
