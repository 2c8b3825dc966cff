import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.errors import ConflictError, NotFoundError, SettingError
from medloop.core.records import ProjectSettings
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

from .conftest import MakeWorkspace
from .test_importing import ORIENTATIONS, write_case


@pytest.mark.parametrize(("fmt", "place"), [("nifti", "labels/{}.nii.gz"), ("msd", "labelsTr/{}.nii.gz"), ("nnunet", "labelsTr/{}.nii.gz")])
def test_exported_masks_lie_on_their_sources_geometry_in_every_orientation(tmp_path: Path, fmt: str, place: str) -> None:
    for name, affine in ORIENTATIONS.items():
        write_case(tmp_path / "in", name, affine)
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.0)
    with Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a", "b"], settings=settings) as workspace:
        import_dataset(workspace, tmp_path / "in")
        report = export_project(workspace, tmp_path / "out", fmt)
    assert report.cases == 4
    for name in ORIENTATIONS:
        before = nib.load(tmp_path / "in/labels" / f"{name}.nii.gz")
        source = nib.load(tmp_path / "in/images" / f"{name}.nii.gz")
        after = nib.load(tmp_path / "out" / place.format(name))
        assert after.affine.tobytes() == source.affine.tobytes()
        assert np.array_equal(np.asarray(after.dataobj), np.asarray(before.dataobj))


def test_an_unknown_format_names_the_known_ones(pool: Workspace, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="nnunet"):
        export_project(pool, tmp_path / "out", "bmp")


def test_without_answers_there_is_nothing_to_export(pool: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no annotation"):
        export_project(pool, tmp_path / "out", "nifti")


def test_a_folder_with_files_is_never_written_into(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(["train"], labelled=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    with pytest.raises(ConflictError, match="empty"):
        export_project(workspace, tmp_path / "out", "nifti")
    assert (tmp_path / "out/mine.txt").read_text() == "keep"


def test_a_model_is_exported_as_safetensors_with_a_card(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    workspace = make_workspace(["train", "train"], labelled=2)
    with pytest.raises(NotFoundError, match="no model"):
        export_project(workspace, tmp_path / "out", "model")
    start_training(workspace)
    drain(workspace)
    export_project(workspace, tmp_path / "out", "model")
    card = json.loads((tmp_path / "out/model.json").read_text())
    assert card["task"]["labels"] == {"large": 1, "small": 2}
    assert (tmp_path / "out/member-0.safetensors").stat().st_size > 1000
