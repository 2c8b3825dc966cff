"""What is hidden in pixels goes, what they show stays, and what is blanked is gone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from medloop.core.errors import FormatError
from medloop.images.deidentification.pixels import to_blank
from medloop.images.deidentified_files import clean_file

from ...dicom_series import write_stack
from ...planted import holds_planted, jpeg_frame_with_comment

HOW = {"key": "11" * 32, "shift_dates": False, "keep_uids": False, "boxes": [], "outside": False}


def file_of(name: str) -> Path:
    return Path(str(get_testdata_file(name)))


def cleaned(source: Path, folder: Path, **options: object) -> pydicom.Dataset:
    clean_file(source, {**HOW, "out": str(folder / "out.dcm"), **options})
    return pydicom.dcmread(folder / "out.dcm")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_bigendian.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "examples_palette.dcm",
        "examples_ybr_color.dcm",
        "image_dfl.dcm",
        "rtdose.dcm",
    ],
)
def test_no_pixel_changes_in_any_transfer_syntax(name: str, tmp_path: Path) -> None:
    source = file_of(name)
    assert np.array_equal(cleaned(source, tmp_path).pixel_array, pydicom.dcmread(source).pixel_array)


@pytest.mark.filterwarnings("ignore")
def test_comments_of_codestreams_and_bytes_past_their_end_go(tmp_path: Path) -> None:
    ds = pydicom.dcmread(file_of("SC_rgb_jpeg_dcmtk.dcm"))
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    ds.PixelData = encapsulate([jpeg_frame_with_comment(frame)])
    ds.save_as(tmp_path / "in.dcm")
    assert holds_planted((tmp_path / "in.dcm").read_bytes())
    made = cleaned(tmp_path / "in.dcm", tmp_path)
    assert not holds_planted((tmp_path / "out.dcm").read_bytes())
    assert np.array_equal(made.pixel_array, pydicom.dcmread(file_of("SC_rgb_jpeg_dcmtk.dcm")).pixel_array)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle_2frame.dcm", "MR_small_RLE.dcm", "SC_rgb_small_odd.dcm"])
def test_a_box_is_blanked_on_every_frame_and_nothing_else(name: str, tmp_path: Path) -> None:
    source = file_of(name)
    made, before = cleaned(source, tmp_path, boxes=[[1, 0, 2, 1]]), pydicom.dcmread(source).pixel_array
    pixels = made.pixel_array
    frames = pixels if int(made.get("NumberOfFrames", 1)) > 1 else pixels[None]
    assert not frames[:, 0, 1:3].any()
    assert np.array_equal(frames[:, 1:], (before if before.shape == frames.shape else before[None])[:, 1:])
    assert made.BurnedInAnnotation == "NO"
    assert "113101" in [code.CodeValue for code in made.DeidentificationMethodCodeSequence]


def test_outside_of_regions_needs_regions_and_keeps_them() -> None:
    blank = to_blank((4, 6), [], [(1, 1, 3, 2)], outside=True, name="a")
    assert not blank[1:3, 1:4].any()
    assert int((~blank).sum()) == 6
    with pytest.raises(FormatError, match="the file states none"):
        to_blank((4, 6), [], [], outside=True, name="a")
    with pytest.raises(FormatError, match="must lie on the image of 6×4 pixels"):
        to_blank((4, 6), [(6, 0, 1, 1)], [], outside=False, name="a")


def test_counts_hold_no_values(tmp_path: Path) -> None:
    record = clean_file(file_of("CT_small.dcm"), {**HOW, "out": str(tmp_path / "a.dcm")})
    assert Counter(record["removed"])["PatientName"] == 1
    assert all(isinstance(count, int) for count in record["removed"].values())
    assert "CompressedSamples" not in str(record)


@pytest.mark.parametrize(("signed", "value"), [(0, 365), (1, 365), (1, -365)])
def test_what_is_drawn_into_unused_bits_goes_and_no_value_changes(tmp_path: Path, signed: int, value: int) -> None:
    path = next(write_stack(tmp_path / "in").iterdir())
    ds = pydicom.dcmread(path)
    words = np.full(ds.Rows * ds.Columns, value & 0xFFF, dtype="<u2")
    words[3:7] ^= 0x5000
    ds.PixelData, ds.PixelRepresentation = words.tobytes(), signed
    ds.save_as(path)
    found = np.frombuffer(cleaned(path, tmp_path).PixelData, dtype="<i2" if signed else "<u2")
    assert set(found.tolist()) == {value}
