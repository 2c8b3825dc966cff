"""What the protocol's own client draws on a case comes back as a draft of the project."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Annotation, Assignment, Case, Source
from medloop.images.encode import encodings
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.elsewhere import Drawing, keep_drafts
from medloop.loop.annotating.provenance import provenance
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from ...interaction.nninteractive.serving import Served, serving, two_blobs

ARRAY = two_blobs()
NEAR, FAR = (ARRAY[0] == 200), (ARRAY[0] == 100)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["a", "b"]) as made:
        yield made


def add(workspace: Workspace, array: np.ndarray, name: str) -> Case:
    image = Image(array, Grid.of_spacing(array.shape[1:], (1.0, 1.5, 2.0)))
    source = Source(format="made up", names=(name,), sha256=name.rjust(64, "0"))
    return add_case(workspace, image, NewCase(name=name, patient=name, split="train", source=source))


@pytest.fixture
def case(workspace: Workspace) -> Case:
    return add(workspace, ARRAY, "1")


@pytest.fixture
def served(workspace: Workspace, case: Case) -> Iterator[Served]:
    keep = keep_drafts(workspace, Drawing(annotator_named(workspace, "Ann"), 1))
    with serving(order=AxisOrder(), labels=(1, 2), keep=keep) as made:
        yield made


@pytest.fixture
def client(served: Served) -> Iterator[Any]:
    with nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session, ARRAY.astype(np.float32))  # stored as int16
        yield session


def begin(session: Any, array: np.ndarray) -> None:
    session.set_image(np.ascontiguousarray(array.transpose(0, 3, 2, 1)), {"spacing": [2.0, 1.5, 1.0]})
    session.set_target_buffer(np.zeros(array.shape[:0:-1], dtype=np.uint8))


def draft_of(workspace: Workspace) -> np.ndarray:
    with workspace.store.read() as tx:
        (assignment,) = tx.find(Assignment, where={"state": "open"})
    return read_draft(workspace, assignment.id).mask


def test_what_is_drawn_is_the_persons_draft_and_undo_takes_it_back(workspace: Workspace, case: Case, client: Any) -> None:
    client.add_point_interaction((2, 3, 3), True)
    assert np.array_equal(draft_of(workspace), NEAR)
    client.add_point_interaction((5, 6, 8), True)
    assert np.array_equal(draft_of(workspace), NEAR | FAR)
    client.undo()
    assert np.array_equal(draft_of(workspace), NEAR)
    opened = open_case(workspace, case.id, annotator_named(workspace, "Ann").id)
    answer = submit(workspace, opened.assignment.id, Submitted())
    assert (answer.kind, answer.annotator_id) == ("mask", opened.assignment.annotator_id)
    with workspace.store.read() as tx:
        told = provenance(tx, answer)
    assert told is not None
    assert {hand: part["voxels"] for hand, part in told.parts.items()} == {"elsewhere": NEAR.sum()}
    assert verify(workspace.store).ok


def test_the_next_structure_and_a_mask_to_start_from_add_to_the_draft(workspace: Workspace, client: Any) -> None:
    client.add_point_interaction((2, 3, 3), True)
    client.reset_interactions()
    assert np.array_equal(draft_of(workspace), NEAR)
    client.add_initial_seg_interaction(FAR.astype(np.uint8).T)
    assert np.array_equal(draft_of(workspace), NEAR | FAR)
    client.add_point_interaction((5, 6, 8), False)
    assert draft_of(workspace).sum() == (NEAR | FAR).sum() - 1
    client.undo()
    client.undo()
    assert np.array_equal(draft_of(workspace), NEAR | FAR), "a mask to start from stays"


def test_other_labels_and_an_experts_annotation_stay(workspace: Workspace, case: Case, client: Any) -> None:
    expert = open_case(workspace, case.id, annotator_named(workspace, "Bea").id)
    save_patch(workspace, expert.assignment.id, Edit(0, [(int(np.flatnonzero(NEAR.ravel(order="F"))[0]), 1, 2)]))
    given = submit(workspace, expert.assignment.id, Submitted())
    client.add_point_interaction((2, 3, 3), True)
    drawn = draft_of(workspace)
    assert (np.count_nonzero(drawn == 2), np.count_nonzero(drawn == 1)) == (1, NEAR.sum() - 1)
    with workspace.store.read() as tx:
        assert [a.id for a in tx.current_annotations(case_ids=[case.id])] == [given.id]


def test_an_image_that_is_no_case_or_two_is_said_and_not_kept(workspace: Workspace, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    add(workspace, ARRAY, "2")
    for array in (ARRAY, ARRAY + 1, ARRAY + 0.5):
        with caplog.at_level(logging.WARNING):
            begin(client, array)
        client.add_point_interaction((2, 3, 3), True)
    assert sum("is no case of this project" in line for line in caplog.messages) == 3
    with workspace.store.read() as tx:
        assert tx.count(Assignment) == 0


def test_an_image_of_an_older_project_is_known_by_the_bytes_that_zlib_packed(workspace: Workspace, case: Case, client: Any) -> None:
    *_, older = encodings(ARRAY)
    with workspace.store.write("system") as tx:
        tx.change(Case, case.id, verb="import", fields={"voxels": workspace.store.blobs.put(older)})
    begin(client, ARRAY)
    client.add_point_interaction((2, 3, 3), True)
    assert np.array_equal(draft_of(workspace), NEAR)


def test_a_case_that_was_submitted_meanwhile_is_opened_again(workspace: Workspace, case: Case, client: Any) -> None:
    submit(workspace, open_case(workspace, case.id, annotator_named(workspace, "Ann").id).assignment.id, Submitted())
    client.add_point_interaction((2, 3, 3), True)
    assert np.array_equal(draft_of(workspace), NEAR)
    with workspace.store.read() as tx:
        assert tx.count(Annotation) == 1


def test_without_a_person_nothing_is_kept(workspace: Workspace, case: Case) -> None:
    with serving(order=AxisOrder(), labels=(1, 2)) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        begin(session, ARRAY)
        session.add_point_interaction((2, 3, 3), True)
    with workspace.store.read() as tx:
        assert tx.count(Assignment, where={"case_id": case.id}) == 0
