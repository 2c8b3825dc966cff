"""One patient has one word in a project, whichever settings, tables and cleaned files the images came by: two could be split apart."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from medloop.core.errors import IntegrityError
from medloop.core.records import Case, ProjectSettings
from medloop.datasets.cleaned_folder import HowCleaned, clean_folder
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.project import Project
from medloop.store.private import KEY_FILE

from ..dicom_series import IDENTITY, write_kernels, write_stack
from ..planted import PLANTED, bytes_of


def made(folder: Path, **settings: str) -> Project:
    chosen = ProjectSettings(train_after=0, audit_fraction=0.0, **settings)  # type: ignore[arg-type]
    return Project.create(folder, kind="segmentation", labels=["liver"], settings=chosen)


def patients(project: Project) -> set[str]:
    with project.workspace.store.read() as tx:
        return {case.patient for case in tx.find(Case)}


def volume(folder: Path, name: str, patient: str) -> Path:
    folder.mkdir(parents=True)
    voxels = np.arange(60, dtype=np.int16).reshape(5, 4, 3) + len(name)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), folder / f"{name}.nii")
    (folder / "index.csv").write_text(f"filename,patient\n{name}.nii,{patient}\n")
    return folder


def listed(folder: Path, *rows: str) -> Path:
    (folder / "index.csv").write_text("\n".join(["filename,patient", *rows]))
    return folder


@pytest.mark.parametrize("order", [("removed", "kept"), ("kept", "removed")])
def test_a_change_of_identifiers_splits_no_patient(tmp_path: Path, order: tuple[str, str]) -> None:
    write_stack(tmp_path / "in" / "one")
    with made(tmp_path / "p", identifiers=order[0]) as project:
        project.add(tmp_path / "in")
        write_stack(tmp_path / "in" / "two", series="b")
        project.configure(identifiers=order[1])
        assert project.add(tmp_path / "in").added == ("two",)
        assert len(patients(project)) == 1


@pytest.mark.parametrize("order", [("keyed", "source"), ("source", "keyed")])
def test_a_change_of_case_names_splits_no_patient_and_knows_every_case(tmp_path: Path, order: tuple[str, str]) -> None:
    first = volume(tmp_path / "a", "a", "P1")
    with made(tmp_path / "p", case_names=order[0]) as project:
        project.add(first)
        project.configure(case_names=order[1])
        project.add(volume(tmp_path / "b", "bb", "P1"))
        assert len(project.add(first).duplicates) == 1
        assert len(patients(project)) == 1


@pytest.mark.parametrize("who", [IDENTITY, "Mustermann"])
def test_a_table_that_names_the_headers_patient_means_that_patient(tmp_path: Path, who: str) -> None:
    write_stack(tmp_path / "in" / "one")
    write_stack(tmp_path / "more" / "two", series="b")
    with made(tmp_path / "p") as project:
        project.add(tmp_path / "in")
        project.add(listed(tmp_path / "more", f"two,{who}"))
        assert len(patients(project)) == 1


def test_a_patient_of_a_table_is_named_by_one_word_although_one_header_names_nobody(tmp_path: Path) -> None:
    write_stack(tmp_path / "in" / "one")
    for path in write_stack(tmp_path / "in" / "two", series="b").iterdir():
        ds = pydicom.dcmread(path)
        ds.PatientName, ds.PatientID, ds.PatientIdentityRemoved = "X1", "", "YES"
        ds.save_as(path)
    with made(tmp_path / "p") as project:
        assert len(project.add(listed(tmp_path / "in", "one,Mustermann", "two,Mustermann")).added) == 2
        assert len(patients(project)) == 1
    assert not [path for path, data in bytes_of(tmp_path / "p") if b"mustermann" in data.lower()]


@pytest.mark.parametrize("order", [("clean", "in"), ("in", "clean")])
def test_cleaned_files_are_of_the_patient_whom_the_project_knows(tmp_path: Path, order: tuple[str, str]) -> None:
    write_stack(tmp_path / "in" / "one")
    write_stack(tmp_path / "raw" / "two", series="b")
    with made(tmp_path / "p") as project:
        clean_folder(tmp_path / "raw", tmp_path / "clean", pseudonyms_of(project.workspace), HowCleaned())
        for one in order:
            assert len(project.add(tmp_path / one).added) == 1
        assert len(patients(project)) == 1


def test_a_part_that_was_named_plainly_is_known_when_it_comes_again(tmp_path: Path) -> None:
    write_kernels(tmp_path / "in" / "scan", (PLANTED, "B30f"))
    with made(tmp_path / "p") as project:
        added = project.add(tmp_path / "in").added
        assert set(project.add(tmp_path / "in").duplicates) == set(added)


@pytest.mark.parametrize("setting", [{"case_names": "keyed"}, {"case_names": "source"}])
def test_a_lost_key_is_no_new_patient_whatever_is_set_now(tmp_path: Path, setting: dict[str, str]) -> None:
    with made(tmp_path / "p", case_names="keyed") as project:
        project.add(volume(tmp_path / "a", "a", "P1"))
    shutil.move(tmp_path / "p" / KEY_FILE, tmp_path / "key")
    more = volume(tmp_path / "b", "bb", "P1")
    with Project.open(tmp_path / "p") as project:
        project.configure(identifiers="kept", **setting)
        with pytest.raises(IntegrityError, match="restore it from a backup"):
            project.add(more)
        assert not (tmp_path / "p" / KEY_FILE).exists()
        shutil.move(tmp_path / "key", tmp_path / "p" / KEY_FILE)
        project.add(more)
        assert len(patients(project)) == 1
