"""One damaged or missing blob of an annotated case is named and left out; everything else goes on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import BlobError, NotFoundError, ReplacesError
from medloop.core.records import Annotation, Case, Evaluation, Job, Model, Query, Snapshot
from medloop.core.states import JobState
from medloop.loop.annotating.annotations import flag_case, open_case, submit
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.damage import LeftOut, damaged_cases
from medloop.loop.foundation.follow_up import request_evaluation
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.reverse_accuracy import judge_by_references
from medloop.loop.overview.measurements import measure_project
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.loop.querying.on_demand import request_description
from medloop.loop.querying.queries import make_query
from medloop.loop.worker import drain
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, case_named

SPLITS = ["train"] * 4 + ["test"] * 3


def flip(workspace: Workspace, blob: str) -> None:
    """Flip one byte of a blob."""
    path = workspace.store.blobs.path(blob)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def mask_of(workspace: Workspace, name: str) -> str:
    with workspace.store.read() as tx:
        (found,) = tx.current_annotations(case_ids=[case_named(workspace, name).id])
    assert found.blob is not None
    return found.blob


def jobs_of(workspace: Workspace, kind: str) -> list[Job]:
    return [job for job in workspace.store.jobs.list(state=JobState.DONE) if job.kind == kind]


@pytest.fixture
def labelled(make_workspace: MakeWorkspace) -> Workspace:
    """Four training and three test cases with imported annotations, and one training case without."""
    return make_workspace([*SPLITS, "train"], labelled=7)


def test_a_training_leaves_out_damaged_cases_and_names_them(labelled: Workspace) -> None:
    flip(labelled, mask_of(labelled, "case00"))
    labelled.store.blobs.path(case_named(labelled, "case01").voxels).unlink()
    flip(labelled, mask_of(labelled, "case05"))
    flip(labelled, case_named(labelled, "case07").voxels)
    start_training(labelled)
    drain(labelled)
    with labelled.store.read() as tx:
        (model,) = tx.find(Model)
        learned = [tx.get(Annotation, i).case_id for i in tx.get(Snapshot, model.snapshot_id).annotation_ids]
        assert [tx.get(Case, i).name for i in learned] == ["case02", "case03"]
        (test,) = tx.find(Evaluation)
        assert sorted(tx.get(Case, i).name for i in test.per_case) == ["case04", "case06"]
    (training,), (judging,) = jobs_of(labelled, "train"), jobs_of(labelled, "evaluate")
    assert [line["case"] for line in training.result["left_out"]] == ["case00", "case01"]
    assert "mask are damaged" in training.result["left_out"][0]["reason"]
    assert "image are missing" in training.result["left_out"][1]["reason"]
    assert [line["case"] for line in judging.result["left_out"]] == ["case05"]
    assert any("case07" in line["case"] for job in jobs_of(labelled, "predict") for line in job.result.get("left_out", []))
    log = " ".join(line.text for line in labelled.store.jobs.logs(training.id))
    assert "case00 is left out" in log
    assert "flag the case" in log
    assert [c.name for c in damaged_cases(labelled)] == ["case00", "case01", "case05", "case07"]
    assert "case05" in report_html(labelled)
    assert verify(labelled.store, blobs=False).ok


def test_a_training_too_small_without_its_damaged_cases_says_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, labelled=2)
    flip(workspace, mask_of(workspace, "case00"))
    start_training(workspace)
    drain(workspace)
    (job,) = jobs_of(workspace, "train")
    assert "needs at least" in job.result["message"]
    assert job.result["left_out"][0]["case"] == "case00"


def test_an_export_leaves_out_damaged_cases_and_names_them(labelled: Workspace, tmp_path: Path) -> None:
    flip(labelled, mask_of(labelled, "case00"))
    report = export_project(labelled, tmp_path / "out", "nifti")
    assert report.cases == 6
    assert any("case00 is left out" in note for note in report.notes)
    for name in ("case01", "case02", "case03", "case04", "case05", "case06"):
        flip(labelled, mask_of(labelled, name))
    with pytest.raises(NotFoundError, match="7 cannot be read"):
        export_project(labelled, tmp_path / "empty", "nifti")


def test_progress_measures_and_references_go_on_without_damaged_cases(labelled: Workspace) -> None:
    flip(labelled, mask_of(labelled, "case00"))
    told: list[str] = []
    measured = measure_project(labelled, of="annotation", log=told.append)
    assert [one.case_name for one in measured] == [f"case{n:02d}" for n in range(1, 7)]
    assert len(told) == 1
    queried = {line.label: line.annotated for line in progress(labelled).queried}
    assert queried["large"] == 3
    with pytest.raises(Exception, match="needs a model"):
        judge_by_references(labelled)


def test_a_damaged_case_can_be_opened_and_flagged_and_is_then_no_longer_warned_of(labelled: Workspace, tmp_path: Path) -> None:
    flip(labelled, mask_of(labelled, "case00"))
    export_project(labelled, tmp_path / "out", "nifti")
    assert [c.name for c in damaged_cases(labelled)] == ["case00"]
    opened = open_case(labelled, case_named(labelled, "case00").id, annotator_named(labelled, "Ann").id)
    assert opened.assignment.began_with == "blank", "the damaged mask cannot be shown"
    assert not read_draft(labelled, opened.assignment.id).mask.any()
    with pytest.raises(ReplacesError):
        submit(labelled, opened.assignment.id, Submitted())
    flag_case(labelled, opened.assignment.id, reason="mask file damaged")
    assert damaged_cases(labelled) == ()
    assert not any("damaged (blob" in note for note in export_project(labelled, tmp_path / "again", "nifti").notes)


def test_a_case_whose_bytes_were_restored_counts_again(labelled: Workspace, tmp_path: Path) -> None:
    blob = mask_of(labelled, "case00")
    good = labelled.store.blobs.path(blob).read_bytes()
    flip(labelled, blob)
    export_project(labelled, tmp_path / "out", "nifti")
    labelled.store.blobs.path(blob).write_bytes(good)
    assert damaged_cases(labelled) == ()
    assert export_project(labelled, tmp_path / "again", "nifti").cases == 7


def test_a_training_that_was_begun_with_a_case_damaged_since_begins_anew(labelled: Workspace) -> None:
    from medloop.loop.learning.decisions import TrainingPlan
    from medloop.loop.learning.training import _frozen, _unsound

    folder = labelled.work_folder / "job"
    folder.mkdir(parents=True)
    plan = TrainingPlan(folder)
    first = _frozen(labelled, plan, _unsound(labelled, plan, LeftOut(labelled)))
    flip(labelled, mask_of(labelled, "case00"))
    left_out = LeftOut(labelled)
    second = _frozen(labelled, plan, _unsound(labelled, plan, left_out))
    assert first is not None
    assert second is not None
    assert (len(first.annotation_ids), len(second.annotation_ids)) == (4, 3)
    assert [c.name for c in left_out.cases] == ["case00"]


def test_a_damaged_image_does_not_stop_the_description_or_the_query(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 5, settings=dataclasses.replace(FAST, first_strategy="typiclust"))
    flip(workspace, case_named(workspace, "case02").voxels)
    request_description(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (query,) = tx.find(Query)
    assert query.strategy == "typiclust"
    assert case_named(workspace, "case02").id not in {choice.case_id for choice in query.choices}
    assert np.all([c.name == "case02" for c in damaged_cases(workspace)])


def test_a_case_with_a_damaged_mask_can_be_annotated_anew(labelled: Workspace, tmp_path: Path) -> None:
    flip(labelled, mask_of(labelled, "case00"))
    opened = open_case(labelled, case_named(labelled, "case00").id, annotator_named(labelled, "Ann").id)
    again = open_case(labelled, opened.case.id, annotator_named(labelled, "Ann").id)
    assert again.assignment.id == opened.assignment.id
    submit(labelled, opened.assignment.id, Submitted(replace=True))
    assert export_project(labelled, tmp_path / "out", "nifti").cases == 7


def test_damaged_weights_name_their_model_and_leave_no_half_export(labelled: Workspace, tmp_path: Path) -> None:
    start_training(labelled)
    drain(labelled)
    with labelled.store.read() as tx:
        (model,) = tx.find(Model)
    flip(labelled, model.weights[0])
    with pytest.raises(BlobError, match=r"weights of model 1 cannot be read.*another one with medloop models"):
        export_project(labelled, tmp_path / "model", "model")
    assert not (tmp_path / "model").exists()


def test_damaged_features_and_proposals_cost_their_case_only(make_workspace: MakeWorkspace) -> None:
    settings = dataclasses.replace(FAST, strategy="coreset", batch_size=2)
    workspace = make_workspace(["train"] * 5, settings=settings)
    model = add_model(workspace, 1)
    proposals = {n: add_prediction(workspace, model, case_named(workspace, f"case{n:02d}"), entropy=0.1 * n) for n in range(5)}
    flip(workspace, str(proposals[1].features))
    flip(workspace, str(proposals[2].mask))
    query = make_query(workspace, 2)
    assert query is not None
    assert query.strategy == "coreset"
    assert case_named(workspace, "case01").id not in {choice.case_id for choice in query.choices}
    opened = open_case(workspace, case_named(workspace, "case02").id, annotator_named(workspace, "Ann").id)
    assert opened.assignment.began_with == "blank"
    submit(workspace, opened.assignment.id, Submitted())


def test_an_evaluation_follows_a_case_that_is_damaged_and_restored(labelled: Workspace) -> None:
    path = labelled.store.blobs.path(mask_of(labelled, "case05"))
    whole = path.read_bytes()
    flip(labelled, mask_of(labelled, "case05"))
    start_training(labelled)
    drain(labelled)
    request_evaluation(labelled)
    assert drain(labelled) == 0  # what is damaged is known, and nothing is evaluated over and over
    path.write_bytes(whole)
    request_evaluation(labelled)
    drain(labelled)
    with labelled.store.read() as tx:
        (test,) = tx.current_evaluations()
        assert sorted(tx.get(Case, i).name for i in test.per_case) == ["case04", "case05", "case06"]


def test_an_evaluation_leaves_a_case_out_that_was_damaged_since(labelled: Workspace) -> None:
    start_training(labelled)
    drain(labelled)
    flip(labelled, mask_of(labelled, "case05"))
    with LeftOut(labelled).case(case_named(labelled, "case05")):
        labelled.store.blobs.check(mask_of(labelled, "case05"))
    request_evaluation(labelled)
    drain(labelled)
    with labelled.store.read() as tx:
        (test,) = tx.current_evaluations()
        assert sorted(tx.get(Case, i).name for i in test.per_case) == ["case04", "case06"]
