from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset as Tags
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from medloop.core.errors import FormatError
from medloop.datasets.discover import open_dataset
from medloop.datasets.series import open_dicom
from medloop.images.read import read_image


def write_slice(
    path: Path, series: str, depth: int, *, modality: str = "CT", patient: str = "", study: str = "study", **changes: object
) -> None:
    """One 4×4 slice at a depth in mm; all its pixels hold that depth."""
    tags = Tags()
    tags.file_meta = FileMetaDataset()
    tags.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    tags.SOPClassUID = tags.file_meta.MediaStorageSOPClassUID = CTImageStorage if modality == "CT" else SegmentationStorage
    tags.SOPInstanceUID = tags.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(depth)])
    tags.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
    tags.StudyInstanceUID = tags.FrameOfReferenceUID = generate_uid(entropy_srcs=[study])
    tags.PatientID = patient
    tags.Modality, tags.InstanceNumber = modality, depth + 1
    tags.Rows = tags.Columns = 4
    tags.SamplesPerPixel, tags.PhotometricInterpretation, tags.PixelRepresentation = 1, "MONOCHROME2", 0
    tags.BitsAllocated = tags.BitsStored = 16
    tags.HighBit = 15
    tags.PixelSpacing, tags.SliceThickness = [1, 1], 1
    tags.ImagePositionPatient, tags.ImageOrientationPatient = [0, 0, depth], [1, 0, 0, 0, 1, 0]
    tags.PixelData = np.full((4, 4), depth, np.uint16).tobytes()
    for keyword, value in changes.items():
        setattr(tags, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    tags.save_as(path, enforce_file_format=True)


def write_series(folder: Path, name: str, *, slices: int = 3, prefix: str = "") -> None:
    for depth in range(slices):
        write_slice(folder / f"{prefix}{depth}.dcm", name, depth)


def test_every_folder_with_a_series_is_a_case(tmp_path: Path):
    write_series(tmp_path / "one", "a")
    write_series(tmp_path / "two", "b")
    dataset = open_dicom(tmp_path)
    assert [(c.name, c.images[0].name) for c in dataset.cases] == [("one", "one"), ("two", "two")]
    assert (dataset.kind, dataset.refused) == (None, ())


def test_series_below_a_patient_folder_share_the_patient(tmp_path: Path):
    write_series(tmp_path / "anna/ct", "a")
    write_series(tmp_path / "anna/mr", "b")
    assert [(c.name, c.patient) for c in open_dicom(tmp_path).cases] == [("anna_ct", "anna"), ("anna_mr", "anna")]


def test_equal_patient_ids_are_one_patient_under_another_name(tmp_path: Path):
    for name, patient in (("a", "MUSTERMANN"), ("b", "MUSTERMANN"), ("c", "OTHER")):
        write_slice(tmp_path / name / "0.dcm", name, 0, patient=patient)
    first, second, third = (c.patient for c in open_dicom(tmp_path).cases)
    assert first == second != third
    assert "MUSTERMANN" not in first


def test_several_series_in_one_folder_are_told_apart_and_count_as_one_patient(tmp_path: Path):
    write_series(tmp_path / "mix", "a", prefix="a")
    write_series(tmp_path / "mix", "b", prefix="b", slices=2)
    cases = open_dicom(tmp_path).cases
    assert len({c.patient for c in cases}) == 1
    assert sorted(read_image(c.images).image.array.shape[-1] for c in cases) == [2, 3]


def test_a_series_beside_a_deeper_one_is_only_itself(tmp_path: Path):
    write_series(tmp_path / "p", "a")
    write_series(tmp_path / "p/deeper", "b", slices=2)
    shapes = {c.name: read_image(c.images).image.array.shape[-1] for c in open_dicom(tmp_path).cases}
    assert shapes == {"p": 3, "p_deeper": 2}


def test_folders_with_no_image_are_named(tmp_path: Path):
    write_series(tmp_path / "one", "a")
    write_slice(tmp_path / "seg/0.dcm", "s", 0, modality="SEG", study="other")
    dataset = open_dicom(tmp_path)
    assert [c.name for c in dataset.cases] == ["one"]
    assert str(dataset.refused[0]).startswith("seg/0.dcm: a SEG that names no image needs one series of its frame of reference, 0 are here")


def test_a_damaged_file_is_named(tmp_path: Path):
    write_series(tmp_path / "two", "b")
    bad = tmp_path / "two/1.dcm"
    bad.write_bytes(bad.read_bytes()[:150] + b"\xff" * 40)
    assert [r.file for r in open_dicom(tmp_path).refused] == ["two/1.dcm"]


def test_a_folder_without_dicom_is_refused(tmp_path: Path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(FormatError, match="needs DICOM series"):
        open_dicom(tmp_path)


def test_the_real_series_are_found(data_folder: Path):
    names = {c.name for c in open_dicom(data_folder / "dicom").cases}
    assert {"ct_chest", "mr_brain_flair", "mr_brain_t1post_rle", "single_files_CT_small"} <= names


@pytest.mark.parametrize("nobody", ["ANONYMOUS", "Anon", "", "0", "000", "UNKNOWN", "n/a", "Anonymous^Patient", "de-identified"])
def test_an_id_that_names_nobody_leaves_it_to_the_study(tmp_path: Path, nobody: str):
    for name, study in (("a", "s1"), ("b", "s1"), ("c", "s2")):
        write_slice(tmp_path / name / "0.dcm", name, 0, patient=nobody, study=study)
    first, second, third = open_dicom(tmp_path).cases
    assert first.patient == second.patient != third.patient
    assert all("names no patient" in case.notes[0] and "its study stands for one" in case.notes[0] for case in (first, second, third))


def test_an_id_that_names_nobody_leaves_it_to_the_patients_folder(tmp_path: Path):
    for name in ("anna", "bert"):
        write_slice(tmp_path / name / "ct/0.dcm", name, 0, patient="ANONYMOUS", study="one for all")
    assert [(c.patient, "first folder" in c.notes[0]) for c in open_dicom(tmp_path).cases] == [("anna", True), ("bert", True)]


def test_a_pattern_wins_over_the_header(tmp_path: Path):
    for name in ("p1-a", "p1-b", "p2-a"):
        write_slice(tmp_path / name / "0.dcm", name, 0, patient="MUSTERMANN")
    assert [c.patient for c in open_dicom(tmp_path, patient_pattern=r"^(p\d)").cases] == ["p1", "p1", "p2"]


def test_links_into_the_git_annex_of_a_source_are_read_and_links_out_of_it_are_named(tmp_path: Path):
    store = tmp_path / "repository/.git/annex/objects"
    scans = tmp_path / "repository/study/scan"
    scans.mkdir(parents=True)
    for depth in range(3):
        write_slice(store / f"key{depth}", "a", depth)
        (scans / f"{depth}.dcm").symlink_to(f"../../.git/annex/objects/key{depth}")
    write_slice(tmp_path / "elsewhere/0.dcm", "b", 0)
    (scans / "out.dcm").symlink_to(tmp_path / "elsewhere/0.dcm")
    for source in (tmp_path / "repository", tmp_path / "repository/study"):
        dataset = open_dicom(source)
        (case,) = dataset.cases
        assert read_image(case.images[0] if len(case.images) == 1 else case.images).image.array.shape[-1] == 3
        assert [r.file for r in dataset.refused] == [str((scans / "out.dcm").relative_to(source))]
        assert "a link must not lead out" in str(dataset.refused[0])


def test_a_series_over_two_folders_is_one_case_named_by_the_folder_above(tmp_path: Path):
    for depth in range(6):
        write_slice(tmp_path / f"anna/DIR{depth % 2}/{depth}.dcm", "a", depth)
    (case,) = open_dicom(tmp_path).cases
    assert case.name == "anna"
    assert read_image(case.images).image.array.shape[-1] == 6


def test_parts_of_a_series_are_cases_named_by_what_tells_them_apart(tmp_path: Path):
    for echo in (1, 2):
        for depth in range(3):
            write_slice(tmp_path / f"mr/{echo}{depth}.dcm", "a", depth, EchoNumbers=echo, SOPInstanceUID=generate_uid())
    cases = open_dicom(tmp_path).cases
    assert [c.name for c in cases] == ["mr_1_EchoNumbers-1", "mr_2_EchoNumbers-2"]
    assert {c.patient for c in cases} == {cases[0].patient}
    assert all("distinguished by EchoNumbers" in c.notes[0] for c in cases)


def test_a_table_adds_patients_and_splits_to_series(tmp_path: Path):
    for name in ("a", "deep/b", "c"):
        write_series(tmp_path / name, name)
    (tmp_path / "index.csv").write_text("series,patient,split\na,x,test\ndeep/b,x,test\nz,y,train\n".replace("series", "name"))
    dataset = open_dicom(tmp_path)
    assert [(c.name, c.patient, c.split) for c in dataset.cases][:1] == [("a", "x", "test")]
    assert ("deep_b", "x", "test") in [(c.name, c.patient, c.split) for c in dataset.cases]
    assert [r.file for r in dataset.refused] == ["index.csv line 4"]


def test_a_list_of_dicom_takes_files_and_folders_and_the_patients_of_their_headers(tmp_path: Path):
    for depth, name in enumerate(("a", "b")):
        write_slice(tmp_path / f"{name}.dcm", name, depth, patient="MUSTERMANN")
    write_slice(tmp_path / "nobody.dcm", "c", 0, patient="ANONYMOUS", study="other")
    write_series(tmp_path / "ct", "d")
    (tmp_path / "labels.csv").write_text("image,label,patient\na.dcm,x,\nb,y,\nnobody.dcm,x,\nct,y,p7\n")
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.refused) == ("csv", ())
    first, second, ct, nobody = (next(c for c in dataset.cases if c.name.startswith(n)) for n in ("a", "b", "ct", "nobody"))
    assert first.patient == second.patient != "a.dcm"
    assert "MUSTERMANN" not in first.patient
    assert (ct.patient, ct.tag, read_image(ct.images[0]).image.array.shape) == ("p7", "y", (1, 4, 4, 3))
    assert nobody.patient.startswith("study-")
    assert "the header names no patient" in nobody.notes[0]
