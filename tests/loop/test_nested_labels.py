"""Labels that lie inside others, through the loop: declared, scored, measured, counted, and never lost with what is inside them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import LabelError, SettingError
from medloop.core.records import Case, Model, Task
from medloop.datasets.discover import open_dataset
from medloop.loop.annotating.history import case_history
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotated_labels import without_others
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.nested import region_dice
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
from .test_annotated_labels import LARGE, SMALL, give, mask_of, standing


@pytest.fixture
def nested(make_workspace: MakeWorkspace) -> Workspace:
    """The small label lies inside the large one."""
    workspace = make_workspace(["test", "test", "train"])
    configure(workspace, task=TaskChange(inside={"small": "large"}), actor="test")
    return workspace.reload()


def test_it_is_declared_at_the_beginning_or_later_and_taken_back(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", kind="segmentation", labels={"liver": "", "tumour": "liver"})
    assert [label.inside for label in project.workspace.task.labels] == [None, 1]
    told = configure(project.workspace, task=TaskChange(inside={"Tumour": ""}), actor="test")
    assert [(one.what, one.before, one.after) for one in told] == [("tumour lies inside", "liver", "")]
    assert [label.inside for label in project.workspace.reload().task.labels] == [None, None]
    assert verify(project.workspace.store).ok


def test_a_project_from_before_reads_as_it_was(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    with workspace.store.read() as tx:
        assert [label.inside for task in tx.find(Task) for label in task.labels] == [None, None]
    assert verify(workspace.store).ok


@pytest.mark.parametrize(
    ("inside", "error", "said"),
    [
        ({"small": "bone"}, LabelError, "There is no label 'bone' in small=bone"),
        ({"small": "large", "large": "small"}, LabelError, "in a circle, got large inside small inside large"),
    ],
)
def test_nonsense_is_refused_and_nothing_changes(make_workspace: MakeWorkspace, inside, error, said: str) -> None:
    workspace = make_workspace(["train"])
    with pytest.raises(error, match=said):
        configure(workspace, task=TaskChange(inside=inside), actor="test")
    assert workspace.reload().task == workspace.task


def test_a_classification_has_no_labels_inside_labels(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="Only labels of masks lie inside others or overlap, this is a classification"):
        Workspace.create(tmp_path / "c", name="c", kind="classification", labels={"a": "b", "b": ""})
    assert not (tmp_path / "c" / "medloop.json").exists()


def test_the_outer_label_is_scored_with_what_is_inside_it(nested: Workspace) -> None:
    give(nested, "case00", "Ann", LARGE, SMALL)
    case, model = case_named(nested, "case00"), add_model(nested, 1)
    add_prediction(nested, model, case, label=LARGE, foreground=1.0)
    scores = score_annotations(nested, model, [standing(nested, "case00")], {case.id: case})[case.id]
    wanted, everything = mask_of(nested, LARGE, SMALL) > 0, np.ones(case.grid.shape, dtype=bool)
    assert scores["large"] == pytest.approx(2 * wanted.sum() / (wanted.sum() + everything.sum()))
    assert scores["small"] == 0.0


def test_the_outer_label_is_measured_and_counted_with_what_is_inside_it(nested: Workspace) -> None:
    give(nested, "case02", "Ann", SMALL)
    rows = {(row.label, row.name): row.value for row in measure_case(nested, case_named(nested, "case02").id).measures}
    volumes = {label: next(v for (of, name), v in rows.items() if of == label and "volume" in str(name)) for label in ("large", "small")}
    assert volumes["large"] == volumes["small"] > 0
    assert [(one.label, one.annotated) for one in queried_classes(nested)] == [("large", 1), ("small", 1)]
    (line,) = case_history(nested, case_named(nested, "case02").id)
    assert [change.label for change in line.changes] == ["large", "small"]


def test_an_inner_label_that_is_not_annotated_leaves_what_it_lies_in(nested: Workspace) -> None:
    mask = np.array([0, LARGE, SMALL, 255], dtype=np.uint8)
    assert without_others(mask, (LARGE,), nested.task.labels).tolist() == [0, LARGE, LARGE, 255]
    assert without_others(mask, (SMALL,), nested.task.labels).tolist() == [0, 0, SMALL, 255]


def test_without_nesting_every_figure_is_as_before(make_workspace: MakeWorkspace) -> None:
    a, b = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    assert region_dice(a, b, make_workspace(["train"]).task.labels, [1, 2]) == {1: pytest.approx(2 / 3), 2: pytest.approx(2 / 3)}


def test_two_sources_of_an_organ_and_what_is_inside_it_add_up(tmp_path: Path) -> None:
    """The liver's file has the tumour within it, the tumour's file the tumour alone: the voxels of both are the tumour's."""
    whole, inner = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    whole[0], inner[0, :2] = 1, 2
    write(tmp_path / "livers", "a", 1)
    write(tmp_path / "tumours", "a", 1)
    for folder, mask in (("livers", whole), ("tumours", (inner > 0).astype(np.uint8))):  # binary, as one file per label is
        nib.save(nib.Nifti1Image(mask, np.eye(4)), tmp_path / folder / "labels/a.nii.gz")
    labels = ["liver", "tumour"]
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels={"liver": "", "tumour": "liver"}) as workspace:
        for name in labels:
            source = open_dataset(tmp_path / f"{name}s", masks="foreground")
            report = import_dataset(workspace, source, annotated=[name])
        assert (report.corrected, report.refused) == (("a",), ())
        with workspace.store.read() as tx:
            (made,) = tx.current_annotations()
        mask = load_mask(workspace.store.blobs, made, workspace.store.get(Case, made.case_id)).array
        assert np.array_equal(mask, np.where(inner == 2, 2, whole))


def test_a_model_learns_regions_and_predicts_them(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "validation", "test"])
    configure(workspace, task=TaskChange(inside={"small": "large"}), actor="test")
    workspace = workspace.reload()
    for name in ("case00", "case01", "case02", "case03"):
        give(workspace, name, "Ann", LARGE, SMALL)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        evaluations = tx.current_evaluations(model_id=model.id)
    assert Recipe.from_json(model.recipe).regions == ((LARGE, SMALL), (SMALL,))
    assert {name for one in evaluations for scores in one.per_case.values() for name in scores} == {"large", "small"}
    assert verify(workspace.store).ok
