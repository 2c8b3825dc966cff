"""An exported model predicts images without a project, as it does within one."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.records import Case, Model
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.arrays import load_image, load_proposal
from medloop.loop.foundation.in_force import newest_proposal
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project
from tests.cli.conftest import Medloop


@pytest.fixture
def trained(project: Path, tmp_path: Path) -> tuple[Path, Path]:
    """An exported model, and the image of a case that it has predicted."""
    with Project.open(project) as made:
        made.train()
        export_project(made.workspace, tmp_path / "model", "model")
        with made.workspace.store.read() as tx:
            case = next(c for c in tx.find(Case, order=("name",)) if newest_proposal(tx, c.id) is not None)
        image = load_image(made.workspace.store.blobs, case)
    nib.save(nib.Nifti1Image(image.array.transpose(1, 2, 3, 0).squeeze(), image.grid.affine), tmp_path / f"{case.name}.nii.gz")
    return tmp_path / "model", tmp_path / f"{case.name}.nii.gz"


def test_the_mask_is_that_of_the_project_and_a_bad_image_is_one_line(
    medloop: Medloop, project: Path, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    model, image = trained
    (tmp_path / "cut.nii.gz").write_bytes(image.read_bytes()[:-30])
    said = medloop("predict", "--model", model, image, tmp_path / "cut.nii.gz", "--out", tmp_path / "out")
    assert said.status == 0, said.err
    assert said.out == f"1 image predicted in {tmp_path / 'out'}\n"
    assert "left out: cut.nii.gz: gzip must be complete" in said.err
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        case = tx.find(Case, where={"name": image.name.removesuffix(".nii.gz")})[0]
        proposal = newest_proposal(tx, case.id)
        assert proposal is not None
        assert tx.find(Model)[0].id == proposal.model_id
        wanted = load_proposal(workspace.store.blobs, proposal, case)
    written = nib.load(tmp_path / "out" / image.name)
    assert np.array_equal(np.asarray(written.dataobj), wanted)
    assert np.allclose(written.affine, case.grid.affine)


def test_changed_weights_and_what_is_no_model_are_refused(medloop: Medloop, trained: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = trained
    said = medloop("predict", "--model", tmp_path, image, "--out", tmp_path / "out")
    assert (said.status, "is no exported model" in said.err) == (1, True)
    weights = model / "member-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    said = medloop("predict", "--model", model / "model.json", image, "--out", tmp_path / "out")
    assert (said.status, "must be those that model.json names" in said.err) == (1, True)
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**card, "recipe": {"no": 1}}))
    said = medloop("predict", "--model", model, image, "--out", tmp_path / "out")
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert not (tmp_path / "out").exists()


def test_images_need_a_model_and_a_model_a_folder(medloop: Medloop, tmp_path: Path) -> None:
    assert "belong to --model" in medloop("predict", tmp_path, tmp_path / "a.nii.gz").err
    assert "--model needs --out" in medloop("predict", "--model", tmp_path, tmp_path / "a.nii.gz").err
