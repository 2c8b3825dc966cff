"""What a training learns from, through the loop itself."""

import dataclasses

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.records import Model
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

from .conftest import FAST, MakeWorkspace

WEIGHED = dataclasses.replace(FAST, strategy="random", bias_correction=True)


def answer_all_of_a_round(workspace: Workspace) -> None:
    ann = annotator_named(workspace, "Ann")
    for _ in range(workspace.settings.batch_size):
        opened = next_assignment(workspace, ann.id)
        assert opened is not None
        submit(workspace, opened.assignment.id, Submitted(mask=_something(opened.case.grid.shape), effort_seconds=1.0))


def _something(shape: tuple[int, int, int]) -> MaskArray:
    mask = np.zeros(shape, dtype=np.uint8)
    mask[4:12, 4:12, 4:10] = 1
    mask[14:18, 14:18, 4:10] = 2
    return mask


def newest(workspace: Workspace) -> Model:
    with workspace.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    return model


def test_drawn_cases_are_weighed_when_their_chances_are_known(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 5, settings=WEIGHED)
    for _ in range(2):
        answer_all_of_a_round(workspace)
    drain(workspace)
    assert newest(workspace).metrics["weighted_cases"] == 4


def test_certain_picks_are_learned_without_weights_and_the_log_says_why(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, labelled=2, settings=dataclasses.replace(WEIGHED, strategy="entropy"))
    start_training(workspace, actor="test")
    drain(workspace)
    answer_all_of_a_round(workspace)
    drain(workspace)
    assert "weighted_cases" not in newest(workspace).metrics
    trainings = [j for j in workspace.store.jobs.list(limit=50) if j.kind == "train"]
    assert any("no bias correction" in line.text for j in trainings for line in workspace.store.jobs.logs(j.id))
