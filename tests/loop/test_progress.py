import dataclasses

import numpy as np
import pytest

from medloop.core.records import Case, Evaluation, Prediction
from medloop.loop.foundation.arrays import load_mask, load_proposal
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import surface_words
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.loop.worker import drain
from medloop.metrics.surface import hd95_mm, surface_dice
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .made_up import add_evaluation, add_model, add_prediction, every_case


def test_the_quality_of_the_pool_counts_low_cases_and_bins_of_a_tenth(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4)
    assert progress(workspace).pool_quality is None
    model = add_model(workspace, 1)
    for case, quality in zip(every_case(workspace), [0.05, 0.79, 0.8, 1.0], strict=True):
        add_prediction(workspace, model, case, quality=quality)
    summary = progress(workspace).pool_quality
    assert summary is not None
    assert summary.mean == pytest.approx(0.66)
    assert summary.low_count == 2
    assert summary.histogram == (1, 0, 0, 0, 0, 0, 0, 1, 1, 1)


def test_a_new_project_reports_that_nothing_is_known_yet(pool: Workspace) -> None:
    made = progress(pool)
    assert made.curve == ()
    assert made.labels_per_hour is None
    assert "No model has been evaluated yet" in report_html(pool)


def test_names_from_outside_are_escaped_in_the_report(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("script") / "p"
    with Workspace.create(folder, name="<script>alert(1)</script>", kind="segmentation", labels=["<b>"]) as workspace:
        page = report_html(workspace)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_old_interval_of_a_single_patient_is_not_shown(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test", "train"])
    add_evaluation(workspace, add_model(workspace, 1), "test", 1, {"case00": 0.8})
    point = progress(workspace).curve[0]
    assert (point.mean, point.low, point.high, point.note) == (0.8, None, None, "no interval: 1 patient, at least 5 needed")
    assert "no interval: 1 patient, at least 5 needed" in report_html(workspace)


def test_an_evaluation_keeps_how_far_surfaces_are_apart(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2 + ["test"] * 2, labelled=4)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (evaluation,) = tx.find(Evaluation)
        answers = {a.case_id: a for a in tx.current_annotations(splits=["test"])}
        predictions = {p.case_id: p for p in tx.find(Prediction)}
        cases = {i: tx.get(Case, i) for i in answers}
    assert evaluation.surfaces is not None
    assert evaluation.surfaces.keys() == evaluation.per_case.keys()
    for case_id, by_label in evaluation.surfaces.items():
        case, blobs = cases[case_id], workspace.store.blobs
        truth, proposed = load_mask(blobs, answers[case_id], case).array, load_proposal(blobs, predictions[case_id], case)
        for value, name in enumerate(("large", "small"), start=1):
            assert by_label[name][0] == surface_dice(proposed, truth, case.grid, value, tolerance_mm=max(case.grid.spacing_mm))
            apart = hd95_mm(proposed, truth, case.grid, value)
            assert by_label[name][1] == (apart if np.isfinite(apart) else None)
    (point,) = progress(workspace).curve
    assert point.surface.startswith("surface Dice ")
    assert point.surface in report_html(workspace)
    assert verify(workspace.store).ok


def test_surfaces_are_put_into_words_and_missing_structures_counted(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "test"])
    add_evaluation(workspace, add_model(workspace, 1), "test", 3, {"case01": 0.9})
    with workspace.store.read() as tx:
        (made,) = tx.find(Evaluation)
    assert surface_words(made) == ""  # as in evaluations from before
    surfaces = {"a": {"large": [0.5, 2.0], "small": [1.0, 3.0]}, "b": {"large": [0.0, None]}}
    known = dataclasses.replace(made, surfaces=surfaces)
    assert surface_words(known) == "surface Dice 0.500 within a voxel, median HD95 3.0 mm; 1 of 3 structures in one of both masks only"
    lost = dataclasses.replace(made, surfaces={"b": {"large": [0.0, None]}})
    assert "median HD95 infinite; 1 of 1 structure in" in surface_words(lost)
