"""Prompts, filling and imports of labels that overlap: each label is worked on with all its voxels, and the other one stays."""

import numpy as np
import pytest

from medloop.core.errors import LabelError
from medloop.core.records import Annotator, Assignment
from medloop.interaction.prompts import Point
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import open_case
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.filling import fill_between
from medloop.loop.annotating.refining import Refiner, add_prompt, withdraw_prompt
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace

from .made_up import every_case
from .test_annotated_labels import LARGE, SMALL
from .test_filling import draw
from .tiny_engine import BallEngine

BOTH = 3
BALLS = Refiner(BallEngine())


@pytest.fixture
def crossed(pool: Workspace) -> Workspace:
    configure(pool, task=TaskChange(overlaps={"small": ["large"]}), actor="test")
    return pool.reload()


@pytest.fixture
def opened(crossed: Workspace, ann: Annotator) -> Assignment:
    return open_case(crossed, every_case(crossed)[0].id, ann.id).assignment


def box(k: slice, label: int):
    def paint(mask: np.ndarray) -> None:
        mask[4:12, 4:12, k] = label

    return paint


def test_a_prompt_on_a_label_that_overlaps_makes_voxels_of_both_also_where_that_is_locked(crossed: Workspace, opened: Assignment) -> None:
    revision = draw(crossed, opened, 0, box(slice(2, 8), LARGE))
    before = read_draft(crossed, opened.id).mask
    made = add_prompt(crossed, opened.id, Point((8, 8, 5), SMALL), base_revision=revision, refiner=BALLS, locked=[LARGE])
    mask = read_draft(crossed, opened.id).mask
    assert np.count_nonzero(mask == BOTH) > 1
    assert np.array_equal(np.isin(mask, (LARGE, BOTH)), before == LARGE)
    withdraw_prompt(crossed, opened.id, made.prompt_ids[0], base_revision=made.draft.revision, refiner=BALLS)
    assert np.array_equal(read_draft(crossed, opened.id).mask, before)


def test_a_negative_prompt_takes_one_label_from_voxels_of_both(crossed: Workspace, opened: Assignment) -> None:
    revision = draw(crossed, opened, 0, box(slice(2, 8), BOTH))
    add_prompt(crossed, opened.id, Point((8, 8, 5), SMALL, positive=False), base_revision=revision, refiner=BALLS)
    mask = read_draft(crossed, opened.id).mask
    assert mask[8, 8, 5] == LARGE
    assert np.isin(mask[4:12, 4:12, 2:8], (LARGE, BOTH)).all()


def test_filling_between_slices_keeps_what_overlaps(crossed: Workspace, opened: Assignment) -> None:
    revision = draw(crossed, opened, 0, box(slice(3, 4), LARGE))
    revision = draw(crossed, opened, revision, box(slice(7, 8), BOTH))
    made = fill_between(crossed, opened.id, axis=2, base_revision=revision)
    assert (made.draft.mask[5:11, 5:11, 5] == LARGE).all()
    revision = draw(crossed, opened, made.draft.revision, box(slice(3, 4), BOTH))
    again = fill_between(crossed, opened.id, axis=2, base_revision=revision)
    assert (again.draft.mask[5:11, 5:11, 3:8] == BOTH).all()


def test_a_patch_may_hold_the_value_of_both_and_no_other_than_the_tasks(crossed: Workspace, opened: Assignment) -> None:
    empty = read_draft(crossed, opened.id).mask
    drawn = empty.copy(order="F")
    drawn[4:8] = LARGE
    revision = save_patch(crossed, opened.id, Edit(0, runs_between(empty, drawn)))
    taken = drawn.copy(order="F")
    taken[4:6], taken[6:8] = BOTH, SMALL
    save_patch(crossed, opened.id, Edit(revision, runs_between(drawn, taken), locked=(LARGE,)))
    mask = read_draft(crossed, opened.id).mask
    assert (mask[4:6] == BOTH).all()
    assert (mask[6:8] == LARGE).all()
    with pytest.raises(LabelError, match=r"labels \[1, 2, 3\], got \[4\]"):
        save_patch(crossed, opened.id, Edit(revision + 1, ((0, 1, 4),)))


@pytest.fixture
def nested(pool: Workspace) -> Workspace:
    """The small label lies inside the large one."""
    configure(pool, task=TaskChange(inside={"small": "large"}), actor="test")
    return pool.reload()


def core(k: int):
    def paint(mask: np.ndarray) -> None:
        mask[6:10, 6:10, k] = SMALL

    return paint


def test_filling_leaves_no_hole_in_a_label_where_one_inside_it_was_drawn_on_one_slice_alone(nested: Workspace, ann: Annotator) -> None:
    opened = open_case(nested, every_case(nested)[0].id, ann.id).assignment
    revision = draw(nested, opened, 0, box(slice(3, 4), LARGE))
    revision = draw(nested, opened, revision, core(3))
    revision = draw(nested, opened, revision, box(slice(8, 9), LARGE))
    made = fill_between(nested, opened.id, axis=2, base_revision=revision)
    assert (made.draft.mask[4:12, 4:12, 3:9] > 0).all()
    assert (made.draft.mask[6:10, 6:10, 3] == SMALL).all()
