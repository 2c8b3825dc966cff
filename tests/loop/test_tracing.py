"""A trace on an open case: a proposal for one label, which changes nothing until it is accepted."""

import numpy as np
import pytest

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, InputError, LabelError
from medloop.core.records import Annotator, Assignment
from medloop.interaction.runs import apply_runs
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.provenance import provenance
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.tracing import preview_trace
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.overlap import dice
from tests.loop.films import add_film, film


@pytest.fixture
def opened(pool: Workspace, ann: Annotator) -> Assignment:
    return open_case(pool, add_film(pool).id, ann.id).assignment


def over_disc(frame: int, *, label: str = "") -> str:
    """Every second pixel of the disc of a frame, 50 ms each."""
    places = np.argwhere(film()[1][..., frame])[::2]
    rows = [f"{n * 0.05:.2f},{i},{j},{frame},{label}" for n, (i, j) in enumerate(places)]
    return "\n".join(["time,x,y,frame,label", *rows])


def after(pool: Workspace, assignment: Assignment, runs: tuple[tuple[int, int, int], ...]) -> MaskArray:
    return apply_runs(read_draft(pool, assignment.id).mask, runs)


def test_what_was_looked_over_is_proposed_with_how_sure_it_is(pool: Workspace, opened: Assignment) -> None:
    shown = preview_trace(pool, opened.id, over_disc(2), label=1, base_revision=0)
    assert (shown.revision, shown.slices) == (0, (2,))
    assert shown.seconds == pytest.approx(shown.samples * 0.05)
    assert 0.5 < shown.expected_dice <= 1
    mask = after(pool, opened, shown.runs)
    assert dice(mask[..., 2], film()[1][..., 2].astype(np.uint8), [1])[1] > 0.85
    assert not mask[..., [0, 1, 3, 4, 5, 6, 7]].any()
    assert not read_draft(pool, opened.id).mask.any()
    revision = save_patch(pool, opened.id, Edit(0, shown.runs, traced=True))
    annotation = submit(pool, opened.id, Submitted(revision=revision))
    with pool.store.read() as tx:
        made = provenance(tx, annotation)
    assert made is not None
    assert made.parts["traced"]["frames"] == [2]


def test_other_labels_stay_and_a_label_in_the_trace_chooses_its_samples(pool: Workspace, opened: Assignment) -> None:
    one, two = (label.name for label in pool.task.labels[:2])
    flat = int(np.ravel_multi_index((16, 20, 2), read_draft(pool, opened.id).mask.shape, order="F"))
    revision = save_patch(pool, opened.id, Edit(0, [(flat, 1, 2)]))
    text = over_disc(2, label=one.upper()) + f"\n90,20,20,5,{two}\n"
    shown = preview_trace(pool, opened.id, text, label=1, base_revision=revision)
    mask = after(pool, opened, shown.runs)
    assert (mask[16, 20, 2], shown.slices) == (2, (2,))
    with pytest.raises(InputError, match="No sample of the trace names"):
        preview_trace(pool, opened.id, over_disc(2, label=one), label=2, base_revision=revision)


def test_what_is_no_trace_of_the_case_is_refused(pool: Workspace, opened: Assignment) -> None:
    with pytest.raises(InputError, match="40×40×8 voxels"):
        preview_trace(pool, opened.id, "time,x,y,frame\n0,3,3,8\n", label=1, base_revision=0)
    with pytest.raises(LabelError, match="got 'ghost'"):
        preview_trace(pool, opened.id, over_disc(2, label="ghost"), label=1, base_revision=0)
    with pytest.raises(LabelError, match="got 9"):
        preview_trace(pool, opened.id, over_disc(2), label=9, base_revision=0)
    with pytest.raises(ConflictError):
        preview_trace(pool, opened.id, over_disc(2), label=1, base_revision=4)
