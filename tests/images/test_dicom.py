from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, generate_uid

from medloop.core.errors import FormatError, GeometryError
from medloop.images.dicom import list_series, read_series
from medloop.images.read import read_image

STUDY, SERIES = generate_uid(), generate_uid()
Change = Callable[[Dataset, int], None]


def slice_of(number: int, **changes: Any) -> Dataset:
    """One 4×6 CT slice at z = 2.5 × number whose pixels equal 100 × number + their index."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, SERIES, "1.2.3"
    ds.Modality, ds.PatientName, ds.SeriesDescription, ds.InstanceNumber = "CT", "<script>", "chest", number + 1
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 4, 6, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelSpacing, ds.SliceThickness = [0.7, 0.5], 2.5
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, -20, 2.5 * number]
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = (np.arange(24, dtype="<u2") + 100 * number).tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def series(folder: Path, count: int = 5, change: Change = lambda *_: None) -> Path:
    """A folder of slices, stored in reverse order."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        ds = slice_of(number)
        change(ds, number)
        ds.save_as(folder / f"{count - number:03}.dcm", enforce_file_format=True)
    return folder


def at_positions(*depths: float) -> Change:
    def move(ds: Dataset, number: int) -> None:
        ds.ImagePositionPatient = [-10, -20, depths[number]]

    return move


def test_slices_are_sorted_by_position_and_rescaled(tmp_path: Path) -> None:
    read = read_series(series(tmp_path / "ct"))
    assert read.image.array.shape == (1, 6, 4, 5)
    assert read.image.array.dtype == np.int16
    pixels = np.arange(24).reshape(4, 6).T
    for k in range(5):
        np.testing.assert_array_equal(read.image.array[0, :, :, k], pixels + 100 * k - 1024)
    assert read.notes == ()


def test_the_affine_turns_the_patients_left_into_ras(tmp_path: Path) -> None:
    grid = read_series(series(tmp_path / "ct")).image.grid
    np.testing.assert_allclose(grid.affine, [[-0.5, 0, 0, 10], [0, -0.7, 0, 20], [0, 0, 2.5, 0], [0, 0, 0, 1]])
    assert grid.axis_codes == "LPS"


def test_the_source_names_what_a_segmentation_must_point_at(tmp_path: Path) -> None:
    source = read_series(series(tmp_path / "ct")).source
    assert source.names == ("ct",)
    assert source.dicom["series"] == SERIES
    assert len(source.dicom["instances"]) == 5


def test_a_tilted_gantry_is_noted_and_its_true_positions_kept(tmp_path: Path) -> None:
    def tilt(ds: Dataset, number: int) -> None:
        ds.ImagePositionPatient = [-10, -20 + number * 2.5 * np.tan(np.radians(18)), 2.5 * number]

    read = read_series(series(tmp_path / "ct", change=tilt))
    assert read.notes[0].startswith("gantry tilt of 18.0 degrees")
    np.testing.assert_allclose(read.image.grid.to_mm((0, 0, 4)), [10, 20 - 10 * np.tan(np.radians(18)), 10])


def test_uneven_spacing_is_noted_with_its_error(tmp_path: Path) -> None:
    (note,) = read_series(series(tmp_path / "ct", change=at_positions(0, 2.5, 5, 8.5, 11))).notes
    assert note == "slice spacing is uneven, 2.50 to 3.50 mm; positions are off by up to 0.5 mm"


def test_a_missing_slice_is_noted_where_it_is_missing(tmp_path: Path) -> None:
    notes = read_series(series(tmp_path / "ct", change=at_positions(0, 2.5, 5, 10, 12.5))).notes
    assert "1 slice(s) seem to be missing between slices 3 and 4" in notes


def test_an_identical_repeated_slice_is_left_out_and_noted(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct")
    (folder / "copy.dcm").write_bytes((folder / "003.dcm").read_bytes())
    read = read_series(folder)
    assert read.image.grid.shape == (6, 4, 5)
    assert read.image.grid.spacing_mm[2] == pytest.approx(2.5)
    assert any("is left out" in note for note in read.notes)


def test_different_slices_at_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="one slice at a place"):
        read_series(series(tmp_path / "ct", change=at_positions(0, 2.5, 5, 5, 7.5)))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "pixel spacing 0": ({"PixelSpacing": [0, 0]}, "PixelSpacing must be positive"),
    "slope 0": ({"RescaleSlope": 0}, "slope not 0"),
    "orientation not at right angles": ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angle"),
    "position of two numbers": ({"ImagePositionPatient": [1, 2]}, "3 finite numbers"),
    "huge image": ({"Rows": 65535, "Columns": 65535}, "of pixels"),
    "no rows": ({"Rows": 0}, "of pixels"),
    "rows beyond the pixels": ({"Rows": 400}, "cannot be decoded"),
    "odd bits": ({"BitsAllocated": 7}, "cannot be decoded"),
    "billions of frames": ({"NumberOfFrames": 2**31 - 1}, "NumberOfFrames must be"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_headers_that_cannot_be_right_are_refused(tmp_path: Path, fault: str) -> None:
    changes, rule = REFUSED[fault]
    slice_of(0, **changes).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with pytest.raises((FormatError, GeometryError), match=rule):
        read_image(tmp_path / "x.dcm")


def test_a_localizer_in_a_series_is_a_case_of_its_own(tmp_path: Path) -> None:
    def localizer(ds: Dataset, number: int) -> None:
        if number == 4:
            ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    folder = series(tmp_path / "ct", change=localizer)
    with pytest.raises(FormatError, match="one series with an image in it is needed, got 2"):
        read_series(folder)
    assert sorted(read_image(s.paths).image.grid.shape for s in list_series(folder).series) == [(6, 4, 1), (6, 4, 4)]


def test_slices_of_another_size_are_a_case_of_their_own(tmp_path: Path) -> None:
    folder = series(tmp_path / "ct")
    slice_of(9, Rows=2, PixelData=bytes(24)).save_as(folder / "small.dcm", enforce_file_format=True)
    assert sorted(read_image(s.paths).image.grid.shape for s in list_series(folder).series) == [(6, 2, 1), (6, 4, 5)]
    with pytest.raises(FormatError, match="one size"):
        read_series(sorted(folder.iterdir()))


def test_a_folder_of_several_series_is_split_and_not_read_as_one(tmp_path: Path) -> None:
    folder = series(tmp_path / "study", 3)
    for number in range(2):
        slice_of(number, SeriesInstanceUID="1.9", SeriesDescription="other").save_as(folder / f"b{number}.dcm", enforce_file_format=True)
    slice_of(0, SeriesInstanceUID="1.8", Modality="SEG").save_as(folder / "seg.dcm", enforce_file_format=True)
    (folder / "notes.txt").write_text("not DICOM")
    found = list_series(folder).series
    assert {(s.description, len(s.paths)) for s in found} == {("chest", 3), ("other", 2)}
    with pytest.raises(FormatError, match="one series"):
        read_series(folder)
    assert {read_image(s.paths).image.grid.shape for s in found} == {(6, 4, 3), (6, 4, 2)}


def test_inverted_grey_is_turned_up_in_radiographs_and_kept_in_ct(tmp_path: Path) -> None:
    slice_of(0, PhotometricInterpretation="MONOCHROME1", Modality="DX", RescaleIntercept=0).save_as(
        tmp_path / "dx.dcm", enforce_file_format=True
    )
    read = read_series(tmp_path / "dx.dcm")
    assert read.image.array[0, 1, 0, 0] == 4095 - 1
    assert "higher is brighter" in read.notes[0]
    slice_of(0, PhotometricInterpretation="MONOCHROME1").save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    assert read_series(tmp_path / "ct.dcm").image.array[0, 1, 0, 0] == 1 - 1024


def test_pictures_without_a_position_are_cases_of_their_own(tmp_path: Path) -> None:
    def bare(ds: Dataset, number: int) -> None:
        del ds.ImagePositionPatient, ds.ImageOrientationPatient

    folder = series(tmp_path / "cr", 2, bare)
    assert len(list_series(folder).series) == 2
    read = read_series(folder / "001.dcm")
    assert read.image.grid.is_2d
    assert read.image.grid.spacing_mm[:2] == (0.5, 0.7)


def test_signed_pixels_keep_their_sign(tmp_path: Path) -> None:
    pixels = np.arange(-12, 12, dtype="<i2").tobytes()
    slice_of(0, PixelRepresentation=1, BitsStored=16, HighBit=15, RescaleIntercept=0, PixelData=pixels).save_as(
        tmp_path / "x.dcm", enforce_file_format=True
    )
    assert read_series(tmp_path / "x.dcm").image.array.min() == -12


def test_a_rescale_of_each_slice_is_applied_to_it(tmp_path: Path) -> None:
    def own(ds: Dataset, number: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = number + 0.5, 0

    read = read_series(series(tmp_path / "pt", change=own))
    assert read.image.array[0, 0, 0, 3] == pytest.approx(300 * 3.5)
    assert "differs from slice to slice" in read.notes[0]


def test_a_missing_decoder_is_named(tmp_path: Path) -> None:
    ds = slice_of(0)
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    ds.PixelData = pydicom.encaps.encapsulate([bytes(10)])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with pytest.raises(FormatError, match="no decoder is installed for JPEG Lossless"):
        read_series(tmp_path / "x.dcm")


@pytest.mark.parametrize("keep", [0, 100, 132, 200, 900])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    slice_of(0).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    (tmp_path / "x.dcm").write_bytes((tmp_path / "x.dcm").read_bytes()[:keep])
    with pytest.raises(FormatError):
        read_image(tmp_path / "x.dcm")


def test_deeply_nested_sequences_are_refused(tmp_path: Path) -> None:
    ds = slice_of(0)
    ds.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    # Written by hand, because pydicom cannot write this deep: 1,500 open sequences of undefined length, each closed again.
    start, end = (
        b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
    )
    data = (tmp_path / "x.dcm").read_bytes()
    at = data.index(b"\x08\x00\x3e\x10")
    (tmp_path / "x.dcm").write_bytes(data[:at] + start * 1500 + end * 1500 + data[at:])
    with pytest.raises(FormatError, match="nested too deeply"):
        read_image(tmp_path / "x.dcm")


def frames(ds: Dataset, *, positions: bool = True) -> Dataset:
    """Turn a slice into an enhanced multi-frame object of three frames."""
    ds.NumberOfFrames = 3
    ds.PixelData = (np.arange(72, dtype="<u2")).tobytes()
    shared, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.5], 4
    values.RescaleSlope, values.RescaleIntercept = 2, 1
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence, shared.PixelValueTransformationSequence = (
        [orientation],
        [measures],
        [values],
    )
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = []
    for number in range(3):
        place, own = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, -4 * number]
        own.PlanePositionSequence = [place]
        ds.PerFrameFunctionalGroupsSequence.append(own)
    for keyword in (
        "PixelSpacing",
        "SliceThickness",
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(ds, keyword)
    return ds


def test_enhanced_frames_take_their_place_from_the_functional_groups(tmp_path: Path) -> None:
    frames(slice_of(0)).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    read = read_image(tmp_path / "x.dcm")
    assert read.image.grid.shape == (6, 4, 3)
    np.testing.assert_allclose(read.image.grid.affine, [[-0.5, 0, 0, 0], [0, -0.7, 0, 0], [0, 0, 4, -8], [0, 0, 0, 1]])
    assert read.image.array[0, 0, 0].tolist() == [97, 49, 1]  # sorted from the feet up: frame 2, 1, 0


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["ct_chest", "ct_liver_3slice", "mr_brain_flair", "mr_brain_t1post", "mr_brain_t1post_jpegls", "mr_brain_t1post_j2k"]
)
def test_real_series_agree_with_simpleitk(data_folder: Path, name: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    folder = data_folder / "dicom" / name
    read = read_image(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    reference = reader.Execute()
    np.testing.assert_array_equal(read.image.array[0], sitk.GetArrayFromImage(reference).T)
    for corner in np.ndindex(2, 2, 2):
        index = [int(c * (n - 1)) for c, n in zip(corner, reference.GetSize(), strict=True)]
        lps = np.array(reference.TransformIndexToPhysicalPoint(index))
        np.testing.assert_allclose(read.image.grid.to_mm(index), lps * (-1, -1, 1), atol=1e-3)


@pytest.mark.data
def test_a_real_tilted_head_is_read_with_notes(data_folder: Path) -> None:
    notes = read_image(data_folder / "dicom" / "ct_head_tilt_varspacing").notes
    assert any("gantry tilt of 18.5 degrees" in note for note in notes)
    assert any("uneven" in note for note in notes)


@pytest.mark.data
def test_every_real_single_file_is_read_or_refused_in_one_line(data_folder: Path) -> None:
    refused = set()
    for path in sorted((data_folder / "dicom" / "single_files").glob("*.dcm")):
        try:
            assert read_image(path).image.array.size > 0
        except FormatError as error:
            refused.add(path.name if "\n" not in str(error) else str(error))
    assert refused == {"JPEG-lossy.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm", "MR_truncated.dcm", "bad_sequence.dcm"}


@pytest.mark.parametrize(
    ("between", "thickness", "step"), [(None, 2.5, 2.5), (3.0, 2.5, 3.0), (0.0, 2.5, 2.5), (-3.0, 2.5, 3.0), (0.0, 0.0, 1.0)]
)
def test_a_slice_alone_is_as_thick_as_its_header_says(tmp_path: Path, between: float | None, thickness: float, step: float) -> None:
    ds = slice_of(0, SliceThickness=thickness, **({} if between is None else {"SpacingBetweenSlices": between}))
    ds.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    assert read_image(tmp_path / "one.dcm").image.grid.spacing_mm == pytest.approx((0.5, 0.7, step))


@pytest.mark.parametrize("planar", [0, 1])
def test_a_colour_picture_keeps_its_three_channels(tmp_path: Path, planar: int) -> None:
    colours = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    stored = colours if planar == 0 else colours.transpose(2, 0, 1)
    kind = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": planar, "PixelData": stored.tobytes()}
    ds = slice_of(0, BitsAllocated=8, BitsStored=8, HighBit=7, **kind)
    del ds.RescaleSlope, ds.RescaleIntercept
    ds.save_as(tmp_path / "us.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_image(tmp_path / "us.dcm").image.array[..., 0], colours.transpose(2, 1, 0))


@pytest.mark.parametrize(("count", "rule"), [(1, "this is a segmentation"), (2, "a DICOM image is needed, got none")])
def test_a_folder_without_an_image_says_what_is_missing(tmp_path: Path, count: int, rule: str) -> None:
    for number in range(count):
        slice_of(number, Modality="SEG").save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    with pytest.raises(FormatError, match=rule):
        read_series(tmp_path)
