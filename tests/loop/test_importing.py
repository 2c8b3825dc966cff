from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.errors import LabelError, SettingError
from medloop.core.records import Annotation, Case, ProjectSettings
from medloop.datasets.discover import open_dataset
from medloop.images.encode import encodings
from medloop.images.phantoms import phantom_3d
from medloop.images.result import UNSIZED
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.arrays import load_image, load_mask
from medloop.loop.foundation.workspace import Workspace

ORIENTATIONS = {
    "RAS": np.diag([2.0, 3.0, 4.0, 1.0]),
    "LPS": np.array([[-2, 0, 0, 10], [0, -3, 0, 20], [0, 0, 4, -5], [0, 0, 0, 1]], dtype=float),
    "ASR": np.array([[0, 0, 4, 1], [2, 0, 0, 2], [0, 3, 0, 3], [0, 0, 0, 1]], dtype=float),
    # columns at right angles, of 3, 6 and 9 mm
    "oblique": np.array([[2, -4, 3, -7], [1, 4, 6, 8], [2, 2, -6, 9], [0, 0, 0, 1]], dtype=float),
}


def write_case(folder: Path, name: str, affine: np.ndarray, *, mask_shape: tuple[int, ...] | None = None, value: int = 2) -> np.ndarray:
    rng = np.random.default_rng(abs(hash(name)) % 2**32)
    array = rng.integers(-500, 500, (7, 6, 5)).astype(np.int16)
    mask = np.zeros(mask_shape or array.shape, np.uint8)
    mask[1:3, 2:4, 1:3] = value
    for kind, data in (("images", array), ("labels", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(data, affine), folder / kind / f"{name}.nii.gz")
    return array


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.25)
    return Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a", "b"], settings=settings)


def cases(workspace: Workspace) -> dict[str, Case]:
    with workspace.store.read() as tx:
        return {c.name: c for c in tx.find(Case)}


def test_voxels_and_affines_arrive_bit_for_bit_in_every_orientation(workspace: Workspace, tmp_path: Path) -> None:
    arrays = {name: write_case(tmp_path / "in", name, affine) for name, affine in ORIENTATIONS.items()}
    report = import_dataset(workspace, tmp_path / "in")
    assert report.refused == ()
    assert report.labelled == 4
    for name, case in cases(workspace).items():
        stored = nib.load(tmp_path / "in" / "images" / f"{name}.nii.gz").affine
        assert np.array_equal(case.grid.affine, stored)
        assert np.array_equal(load_image(workspace.store.blobs, case).array[0], arrays[name])


def test_folders_may_be_written_as_text(tmp_path: Path) -> None:
    write_case(tmp_path / "in", "good", ORIENTATIONS["RAS"])
    Workspace.create(str(tmp_path / "p"), name="p", kind="segmentation", labels=["a", "b"]).close()
    with Workspace.open(str(tmp_path / "p")) as made:
        assert import_dataset(made, str(tmp_path / "in")).added == ("good",)
        assert open_dataset(str(tmp_path / "in")).cases[0].name == "good"
        assert export_project(made, str(tmp_path / "out"), "nifti").cases == 1


def test_one_bad_case_never_stops_the_rest(workspace: Workspace, tmp_path: Path) -> None:
    write_case(tmp_path / "in", "good", ORIENTATIONS["RAS"])
    write_case(tmp_path / "in", "wrong_shape", ORIENTATIONS["RAS"], mask_shape=(7, 6, 4))
    write_case(tmp_path / "in", "wrong_label", ORIENTATIONS["LPS"], value=7)
    write_case(tmp_path / "in", "shifted", ORIENTATIONS["RAS"])
    nib.save(nib.Nifti1Image(np.zeros((7, 6, 5), np.uint8), np.diag([2.0, 3.0, 4.1, 1.0])), tmp_path / "in/labels/shifted.nii.gz")
    write_case(tmp_path / "in", "cut", ORIENTATIONS["RAS"])
    cut = tmp_path / "in/images/cut.nii.gz"
    cut.write_bytes(cut.read_bytes()[:200])
    (tmp_path / "in/images/text.nii.gz").write_text("not an image")
    report = import_dataset(workspace, tmp_path / "in")
    assert report.added == ("good",)
    lines = [str(r) for r in report.refused]
    for name in ("wrong_shape", "wrong_label", "shifted", "cut", "text"):
        assert any(name in line for line in lines), (name, lines)
    assert all("\n" not in line for line in lines)


def test_importing_again_adds_nothing_and_keeps_splits(workspace: Workspace, tmp_path: Path) -> None:
    for n in range(8):
        write_case(tmp_path / "in", f"case{n}", ORIENTATIONS["RAS"])
    import_dataset(workspace, tmp_path / "in")
    before = cases(workspace)
    again = import_dataset(workspace, tmp_path / "in")
    assert again.added == ()
    assert len(again.duplicates) == 8
    assert cases(workspace) == before
    assert sum(c.split == "test" for c in before.values()) == 2


def test_the_same_bytes_under_another_name_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    write_case(tmp_path / "in", "a", ORIENTATIONS["RAS"])
    for kind in ("images", "labels"):
        (tmp_path / "in" / kind / "b.nii.gz").write_bytes((tmp_path / "in" / kind / "a.nii.gz").read_bytes())
    report = import_dataset(workspace, tmp_path / "in")
    assert len(report.added) == 1
    assert "duplicate" in str(report.refused[0])


def test_labels_outside_evaluation_can_be_left_hidden(workspace: Workspace, tmp_path: Path) -> None:
    for n in range(8):
        write_case(tmp_path / "in", f"case{n}", ORIENTATIONS["RAS"])
    report = import_dataset(workspace, tmp_path / "in", annotations="evaluation")
    assert report.labelled == 2
    with workspace.store.read() as tx:
        answered = {tx.get(Case, a.case_id).split for a in tx.find(Annotation)}
    assert answered == {"test"}


def test_a_classification_is_not_imported_into_a_segmentation(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Picture.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "in/x.png")
    (tmp_path / "in/labels.csv").write_text("filename,label\nx.png,normal\n")
    with pytest.raises(SettingError, match="segmentation"):
        import_dataset(workspace, tmp_path / "in")


def test_foreign_label_names_are_refused_as_a_whole(workspace: Workspace, tmp_path: Path) -> None:
    phantom = phantom_3d(0, 0, (16, 16, 16))
    for kind, data in (("imagesTr", phantom.image.array[0]), ("labelsTr", phantom.mask.array)):
        (tmp_path / "in" / kind).mkdir(parents=True)
        nib.save(nib.Nifti1Image(data, phantom.image.grid.affine), tmp_path / "in" / kind / "x.nii.gz")
    (tmp_path / "in/dataset.json").write_text(
        '{"labels": {"0": "background", "1": "spleen", "2": "kidney"}, "modality": {"0": "MR"},'
        ' "training": [{"image": "./imagesTr/x.nii.gz", "label": "./labelsTr/x.nii.gz"}]}'
    )
    with pytest.raises(LabelError, match="spleen"):
        import_dataset(workspace, tmp_path / "in")


def test_pictures_get_the_pixel_size_of_their_list(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["head"])
    for kind in ("images", "masks"):
        (tmp_path / "in" / kind).mkdir(parents=True)
        picture = np.zeros((6, 9), np.uint8)
        picture[2:4, 3:5] = 255
        Picture.fromarray(picture).save(tmp_path / "in" / kind / "x.png")
    (tmp_path / "in/index.csv").write_text("name,group_id,pixel_size_mm\nx,p1,0.25\n")
    report = import_dataset(workspace, tmp_path / "in")
    assert report.refused == ()
    case = cases(workspace)["x"]
    assert case.grid.shape == (9, 6, 1)
    assert case.grid.spacing_mm[:2] == (0.25, 0.25)
    assert case.patient == "p1"
    assert UNSIZED not in case.notes
    with workspace.store.read() as tx:
        (answer,) = tx.find(Annotation)
    assert load_mask(workspace.store.blobs, answer, case).values() == (0, 1)


def as_in_an_older_project(workspace: Workspace, case: Case) -> Case:
    """The case with its voxels as zlib packed them."""
    *_, older = encodings(load_image(workspace.store.blobs, case).array)
    blob = workspace.store.blobs.put(older)
    assert blob != case.voxels
    with workspace.store.write("system") as tx:
        return tx.change(Case, case.id, verb="import", fields={"voxels": blob})


@pytest.mark.parametrize("packed", ["now", "by zlib"])
@pytest.mark.parametrize("how", ["damaged", "deleted"])
def test_importing_the_same_files_again_brings_a_damaged_image_back(workspace: Workspace, tmp_path: Path, how: str, packed: str) -> None:
    voxels = write_case(tmp_path / "data", "a", np.eye(4))
    import_dataset(workspace, tmp_path / "data")
    with workspace.store.read() as tx:
        (case,) = tx.find(Case)
    if packed == "by zlib":
        case = as_in_an_older_project(workspace, case)
    path = workspace.store.blobs.path(case.voxels)
    data = path.read_bytes()
    path.unlink()
    if how == "damaged":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    report = import_dataset(workspace, tmp_path / "data")
    assert any("whole again" in note.text for note in report.notes)
    np.testing.assert_array_equal(load_image(workspace.store.blobs, case).array[0], voxels)
    again = import_dataset(workspace, tmp_path / "data")
    assert not any("whole again" in note.text for note in again.notes)
