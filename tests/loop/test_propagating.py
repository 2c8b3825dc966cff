"""A film is annotated on one or a few frames; the others follow, are looked at, and are known as what they are."""

import dataclasses

import numpy as np
import pytest

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, InputError, LabelError, StateError
from medloop.core.records import Annotation, Annotator, Assignment
from medloop.interaction.runs import apply_runs, runs_between
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.open_edit import load_edit
from medloop.loop.annotating.propagating import drawn_frames, preview_propagation, propagate
from medloop.loop.annotating.provenance import provenance
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.overlap import dice
from medloop.store.audit import verify
from tests.loop.films import FRAMES, add_film, film
from tests.loop.made_up import every_case


@pytest.fixture
def opened(pool: Workspace, ann: Annotator) -> Assignment:
    return open_case(pool, add_film(pool).id, ann.id).assignment


def draw(pool: Workspace, assignment: Assignment, frame: int, value: int = 1) -> int:
    """Give the disc of one frame a value; the revision then."""
    draft, (_, inside) = read_draft(pool, assignment.id), film()
    after = draft.mask.copy(order="F")
    after[..., frame][inside[..., frame]] = value
    return save_patch(pool, assignment.id, Edit(draft.revision, runs_between(draft.mask, after)))


def known(pool: Workspace, assignment: Assignment) -> dict[int, list[int]]:
    with pool.store.read() as tx:
        return drawn_frames(load_edit(tx, tx.get(Assignment, assignment.id), pool.store.blobs), pool.task.labels)


def holds(mask: MaskArray) -> list[int]:
    return np.flatnonzero((mask == 1).any(axis=(0, 1))).tolist()


def test_one_drawn_frame_becomes_the_whole_film_and_both_are_told_apart(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, 2)
    shown = preview_propagation(pool, opened.id, base_revision=revision)
    assert holds(read_draft(pool, opened.id).mask) == [2]  # nothing is saved
    assert (shown.drawn, shown.reached, shown.weakest) == ((2,), (0, 1, 3, 4, 5, 6, 7), None)
    made = propagate(pool, opened.id, base_revision=revision)
    draft = read_draft(pool, opened.id)
    assert draft.revision == revision + 1
    assert made.runs == shown.runs
    assert dice(draft.mask, film()[1].astype(np.uint8), [1])[1] > 0.9
    annotation = submit(pool, opened.id, Submitted(revision=draft.revision))
    with pool.store.read() as tx:
        parts = provenance(tx, annotation).parts  # type: ignore[union-attr]  # it was just submitted
    assert parts["brush"]["frames"] == [2]
    assert parts["propagated"]["frames"] == [0, 1, 3, 4, 5, 6, 7]
    verify(pool.store)


def test_the_preview_is_what_the_runs_say_and_two_frames_lead_better(pool: Workspace, opened: Assignment) -> None:
    draw(pool, opened, 0)
    revision = draw(pool, opened, FRAMES - 1)
    shown = preview_propagation(pool, opened.id, base_revision=revision)
    assert shown.drawn == (0, FRAMES - 1)
    assert shown.weakest in range(1, FRAMES - 1)
    assert shown.agreement is not None
    assert 0.7 < shown.agreement <= 1
    mask = apply_runs(read_draft(pool, opened.id).mask, shown.runs)
    assert dice(mask, film()[1].astype(np.uint8), [1])[1] > 0.93


def test_a_frame_corrected_later_leads_the_next_propagation_also_where_it_was_only_erased(pool: Workspace, opened: Assignment) -> None:
    propagate(pool, opened.id, base_revision=draw(pool, opened, 2))
    assert known(pool, opened)[1] == [2]
    revision = draw(pool, opened, 6, value=0)
    assert known(pool, opened)[1] == [2, 6]
    propagate(pool, opened.id, base_revision=revision)
    inside = film()[1]
    assert not (read_draft(pool, opened.id).mask[..., 6] == 1)[inside[..., 6]].any()


def test_what_was_undone_does_not_lead(pool: Workspace, opened: Assignment) -> None:
    draw(pool, opened, 2)
    before = read_draft(pool, opened.id)
    revision = draw(pool, opened, 5)
    after = read_draft(pool, opened.id).mask
    save_patch(pool, opened.id, Edit(revision, runs_between(after, before.mask)))
    assert known(pool, opened)[1] == [2]


def test_undoing_a_propagation_draws_nothing(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, 2)
    before = read_draft(pool, opened.id)
    propagate(pool, opened.id, base_revision=revision)
    now = read_draft(pool, opened.id)
    save_patch(pool, opened.id, Edit(now.revision, runs_between(now.mask, before.mask)))
    assert known(pool, opened)[1] == [2]


def test_frames_of_a_partial_annotation_lead(pool: Workspace, ann: Annotator, opened: Assignment) -> None:
    revision = draw(pool, opened, 3)
    submit(pool, opened.id, Submitted(revision=revision, parts=[SlicePart(2, 3)]))
    again = open_case(pool, opened.case_id, ann.id).assignment
    shown = preview_propagation(pool, again.id, base_revision=0, reach=1)
    assert (shown.drawn, shown.reached) == ((3,), (2, 4))


def test_locked_labels_stay_and_do_not_lead(pool: Workspace, opened: Assignment) -> None:
    revision = draw(pool, opened, 2)
    with pytest.raises(InputError, match="not locked, got none"):
        preview_propagation(pool, opened.id, base_revision=revision, locked=[1])
    revision = draw(pool, opened, 4, value=2)
    shown = preview_propagation(pool, opened.id, base_revision=revision, locked=[2])
    mask = apply_runs(read_draft(pool, opened.id).mask, shown.runs)
    assert ((mask == 2).any(axis=(0, 1)).nonzero()[0]).tolist() == [4]


def test_what_cannot_be_propagated_is_refused_in_one_line(pool: Workspace, ann: Annotator, opened: Assignment) -> None:
    with pytest.raises(InputError, match="drawn on for a label"):
        preview_propagation(pool, opened.id, base_revision=0)
    with pytest.raises(InputError, match="1 to 1000 frames, got 0"):
        preview_propagation(pool, opened.id, base_revision=0, reach=0)
    with pytest.raises(LabelError):
        preview_propagation(pool, opened.id, base_revision=0, locked=[9])
    with pytest.raises(ConflictError):
        preview_propagation(pool, opened.id, base_revision=3)
    volume = open_case(pool, every_case(pool)[0].id, ann.id).assignment
    with pytest.raises(InputError, match="frames over time"):
        preview_propagation(pool, volume.id, base_revision=0)
    revision = draw(pool, opened, 2)
    submit(pool, opened.id, Submitted(revision=revision))
    with pytest.raises(StateError):
        propagate(pool, opened.id, base_revision=revision)


def test_the_records_of_an_annotation_do_not_say_frames_of_a_volume(pool: Workspace, ann: Annotator) -> None:
    assignment = open_case(pool, every_case(pool)[0].id, ann.id).assignment
    revision = save_patch(pool, assignment.id, Edit(0, [(0, 4, 1)]))
    annotation: Annotation = submit(pool, assignment.id, Submitted(revision=revision))
    with pool.store.read() as tx:
        made = provenance(tx, annotation)
    assert made is not None
    assert "frames" not in dataclasses.asdict(made)["parts"]["brush"]


@pytest.fixture
def crossed(pool: Workspace) -> Workspace:
    configure(pool, task=TaskChange(overlaps={"small": ["large"]}), actor="test")
    return pool.reload()


def test_labels_that_overlap_are_carried_each_by_itself_and_one_that_was_erased_again_keeps_none(
    crossed: Workspace, ann: Annotator
) -> None:
    first = open_case(crossed, add_film(crossed).id, ann.id).assignment
    propagate(crossed, first.id, base_revision=draw(crossed, first, 2, value=3))
    both = read_draft(crossed, first.id).mask
    assert np.flatnonzero((both == 3).any(axis=(0, 1))).tolist() == list(range(FRAMES))
    second = open_case(crossed, add_film(crossed, "again").id, ann.id).assignment
    draw(crossed, second, 2, value=2)
    propagate(crossed, second.id, base_revision=draw(crossed, second, 2, value=1))
    assert holds(read_draft(crossed, second.id).mask) == list(range(FRAMES))


def test_a_label_with_one_inside_it_is_carried_without_a_hole(pool: Workspace, ann: Annotator) -> None:
    configure(pool, task=TaskChange(inside={"small": "large"}), actor="test")
    nested, inside = pool.reload(), film()[1]
    opened = open_case(nested, add_film(nested).id, ann.id).assignment
    draw(nested, opened, 2)
    draft = read_draft(nested, opened.id)
    within = draft.mask.copy(order="F")
    within[14:19, 18:23, 2][inside[14:19, 18:23, 2]] = 2
    revision = save_patch(nested, opened.id, Edit(draft.revision, runs_between(draft.mask, within)))
    propagate(nested, opened.id, base_revision=revision)
    found = read_draft(nested, opened.id).mask
    assert (found == 2).any(axis=(0, 1)).all()
    assert dice((found > 0).astype(np.uint8), inside.astype(np.uint8), [1])[1] > 0.9
