"""An image that comes back in another file is the same image: its labels are taken, and it makes no second case."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medloop.core.records import Annotation, Case, ProjectSettings
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.workspace import Workspace

SHAPE = (6, 8, 5)


def volume(folder: Path, name: str, *, seed: int = 0, affine: np.ndarray | None = None, columns: int = 2) -> None:
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[1:4, 1 : 1 + columns, 2] = 1
    for part, array in (("images", np.random.default_rng(seed).integers(-900, 900, SHAPE).astype(np.int16)), ("labels", drawn)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.diag([1.0, 1.5, 2.0, 1.0]) if affine is None else affine), folder / part / f"{name}.nii.gz")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["liver"], settings=ProjectSettings(train_after=0))
    volume(tmp_path / "in", "a")
    assert import_dataset(made, tmp_path / "in").labelled == 1
    return made


@pytest.mark.parametrize("layout", ["nifti", "msd", "nnunet"])
def test_a_mask_corrected_in_an_export_comes_back_to_its_case(workspace: Workspace, tmp_path: Path, layout: str):
    export_project(workspace, tmp_path / "out", layout)
    again = import_dataset(workspace, tmp_path / "out")
    assert (again.refused, again.duplicates, again.added) == ((), ("a",), ())
    (mask,) = (path for path in (tmp_path / "out").rglob("a.nii.gz") if "labels" in path.parent.name)
    drawn = nib.load(mask)
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.uint8), drawn.affine), mask)
    report = import_dataset(workspace, tmp_path / "out")
    assert (report.refused, report.corrected, report.added) == ((), ("a",), ())
    with workspace.store.read() as tx:
        assert len(tx.find(Case)) == 1
        assert len(tx.find(Annotation)) == 2


@pytest.mark.parametrize(("seed", "affine"), [(1, None), (0, np.diag([-1.0, 1.5, 2.0, 1.0]))])
def test_other_voxels_or_another_place_are_another_image(workspace: Workspace, tmp_path: Path, seed: int, affine: np.ndarray | None):
    volume(tmp_path / "in", "a", seed=seed, affine=affine, columns=3)
    report = import_dataset(workspace, tmp_path / "in")
    assert [r.rule for r in report.refused] == ["the project already has another image of this name"]
    assert report.corrected == ()


def test_a_label_that_the_source_has_no_more_stays_and_is_named(workspace: Workspace, tmp_path: Path):
    (tmp_path / "in/labels/a.nii.gz").unlink()
    report = import_dataset(workspace, tmp_path / "in")
    assert report.duplicates == ("a",)
    assert [(note.text.split(";")[0], note.cases) for note in report.notes] == [("the source has no label of it now", ("a",))]


def test_a_pixel_size_that_a_list_gives_and_the_file_contradicts_is_named(workspace: Workspace, tmp_path: Path):
    volume(tmp_path / "sized", "b", seed=4)
    (tmp_path / "sized/index.csv").write_text("image,pixel_mm\nb.nii.gz,0.25\n")
    texts = [note.text for note in import_dataset(workspace, tmp_path / "sized").notes]
    assert texts == ["its pixel size in the list is 0.25 mm, the file has 1 × 1.5 mm of its own, which is kept"]


def test_the_same_voxels_under_another_name_are_named(workspace: Workspace, tmp_path: Path):
    volume(tmp_path / "in", "again")
    (tmp_path / "in/images/again.nii.gz").unlink()
    nib.save(nib.load(tmp_path / "in/images/a.nii.gz"), tmp_path / "in/images/again.nii")
    report = import_dataset(workspace, tmp_path / "in")
    assert report.added == ("again",)
    assert [note.text for note in report.notes] == ["has the very voxels of a; where it is the same image, flag one of the two"]
