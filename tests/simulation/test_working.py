"""Simulated annotators who correct proposals instead of drawing masks."""

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Prediction
from medloop.images.phantoms import phantom_2d
from medloop.interaction.simulated_users.effort import EFFORT_MODELS
from medloop.loop.foundation.workspace import Workspace
from medloop.simulation.design import SHARED, Unit
from medloop.simulation.files import read_json
from medloop.simulation.prepare import prepare
from medloop.simulation.runs import run_study
from medloop.simulation.unit import run_unit
from medloop.simulation.working import corrected_mask

from .phantom_data import small_design, tagged


def test_a_good_proposal_is_left_as_it_is_for_the_time_of_a_look():
    phantom = phantom_2d(1, seed=3, shape=(32, 32))
    truth, proposal = phantom.mask, phantom.mask.array.copy()
    edge = tuple(np.argwhere(proposal > 0)[0])
    proposal[edge] = 0
    stated = EFFORT_MODELS["stated"]
    mask, seconds = corrected_mask(truth, phantom.image, proposal, (1, 2), stated, np.random.default_rng(0))
    assert seconds == stated.slice_viewed
    assert mask[edge] == 0
    drawn, longer = corrected_mask(truth, phantom.image, None, (1, 2), stated, np.random.default_rng(0))
    assert np.array_equal(drawn, truth.array)
    assert longer > seconds


def test_a_study_whose_annotators_correct_predicts_the_pool_and_counts_their_minutes(phantoms, tmp_path):
    design = small_design(phantoms, strategies=("random",), annotators="correct", effort="harsh", cases=8, start=2, batch=1, steps=2)
    prepared = prepare(design, tmp_path)
    shared, later = Unit(0, SHARED, 1), Unit(0, "random", 2)
    for unit in (shared, later):
        run_unit(design, prepared, unit, tmp_path)
    first, second = (read_json(unit.result_file(tmp_path))["minutes"] for unit in (shared, later))
    assert 0 < first < second
    with Workspace.open(later.run_folder(tmp_path)) as workspace, workspace.store.read() as tx:
        assert tx.find(Prediction)  # random draws need none


@pytest.mark.parametrize("changes", [{"noise": "shift"}, {"outline_error_mm": 1.0}, {"given": "points"}])
def test_noise_and_marks_are_not_corrected_proposals(phantoms, tmp_path, changes):
    with pytest.raises(SettingError, match="leave --annotators at draw"):
        run_study(small_design(phantoms, annotators="correct", **changes), tmp_path / "out")


def test_classes_have_no_proposals_to_correct(tmp_path):
    with pytest.raises(SettingError, match="got a classification"):
        run_study(small_design(tagged(tmp_path / "tags"), strategies=("random",), annotators="correct"), tmp_path / "out")
