import dataclasses

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.core.records import Model, Snapshot, new_id, now
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibrate_model
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.inference.predict import Predictor
from medloop.quality.calibrate import TemperatureScaling, calibrator_from_json

from .conftest import SMALL, MakeWorkspace
from .made_up import every_case


def overheated(workspace: Workspace) -> Recipe:
    """A model with random weights whose logits are much too large: sure of nonsense."""
    found = fingerprint([CaseShape(SMALL, (1.0, 1.0, 1.0), 1)])
    recipe = choose_recipe(found, kind="segmentation", classes=3, minutes=0.1, threads=1, seed=0)
    recipe = dataclasses.replace(recipe, features=tuple(4 * 2**n for n in range(len(recipe.features))), precision="float32", steps=1)
    weights = build_network(recipe, seed=0).state_dict()
    weights |= {name: 20 * tensor for name, tensor in weights.items() if name.startswith("head.")}
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    blob = workspace.store.blobs.put(encode_weights(weights))
    model = Model(
        id=new_id("model"), index=1, recipe=recipe.to_json(), snapshot_id=snapshot.id, weights=(blob,), metrics={}, created_at=now()
    )
    with workspace.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(model)
    return recipe


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_a_model_that_is_sure_of_nonsense_is_mended_on_cases_not_fitted_on(make_workspace: MakeWorkspace, method: str) -> None:
    workspace = make_workspace(["validation"] * 2 + ["test"] * 2, labelled=4)
    overheated(workspace)
    found = calibrate_model(workspace, method=method)  # type: ignore[arg-type]  # parametrized
    assert (found.model_index, found.fitted_on, found.judged_on) == (1, 2, 2)
    assert found.before is not None
    assert found.after is not None
    assert found.after.ece < found.before.ece / 2
    assert found.after.nll < found.before.nll
    calibrator_from_json(found.calibrator)


def test_without_test_answers_nothing_is_claimed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["validation"], labelled=1)
    overheated(workspace)
    found = calibrate_model(workspace)
    assert (found.judged_on, found.before, found.after) == (0, None, None)


def test_without_validation_answers_or_model_it_is_refused(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"], labelled=1)
    with pytest.raises(InputError, match="got no model"):
        calibrate_model(workspace)
    overheated(workspace)
    with pytest.raises(InputError, match="got no validation answers"):
        calibrate_model(workspace)


def test_a_predictor_applies_the_calibration_to_every_sample(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"])
    recipe = overheated(workspace)
    weights = [encode_weights(build_network(recipe, seed=0).state_dict())]
    image = load_image(workspace.store.blobs, every_case(workspace)[0])
    plain, warm = (
        Predictor.load(recipe, weights, calibrated=map_).predict(image, samples=2, rng=np.random.default_rng(0)).samples
        for map_ in (None, TemperatureScaling(3.0))
    )
    np.testing.assert_allclose(warm, TemperatureScaling(3.0)(plain, axis=1), atol=1e-6)
    assert warm.dtype == np.float32
