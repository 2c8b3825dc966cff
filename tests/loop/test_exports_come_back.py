"""What leaves a project comes back into another one: splits, people, times, channels; and nnU-Net takes it."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from medloop.core.errors import InputError
from medloop.core.records import Annotation, Annotator, Case, Display, ProjectSettings, Source
from medloop.datasets.channels import common_channels, named_channels
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image, load_mask
from medloop.loop.foundation.workspace import Workspace
from tests.datasets.nnunet_integrity import verify

SHAPE = (9, 8, 7)
SETTINGS = ProjectSettings(validation_fraction=0.2, test_fraction=0.3, audit_fraction=0.0, train_after=0, seed=5)
PLAIN = np.diag([1.0, 1.5, 2.0, 1.0])


def volume(folder: Path, name: str, affine: np.ndarray, *, kind: type = nib.Nifti1Image, seed: int = 0, masked: bool = True) -> None:
    rng = np.random.default_rng(seed)
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[2:6, 2:5, 1:6] = 1
    drawn[3:5, 3, 2:4] = 2
    for part, array in (("images", rng.integers(-900, 900, SHAPE).astype(np.int16)), ("labels", drawn)):
        if part == "images" or masked:
            (folder / part).mkdir(parents=True, exist_ok=True)
            nib.save(kind(array, affine), folder / part / f"{name}.nii.gz")


def project(folder: Path, source: Path, *, kind: str = "segmentation", labels: tuple[str, ...] = ("liver", "tumour")) -> Workspace:
    workspace = Workspace.create(folder, name=folder.name, kind=kind, labels=list(labels), settings=SETTINGS)
    assert import_dataset(workspace, source).refused == ()
    return workspace


def told(workspace: Workspace) -> dict[str, tuple[str, str, str, str, float, str]]:
    """Case → split, patient, whose annotation, when, how long, stratum."""
    with workspace.store.read() as tx:
        people = {a.id: a.name for a in tx.find(Annotator)}
        found = {}
        for a in tx.current_annotations():
            case = tx.get(Case, a.case_id)
            found[case.name] = (case.split, case.patient, people[a.annotator_id], a.created_at, a.effort_seconds, case.stratum)
        return found


@pytest.fixture
def annotated(tmp_path: Path) -> Workspace:
    """Twelve volumes of six patients: eleven with a mask from elsewhere, one that Ann has drawn in 12.5 s."""
    for n in range(12):
        volume(tmp_path / "in", f"p{n // 2}-{n % 2}", PLAIN, seed=n, masked=n != 4)
    rows = "".join(f"p{n // 2}-{n % 2}.nii.gz,patient {n // 2},site {n // 2 % 2}\n" for n in range(12))
    (tmp_path / "in/index.csv").write_text(f"filename,patient,site\n{rows}")
    workspace = project(tmp_path / "first", tmp_path / "in")
    with workspace.store.read() as tx:
        (case,) = tx.find(Case, where={"name": "p2-0"})
    opened = open_case(workspace, case.id, annotator_named(workspace, "Ann Ö").id)
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SHAPE, np.uint8), effort_seconds=12.5))
    return workspace


@pytest.mark.parametrize("fmt", ["nifti", "msd", "nnunet"])
def test_splits_people_and_times_come_back(annotated: Workspace, tmp_path: Path, fmt: str) -> None:
    export_project(annotated, tmp_path / "Dataset001_Out", fmt)
    before = told(annotated)
    after = told(project(tmp_path / "second", tmp_path / "Dataset001_Out"))
    assert {case[0] for case in before.values()} == {"train", "validation", "test"}
    assert after == before
    assert after["p2-0"][2:] == ("Ann Ö", before["p2-0"][3], 12.5, "site 0")


def test_splits_people_and_times_of_a_classification_come_back(tmp_path: Path) -> None:
    (tmp_path / "in/images").mkdir(parents=True)
    for n in range(10):
        nib.save(nib.Nifti1Image(np.full(SHAPE, n, np.int16), PLAIN), tmp_path / f"in/images/c{n}.nii.gz")
    rows = "".join(f"c{n}.nii.gz,{'' if n == 3 else 'well'},p{n},site {n % 2}\n" for n in range(10))
    (tmp_path / "in/labels.csv").write_text(f"filename,label,patient,site\n{rows}")
    first = project(tmp_path / "first", tmp_path / "in", kind="classification", labels=("well", "sick"))
    with first.store.read() as tx:
        (case,) = tx.find(Case, where={"name": "c3"})
    submit(first, open_case(first, case.id, annotator_named(first, "Ann").id).assignment.id, Submitted(tag=1, effort_seconds=3.25))
    export_project(first, tmp_path / "out", "csv")
    assert told(project(tmp_path / "second", tmp_path / "out", kind="classification", labels=("well", "sick"))) == told(first)


def test_an_export_without_its_table_is_an_ordinary_data_set(annotated: Workspace, tmp_path: Path) -> None:
    export_project(annotated, tmp_path / "out", "msd")
    (tmp_path / "out/medloop.csv").unlink()
    after = told(project(tmp_path / "second", tmp_path / "out"))
    assert {case[2] for case in after.values()} == {"import"}


def test_nnunets_own_check_takes_an_export(annotated: Workspace, tmp_path: Path) -> None:
    report = export_project(annotated, tmp_path / "Dataset007_Liver", "nnunet")
    cases = verify(tmp_path / "Dataset007_Liver")
    (fold,) = json.loads((tmp_path / "Dataset007_Liver/splits_final.json").read_text())
    splits = {name: split for name, (split, *_) in told(annotated).items()}
    assert set(fold["train"]) == {name for name, split in splits.items() if split == "train"}
    assert set(fold["val"]) == {name for name, split in splits.items() if split == "validation"}
    assert set(cases) == {*fold["train"], *fold["val"]}
    assert not any("DatasetNNN" in note for note in report.notes)
    assert any("DatasetNNN_NAME, not liver" in note for note in export_project(annotated, tmp_path / "liver", "nnunet").notes)


@pytest.fixture
def mixed(tmp_path: Path) -> Workspace:
    """A plain volume, a tilted one, a NIfTI-2 and one whose pixdim says something else."""
    sheared = PLAIN.copy()
    sheared[1, 2] = 0.4
    volume(tmp_path / "in", "plain", PLAIN)
    volume(tmp_path / "in", "tilted", sheared, seed=1)
    volume(tmp_path / "in", "two", PLAIN, kind=nib.Nifti2Image, seed=2)
    volume(tmp_path / "in", "odd", PLAIN, seed=3)
    for part in ("images", "labels"):
        path = tmp_path / "in" / part / "odd.nii.gz"
        raw = nib.load(path)
        header = raw.header.copy()
        header["qform_code"], header["pixdim"][1:4], header["vox_offset"] = 0, 3, 352
        plain = path.with_suffix("")
        plain.write_bytes(header.binaryblock + b"\0\0\0\0" + np.asarray(raw.dataobj).tobytes(order="F"))
        path.unlink()
    settings = ProjectSettings(validation_fraction=0.0, test_fraction=0.0)
    workspace = Workspace.create(tmp_path / "mixed", name="m", kind="segmentation", labels=["liver", "tumour"], settings=settings)
    report = import_dataset(workspace, tmp_path / "in")
    assert len(report.added) == 4, report.refused
    return workspace


def test_nnunet_refuses_tilted_cases_by_name_and_takes_them_on_a_regular_grid(mixed: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 of 4 cases have: tilted; export with --regular-grid"):
        export_project(mixed, tmp_path / "Dataset001_X", "nnunet")
    assert not (tmp_path / "Dataset001_X").exists()
    report = export_project(mixed, tmp_path / "Dataset001_X", "nnunet", regular_grid=True)
    verify(tmp_path / "Dataset001_X")
    said = "\n".join(report.notes)
    for name, words in (("tilted", "resampled to a regular grid"), ("two", "NIfTI-2"), ("odd", "pixdim")):
        assert any(name in line and words in line for line in said.splitlines()), said


@pytest.mark.parametrize("fmt", ["msd", "nifti"])
def test_other_exports_keep_tilted_cases_and_name_them(mixed: Workspace, tmp_path: Path, fmt: str) -> None:
    report = export_project(mixed, tmp_path / "out", fmt)
    (tilted,) = [note for note in report.notes if "right angles" in note]
    assert "tilted" in tilted
    assert "--regular-grid" in tilted
    assert any("two" in note and "NIfTI-2" in note for note in report.notes)
    report = export_project(mixed, tmp_path / "regular", fmt, regular_grid=True)
    for path in (tmp_path / "regular").rglob("*.nii.gz"):
        assert SimpleITK.ReadImage(path).GetSize()[2] == 7


def test_voxels_are_the_same_where_only_the_header_is_written_anew(mixed: Workspace, tmp_path: Path) -> None:
    export_project(mixed, tmp_path / "Dataset001_X", "nnunet", regular_grid=True)
    with mixed.store.read() as tx:
        cases = {case.name: case for case in tx.find(Case)}
        masks = {tx.get(Case, a.case_id).name: a for a in tx.find(Annotation)}
    for name in ("plain", "two", "odd"):
        image = nib.load(tmp_path / f"Dataset001_X/imagesTr/{name}_0000.nii.gz")
        mask = nib.load(tmp_path / f"Dataset001_X/labelsTr/{name}.nii.gz")
        assert np.array_equal(np.asarray(image.dataobj), load_image(mixed.store.blobs, cases[name]).array[0])
        assert np.array_equal(np.asarray(mask.dataobj), load_mask(mixed.store.blobs, masks[name], cases[name]).array)
        assert np.allclose(image.affine, cases[name].grid.affine)
        assert np.allclose(np.abs(SimpleITK.ReadImage(tmp_path / f"Dataset001_X/imagesTr/{name}_0000.nii.gz").GetSpacing()), (1, 1.5, 2))


@pytest.mark.parametrize(("fmt", "key"), [("msd", "modality"), ("nnunet", "channel_names")])
def test_channel_names_survive_from_source_to_dataset_json(annotated: Workspace, tmp_path: Path, fmt: str, key: str) -> None:
    first = export_project(annotated, tmp_path / "Dataset001_A", fmt)
    assert any("not known of every case" in note for note in first.notes)
    described = tmp_path / "Dataset001_A/dataset.json"
    content = json.loads(described.read_text())
    assert content[key] == {"0": "channel 0"}
    content[key] = {"0": "CT"}
    described.write_text(json.dumps(content))
    second = project(tmp_path / "second", tmp_path / "Dataset001_A")
    report = export_project(second, tmp_path / "Dataset001_B", "nnunet")
    assert json.loads((tmp_path / "Dataset001_B/dataset.json").read_text())["channel_names"] == {"0": "CT"}
    assert not any("channel" in note for note in report.notes)


def test_a_modality_names_its_channel() -> None:
    ct = Source(format="dicom", names=("x",), sha256="0" * 64, display=Display(modality="CT"))
    assert named_channels(ct, 1) == ("CT",)
    assert named_channels(ct, 2) == ()
    names, notes = common_channels([("CT",), ("MR",)], 1)
    assert names == ("channel 0",)
    assert "CT and MR" in notes[0]


def test_labels_that_mean_something_else_elsewhere_are_renamed_and_said(annotated: Workspace, tmp_path: Path) -> None:

    task = replace(
        annotated.task, labels=tuple(replace(label, name=name) for label, name in zip(annotated.task.labels, ("Ignore", "x"), strict=True))
    )
    old = replace(annotated, task=task)  # a project made before such names were refused
    report = export_project(old, tmp_path / "Dataset001_A", "nnunet")
    assert json.loads((tmp_path / "Dataset001_A/dataset.json").read_text())["labels"] == {"background": 0, "Ignore_1": 1, "x": 2}
    verify(tmp_path / "Dataset001_A")
    assert any("'Ignore' is 'Ignore_1'" in note for note in report.notes)


def test_an_export_without_a_training_case_is_not_called_nnunets(annotated: Workspace, tmp_path: Path) -> None:
    volume(tmp_path / "few", "only", PLAIN)
    (tmp_path / "few/index.csv").write_text("filename,split\nonly.nii.gz,test\n")
    workspace = project(tmp_path / "tests only", tmp_path / "few")
    with pytest.raises(InputError, match="nnU-Net needs a mask for training"):
        export_project(workspace, tmp_path / "Dataset001_A", "nnunet")
    assert not (tmp_path / "Dataset001_A").exists()
