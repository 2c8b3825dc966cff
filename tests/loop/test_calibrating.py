import dataclasses
from functools import partial

import numpy as np
import pytest

from medloop.cli.standing import _choices, standing
from medloop.core.errors import InputError
from medloop.core.image import Mask
from medloop.core.records import Case, Json, Model, Prediction, Snapshot, Source, new_id, now
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibrate_model, calibration_of, calibration_words
from medloop.loop.judging.predictions import load_predictor
from medloop.loop.overview.model_history import model_lines
from medloop.loop.overview.report import report_html
from medloop.loop.worker import drain
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.inference.predict import ModelOutput, Predictor
from medloop.models.training.batches import TrainingCase
from medloop.quality.calibrate import TemperatureScaling, calibrator_from_json

from .conftest import FAST, SMALL, MakeWorkspace
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
    with pytest.raises(InputError, match="got no validation annotations"):
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


def trained(workspace: Workspace) -> Model:
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        return tx.find(Model)[-1]


def validated(make_workspace: MakeWorkspace, cases: int, **changes: object) -> Workspace:
    """Two training cases and some validation cases, all annotated, and a test case."""
    splits = ["train"] * 2 + ["validation"] * cases + ["test"]
    settings = dataclasses.replace(FAST, train_after=9, **changes)  # type: ignore[arg-type]  # values of settings
    return make_workspace(splits, labelled=cases + 2, settings=settings)


def test_a_training_keeps_a_temperature_that_every_prediction_is_made_with_also_after_a_restart(make_workspace: MakeWorkspace) -> None:
    workspace = validated(make_workspace, 5)
    model = trained(workspace)
    kept = model.metrics["calibration"]
    assert (kept["patients"], kept["after"] < kept["before"]) == (5, True)
    temperature = calibrator_from_json(kept["calibrator"])
    with Workspace.open(workspace.folder) as again:
        blobs, case = again.store.blobs, every_case(again)[0]
        with again.store.read() as tx:
            prediction = tx.find(Prediction, where={"case_id": case.id})
            line = model_lines(tx)[0]
        found, plain = (
            load_predictor(blobs, model, as_trained=raw).predict(load_image(blobs, case), samples=2, rng=np.random.default_rng(0)).samples
            for raw in (False, True)
        )
        assert line.calibration in _choices(standing(again))
        assert line.calibration in report_html(again).replace("&gt;", ">")
    np.testing.assert_allclose(found, temperature(plain, axis=1), atol=1e-6)
    assert not np.allclose(found, plain)
    assert line.calibration.startswith(f"temperature {temperature.temperature:.2f}, calibration error {kept['before']:.3f} -> ")
    assert all(p.model_id == model.id for p in prediction)


def test_scores_and_uncertainty_come_from_calibrated_probabilities(make_workspace: MakeWorkspace) -> None:
    warm, raw = validated(make_workspace, 5), validated(partial(make_workspace, name="raw"), 5, calibration="none")
    entropies = []
    for workspace in (warm, raw):
        trained(workspace)
        with workspace.store.read() as tx:
            (case,) = tx.find(Case, where={"split": "validation", "name": "case02"})
            entropies.append(tx.find(Prediction, where={"case_id": case.id})[0].scores["entropy"])
    assert entropies[0] != pytest.approx(entropies[1], rel=0.01)


@pytest.mark.parametrize(
    ("cases", "changes", "why"), [(4, {}, "needs 5 validation patients, got 4"), (5, {"calibration": "none"}, "off by")]
)
def test_without_enough_validation_patients_or_the_setting_probabilities_stay_as_trained(
    make_workspace: MakeWorkspace, cases: int, changes: dict[str, object], why: str
) -> None:
    workspace = validated(make_workspace, cases, **changes)
    model = trained(workspace)
    assert why in calibration_words(model)
    assert load_predictor(workspace.store.blobs, model).calibrated is None


def test_test_cases_have_no_part_in_what_is_kept(make_workspace: MakeWorkspace) -> None:
    """Only what the training names as validation is looked at, so that figures on test cases stay fair."""
    workspace = make_workspace(["train"] * 2 + ["test"] * 6, labelled=8, settings=dataclasses.replace(FAST, train_after=9))
    assert trained(workspace).metrics["calibration"] == {"note": "needs 5 validation patients, got 0"}


def test_a_temperature_that_does_not_help_other_patients_is_not_kept(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["validation"] * 5, labelled=5)
    recipe = overheated(workspace)

    class Fair:
        """States for every voxel what is true of the share of voxels like it."""

        def predict(self, image, **_):
            shares = np.full((1, 3, *image.grid.shape), 1 / 3, dtype=np.float32)
            return ModelOutput(shares, np.zeros(1, dtype=np.float32))

    truth = [phantom_3d(n, 1, SMALL) for n in range(5)]
    even = [np.random.default_rng(n).integers(0, 3, SMALL).astype(np.uint8) for n in range(5)]
    cases = [
        TrainingCase(f"case{n:02d}", lambda n=n: (truth[n].image, Mask(even[n], truth[n].image.grid)))  # type: ignore[misc]
        for n in range(5)
    ]
    kept = calibration_of(workspace, Fair, cases, seed=recipe.seed)
    assert "calibrator" not in kept
    assert "does not help" in kept["note"]
    some = [dataclasses.replace(case, known=(0, 1)) for case in cases]
    assert calibration_of(workspace, Fair, some, seed=0, missing=[2])["before"] >= 0
    lacking = calibration_of(workspace, Fair, some, seed=0)
    assert lacking == {"note": "needs 5 validation patients that annotate every label, got 0"}


def calibrated_on(workspace: Workspace, stated: list[tuple[int, float]]) -> Json:
    """What a classifier keeps that gave the true class (first) this probability (second), case by case."""
    chance = {f"case{n:02d}": given for n, given in enumerate(stated)}
    images = {name: phantom_3d(n, 1, SMALL).image for n, name in enumerate(chance)}

    class Stated:
        def predict(self, image, **_):
            truth, true = chance[next(name for name, one in images.items() if one is image)]
            return ModelOutput(np.array([[true, 1 - true] if truth == 0 else [1 - true, true]]), np.zeros(1, dtype=np.float32))

    cases = [TrainingCase(name, lambda name=name: (images[name], chance[name][0])) for name in chance]  # type: ignore[misc]
    return calibration_of(workspace, Stated, cases, seed=0)


def test_a_classifier_that_made_no_error_keeps_no_temperature_that_says_it_never_errs(make_workspace: MakeWorkspace) -> None:
    kept = calibrated_on(make_workspace(["validation"] * 5), [(n % 2, 0.7) for n in range(5)])
    assert "calibrator" not in kept
    assert kept["note"].startswith("no temperature above 0.05 fits best")


def test_validation_cases_of_one_class_keep_no_temperature(make_workspace: MakeWorkspace) -> None:
    kept = calibrated_on(make_workspace(["validation"] * 5), [(1, 0.3), (1, 0.9), (1, 0.8), (1, 0.9), (1, 0.95)])
    assert kept == {"note": "the validation cases hold one class only"}


def test_copies_of_one_image_count_as_one_patient(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([])
    for n in range(5):
        source = Source(format="phantom", names=(f"{n}",), sha256=f"{n:064d}")
        add_case(
            workspace, phantom_3d(0, 1, SMALL).image, NewCase(name=f"case{n:02d}", patient=f"patient{n}", split="validation", source=source)
        )
    kept = calibrated_on(workspace, [(n % 2, 0.7) for n in range(5)])
    assert kept == {"note": "needs 5 validation patients, got 1; 4 cases with the same image as another left out"}


def test_a_model_from_before_is_read_as_it_was_trained(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test"])
    overheated(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert load_predictor(workspace.store.blobs, model).calibrated is None
    assert calibration_words(model) == "probabilities as trained: trained before calibration was kept"
