"""Labels that overlap, through the loop: declared, imported, scored, learned, refined, filled and exported."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import LabelError
from medloop.core.overlaps import Overlapping
from medloop.core.records import Case, Model
from medloop.datasets.discover import open_dataset
from medloop.interaction.locks import keep_locked_labels
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotated_labels import annotated_labels, require_only, without_others
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.overview.class_counts import queried_classes
from medloop.loop.overview.measurements import measure_case
from medloop.loop.project import Project
from medloop.loop.worker import drain
from medloop.models.foundation.recipes import Recipe
from medloop.store.audit import verify

from .conftest import MakeWorkspace
from .made_up import add_model, add_prediction, case_named
from .test_annotated_imports import SHAPE, write
from .test_annotated_labels import LARGE, SMALL, give, standing

BOTH = 3


@pytest.fixture
def crossed(make_workspace: MakeWorkspace) -> Workspace:
    """The two labels overlap."""
    workspace = make_workspace(["test", "train", "train"])
    configure(workspace, task=TaskChange(overlaps={"small": ["large"]}), actor="test")
    return workspace.reload()


def test_it_is_declared_at_the_beginning_or_later_and_ended_without_loss(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", kind="segmentation", labels=Overlapping(["vessel", "tumour"], {"vessel": ["Tumour"]}))
    assert project.workspace.task.mask_values == (1, 2, BOTH)
    told = configure(project.workspace, task=TaskChange(overlaps={"tumour": []}, added=["rib"]), actor="test")
    assert [(one.what, one.before, one.after) for one in told] == [
        ("vessel overlaps", "tumour", ""),
        ("tumour overlaps", "vessel", ""),
        ("label 4", "", "rib"),
    ]
    after = project.workspace.reload().task
    assert ([label.value for label in after.labels], after.mask_values, after.classes) == ([1, 2, 4], (1, 2, BOTH, 4), 5)
    with Workspace.open(tmp_path / "p") as again:
        assert again.task == after
        assert verify(again.store).ok


def test_labels_that_overlap_cannot_come_to_lie_inside_each_other(crossed: Workspace) -> None:
    with pytest.raises(LabelError, match="'small' lies inside 'large', so that all its voxels belong to both"):
        configure(crossed, task=TaskChange(inside={"small": "large"}), actor="test")
    assert crossed.reload().task == crossed.task


def test_each_label_is_scored_measured_and_counted_with_the_voxels_of_both(crossed: Workspace) -> None:
    give(crossed, "case00", "Ann", BOTH)
    case, model = case_named(crossed, "case00"), add_model(crossed, 1)
    add_prediction(crossed, model, case, label=LARGE, foreground=1.0)
    assert [(one.label, one.annotated) for one in queried_classes(crossed)] == [("large", 0), ("small", 0)]
    scores = score_annotations(crossed, model, [standing(crossed, "case00")], {case.id: case})[case.id]
    assert scores["large"] > 0.0
    assert scores["small"] == 0.0
    rows = {(row.label, row.name): row.value for row in measure_case(crossed, case.id).measures}
    volumes = {label: next(v for (of, name), v in rows.items() if of == label and "volume" in str(name)) for label in ("large", "small")}
    assert volumes["large"] == volumes["small"] > 0
    give(crossed, "case01", "Ann", BOTH)
    assert [(one.label, one.annotated) for one in queried_classes(crossed)] == [("large", 1), ("small", 1)]


def test_where_one_of_them_is_not_annotated_the_other_is_left(crossed: Workspace) -> None:
    mask = np.array([0, LARGE, SMALL, BOTH, 255], dtype=np.uint8)
    assert without_others(mask, (LARGE,), crossed.task.labels).tolist() == [0, LARGE, 0, LARGE, 255]
    with pytest.raises(LabelError, match=r"holds small \(1 voxels\), large \+ small \(1 voxels\) too"):
        require_only(mask, (LARGE,), crossed.task, "It")
    give(crossed, "case01", "Ann", LARGE)
    with crossed.store.read() as tx:
        assert annotated_labels(tx, crossed.task).known_classes(standing(crossed, "case01")) == ()


def two_sources(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """One file per label of the same image; the two cross."""
    vessel, tumour = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    vessel[0], tumour[:, 0] = 1, 1
    for name, mask in (("vessel", vessel), ("tumour", tumour)):
        write(folder / name, "a", 1)
        nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / name / "labels/a.nii.gz")
    return vessel, tumour


def test_two_sources_that_claim_a_voxel_add_up_and_export_each_label_exactly(tmp_path: Path) -> None:
    vessel, tumour = two_sources(tmp_path)
    project = Project.create(tmp_path / "p", kind="segmentation", labels=Overlapping(["vessel", "tumour"], {"vessel": ["tumour"]}))
    with project.workspace as workspace:
        for name in ("vessel", "tumour"):
            report = import_dataset(workspace, open_dataset(tmp_path / name, masks="foreground"), annotated=[name])
            assert report.refused == ()
        with workspace.store.read() as tx:
            (made,) = tx.current_annotations()
        mask = load_mask(workspace.store.blobs, made, workspace.store.get(Case, made.case_id)).array
        assert np.array_equal(mask, vessel + 2 * tumour)
        export_project(workspace, tmp_path / "out", "nifti")
        for name, own in (("vessel", vessel), ("tumour", tumour)):
            (file,) = (tmp_path / "out/regions" / name).iterdir()
            assert np.array_equal(np.asarray(nib.load(file).dataobj), own)
        assert json.loads((tmp_path / "out/labels.json").read_text()) == {"vessel": 1, "tumour": 2, "vessel + tumour": BOTH}


def test_the_nifti_export_comes_back_with_the_voxels_of_both(tmp_path: Path) -> None:
    two_sources(tmp_path)
    labels = {"kind": "segmentation", "labels": Overlapping(["vessel", "tumour"], {"vessel": ["tumour"]})}
    with Project.create(tmp_path / "p", **labels).workspace as first, Project.create(tmp_path / "q", **labels).workspace as second:
        for name in ("vessel", "tumour"):
            import_dataset(first, open_dataset(tmp_path / name, masks="foreground"), annotated=[name])
        export_project(first, tmp_path / "out", "nifti")
        import_dataset(second, open_dataset(tmp_path / "out"))
        found = []
        for workspace in (first, second):
            with workspace.store.read() as tx:
                (made,) = tx.current_annotations()
            assert made.annotated == ()
            found.append(load_mask(workspace.store.blobs, made, workspace.store.get(Case, made.case_id)).array)
        assert BOTH in found[0]
        assert np.array_equal(*found)


def test_a_locked_label_keeps_its_voxels_and_the_other_may_come_to_lie_there(crossed: Workspace) -> None:
    before, after = np.array([LARGE, BOTH, LARGE], dtype=np.uint8), np.array([BOTH, SMALL, 0], dtype=np.uint8)
    assert keep_locked_labels(crossed.task.labels, before, after, [LARGE]).tolist() == [BOTH, BOTH, LARGE]


def test_a_model_learns_the_voxels_of_both_as_one_more_class_and_is_scored_by_label(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "validation", "test"])
    configure(workspace, task=TaskChange(overlaps={"small": ["large"]}), actor="test")
    workspace = workspace.reload()
    for name in ("case00", "case01", "case02", "case03"):
        give(workspace, name, "Ann", LARGE, SMALL, BOTH)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        evaluations = tx.current_evaluations(model_id=model.id)
    recipe = Recipe.from_json(model.recipe)
    assert (recipe.classes, recipe.regions) == (4, ((LARGE, BOTH), (SMALL, BOTH), (BOTH,)))
    assert {name for one in evaluations for scores in one.per_case.values() for name in scores} == {"large", "small"}
    assert verify(workspace.store).ok


def test_nnunet_learns_what_overlaps_by_a_region_that_is_drawn_last_and_comes_back(tmp_path: Path) -> None:
    two_sources(tmp_path)
    labels = {"kind": "segmentation", "labels": Overlapping(["vessel", "tumour"], {"vessel": ["tumour"]})}
    with Project.create(tmp_path / "p", **labels).workspace as first:
        for name in ("vessel", "tumour"):
            import_dataset(first, open_dataset(tmp_path / name, masks="foreground"), annotated=[name])
        export_project(first, tmp_path / "Dataset001_x", "nnunet")
    written = json.loads((tmp_path / "Dataset001_x/dataset.json").read_text())
    assert written["labels"] == {"background": 0, "vessel": [1, BOTH], "tumour": [2, BOTH], "vessel + tumour": BOTH}
    assert written["regions_class_order"] == [1, 2, BOTH]
    turned = {"kind": "segmentation", "labels": Overlapping(["tumour", "vessel"], {"vessel": ["tumour"]})}
    with Project.create(tmp_path / "q", **turned).workspace as second:
        assert import_dataset(second, open_dataset(tmp_path / "Dataset001_x")).refused == ()
    third = Project.create(tmp_path / "r", kind="segmentation", labels=["tumour", "vessel"])
    with third.workspace, pytest.raises(LabelError, match="medloop configure DIR --overlap tumour=vessel"):
        import_dataset(third.workspace, open_dataset(tmp_path / "Dataset001_x"))
