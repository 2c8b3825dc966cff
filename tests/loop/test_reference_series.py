"""Channels on other grids and references beside cases, from files to exports and backups."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from medloop.core.errors import ConflictError, InputError, NotFoundError
from medloop.core.records import Case, ReferenceSeries
from medloop.datasets.channel_groups import grouped
from medloop.datasets.channel_names import Wanted, wanted_named
from medloop.datasets.discover import open_dataset
from medloop.loop.data.import_report import ImportReport
from medloop.loop.data.importing import import_dataset
from medloop.loop.data.pacs_identity import instances_known
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.references import HowToAdd, references_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project
from medloop.store.backup import back_up_project
from medloop.store.doctor import examine
from tests.dicom_series import write_stack

Change = Callable[..., Path]


def described(folder: Path, description: str, *, series: str, **tags: str) -> Path:
    """A series of the one study, with a description."""
    write_stack(folder, series=series)
    for path in folder.iterdir():
        ds = dcmread(path)
        ds.SeriesDescription = description
        for keyword, value in tags.items():
            setattr(ds, keyword, value)
        ds.save_as(path)
    return folder


def volume(path: Path, shape: tuple[int, int, int] = (8, 8, 8), spacing: float = 1.0, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([spacing, spacing, spacing, 1.0])), path)
    return path


def taken(workspace: Workspace, source: Path, wanted: Wanted) -> ImportReport:
    return import_dataset(workspace, grouped(open_dataset(source), wanted))


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "project", kind="segmentation", labels=["liver"]) as made:
        yield made


def the_case(workspace: Workspace) -> Case:
    with workspace.store.read() as tx:
        (found,) = tx.find(Case)
        return found


def test_files_called_as_channels_become_one_case_with_its_mask_untouched(project: Project, tmp_path: Path):
    source = tmp_path / "set"
    volume(source / "images/a_T1.nii.gz")
    volume(source / "images/a_T2.nii.gz", (4, 4, 4), 2.0, seed=1)
    label = np.zeros((8, 8, 8), np.uint8)
    label[2:5, 3:6, 1:4] = 1
    (source / "labels").mkdir()
    nibabel.save(nibabel.Nifti1Image(label, np.eye(4)), source / "labels/a.nii.gz")
    report = taken(project.workspace, source, wanted_named("T1,T2", resample=True))
    assert (report.added, report.labelled, report.refused) == (("a",), 1, ())
    case = the_case(project.workspace)
    assert (case.channels, case.display.channel_names, case.source.resampled[0]["channel"]) == (2, ("T1", "T2"), "T2")
    opened = project.open_case("a")
    assert project.workspace.store.blobs.get(opened.case.voxels)
    np.testing.assert_array_equal(
        load_image(project.workspace.store.blobs, case).array[0], nibabel.load(source / "images/a_T1.nii.gz").get_fdata()
    )
    project.export(tmp_path / "out", "nifti")
    written = next((tmp_path / "out").rglob("labels*/a*"))
    np.testing.assert_array_equal(nibabel.load(written).get_fdata(), label)


def test_a_second_import_of_the_same_channels_adds_nothing(project: Project, tmp_path: Path):
    volume(tmp_path / "set/a_T1.nii.gz")
    volume(tmp_path / "set/a_T2.nii.gz", (4, 4, 4), 2.0, seed=1)
    volume(tmp_path / "set/a_PD.nii.gz", (3, 3, 3), 2.0, seed=2)
    wanted = wanted_named("T1,T2", resample=True, references="study")
    assert taken(project.workspace, tmp_path / "set", wanted).references == 1
    again = taken(project.workspace, tmp_path / "set", wanted)
    assert (again.added, again.duplicates, again.references) == ((), ("a",), 0)


def test_the_other_series_of_a_study_stand_beside_the_case_and_are_called_by_words_that_name_nobody(project: Project, tmp_path: Path):
    described(tmp_path / "set/p/t1", "t1 mprage MUSTERMANN", series="a")
    described(
        tmp_path / "set/p/flair",
        "t2 flair",
        series="bb",
        FrameOfReferenceUID=dcmread(next((tmp_path / "set/p/t1").iterdir())).FrameOfReferenceUID,
    )
    described(tmp_path / "set/p/survey", "MUSTERMANN", series="ccc", FrameOfReferenceUID="1.2.3")
    report = taken(project.workspace, tmp_path / "set", wanted_named("T1", references="study"))
    assert (len(report.added), report.references, report.refused) == (1, 2, ())
    lines = {line.name: line for line in project.references()}
    assert (lines["T2 FLAIR"].frame, lines["CT"].frame) == ("same", "other")
    with project.workspace.store.read() as tx:
        said = str([replace(one, grid=one.grid) for one in tx.find(ReferenceSeries)])
    assert "MUSTERMANN" not in said
    assert "1.2.3'" not in said


def test_channels_in_another_frame_of_reference_are_refused_unless_they_are_registered(project: Project, tmp_path: Path):
    described(tmp_path / "set/t1", "t1", series="a")
    described(tmp_path / "set/t2", "t2", series="bb", FrameOfReferenceUID="1.2.3")
    refused = taken(project.workspace, tmp_path / "set", wanted_named("T1,T2")).refused
    assert "channels share a frame of reference, got T2 has another one than T1" in str(refused[0])
    assert len(taken(project.workspace, tmp_path / "set", wanted_named("T1,T2", registered=True)).added) == 1


def test_a_channel_that_two_series_may_be_is_refused_with_how_to_say_which(project: Project, tmp_path: Path):
    described(tmp_path / "set/one", "t2 tse", series="a")
    described(tmp_path / "set/two", "t2 space", series="bb")
    assert "got 2 (one, two); say which" in str(taken(project.workspace, tmp_path / "set", wanted_named("T2")).refused[0])
    assert taken(project.workspace, tmp_path / "set", wanted_named("T2=tse", references="study")).references == 1


def test_a_series_that_is_no_channel_is_left_out_by_name(project: Project, tmp_path: Path):
    volume(tmp_path / "set/a_T1.nii.gz")
    volume(tmp_path / "set/a_PD.nii.gz", seed=2)
    (refused,) = taken(project.workspace, tmp_path / "set", wanted_named("T1")).refused
    assert (refused.file, "--references study" in refused.remedy) == ("a_PD", True)


def test_a_reference_is_neither_a_case_nor_exported_and_goes_where_its_case_goes(project: Project, tmp_path: Path):
    volume(tmp_path / "set/a_T1.nii.gz")
    taken(project.workspace, tmp_path / "set", wanted_named("T1"))
    project.add_reference("a", volume(tmp_path / "a_CT.nii.gz", (5, 5, 5), 2.0, seed=4))
    assert [(line.name, line.frame) for line in project.references("a")] == [("CT", "files")]
    assert project.status().counts.total == 1
    project.submit(project.open_case("a"), np.ones((8, 8, 8), np.uint8))
    project.export(tmp_path / "out", "nnunet")
    assert not [path for path in (tmp_path / "out").rglob("*") if "CT" in path.name]
    back_up_project(project.workspace.store, tmp_path / "backup")
    with Project.open(tmp_path / "backup") as restored:
        assert [line.name for line in restored.references()] == ["CT"]
        assert examine(restored.workspace.store).ok


def test_a_reference_that_was_taken_away_loses_its_bytes_with_the_next_sweep(project: Project, tmp_path: Path):
    volume(tmp_path / "set/a_T1.nii.gz")
    taken(project.workspace, tmp_path / "set", wanted_named("T1"))
    blob = project.add_reference("a", volume(tmp_path / "a_CT.nii.gz", seed=4)).voxels
    project.remove_reference("a", "ct")
    assert project.references() == ()
    with pytest.raises(NotFoundError, match="it has none"):
        project.remove_reference("a", "ct")
    examine(project.workspace.store, sweep=True)
    with pytest.raises(NotFoundError):
        project.workspace.store.blobs.get(blob)


def test_the_series_of_another_patient_is_refused(project: Project, tmp_path: Path):
    described(tmp_path / "set/t1", "t1", series="a")
    taken(project.workspace, tmp_path / "set", wanted_named("T1"))
    name = the_case(project.workspace).name
    other = described(tmp_path / "other", "t2", series="bb", PatientID="0815-ELSE")
    with pytest.raises(InputError, match="names another one"):
        project.add_reference(name, other)
    assert project.add_reference(name, other, HowToAdd(same_patient=True)).name == "T2"
    own = described(tmp_path / "own", "flair", series="dddd")
    assert project.add_reference(name, own).frame in ("same", "other")
    with pytest.raises(ConflictError, match="another reference called"):
        project.add_reference(name, described(tmp_path / "own2", "flair", series="eeeee"))


def test_the_image_of_another_patients_case_is_no_reference(project: Project, tmp_path: Path):
    for name in ("a_T1", "b_T1"):
        volume(tmp_path / f"set/{name}.nii.gz", seed=ord(name[0]))
    taken(project.workspace, tmp_path / "set", wanted_named("T1"))
    with pytest.raises(InputError, match="whose patient is b"):
        project.add_reference("a", tmp_path / "set/b_T1.nii.gz")
    with pytest.raises(InputError, match="another image than its case"):
        project.add_reference("a", tmp_path / "set/a_T1.nii.gz")
    other = volume(tmp_path / "ct.nii.gz", seed=7)
    project.add_reference("b", other)
    with pytest.raises(InputError, match="this is the reference ct of b, whose patient is b"):
        project.add_reference("a", other)
    assert project.add_reference("b", other).name == "ct"
    for how in (HowToAdd(name="mr"), HowToAdd(registered=True)):
        with pytest.raises(ConflictError, match="stands beside b already, as ct"):
            project.add_reference("b", other, how)
    project.remove_reference("b", "ct")
    project.remove_reference("a", project.add_reference("a", other).name)
    with project.workspace.store.read() as tx:
        assert all(references_of(tx, case.id) == () for case in tx.find(Case))


def test_a_file_stands_beside_the_case_whose_whole_name_it_begins_with(project: Project, tmp_path: Path):
    for seed, name in enumerate(("p1_T1", "p1_PD", "p1_2_T1", "p1_2_CT")):
        volume(tmp_path / f"set/{name}.nii.gz", seed=seed)
    report = taken(project.workspace, tmp_path / "set", wanted_named("T1", references="study"))
    assert (sorted(report.added), report.refused) == (["p1", "p1_2"], ())
    with project.workspace.store.read() as tx:
        beside = {case.name: [one.name for one in references_of(tx, case.id)] for case in tx.find(Case)}
    assert beside == {"p1": ["PD"], "p1_2": ["CT"]}


def test_a_reference_that_comes_as_another_patients_case_is_refused_and_as_one_of_its_patient_is_said(project: Project, tmp_path: Path):
    volume(tmp_path / "set/a_T1.nii.gz")
    volume(tmp_path / "set/a_PD.nii.gz", seed=2)
    taken(project.workspace, tmp_path / "set", wanted_named("T1", references="study"))
    volume(tmp_path / "later/b.nii.gz", seed=2)
    assert "the reference PD of a, whose patient is a" in str(project.add(tmp_path / "later").refused[0])
    (tmp_path / "later/index.csv").write_text("filename,patient\nb.nii.gz,a\n")
    report = project.add(tmp_path / "later")
    assert (report.added, report.refused) == (("b",), ())
    assert any("is the reference PD of a, too" in note.text for note in report.notes)


def test_an_archive_knows_which_images_came_as_channels_or_references(project: Project, tmp_path: Path):
    first = described(tmp_path / "set/t1", "t1", series="a")
    frame = dcmread(next(first.iterdir())).FrameOfReferenceUID
    series = [first, described(tmp_path / "set/t2", "t2", series="bb", FrameOfReferenceUID=frame)]
    series.append(described(tmp_path / "set/pd", "pd", series="ccc", FrameOfReferenceUID=frame))
    report = taken(project.workspace, tmp_path / "set", wanted_named("T1,T2", references="study"))
    assert (len(report.added), report.references) == (1, 1)
    known = instances_known(project.workspace)
    for folder in series:
        uids = [str(dcmread(path).SOPInstanceUID) for path in folder.iterdir()]
        assert known(uids)
        assert not any(uid in str(the_case(project.workspace).source.dicom) for uid in uids)


def test_an_nnunet_case_of_unequal_grids_is_refused_with_how_to_resample_it(project: Project, tmp_path: Path):
    volume(tmp_path / "set/imagesTs/a_0000.nii.gz")
    volume(tmp_path / "set/imagesTs/a_0001.nii.gz", (4, 4, 4), 2.0, seed=1)
    described = '{"channel_names": {"0": "T1", "1": "FLAIR"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}'
    (tmp_path / "set/dataset.json").write_text(described)
    (refused,) = project.add(tmp_path / "set").refused
    assert ("every channel must lie on the image's grid" in refused.rule, "--resample-channels" in refused.remedy) == (True, True)
    assert taken(project.workspace, tmp_path / "set", wanted_named(resample=True)).added == ("a",)
    case = the_case(project.workspace)
    assert (case.channels, case.display.channel_names, case.source.resampled[0]["channel"]) == (2, ("T1", "FLAIR"), "FLAIR")
