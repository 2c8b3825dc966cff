"""What is one volume among DICOM files, wherever they lie, and why the others are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML, EncapsulatedPDFStorage, JPEGLosslessSV1, RLELossless, generate_uid

from medloop.images.dicom import list_series
from medloop.images.read import read_image
from tests.images.test_dicom import frames, series, slice_of


def save(path: Path, number: int = 0, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    slice_of(number, **changes).save_as(path, enforce_file_format=True)
    return path


def at(depth: float) -> dict[str, Any]:
    return {"ImagePositionPatient": [-10, -20, depth]}


def depths_of(paths: tuple[Path, ...]) -> list[float]:
    return sorted(float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in paths)


def refusals(folder: Path) -> dict[str, str]:
    return {one.path.name: f"{one.rule}; {one.remedy}" for one in list_series(folder).refused}


def test_a_series_over_two_folders_is_one_volume(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / ("DIR000" if number % 2 else "DIR001") / f"{number}.dcm", number)
    (found,) = list_series(tmp_path).series
    assert read_image(found.paths).image.grid.shape == (6, 4, 6)
    assert read_image(found.paths).notes == ()


def test_a_series_copied_into_two_folders_is_one_volume_with_each_slice_once(tmp_path: Path) -> None:
    first = series(tmp_path / "a", 4)
    (tmp_path / "b").mkdir()
    for path in first.iterdir():
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    (found,) = list_series(tmp_path).series
    assert read_image(found.paths).image.grid.shape == (6, 4, 4)


APART: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "AcquisitionNumber": ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
    "TemporalPositionIdentifier": ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
    "EchoNumbers": ({"EchoNumbers": 1}, {"EchoNumbers": 2}),
    "EchoTime": ({"EchoTime": 4.6}, {"EchoTime": 9.2}),
    "DiffusionBValue": ({"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}),
    "TriggerTime": ({"TriggerTime": 0}, {"TriggerTime": 40}),
    "ImageType": ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
    "ConvolutionKernel": ({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}),
}


@pytest.mark.parametrize("offset", [0.0, 1.0, 1.25])
@pytest.mark.parametrize("name", APART)
def test_two_acquisitions_of_one_series_are_two_volumes(tmp_path: Path, name: str, offset: float) -> None:
    for number in range(5):
        for which, told in enumerate(APART[name]):
            save(tmp_path / f"{which}{number}.dcm", number, **told, **at(2.5 * number + which * offset), PixelData=bytes([which]) * 48)
    found = list_series(tmp_path).series
    assert [len(s.paths) for s in found] == [5, 5]
    assert all(s.part.startswith(name) and "one of 2 parts" in s.notes[0] for s in found)
    for which, one in enumerate(sorted(found, key=lambda s: s.paths)):
        read = read_image(one.paths)
        assert read.image.grid.spacing_mm[2] == pytest.approx(2.5)
        assert len(np.unique(read.image.array)) == 1
        assert depths_of(one.paths) == pytest.approx([2.5 * n + which * offset for n in range(5)])


def test_a_dynamic_series_is_split_in_the_order_of_time_and_survives_a_missing_slice(tmp_path: Path) -> None:
    for time in range(1, 12):
        for number in range(6):
            if (time, number) != (4, 2):
                save(tmp_path / f"{time:02}_{number}.dcm", number, TemporalPositionIdentifier=time)
    found = list_series(tmp_path).series
    assert [s.part for s in found] == [f"TemporalPositionIdentifier {time}" for time in range(1, 12)]
    assert any("missing between slices 2 and 3" in note for note in read_image(found[3].paths).notes)


def test_acquisitions_by_echo_and_by_time_are_told_apart_by_both(tmp_path: Path) -> None:
    for time in (1, 2):
        for echo in (1, 2):
            for number in range(3):
                save(tmp_path / f"{time}{echo}{number}.dcm", number, TemporalPositionIdentifier=time, EchoNumbers=echo)
    assert {len(s.paths) for s in list_series(tmp_path).series} == {3}
    assert len(list_series(tmp_path).series) == 4


def test_patients_with_the_same_uids_are_never_woven_into_one_volume(tmp_path: Path) -> None:
    for patient in ("a", "b"):
        for number in range(4):
            save(tmp_path / f"{patient}/{number}.dcm", number, PatientID=patient, SOPInstanceUID=f"1.2.{number}")
    assert [len(s.paths) for s in list_series(tmp_path).series] == [4, 4]


def test_stacks_that_only_their_folders_tell_apart_are_told_apart_by_them(tmp_path: Path) -> None:
    for which, folder in enumerate(("early", "late")):
        for number in range(4):
            save(tmp_path / f"{folder}/{number}.dcm", number, PixelData=bytes([which]) * 48, SOPInstanceUID=f"1.2.{which + 1}{number}")
    assert [(s.part, len(s.paths)) for s in list_series(tmp_path).series] == [("folder early", 4), ("folder late", 4)]


def test_files_without_a_series_are_one_by_folder(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        for number in range(3):
            save(tmp_path / f"{folder}/{number}.dcm", number, SeriesInstanceUID="")
    assert [len(s.paths) for s in list_series(tmp_path).series] == [3, 3]


KEPT_WHOLE: dict[str, Any] = {
    "its own number on each slice": lambda n: {"AcquisitionNumber": n + 1, "AcquisitionTime": f"1200{n:02}"},
    "odd and even slices": lambda n: {"AcquisitionNumber": n % 2 + 1},
    "odd and even slices, one missing": lambda n: {"AcquisitionNumber": n % 2 + 1, **at(2.5 * (n + (n > 2)))},
    "two slabs": lambda n: {"AcquisitionNumber": 1 + (n > 2), **at(2.5 * n if n < 3 else 5 + 5 * (n - 2))},
    "a gap between slabs": lambda n: {"AcquisitionNumber": 1 + (n > 2), **at(2.5 * n + (20 if n > 2 else 0))},
    "overlapping slices": lambda n: {"SliceThickness": 5, "AcquisitionNumber": 1 + n // 3},
}


@pytest.mark.parametrize("name", KEPT_WHOLE)
def test_one_stack_stays_one_volume_whatever_its_acquisition_numbers(tmp_path: Path, name: str) -> None:
    for number in range(6):
        save(tmp_path / f"{number}.dcm", number, **KEPT_WHOLE[name](number))
    (found,) = list_series(tmp_path).series
    assert (len(found.paths), found.part, found.notes) == (6, "", ())


def test_two_woven_stacks_are_told_from_one_fine_stack_by_the_thickness_of_their_slices(tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"{number}.dcm", number, AcquisitionNumber=number % 2 + 1, SliceThickness=5)
    assert [len(s.paths) for s in list_series(tmp_path).series] == [4, 4]


def test_slices_that_nothing_tells_apart_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for number in range(3):
        for which in range(2):
            save(tmp_path / f"{which}{number}.dcm", number, PixelData=bytes([which]) * 48)
    (found,) = list_series(tmp_path).series
    with pytest.raises(ValueError, match="one slice at a place"):
        read_image(found.paths)


def test_a_truncated_file_is_named_and_its_series_goes_on(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct", 6)
    whole = (folder / "004.dcm").read_bytes()
    (folder / "004.dcm").write_bytes(whole[:-13])
    (folder / "006.dcm").write_bytes(whole[:400])
    assert refusals(folder)["004.dcm"].startswith("it is cut off: 48 bytes of pixels are declared, 35 are there")
    assert "006.dcm" in refusals(folder)
    (found,) = list_series(folder).series
    read = read_image(found.paths)
    assert read.image.grid.shape == (6, 4, 4)
    assert "1 slice(s) seem to be missing between slices 1 and 2" in read.notes


def test_a_truncated_compressed_file_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "x.dcm")
    tags = pydicom.dcmread(path)
    tags.compress(RLELossless)
    tags.save_as(path)
    assert refusals(tmp_path) == {}
    path.write_bytes(path.read_bytes()[:-20])
    assert refusals(tmp_path)["x.dcm"].startswith("it is cut off within its compressed pixels")
    path.write_bytes(path.read_bytes() + bytes(12))
    assert "it is cut off" in refusals(tmp_path)["x.dcm"]


MODALITIES = {"SEG": "segmentation", "RTSTRUCT": "contours", "SR": "report", "PR": "presentation", "KO": "selection", "REG": "registration"}


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_object_that_is_no_image_is_called_what_it_is(tmp_path: Path, modality: str) -> None:
    save(tmp_path / "x.dcm", Modality=modality)
    assert MODALITIES[modality] in refusals(tmp_path)["x.dcm"]


def test_a_pdf_a_video_and_a_missing_decoder_are_told_apart(tmp_path: Path) -> None:
    pdf = slice_of(0, SOPClassUID=EncapsulatedPDFStorage, Modality="OT")
    del pdf.Rows, pdf.Columns, pdf.PixelData
    pdf.save_as(tmp_path / "pdf.dcm", enforce_file_format=True)
    for name, syntax in {"video": MPEG2MPML, "lossless": JPEGLosslessSV1}.items():
        tags = slice_of(0, SeriesInstanceUID=generate_uid())
        tags.file_meta.TransferSyntaxUID = syntax
        tags.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
        tags["PixelData"].is_undefined_length = True
        tags.save_as(tmp_path / f"{name}.dcm", enforce_file_format=True)
    said = refusals(tmp_path)
    assert "this is Encapsulated PDF Storage" in said["pdf.dcm"]
    assert "this is a video (MPEG2" in said["video.dcm"]
    assert "no decoder is installed for JPEG Lossless" in said["lossless.dcm"]
    assert "medloop[dicom]" not in said["lossless.dcm"]
    assert "dcmdjpeg" in said["lossless.dcm"]


def test_files_without_a_preamble_and_files_that_are_no_dicom_are_told_apart(tmp_path: Path) -> None:
    whole = save(tmp_path / "x.dcm").read_bytes()
    (tmp_path / "x.dcm").write_bytes(whole[132:])
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper/data.dcm").write_bytes(whole[whole.index(b"\x08\x00\x16\x00") :])
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/IM0001").write_bytes(whole[132:])
    (tmp_path / "bare/readme").write_text("hello there, this is text")
    (tmp_path / "text.dcm").write_text("hello there, this is text")
    (tmp_path / "empty.dcm").write_bytes(b"")
    said = refusals(tmp_path)
    assert "lacks them" not in said["text.dcm"]
    assert "lacks them" in said["x.dcm"]
    assert "lacks them" in said["data.dcm"]
    assert "lacks them" in said["IM0001"]
    assert "readme" not in said
    assert "neither its mark nor its elements" in said["text.dcm"]
    assert "empty" in said["empty.dcm"]


def test_many_files_refused_for_one_reason_are_one_line(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / f"{number}.dcm", number, Modality="RTPLAN")
    (line,) = list_series(tmp_path).refused
    assert "and 4 more files of this folder" in line.rule


def nuclear(count: int = 5, **changes: Any) -> Dataset:
    """A reconstructed SPECT volume in one file: 4.42 mm voxels, position and orientation at the detector."""
    tags = slice_of(0, Modality="NM", SOPClassUID="1.2.840.10008.5.1.4.1.1.20", NumberOfFrames=count, RescaleIntercept=0)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient"):
        delattr(tags, keyword)
    tags.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    tags.PixelSpacing, tags.SliceThickness, tags.SpacingBetweenSlices = [4.42, 4.42], 4.42, 4.42
    tags.PixelData = np.arange(24 * count, dtype="<u2").tobytes()
    tags.SliceVector = list(range(1, count + 1))
    for keyword, value in changes.items():
        setattr(tags, keyword, value)
    return tags


def detector() -> list[Dataset]:
    item = Dataset()
    item.ImagePositionPatient, item.ImageOrientationPatient = [-100, -50, 30], [1, 0, 0, 0, 1, 0]
    return [item]


@pytest.mark.parametrize("sign", [1, -1])
def test_spect_takes_its_place_from_the_detector_and_its_direction_from_the_sign(tmp_path: Path, sign: int) -> None:
    nuclear(SpacingBetweenSlices=sign * 4.42, DetectorInformationSequence=detector()).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    read = read_image(tmp_path / "x.dcm")
    assert read.image.grid.spacing_mm == pytest.approx((4.42, 4.42, 4.42))
    first = 0 if sign == 1 else 4
    assert read.image.array[0, 0, 0, first] == 0
    np.testing.assert_allclose(read.image.grid.to_mm((0, 0, first)), [100, 50, 30])
    np.testing.assert_allclose(read.image.grid.to_mm((0, 0, 4 - first)), [100, 50, 30 + sign * 4 * 4.42])


@pytest.mark.parametrize("missing", ["SpacingBetweenSlices", "SliceThickness"])
def test_spect_without_a_position_has_its_spacing_all_the_same(tmp_path: Path, missing: str) -> None:
    tags = nuclear()
    delattr(tags, missing)
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    read = read_image(tmp_path / "x.dcm")
    assert read.image.grid.spacing_mm == pytest.approx((4.42, 4.42, 4.42))
    assert any("4.42 mm apart" in note for note in read.notes)
    assert read.source.display is not None
    assert not read.source.display.oriented


def test_frames_of_unknown_distance_are_not_called_millimetres(tmp_path: Path) -> None:
    nuclear(ImageType=["ORIGINAL", "PRIMARY", "DYNAMIC"], SpacingBetweenSlices=None).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert "no spacing of frames is stored; 1 mm is assumed" in read_image(tmp_path / "x.dcm").notes


def test_a_file_of_two_frames_that_names_one_position_is_a_case_of_its_own(tmp_path: Path) -> None:
    tags = frames(slice_of(0))
    tags.NumberOfFrames, tags.PixelData = 2, np.arange(48, dtype="<u2").tobytes()
    del tags.PerFrameFunctionalGroupsSequence[2]
    tags.ImagePositionPatient = [0, 0, 0]
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    (found,) = list_series(tmp_path).series
    assert read_image(found.paths).image.grid.shape == (6, 4, 2)


def test_frames_at_one_place_are_called_frames(tmp_path: Path) -> None:
    tags = frames(slice_of(0))
    for own in tags.PerFrameFunctionalGroupsSequence:
        own.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with pytest.raises(ValueError, match=r"frame 2 and frame 1 of x\.dcm share theirs"):
        read_image(tmp_path / "x.dcm")


def test_gated_spect_is_refused_with_what_its_frames_are(tmp_path: Path) -> None:
    nuclear(6, SliceVector=[1, 2, 3, 1, 2, 3]).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with pytest.raises(ValueError, match="6 frames of 3 slices"):
        read_image(tmp_path / "x.dcm")


def test_a_dose_grid_lies_where_its_offsets_say(tmp_path: Path) -> None:
    tags = nuclear(Modality="RTDOSE", SpacingBetweenSlices=None, GridFrameOffsetVector=[0, 3, 6, 9, 12], DoseGridScaling=0.25)
    del tags.RescaleSlope, tags.RescaleIntercept
    tags.ImagePositionPatient, tags.ImageOrientationPatient = [0, 0, 7], [1, 0, 0, 0, 1, 0]
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    read = read_image(tmp_path / "x.dcm")
    grid = read.image.grid
    assert grid.spacing_mm[2] == pytest.approx(3)
    np.testing.assert_allclose(read.image.array[0, :, 0, 0], np.arange(6) * 0.25)
    np.testing.assert_allclose(grid.to_mm((0, 0, 4)), [0, 0, 19])


def test_the_spacing_of_spect_is_that_of_simpleitk(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    nuclear(DetectorInformationSequence=detector()).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    reference = sitk.ReadImage(str(tmp_path / "x.dcm"))
    read = read_image(tmp_path / "x.dcm")
    assert read.image.grid.spacing_mm == pytest.approx(reference.GetSpacing())
    np.testing.assert_array_equal(read.image.array[0], sitk.GetArrayFromImage(reference).T)


def test_the_pixel_size_of_a_detector_is_called_that(tmp_path: Path) -> None:
    tags = slice_of(0, Modality="DX", ImagerPixelSpacing=[0.14, 0.14])
    del tags.PixelSpacing, tags.ImagePositionPatient, tags.ImageOrientationPatient
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert any("that of the detector" in note for note in read_image(tmp_path / "x.dcm").notes)
    tags.PixelSpacing = [0.1, 0.1]
    tags.save_as(tmp_path / "both.dcm", enforce_file_format=True)
    both = read_image(tmp_path / "both.dcm")
    assert both.image.grid.spacing_mm[:2] == pytest.approx((0.1, 0.1))
    assert not any("detector" in note for note in both.notes)


def test_links_within_the_source_are_read_and_links_out_of_it_are_not(tmp_path: Path) -> None:
    store = tmp_path / "source/.git/annex/objects/aa"
    elsewhere = series(tmp_path / "elsewhere", 3)
    store.mkdir(parents=True)
    (tmp_path / "source/scan").mkdir()
    for number in range(4):
        save(store / f"key{number}", number)
        (tmp_path / f"source/scan/{number}.dcm").symlink_to(f"../.git/annex/objects/aa/key{number}")
    (tmp_path / "source/scan/out.dcm").symlink_to(elsewhere / "001.dcm")
    (tmp_path / "source/scan/nowhere.dcm").symlink_to("../.git/annex/objects/aa/absent")
    assert {len(s.paths) for s in list_series(tmp_path / "source/scan").series} == {4}
    assert read_image(tmp_path / "source/scan").image.grid.shape == (6, 4, 4)
