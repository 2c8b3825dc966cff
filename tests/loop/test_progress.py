import pytest

from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html

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
