"""Slices between those drawn on are filled; what is drawn, locked or beyond stays."""

import dataclasses

import numpy as np
import pytest

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, InputError, StateError
from medloop.core.records import Annotator, Assignment, new_id
from medloop.images.encode import encode_mask
from medloop.interaction.runs import apply_runs, runs_between
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.filling import fill_between
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify

from .made_up import add_model, add_prediction, every_case


@pytest.fixture
def opened(pool: Workspace, ann: Annotator) -> Assignment:
    return open_case(pool, every_case(pool)[0].id, ann.id).assignment


def draw(pool: Workspace, assignment: Assignment, revision: int, change) -> int:
    """One stroke: `change` paints on a copy of the draft."""
    before = read_draft(pool, assignment.id).mask
    after = before.copy(order="F")
    change(after)
    return save_patch(pool, assignment.id, Edit(revision, runs_between(before, after)))


def disc(k: int, size: int, label: int = 1):
    def paint(mask: MaskArray) -> None:
        mask[10 - size : 10 + size, 10 - size : 10 + size, k] = label

    return paint


def test_slices_between_drawn_ones_grow_from_one_into_the_other(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, draw(pool, opened, 0, disc(3, 2)), disc(7, 6))
    made = fill_between(pool, opened.id, axis=2, base_revision=revision)
    sizes = np.count_nonzero(made.draft.mask == 1, axis=(0, 1))
    assert (made.drawn, made.filled, made.draft.revision) == ((3, 7), 3, revision + 1)
    assert sizes[3] == 16 < sizes[4] < sizes[5] < sizes[6] < sizes[7] == 144
    assert not sizes[:3].any()
    assert not sizes[8:].any()
    assert (read_draft(pool, opened.id).mask == made.draft.mask).all()
    verify(pool.store)


def test_a_slice_mended_later_makes_the_next_filling_better(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, draw(pool, opened, 0, disc(3, 2)), disc(9, 2))
    first = fill_between(pool, opened.id, axis=2, base_revision=revision)
    revision = draw(pool, opened, first.draft.revision, disc(6, 6))
    second = fill_between(pool, opened.id, axis=2, base_revision=revision)
    assert (first.drawn, second.drawn) == ((3, 9), (3, 6, 9))
    assert np.count_nonzero(second.draft.mask[:, :, 5]) > np.count_nonzero(first.draft.mask[:, :, 5])


def test_a_filling_undone_and_asked_again_is_the_same(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, draw(pool, opened, 0, disc(3, 2)), disc(7, 6))
    drawn = read_draft(pool, opened.id).mask
    first = fill_between(pool, opened.id, axis=2, base_revision=revision)
    undone = save_patch(pool, opened.id, Edit(first.draft.revision, runs_between(first.draft.mask, drawn)))
    again = fill_between(pool, opened.id, axis=2, base_revision=undone)
    assert again.drawn == first.drawn
    assert (again.draft.mask == first.draft.mask).all()


def test_a_proposal_gives_way_between_mended_slices_and_stays_beyond(pool: Workspace, ann: Annotator) -> None:
    case, model = every_case(pool)[1], add_model(pool, 1)
    add_prediction(pool, model, case, label=2, foreground=1.0)
    assignment = open_case(pool, case.id, ann.id).assignment

    def small(mask: MaskArray) -> None:
        mask[..., 4] = mask[..., 8] = 0
        mask[5:9, 5:9, 4] = mask[5:9, 5:9, 8] = 2

    revision = draw(pool, assignment, 0, small)
    filled = fill_between(pool, assignment.id, axis=2, base_revision=revision).draft.mask
    assert (filled[..., 6] == filled[..., 4]).all()
    assert (filled[..., 3] == 2).all()
    assert (filled[..., 9] == 2).all()


def test_what_was_mended_of_a_proposal_is_mended_between_too_and_the_rest_of_it_kept(pool: Workspace, ann: Annotator) -> None:
    case, model = every_case(pool)[1], add_model(pool, 1)
    prediction = add_prediction(pool, model, case, label=2, foreground=1.0)
    proposal = np.zeros(case.grid.shape, dtype=np.uint8, order="F")
    for k in range(case.grid.shape[2]):
        proposal[6 : 14 + k % 3, 6:14, k] = 2
    newer = dataclasses.replace(
        prediction, id=new_id("prediction"), mask=pool.store.blobs.put(encode_mask(proposal)), model_id=add_model(pool, 2).id
    )
    with pool.store.write("worker") as tx:
        tx.add(newer)
    assignment = open_case(pool, case.id, ann.id).assignment
    begun = read_draft(pool, assignment.id).mask
    assert (begun == proposal).all()

    def cut_away(mask: MaskArray) -> None:
        mask[:8, :, [1, 9]] = 0

    revision = draw(pool, assignment, 0, cut_away)
    filled = fill_between(pool, assignment.id, axis=2, base_revision=revision).draft.mask
    wanted = begun.copy()
    wanted[:8, :, 1:10] = 0
    assert np.count_nonzero(filled != wanted) < 0.1 * np.count_nonzero(begun != wanted)


def test_locked_labels_neither_go_nor_come(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, 0, disc(5, 3, label=2))
    revision = draw(pool, opened, draw(pool, opened, revision, disc(3, 2)), disc(7, 2))
    before = read_draft(pool, opened.id).mask
    filled = fill_between(pool, opened.id, axis=2, base_revision=revision, locked=(2,)).draft.mask
    assert ((filled == 2) == (before == 2)).all()
    assert (filled[..., 4] == 1).any()


def test_slices_drawn_on_for_one_label_say_nothing_about_another(pool: Workspace, opened: Assignment) -> None:
    def beside(mask: MaskArray) -> None:
        mask[18:22, 18:22, 6] = 2

    revision = draw(pool, opened, draw(pool, opened, draw(pool, opened, 0, disc(4, 3)), disc(8, 3)), beside)
    filled = fill_between(pool, opened.id, axis=2, base_revision=revision).draft.mask
    assert (filled[8:12, 8:12, 6] == 1).all()
    assert np.count_nonzero(filled == 2) == 16


def test_along_another_axis_other_slices_are_drawn(pool: Workspace, opened: Assignment) -> None:
    def bars(mask: MaskArray) -> None:
        mask[4, 5:12, 5:12] = mask[8, 5:12, 5:12] = 1

    revision = draw(pool, opened, 0, bars)
    made = fill_between(pool, opened.id, axis=0, base_revision=revision)
    assert made.drawn == (4, 8)
    assert (made.draft.mask[6, 5:12, 5:12] == 1).all()
    expected = apply_runs(read_draft(pool, opened.id, upto=revision).mask, made.runs)
    assert (expected == made.draft.mask).all()


def test_what_cannot_be_filled_is_said_in_a_line(pool: Workspace, opened: Assignment) -> None:
    with pytest.raises(InputError, match="at least 2 slices that were drawn on for a label, got 0; draw on every third slice"):
        fill_between(pool, opened.id, axis=2, base_revision=0)
    revision = draw(pool, opened, draw(pool, opened, 0, disc(3, 2)), disc(4, 2))
    with pytest.raises(InputError, match="nothing to fill; draw on slices further apart"):
        fill_between(pool, opened.id, axis=2, base_revision=revision)
    with pytest.raises(ConflictError):
        fill_between(pool, opened.id, axis=2, base_revision=0)
    with pytest.raises(InputError, match="axis 0, 1 or 2, got 3"):
        fill_between(pool, opened.id, axis=3, base_revision=revision)
    submit(pool, opened.id, Submitted(revision=revision))
    with pytest.raises(StateError):
        fill_between(pool, opened.id, axis=2, base_revision=revision)
