"""A model that was trained before labels were declared to overlap: it is understood, and nothing is learned from it as if it knew."""

import dataclasses
import json
from pathlib import Path

import pytest

from medloop.core.errors import InputError
from medloop.core.records import Model, Snapshot, new_id, now
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibrate_model
from medloop.loop.learning.pseudo_labels import pseudo_annotations
from medloop.loop.overview.model_history import list_models

from .conftest import FAST, MakeWorkspace
from .made_up import add_prediction, every_case

SAID = "trained before labels were declared to overlap: it proposes one of them per voxel, train again"


@pytest.fixture
def older(make_workspace: MakeWorkspace) -> Workspace:
    """A model of two labels, which came to overlap after it."""
    workspace = make_workspace(["validation", *["train"] * 3], labelled=2, settings=dataclasses.replace(FAST, unlabelled="pseudo-labels"))
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="1" * 64, created_at=now())
    made = {"recipe": {"classes": 3}, "weights": (), "metrics": {}, "created_at": now()}
    model = Model(id=new_id("model"), index=1, snapshot_id=snapshot.id, **made)  # type: ignore[arg-type]
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(model)
    for case in every_case(workspace):
        add_prediction(workspace, model, case, entropy=0.0001)
    assert len(pseudo_annotations(workspace, answers=3)) == 2
    configure(workspace, task=TaskChange(overlaps={"small": ["large"]}), actor="test")
    return workspace.reload()


def test_its_line_says_so_and_its_predictions_are_no_pseudo_labels(older: Workspace) -> None:
    assert SAID in list_models(older)[0].note
    assert pseudo_annotations(older, answers=3) == []


def test_an_export_of_it_names_the_outputs_that_it_has(older: Workspace, tmp_path: Path) -> None:
    export_project(older, tmp_path / "out", fmt="model", actor="test")
    card = json.loads((tmp_path / "out" / "model.json").read_text())
    assert card["task"]["labels"] == {"large": 1, "small": 2}


def test_it_is_not_calibrated_on_voxels_that_it_cannot_say(older: Workspace) -> None:
    with pytest.raises(InputError, match="does not know every label of the task, or of which labels"):
        calibrate_model(older)
