"""A score over annotations that began as a model's proposal says so: in the record, on the curve, in the job's log and the report."""

import dataclasses
from html import unescape
from pathlib import Path

import pytest

from medloop.core.records import Case, Evaluation
from medloop.core.states import JobState
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.loop.worker import drain

from .conftest import MakeWorkspace
from .made_up import case_named


@pytest.fixture
def audited(make_workspace: MakeWorkspace) -> Workspace:
    """A trained project whose two audit cases were predicted, and one of them confirmed as it was proposed."""
    workspace = make_workspace(["train"] * 3 + ["audit"] * 2, labelled=3)
    ann = annotator_named(workspace, "Ann")
    drawn = open_case(workspace, case_named(workspace, "case04").id, ann.id).assignment
    submit(workspace, drawn.id, Submitted())  # before there is a model: nothing to lean on
    start_training(workspace)
    drain(workspace)
    confirmed = open_case(workspace, case_named(workspace, "case03").id, ann.id).assignment
    assert confirmed.began_with == "prediction"
    submit(workspace, confirmed.id, Submitted())
    drain(workspace)
    return workspace


def test_confirmed_proposals_are_named_by_the_evaluation_that_uses_them(audited: Workspace) -> None:
    with audited.store.read() as tx:
        newest = tx.find(Evaluation, where={"split": "audit"})[-1]
    assert newest.leaning == (case_named(audited, "case03").id,)
    (point,) = [p for p in progress(audited).curve if p.split == "audit"]
    assert point.leaning == 1
    assert point.warning.startswith("1 of 2 annotations began as a model's proposal")
    assert "Read with care" in report_html(audited)
    assert point.warning.split(":")[0] in unescape(report_html(audited))
    logs = [line.text for job in audited.store.jobs.list(state=JobState.DONE) for line in audited.store.jobs.logs(job.id)]
    assert any("stand in part untouched" in line for line in logs)


def test_a_confirmed_proposal_is_no_experts_label_after_an_export_and_an_import(audited: Workspace, tmp_path: Path) -> None:
    export_project(audited, tmp_path / "out", "nifti")
    with Workspace.create(tmp_path / "second", name="second", kind="segmentation", labels=["large", "small"]) as again:
        assert import_dataset(again, tmp_path / "out").refused == ()
        with again.store.read() as tx:
            annotations = {tx.get(Case, a.case_id).name: a for a in tx.current_annotations()}
            leaning = {name for name, annotation in annotations.items() if leans_on_proposal(tx, annotation)}
        assert leaning == {"case03"}
        assert annotations["case03"].origin == "imported"
        assert (annotations["case03"].untouched, annotations["case04"].untouched) == (1.0, None)


def test_a_score_over_independent_annotations_carries_no_warning(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3 + ["test"] * 2, labelled=5)
    start_training(workspace)
    drain(workspace)
    (point,) = progress(workspace).curve
    assert (point.leaning, point.warning) == (0, "")
    assert "Read with care" not in report_html(workspace)
    assert dataclasses.asdict(point)["split"] == "test"
