"""Which edit gave a voxel the value that it ended with."""

import numpy as np

from medloop.core.records import Annotator, Assignment, Case, DraftPatch, PromptRecord
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.open_edit import ELSEWHERE, TAKE, load_edit
from medloop.loop.annotating.provenance import HANDS, hands, provenance_of
from medloop.loop.foundation.workspace import Workspace

AT = "2026-01-01T00:00:00.000000+00:00"
Runs = tuple[tuple[int, int, int], ...]


def patch(revision: int, runs: Runs) -> DraftPatch:
    return DraftPatch(id=f"patch-{revision}", assignment_id="a", revision=revision, runs=runs, created_at=AT)


def prompt(revision: int) -> PromptRecord:
    return PromptRecord(id=f"prompt-{revision}", assignment_id="a", revision=revision, prompt={}, engine="e", created_at=AT)


def test_a_voxel_belongs_to_the_first_edit_that_gave_it_its_final_value() -> None:
    final = np.zeros((4, 1, 1), np.uint8)
    final[:3] = 2
    patches = [patch(1, ((0, 1, 2),)), patch(2, ((0, 2, 2),)), patch(3, ((1, 2, 1),)), patch(4, ((1, 2, 2), (3, 1, 0)))]
    by = hands(final, patches, [prompt(2)]).ravel()
    assert by.tolist() == [HANDS["brush"], HANDS["prompt"], HANDS["brush"], HANDS["brush"]]


def test_what_was_filled_in_taken_from_a_model_or_drawn_by_another_program_is_no_stroke_of_the_brush() -> None:
    patches = [patch(n, ((n - 1, 1, 1),)) for n in range(1, 6)]
    verbs = {"patch-1": "fill-k", "patch-2": TAKE, "patch-3": ELSEWHERE, "patch-4": "edit"}
    by = hands(np.ones((5, 1, 1), np.uint8), patches, [prompt(5)], verbs).ravel()
    assert by.tolist() == [HANDS[name] for name in ("filled", "taken", "elsewhere", "brush", "prompt")]


def test_parts_count_what_differs_from_the_beginning_by_hand_with_its_labels_and_box(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    shape = pool.store.get(Case, opened.case.id).grid.shape
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 2, 1), (shape[0], 1, 2)]))
    with pool.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, opened.assignment.id), pool.store.blobs)
    sent = edit.draft().mask.copy(order="C")
    sent[3, 2, 1] = 1
    parts = provenance_of(edit, sent, "annotation").parts
    assert parts == {
        "brush": {"voxels": 3, "labels": {"1": 2, "2": 1}, "start": [0, 0, 0], "stop": [2, 2, 1]},
        "elsewhere": {"voxels": 1, "labels": {"1": 1}, "start": [3, 2, 1], "stop": [4, 3, 2]},
    }
