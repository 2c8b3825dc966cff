import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ConflictError, InputError, LabelError, StateError
from medloop.core.records import Annotator, Label, Task
from medloop.images.encode import decode_mask
from medloop.loop.annotating.annotations import Opened, next_assignment, open_case, submit
from medloop.loop.annotating.drafts import MAX_COVER, Edit, check_runs, packed_draft, read_draft, save_patch
from medloop.loop.annotating.open_edit import load_edit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.store import writer
from medloop.store.states import refresh

from .conftest import SMALL

VOXELS = int(np.prod(SMALL))
TASK = Task(
    id="task-1",
    version=1,
    kind="segmentation",
    labels=(Label(value=1, name="a", colour="#fff"), Label(value=2, name="b", colour="#000")),
    created_at="",
)


@pytest.fixture
def opened(pool: Workspace, ann: Annotator) -> Opened:
    first = next_assignment(pool, ann.id)
    assert first is not None
    return first


def test_patches_apply_in_file_order_with_i_fastest(pool: Workspace, opened: Opened) -> None:
    save_patch(pool, opened.assignment.id, Edit(0, [(SMALL[0] * 2 + 1, 3, 2)]))
    draft = read_draft(pool, opened.assignment.id)
    assert draft.revision == 1
    assert draft.mask[1:4, 2, 0].tolist() == [2, 2, 2]
    assert int(draft.mask.sum()) == 6


def test_a_draft_is_the_replay_of_its_patches(pool: Workspace, opened: Opened) -> None:
    rng = np.random.default_rng(5)
    expected = np.zeros(VOXELS, np.uint8)
    for revision in range(10):
        starts = rng.integers(0, VOXELS - 50, 20)
        runs = [(int(s), int(rng.integers(1, 50)), int(rng.integers(0, 3))) for s in starts]
        for start, length, value in runs:
            expected[start : start + length] = value
        assert save_patch(pool, opened.assignment.id, Edit(revision, runs)) == revision + 1
    assert np.array_equal(read_draft(pool, opened.assignment.id).mask.ravel(order="F"), expected)


def test_an_edit_and_its_draft_lie_in_file_order_so_that_nothing_is_compared_across_memory(pool: Workspace, opened: Opened) -> None:
    with pool.store.read() as tx:
        edit = load_edit(tx, opened.assignment, pool.store.blobs)
    save_patch(pool, opened.assignment.id, Edit(0, [(3, 2, 1)]))
    assert edit.begun.flags.f_contiguous
    assert read_draft(pool, opened.assignment.id).mask.flags.f_contiguous


def test_an_edit_of_an_older_revision_is_a_conflict_and_changes_nothing(pool: Workspace, opened: Opened) -> None:
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 1, 1)]))
    with pytest.raises(ConflictError, match="revision 1"):
        save_patch(pool, opened.assignment.id, Edit(0, [(5, 1, 1)]))
    assert int(read_draft(pool, opened.assignment.id).mask.sum()) == 1


def test_a_submitted_draft_takes_no_more_edits(pool: Workspace, opened: Opened) -> None:
    submit(pool, opened.assignment.id, Submitted())
    with pytest.raises(StateError):
        save_patch(pool, opened.assignment.id, Edit(0, [(0, 1, 1)]))


@given(st.lists(st.tuples(st.integers(-3, VOXELS + 3), st.integers(-2, VOXELS + 3), st.integers(-1, 4)), min_size=1, max_size=5))
def test_runs_pass_exactly_when_they_stay_inside_and_use_known_labels(runs: list[tuple[int, int, int]]) -> None:
    inside = all(s >= 0 and n >= 1 and s + n <= VOXELS for s, n, _ in runs)
    known = all(v in (0, 1, 2) for *_, v in runs)
    if inside and known:
        check_runs(runs, VOXELS, TASK)
    else:
        with pytest.raises(InputError):
            check_runs(runs, VOXELS, TASK)


def test_unknown_labels_are_named() -> None:
    with pytest.raises(LabelError, match=r"\[7\]"):
        check_runs([(0, 1, 7)], VOXELS, TASK)


def test_an_untouched_draft_of_an_answered_case_is_sent_as_it_is_stored(pool: Workspace, opened: Opened, ann: Annotator) -> None:
    assert packed_draft(pool, opened.assignment.id)[0] == 0
    mask = np.random.default_rng(1).integers(0, 3, SMALL).astype(np.uint8)
    answer = submit(pool, opened.assignment.id, Submitted(mask=mask))
    again = open_case(pool, opened.case.id, ann.id).assignment.id
    assert packed_draft(pool, again) == (0, pool.store.blobs.get(answer.blob or ""))
    save_patch(pool, again, Edit(0, [(0, 4, 1)]))
    revision, packed = packed_draft(pool, again)
    assert revision == 1
    assert np.array_equal(decode_mask(packed, SMALL), read_draft(pool, again).mask)


def test_runs_that_cover_the_image_again_and_again_are_refused() -> None:
    """Two hundred thousand runs over a whole volume would keep every reader of the draft busy for minutes."""
    voxels = int(np.prod(SMALL))
    every = [(0, voxels, 1)]
    check_runs(every * MAX_COVER, voxels, TASK)
    with pytest.raises(InputError, match=f"may set {MAX_COVER} times the image's {voxels} voxels, got {5 * voxels}; send each voxel once"):
        check_runs(every * (MAX_COVER + 1), voxels, TASK)
    check_runs([(n, 1, 1) for n in range(voxels)], voxels, TASK)


def test_the_draft_of_a_submitted_correction_is_what_was_submitted(pool: Workspace, ann: Annotator, opened: Opened) -> None:
    """Of three submissions to one case each draft shows its own, though each began with another mask."""
    submitted = {}
    for value in (1, 0, 1):
        again = open_case(pool, opened.case.id, ann.id).assignment
        edited = save_patch(pool, again.id, Edit(again.revision, [(10 * len(submitted), 30, value)]))
        before = read_draft(pool, again.id)
        assert before.revision == edited
        submit(pool, again.id, Submitted(revision=edited))
        submitted[again.id] = before
    elsewhere = open_case(pool, opened.case.id, ann.id).assignment
    other = np.zeros(SMALL, np.uint8)
    other[2:5, 2:5, 2:5] = 1
    submit(pool, elsewhere.id, Submitted(mask=other))
    assert np.array_equal(decode_mask(packed_draft(pool, elsewhere.id)[1], SMALL), other)
    for assignment_id, draft in submitted.items():
        revision, packed = packed_draft(pool, assignment_id)
        assert revision == draft.revision
        assert np.array_equal(decode_mask(packed, SMALL), draft.mask)


def test_a_stroke_over_free_and_locked_voxels_changes_the_free_ones_only(pool: Workspace, opened: Opened) -> None:
    assignment_id = opened.assignment.id
    save_patch(pool, assignment_id, Edit(0, [(10, 5, 2)]))
    assert save_patch(pool, assignment_id, Edit(1, [(8, 10, 1)], locked=[2])) == 2
    flat = read_draft(pool, assignment_id).mask.ravel(order="F")
    assert flat[8:18].tolist() == [1, 1, 2, 2, 2, 2, 2, 1, 1, 1]
    save_patch(pool, assignment_id, Edit(2, [(8, 10, 0)], locked=[2]))
    save_patch(pool, assignment_id, Edit(3, [(0, 3, 2)], locked=[2]))
    flat = read_draft(pool, assignment_id).mask.ravel(order="F")
    assert flat[:18].tolist() == [0] * 10 + [2] * 5 + [0] * 3
    with pytest.raises(LabelError, match="may be locked"):
        save_patch(pool, assignment_id, Edit(4, [(0, 3, 1)], locked=[9]))


def test_a_draft_with_strokes_comes_back_although_another_annotation_stands_by_now(pool: Workspace, opened: Opened, ann: Annotator) -> None:
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 4, 1)]))
    other = open_case(pool, opened.case.id, annotator_named(pool, "other").id)
    submit(pool, other.assignment.id, Submitted())
    again = open_case(pool, opened.case.id, ann.id)
    assert again.assignment.id == opened.assignment.id
    assert int(read_draft(pool, again.assignment.id).mask.sum()) == 4
    with pool.store.read() as tx:
        assert not list(tx.events_about("assignment", [again.assignment.id], verbs=["release"]))


def test_a_stroke_is_no_reason_to_work_the_state_of_its_case_out_but_a_submission_is(
    pool: Workspace, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[str] = []
    monkeypatch.setattr(writer, "refresh", lambda connection, case_id: [worked.append(case_id), refresh(connection, case_id)])
    save_patch(pool, opened.assignment.id, Edit(0, [(0, 1, 1)]))
    assert worked == []
    submit(pool, opened.assignment.id, Submitted(revision=1))
    assert worked == [opened.case.id]
