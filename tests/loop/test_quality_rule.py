"""Predicted quality in a project: from this model's evaluated patients alone, or a reason in words."""

import functools

import numpy as np
import pytest

from medloop.core.records import Model, Split
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import evaluated_cases, evaluated_patients
from medloop.loop.judging.predicted_quality import qualify_again
from medloop.loop.judging.predictions import make_prediction, quality_note, quality_rule
from medloop.loop.judging.quality_signs import mask_agreement, signs_of, signs_of_prediction
from medloop.loop.overview.progress import progress
from medloop.models.inference.predict import ModelOutput
from medloop.quality.features import quality_features

from .conftest import MakeWorkspace
from .made_up import add_evaluation, add_model, add_prediction, case_named, every_case


def evaluated(make_workspace: MakeWorkspace, split: Split = "test", cases: int = 12) -> tuple[Workspace, Model]:
    """Evaluated cases whose Dice is their agreement, and one of the pool."""
    workspace = make_workspace([split] * cases + ["train"])
    model = add_model(workspace, 1)
    scores = {}
    for n, case in enumerate(every_case(workspace)[:cases]):
        add_prediction(workspace, model, case, agreement=0.3 + 0.05 * n)
        scores[case.name] = 0.3 + 0.05 * n
    add_evaluation(workspace, model, split, 1, scores)
    return workspace, model


def test_the_pool_gets_a_quality_from_the_models_own_evaluated_patients(make_workspace: MakeWorkspace) -> None:
    workspace, model = evaluated(make_workspace)
    case = case_named(workspace, "case12")
    samples = np.random.default_rng(0).dirichlet((1, 1, 1), (2, *case.grid.shape)).transpose(0, 4, 1, 2, 3)
    made = make_prediction(
        workspace.store.blobs, case, model, ModelOutput(samples, np.zeros(3, np.float32)), quality_rule(workspace, model)
    )
    assert made.quality is not None
    assert made.quality_low is not None
    assert made.quality_high is not None
    assert made.quality_low <= made.quality <= made.quality_high
    assert quality_note(workspace, model) == ""
    assert progress(workspace).quality_note == ""


@pytest.mark.parametrize(("split", "cases", "words"), [("validation", 12, "0 evaluated patients"), ("test", 9, "9 evaluated patients")])
def test_validation_cases_and_few_patients_tell_no_quality(make_workspace: MakeWorkspace, split: Split, cases: int, words: str) -> None:
    workspace, model = evaluated(make_workspace, split, cases)
    assert quality_rule(workspace, model).predictors == ()
    assert progress(workspace).quality_note == f"predicted quality cannot be estimated: {words}, at least 10 needed"


def test_patients_are_counted_and_not_their_cases(make_workspace: MakeWorkspace) -> None:
    workspace, model = evaluated(functools.partial(make_workspace, patients=4))
    with workspace.store.read() as tx:
        assert evaluated_patients(evaluated_cases(tx, model.id)) == 4
    assert "4 evaluated patients" in quality_note(workspace, model)


def test_nothing_is_borrowed_from_another_model(make_workspace: MakeWorkspace) -> None:
    workspace, _ = evaluated(make_workspace)
    assert quality_rule(workspace, add_model(workspace, 2)).predictors == ()


def test_signs_are_the_same_however_much_empty_space_lies_around() -> None:
    rng = np.random.default_rng(0)
    inside = rng.uniform(0.6, 0.9, (2, 4, 4, 4))
    wide, narrow = (np.zeros((2, 2, *shape)) for shape in ((40, 40, 30), (24, 24, 22)))
    for table, start in ((wide, 15), (narrow, 9)):
        table[:, 0] = 1.0
        part = (slice(None), slice(start, start + 4), slice(start, start + 4), slice(start, start + 4))
        table[:, 1][part], table[:, 0][part] = inside, 1.0 - inside
    first, second = (signs_of(table, 0.8, spacing_mm=(1.0, 1.0, 1.0)) for table in (wide, narrow))
    assert first == second
    assert first["sample_agreement"] == 0.8


def test_signs_of_the_part_around_an_annotation_are_those_of_the_whole_volume() -> None:
    inside = np.zeros((3, 16, 16, 16))
    inside[:, 3:13, 3:13, 3:13] = np.random.default_rng(1).uniform(0.1, 0.45, (3, 10, 10, 10))
    inside[:, 6:10, 6:10, 6:10] += 0.5
    samples = np.stack([1 - inside, inside], axis=1).astype(np.float32)
    whole = quality_features(samples, spacing_mm=(1.0, 1.0, 1.0))
    del whole["sample_agreement"]  # kept as it was given
    found = signs_of(samples, 0.8, spacing_mm=(1.0, 1.0, 1.0))
    assert {name: found[name] for name in whole} == pytest.approx(whole, abs=1e-5)


def test_agreement_with_an_earlier_mask_by_hand() -> None:
    a, b = np.array([[[1, 1, 2, 0]]]), np.array([[[1, 0, 2, 0]]])
    assert mask_agreement(a, b) == pytest.approx((2 / 3 + 1) / 2)
    assert mask_agreement(np.zeros((1, 1, 2)), np.zeros((1, 1, 2))) == 1.0


def test_predictions_from_before_signs_were_kept_still_have_their_agreement(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    made = add_prediction(workspace, add_model(workspace, 1), case_named(workspace, "case00"), agreement=0.7)
    assert signs_of_prediction(made) == {"sample_agreement": 0.7}


def test_a_prediction_made_before_its_model_was_evaluated_is_told_its_quality_by_the_evaluation(make_workspace: MakeWorkspace) -> None:
    workspace, model = evaluated(make_workspace)
    case = case_named(workspace, "case12")
    before = add_prediction(workspace, model, case, agreement=0.6)
    assert progress(workspace).pool_quality is None
    assert qualify_again(workspace, model) == 1
    with workspace.store.read() as tx:
        (now,) = [p for p in tx.latest_predictions(model.id) if p.case_id == case.id]
    assert now.quality is not None
    assert (now.mask, now.scores, now.features) == (before.mask, before.scores, before.features)
    found = progress(workspace)
    assert found.pool_quality is not None
    assert (found.pool_quality.mean, found.unpredicted) == (pytest.approx(now.quality, abs=1e-6), 0)
    assert qualify_again(workspace, model) == 0


def test_a_quality_is_taken_back_when_the_evaluated_patients_no_longer_tell_it(make_workspace: MakeWorkspace) -> None:
    workspace, model = evaluated(make_workspace)
    add_prediction(workspace, model, case_named(workspace, "case12"), agreement=0.6)
    qualify_again(workspace, model)
    add_evaluation(workspace, model, "test", 1, {"case00": 0.3, "case01": 0.9})
    assert qualify_again(workspace, model) == 1
    assert progress(workspace).pool_quality is None


def test_a_quality_follows_the_evaluations_that_change_what_signs_speak_of(make_workspace: MakeWorkspace) -> None:
    workspace, model = evaluated(make_workspace)
    case = case_named(workspace, "case12")
    add_prediction(workspace, model, case, agreement=0.6)
    qualify_again(workspace, model)
    with workspace.store.read() as tx:
        (before,) = [p for p in tx.latest_predictions(model.id) if p.case_id == case.id]
    add_evaluation(workspace, model, "test", 1, {f"case{n:02d}": 0.1 + 0.05 * n for n in range(12)})
    assert qualify_again(workspace, model) == 1
    with workspace.store.read() as tx:
        (after,) = [p for p in tx.latest_predictions(model.id) if p.case_id == case.id]
    assert (before.quality, after.quality) == (pytest.approx(0.6, abs=0.02), pytest.approx(0.4, abs=0.02))
    assert qualify_again(workspace, model) == 0
