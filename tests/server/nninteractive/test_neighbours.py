"""Many objects one after the other, by the protocol's own client: finished ones and locked labels are in the way, and nothing leaks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Annotation, Assignment, Case, Source
from medloop.interaction.external.nninteractive import NNInteractiveEngine
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.prompts import Point, Scribble
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.drawn_objects import objects_of_annotation, objects_of_assignment
from medloop.loop.annotating.elsewhere import Drawing, keep_drafts
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from ...interaction.nninteractive.serving import AS_SENT, serving

ROW = np.zeros((1, 24, 10, 8), dtype=np.int16)
ROW[0, 2:22, 3:7, 2:6] = 200  # five cells in a row that look alike and touch
CELLS = [np.zeros(ROW.shape[1:], dtype=bool) for _ in range(5)]
for number, cell in enumerate(CELLS):
    cell[2 + 4 * number : 6 + 4 * number, 3:7, 2:6] = True
FIRST, SECOND = CELLS[:2]


def runs(mask: np.ndarray, value: int) -> list[tuple[int, int, int]]:
    return [(int(at), 1, value) for at in np.flatnonzero(mask.ravel(order="F"))]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["cell", "wall"]) as made:
        yield made


@pytest.fixture
def case(workspace: Workspace) -> Case:
    source = Source(format="made up", names=("row",), sha256="0" * 64)
    image = Image(ROW, Grid.of_spacing(ROW.shape[1:], (1.0, 1.0, 2.0)))
    return add_case(workspace, image, NewCase(name="row", patient="row", split="train", source=source))


def begin(session: Any) -> None:
    session.set_image(ROW, {"spacing": [1.0, 1.0, 2.0]})
    session.set_target_buffer(np.zeros(ROW.shape[1:], dtype=np.uint8))


def draft_of(workspace: Workspace) -> np.ndarray:
    with workspace.store.read() as tx:
        (assignment,) = tx.find(Assignment, where={"state": "open"})
    return read_draft(workspace, assignment.id).mask


@pytest.mark.parametrize("engine", [None, ClassicalEngine()], ids=["flood", "classical"])
def test_the_next_object_does_not_flow_over_a_finished_one(engine: Any) -> None:
    with serving(engine=engine, neighbours=True) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session)
        session.add_initial_seg_interaction(FIRST.astype(np.uint8))
        session.reset_interactions()
        session.add_point_interaction((7, 5, 4), True)
        second = session.target_buffer.copy() != 0
        assert second[SECOND].mean() > (0.5 if engine else 0.99)
        assert not (second & FIRST).any()
        assert session.undo()
        assert not session.target_buffer.any()
        session.add_point_interaction((3, 5, 4), True)
        assert (session.target_buffer != 0)[FIRST].mean() > (0.5 if engine else 0.9), "a prompt on a finished object draws it anew"


def test_without_neighbours_every_object_begins_on_a_clean_sheet() -> None:
    with serving() as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session)
        session.add_initial_seg_interaction(FIRST.astype(np.uint8))
        session.reset_interactions()
        session.add_point_interaction((7, 5, 4), True)
        assert (session.target_buffer != 0)[FIRST].all()


def draw_cells(session: Any) -> None:
    """Each cell in turn, drawn with a slip that is undone, as an object of its own."""
    for cell in CELLS:
        session.reset_interactions()
        assert not session.undo(), "nothing of the object before can be undone"
        session.add_initial_seg_interaction(cell.astype(np.uint8))
        middle = [int(n) for n in np.argwhere(cell).mean(axis=0).round()]
        session.add_point_interaction(middle, False)
        assert session.target_buffer[tuple(middle)] == 0
        assert session.undo()
        assert np.array_equal(session.target_buffer != 0, cell)


@pytest.mark.parametrize("objects", ["merged", "apart"])
def test_many_objects_in_a_row_are_merged_or_kept_apart_and_exported_so(
    workspace: Workspace, case: Case, tmp_path: Path, objects: str
) -> None:
    configure(workspace, settings={"objects": objects})
    workspace = workspace.reload()
    keep = keep_drafts(workspace, Drawing(annotator_named(workspace, "Ann"), 1))
    with serving(order=AS_SENT, labels=(1, 2), keep=keep, neighbours=True) as served:
        with nnInteractiveRemoteInferenceSession(served.url) as session:
            begin(session)
            draw_cells(session)
        with nnInteractiveRemoteInferenceSession(served.url) as session:  # another day: the last cell once more
            begin(session)
            session.add_initial_seg_interaction(CELLS[4].astype(np.uint8))
            session.add_point_interaction((20, 5, 4), True)
    drawn = draft_of(workspace)
    assert np.array_equal(drawn == 1, np.logical_or.reduce(CELLS))
    opened = open_case(workspace, case.id, annotator_named(workspace, "Ann").id)
    annotation = submit(workspace, opened.assignment.id, Submitted())
    with workspace.store.read() as tx:
        kept = objects_of_annotation(tx, workspace.store.blobs, case, annotation)
    done = export_project(workspace, tmp_path / "out", "nifti")
    assert verify(workspace.store).ok
    if objects == "merged":
        assert kept is None
        assert not (tmp_path / "out" / "objects").exists()
        return
    assert kept is not None
    assert [len(np.unique(kept.numbers[cell])) for cell in CELLS] == [1] * 5
    assert len(np.unique(kept.numbers)) == 6
    import nibabel

    numbers = np.asanyarray(nibabel.load(tmp_path / "out" / "objects" / "row.nii.gz").dataobj)
    assert [sorted(np.unique(numbers[cell])) for cell in CELLS] == [[n] for n in range(1, 6)]
    assert not (numbers[~np.logical_or.reduce(CELLS)]).any()
    lines = (tmp_path / "out" / "objects.csv").read_text().splitlines()
    assert lines[0] == "filename,object,label,voxels"
    assert lines[1:] == [f"row.nii.gz,{n},cell,64" for n in range(1, 6)]
    assert any("objects" in note for note in done.notes)


def test_locked_labels_of_the_draft_are_in_the_way_until_they_are_unlocked(workspace: Workspace, case: Case) -> None:
    ann = annotator_named(workspace, "Ann")
    opened = open_case(workspace, case.id, ann.id)
    save_patch(workspace, opened.assignment.id, Edit(0, runs(FIRST, 2)))
    whole = np.logical_or.reduce(CELLS)
    locking, free = (keep_drafts(workspace, Drawing(ann, 1, locked)) for locked in (None, frozenset()))
    how = {"order": AS_SENT, "labels": (1, 2)}
    with serving(keep=locking, **how) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session)
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            session.add_point_interaction((3, 5, 4), True)
        session.add_point_interaction((7, 5, 4), True)
        assert np.array_equal(session.target_buffer != 0, whole & ~FIRST), "front end and draft agree"
    assert np.array_equal(draft_of(workspace), 2 * FIRST + (whole & ~FIRST))
    with serving(keep=free, **how) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session)
        session.add_point_interaction((3, 5, 4), True)
    assert np.array_equal(draft_of(workspace) == 1, whole)


def test_an_annotation_of_the_page_keeps_the_objects_it_began_with(workspace: Workspace, case: Case) -> None:
    configure(workspace, settings={"objects": "apart"})
    workspace, ann = workspace.reload(), annotator_named(workspace, "Ann")
    keep = keep_drafts(workspace, Drawing(ann, 1))
    with serving(order=AS_SENT, labels=(1, 2), keep=keep) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session)
        session.add_initial_seg_interaction(FIRST.astype(np.uint8))
    submit(workspace, open_case(workspace, case.id, ann.id).assignment.id, Submitted())
    again = open_case(workspace, case.id, ann.id)
    save_patch(workspace, again.assignment.id, Edit(again.assignment.revision, runs(SECOND, 1)))
    second = submit(workspace, again.assignment.id, Submitted(replace=True))
    with workspace.store.read() as tx:
        kept = objects_of_annotation(tx, workspace.store.blobs, case, tx.get(Annotation, second.id))
    assert kept is not None
    assert np.array_equal(kept.numbers != 0, FIRST)


def test_two_windows_that_draw_different_labels_keep_the_objects_of_both(workspace: Workspace, case: Case) -> None:
    configure(workspace, settings={"objects": "apart"})
    workspace, ann = workspace.reload(), annotator_named(workspace, "Ann")
    image = Image(ROW, Grid.of_spacing(ROW.shape[1:], (1.0, 1.0, 2.0)))
    windows = [keep_drafts(workspace, Drawing(ann, label))(image) for label in (1, 2)]  # both begin before either draws
    for kept, cells in zip(windows, (CELLS[:2], CELLS[2:4]), strict=True):
        assert kept is not None
        kept.number(sum(n * cell.astype(np.uint16) for n, cell in enumerate(cells, start=1)))
    with workspace.store.read() as tx:
        found = objects_of_assignment(tx, workspace.store.blobs, case, tx.find(Assignment)[0].id)
    assert found is not None
    assert found.labels == (1, 1, 2, 2)
    assert [int(n) for cell in CELLS[:4] for n in np.unique(found.numbers[cell])] == [1, 2, 3, 4]


def test_another_server_is_told_of_locked_labels() -> None:
    image = Image(ROW, Grid.of_spacing(ROW.shape[1:], (1.0, 1.0, 2.0)))
    with serving(order=AxisOrder()) as served, NNInteractiveEngine(served.url) as engine:
        seen: list[Any] = []
        inner = served.engine._region
        served.engine._region = lambda picture, prompts, label: (seen.append(list(prompts)), inner(picture, prompts, label))[1]
        previous = (2 * FIRST).astype(np.uint8)
        answer = engine.refine(engine.embed(image), [Point((7, 5, 4))], labels=[1, 2], previous=previous, locked=[2])
    stroke, point = seen[0]
    assert isinstance(stroke, Scribble)
    assert not stroke.positive
    assert point == Point((7, 5, 4))
    told = np.zeros(FIRST.shape, dtype=bool)
    told[tuple(np.array(stroke.voxels).T)] = True
    assert told.any()
    assert not (told & ~FIRST).any()
    assert np.array_equal(answer.mask == 2, FIRST)
