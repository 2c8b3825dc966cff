"""Every kind of label by itself is something to learn from, and all of them together are one training."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloop.core.arrays import UNKNOWN
from medloop.core.image import Mask
from medloop.core.records import Case, Model
from medloop.interaction.prompts import Box, ExtremePoints, Point, Scribble
from medloop.interaction.weak.marks import Superpixel, Tag
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.crowds import annotations_for_training
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.partial_annotations import BoxPart
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.training_set import make_training_set
from medloop.loop.worker import drain

from .conftest import FAST, SMALL, MakeWorkspace
from .test_marks import give_marks
from .test_parts import give_all, give_slices, ids


def give_region(workspace: Workspace, case_id: str) -> None:
    opened = open_case(workspace, case_id, annotator_named(workspace, "Ann").id)
    mask = np.zeros(SMALL, dtype=np.uint8)
    mask[6:9, 6:9, 5] = 1
    submit(workspace, opened.assignment.id, Submitted(mask=mask, parts=[BoxPart((4, 4, 5), (12, 12, 7))]))


def marks(*given: Any) -> Callable[[Workspace, str], object]:
    return lambda workspace, case_id: give_marks(workspace, case_id, given)


KINDS: dict[str, Callable[[Workspace, str], object]] = {
    "tag": marks(Tag(1, True), Tag(2, False)),
    "point": marks(Point((6, 6, 5), 1), Point((0, 0, 5), 0)),
    "scribble": marks(Scribble(((5, 5, 5), (6, 5, 5)), 1), Scribble(((0, 0, 5), (0, 1, 5)), 0)),
    "box": marks(Box((4, 4, 4), (12, 12, 12), 1)),
    "extreme points": marks(ExtremePoints(((4, 8, 5), (11, 8, 5), (8, 4, 5), (8, 11, 5)), 1)),
    "superpixel": marks(Superpixel(((2000, 3), (2020, 3)), 1), Superpixel(((0, 5),), 0)),
    "slices": lambda workspace, case_id: give_slices(workspace, case_id, {3: 1, 4: 0}),
    "region": give_region,
    "mask": lambda workspace, case_id: give_all(workspace, case_id),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_leaves_its_training_something_to_learn(make_workspace: MakeWorkspace, tmp_path: Path, kind: str) -> None:
    workspace = make_workspace(["train"] * 2)
    for case_id in ids(workspace):
        KINDS[kind](workspace, case_id)
    workspace.store.jobs.enqueue("train", {})
    claimed = workspace.store.jobs.claim("test")
    assert claimed is not None
    with workspace.store.read() as tx:
        answers = annotations_for_training(workspace, tx)
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
    with JobControl(workspace, claimed) as control:
        taught = make_training_set(workspace, control, TrainingPlan(tmp_path), answers=answers, cases=cases)
    assert len(taught.cases) == 2
    for case in taught.cases:
        mask = case.load()[1]
        assert isinstance(mask, Mask)
        known = (mask.array != UNKNOWN).any()
        weak = case.weak() if case.weak is not None else None
        assert known or (weak is not None and (bool(weak.sets.any()) or len(weak.present) > 0)), "nothing is known of it"
        assert (weak is not None) == (kind not in ("slices", "region", "mask"))


def test_all_kinds_are_one_training(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * len(KINDS), settings=dataclasses.replace(FAST, train_steps=2, samples=1))
    for give, case_id in zip(KINDS.values(), ids(workspace), strict=True):
        give(workspace, case_id)
    start_training(workspace, actor="test")
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert (model.metrics["marked_cases"], model.metrics["annotated_cases"]) == (6, 9)
    assert np.isfinite(model.metrics["loss"])
