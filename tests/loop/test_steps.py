"""The steps of a draft can be gone through again, and end where the draft stands."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.records import Annotator
from medloop.interaction.runs import apply_runs, runs_between
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.propagating import propagate
from medloop.loop.annotating.steps import draft_steps
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.workspace import Workspace
from tests.loop.films import add_film, film


def test_steps_say_what_they_were_and_give_the_same_mask_at_the_end(pool: Workspace, ann: Annotator) -> None:
    assignment = open_case(pool, add_film(pool).id, ann.id).assignment
    begun = read_draft(pool, assignment.id).mask
    for frame in (2, 5):
        before = read_draft(pool, assignment.id)
        after = before.mask.copy(order="F")
        after[..., frame][film()[1][..., frame]] = 1
        save_patch(pool, assignment.id, Edit(before.revision, runs_between(before.mask, after)))
    last = read_draft(pool, assignment.id)
    save_patch(pool, assignment.id, Edit(last.revision, runs_between(last.mask, read_draft(pool, assignment.id, upto=1).mask)))
    propagate(pool, assignment.id, base_revision=3)
    steps = draft_steps(pool, assignment.id)
    assert [(step.revision, step.what) for step in steps] == [(1, "stroke"), (2, "stroke"), (3, "taken back"), (4, "propagated")]
    mask = begun
    for step in steps:
        mask = apply_runs(mask, step.runs)
        np.testing.assert_array_equal(mask, read_draft(pool, assignment.id, upto=step.revision).mask)
    submit(pool, assignment.id, Submitted(revision=4))
    assert [step.revision for step in draft_steps(pool, assignment.id)] == [1, 2, 3, 4]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 3)), max_size=12))
def test_runs_in_order_are_the_same_as_all_at_once(runs: list[tuple[int, int, int]]) -> None:
    mask = np.zeros((4, 5, 1), dtype=np.uint8, order="F")
    stepwise = mask
    for run in runs:
        stepwise = apply_runs(stepwise, [run])
    np.testing.assert_array_equal(stepwise, apply_runs(mask, runs))
