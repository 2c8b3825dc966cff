"""An exported model is complete or absent, and its files alone predict what the project predicts."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import BlobError, ConflictError
from medloop.core.records import Model, Snapshot, new_id, now
from medloop.core.seeds import generator
from medloop.interaction.interactive_network.network import NetworkEngine
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import ANY_LABEL, load_predictor
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.predict import Predictor
from medloop.quality.calibrate import TemperatureScaling, calibrator_from_json

from .conftest import MakeWorkspace
from .made_up import every_case
from .test_calibrating import overheated


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    return make_workspace(["train", "train"])


@pytest.fixture
def model(workspace: Workspace) -> Model:
    """A calibrated model with a network for any label beside it."""
    recipe = overheated(workspace)
    other = dataclasses.replace(recipe, classes=2, guided=True, heads=1)
    blobs = [workspace.store.blobs.put(encode_weights(build_network(r, seed=1).state_dict())) for r in (recipe, other)]
    calibration = {"calibrator": TemperatureScaling(temperature=7.0).to_json()}
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="1" * 64, created_at=now())
    made = Model(
        id=new_id("model"),
        index=2,
        recipe=recipe.to_json(),
        snapshot_id=snapshot.id,
        weights=tuple(blobs),
        metrics={"calibration": calibration, "uncertainty_source": "all", ANY_LABEL: other.to_json()},
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(made)
    return made


def test_the_files_of_a_model_predict_with_its_calibration_what_the_project_predicts(
    workspace: Workspace, model: Model, tmp_path: Path
) -> None:
    export_project(workspace, tmp_path / "out", "model", model=2)
    card = json.loads((tmp_path / "out/model.json").read_text())
    again = Predictor.load(
        Recipe.from_json(card["recipe"]),
        [(tmp_path / "out/member-0.safetensors").read_bytes()],
        sampler=card["metrics"]["uncertainty_source"],
        calibrated=calibrator_from_json(card["metrics"]["calibration"]["calibrator"]),
    )
    image = load_image(workspace.store.blobs, every_case(workspace)[0])
    own, read, plain = (
        predictor.predict(image, samples=2, rng=generator(1)).probabilities
        for predictor in (
            load_predictor(workspace.store.blobs, model),
            again,
            load_predictor(workspace.store.blobs, model, as_trained=True),
        )
    )
    assert np.array_equal(own, read)
    assert not np.array_equal(own, plain)
    engine = NetworkEngine.load(
        Recipe.from_json(card["metrics"]["any_label"]), [(tmp_path / "out/any-label.safetensors").read_bytes()], any_label=True
    )
    assert engine.any_label


def test_a_model_whose_weights_are_damaged_leaves_no_half_of_itself(workspace: Workspace, model: Model, tmp_path: Path) -> None:
    (file,) = workspace.folder.rglob(f"*{model.weights[1][4:]}*")
    file.chmod(0o600)
    file.write_bytes(b"damaged")
    with pytest.raises(BlobError, match="weights of model 2"):
        export_project(workspace, tmp_path / "out", "model", model=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("model")
def test_a_model_is_not_written_over_a_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ConflictError, match="empty folder"):
        export_project(workspace, tmp_path / "out", "model", model=2)
    assert (tmp_path / "out").read_text() == "mine"
