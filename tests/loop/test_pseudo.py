"""Pseudo-labels: which cases, what they look like, and that nobody takes them for answers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.image import Mask
from medloop.core.records import Annotation, Case, Split
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.pseudo_labels import PseudoAnnotation, load_pseudo, pseudo_annotations
from medloop.loop.learning.training_set import make_training_set
from medloop.query.budget.pseudo import Threshold

from .conftest import FAST, MakeWorkspace
from .made_up import add_answer, add_model, add_prediction, case_named, every_case

SPLITS: list[Split] = ["train"] * 6 + ["validation", "test", "audit"]


@pytest.fixture
def predicted(make_workspace: MakeWorkspace) -> Workspace:
    """Cases 0 to 8, each surer than the next; case 0 is answered, case 1 predicted empty, every split is predicted."""
    workspace = make_workspace(SPLITS, settings=dataclasses.replace(FAST, unlabelled="pseudo-labels"))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=0.01 * n if n < 6 else 0.0, foreground=0.0 if n == 1 else 0.1)
    add_answer(workspace, annotator_named(workspace, "Ann"), case_named(workspace, "case00"))
    return workspace


def names(workspace: Workspace, found: list[PseudoAnnotation]) -> list[str]:
    return [load_pseudo(workspace, one)[0].name for one in found]


def test_the_surest_unanswered_training_cases_with_foreground_are_taken(predicted: Workspace) -> None:
    found = pseudo_annotations(predicted, answers=9, threshold=Threshold(start=0.045 / np.log(3)))
    assert names(predicted, found) == ["case02", "case03", "case04"]
    assert [one.weight for one in found] == pytest.approx([1 - 2 / 4.5, 1 - 3 / 4.5, 1 - 4 / 4.5])
    assert {one.origin for one in found} == {"pseudo"}


def test_guesses_never_outnumber_answers(predicted: Workspace) -> None:
    assert names(predicted, pseudo_annotations(predicted, answers=1, threshold=Threshold(start=1.0))) == ["case02"]


def test_evaluation_cases_are_never_taken_however_sure(predicted: Workspace) -> None:
    found = pseudo_annotations(predicted, answers=99, threshold=Threshold(start=1.0))
    assert {load_pseudo(predicted, one)[0].split for one in found} == {"train"}


def test_the_mask_is_the_prediction_on_the_cases_grid(predicted: Workspace) -> None:
    (found,) = pseudo_annotations(predicted, answers=1)
    case, mask = load_pseudo(predicted, found)
    assert isinstance(mask, Mask)
    assert mask.array.shape == case.grid.shape
    assert mask.values() == (0, 1)


def test_a_note_brings_the_same_ones_back(predicted: Workspace) -> None:
    found = pseudo_annotations(predicted, answers=9)
    assert [PseudoAnnotation.from_json(one.to_json()) for one in found] == found


def test_nothing_is_stored_or_counted_or_exported(predicted: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    for one in pseudo_annotations(predicted, answers=9, threshold=Threshold(start=1.0)):
        load_pseudo(predicted, one)
    with predicted.store.read() as tx:
        assert [a.origin for a in tx.find(Annotation)] == ["human"]
        assert len(consensus_annotations(tx, "train")) == 1
        assert tx.case_counts().annotated == 1
    assert export_project(predicted, tmp_path_factory.mktemp("out") / "x", "nifti").cases == 1


def test_without_a_model_there_are_none(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(SPLITS, settings=dataclasses.replace(FAST, unlabelled="pseudo-labels"))
    assert pseudo_annotations(workspace, answers=9) == []


def test_without_the_setting_there_are_none(predicted: Workspace) -> None:
    project = dataclasses.replace(predicted.project, settings=FAST)
    assert pseudo_annotations(dataclasses.replace(predicted, project=project), answers=9) == []


def test_a_training_takes_them_beside_the_answers_and_the_same_ones_when_resumed(predicted: Workspace, tmp_path: Path) -> None:
    job = predicted.store.jobs.enqueue("train", {})
    claimed = predicted.store.jobs.claim("test")
    assert claimed is not None
    assert claimed.id == job.id
    with predicted.store.read() as tx:
        answers = tx.current_annotations(splits=["train"])
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
    with JobControl(predicted, claimed) as control:
        taught, again = (make_training_set(predicted, control, TrainingPlan(tmp_path), answers=answers, cases=cases) for _ in range(2))
    assert [c.id for c in taught.cases] == [c.id for c in again.cases]
    assert taught.facts == {"pseudo_labels": 1}
    assert taught.cases[-1].id.startswith("pseudo prediction")
    assert 0 < taught.cases[-1].weight <= 1
    assert isinstance(taught.cases[-1].load()[1], Mask)


def test_a_believed_prediction_whose_bytes_are_damaged_is_left_out_by_name(predicted: Workspace, tmp_path: Path) -> None:
    predicted.store.jobs.enqueue("train", {})
    claimed = predicted.store.jobs.claim("test")
    assert claimed is not None
    with predicted.store.read() as tx:
        answers = tx.current_annotations(splits=["train"])
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
    (believed,) = pseudo_annotations(predicted, answers=len(answers))
    damaged, _ = load_pseudo(predicted, believed)
    predicted.store.blobs.path(damaged.voxels).unlink()
    with JobControl(predicted, claimed) as control:
        taught = make_training_set(predicted, control, TrainingPlan(tmp_path), answers=answers, cases=cases)
    assert "pseudo_labels" not in taught.facts
    assert any(f"{damaged.name} is left out" in line.text for line in predicted.store.jobs.logs(claimed.id))
