"""What a series asks to be shown with: its windows in the values that are kept, its modality, its directions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medloop.core.records import Display
from medloop.images.dicom_display import inversion_end
from medloop.images.read import ReadImage, read_image
from tests.images.test_dicom import frames, series, slice_of


def shown(read: ReadImage) -> Display:
    assert read.source.display is not None
    return read.source.display


def ranges(read: ReadImage) -> list[tuple[str, float, float]]:
    return [(w.name, w.low, w.high) for w in shown(read).windows]


def one(folder: Path, **changes: Any) -> ReadImage:
    slice_of(0, **changes).save_as(folder / "x.dcm", enforce_file_format=True)
    return read_image(folder / "x.dcm")


def test_a_single_window_is_called_dicom(tmp_path: Path) -> None:
    read = one(tmp_path, WindowCenter=-1000, WindowWidth=350)
    assert ranges(read) == [("DICOM", -1175, -825)]
    assert (shown(read).modality, shown(read).oriented) == ("CT", True)


def test_several_windows_keep_their_order_and_explanations_and_lose_repetitions(tmp_path: Path) -> None:
    read = one(
        tmp_path,
        WindowCenter=[-1000, -1000, -900, -1010],
        WindowWidth=[100, 100, 500, 60],
        WindowCenterWidthExplanation=["A", "A", "LUNG", ""],
    )
    assert ranges(read) == [("DICOM", -1050, -950), ("DICOM LUNG", -1150, -650), ("DICOM 3", -1040, -980)]
    assert [window.explanation for window in shown(read).windows] == ["A", "LUNG", ""]


@pytest.mark.parametrize(
    ("function", "width", "curve"),
    [
        (None, 100, "linear"),
        ("LINEAR", 100, "linear"),
        ("LINEAR", 1, "linear"),
        ("LINEAR", 0.5, "exact"),
        ("LINEAR_EXACT", 100, "exact"),
        ("SIGMOID", 100, "sigmoid"),
    ],
)
def test_the_functions_of_a_window_span_the_same_values_and_are_kept(
    tmp_path: Path, function: str | None, width: float, curve: str
) -> None:
    read = one(tmp_path, WindowCenter=-1010, WindowWidth=width, **({"VOILUTFunction": function} if function else {}))
    assert ranges(read) == [("DICOM", -1010 - width / 2, -1010 + width / 2)]
    assert [window.curve for window in shown(read).windows] == [curve]


def test_a_window_without_a_width_is_left_out_and_noted(tmp_path: Path) -> None:
    read = one(tmp_path, WindowCenter=[-1010, -1010], WindowWidth=[0, 30])
    assert ranges(read) == [("DICOM", -1025, -995)]
    assert any("has no width" in note for note in read.notes)


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({}, "HU"),
        ({"RescaleType": "HU"}, "HU"),
        ({"RescaleType": "US"}, ""),
        ({"Modality": "MR"}, ""),
        ({"Modality": "PT", "Units": "BQML"}, "Bq/ml"),
        ({"Modality": "PT", "Units": "GML"}, "SUV"),
        ({"Modality": "PT", "Units": "CM2ML"}, "CM2ML"),
        ({"Modality": "PT"}, ""),
    ],
)
def test_the_unit_of_the_values_is_what_the_file_says(tmp_path: Path, changes: dict[str, str], unit: str) -> None:
    assert shown(one(tmp_path, **changes)).unit == unit


def test_a_ct_that_is_not_rescaled_has_no_unit(tmp_path: Path) -> None:
    tags = slice_of(0)
    del tags.RescaleSlope, tags.RescaleIntercept
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert shown(read_image(tmp_path / "x.dcm")).unit == ""


@pytest.mark.parametrize(("modality", "inverted"), [("PT", True), ("DX", False)])
def test_measured_values_that_are_dark_to_bright_are_kept_and_drawn_inverted(tmp_path: Path, modality: str, inverted: bool) -> None:
    assert shown(one(tmp_path, Modality=modality, PhotometricInterpretation="MONOCHROME1")).inverted is inverted
    assert not shown(one(tmp_path, Modality=modality)).inverted


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"WindowCenter": -1000},
        {"WindowCenter": -1000, "WindowWidth": 0},
        {"WindowCenter": [-1000, 2], "WindowWidth": 5},
        {"WindowCenter": "", "WindowWidth": ""},
    ],
)
def test_a_window_that_cannot_be_used_is_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert ranges(one(tmp_path, **changes)) == []


def test_a_window_that_shows_nothing_is_left_out_and_noted(tmp_path: Path) -> None:
    read = one(tmp_path, WindowCenter=[5000, -1029, -1010], WindowWidth=[10, 10, 30])  # the second ends at the lowest value
    assert read.image.array.min() == -1024
    assert ranges(read) == [("DICOM", -1025, -995)]
    assert any("shows none of its values" in note for note in read.notes)


def test_windows_that_differ_from_slice_to_slice_give_their_middle_and_a_note(tmp_path: Path) -> None:
    def window(ds: Dataset, number: int) -> None:
        ds.WindowCenter, ds.WindowWidth = -900 + number, 100 + 2 * number

    read = read_image(series(tmp_path / "ct", change=window))
    assert ranges(read) == [("DICOM", -950, -846)]
    assert any("window differs from slice to slice" in note for note in read.notes)


def test_the_windows_of_frames_are_found_in_their_groups(tmp_path: Path) -> None:
    tags = frames(slice_of(0))
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = 60, 350
    tags.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence = [voi]
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert ranges(read_image(tmp_path / "x.dcm")) == [("DICOM", -115, 235)]


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (3, -5)])
def test_the_window_of_an_inverted_radiograph_is_inverted_with_its_values(tmp_path: Path, slope: int, intercept: int) -> None:
    window = {"WindowCenter": 10 * slope + intercept, "WindowWidth": 8 * slope}
    changes = window | {"Modality": "DX", "RescaleSlope": slope, "RescaleIntercept": intercept}
    plain = one(tmp_path, PhotometricInterpretation="MONOCHROME2", **changes)
    turned = one(tmp_path, PhotometricInterpretation="MONOCHROME1", **changes)
    (window,), (mirrored,) = shown(plain).windows, shown(turned).windows
    inside = (plain.image.array > window.low) & (plain.image.array < window.high)
    np.testing.assert_array_equal((turned.image.array > mirrored.low) & (turned.image.array < mirrored.high), inside)


def test_a_picture_without_orientation_has_no_directions(tmp_path: Path) -> None:
    tags = slice_of(0, Modality="CR")
    del tags.ImagePositionPatient, tags.ImageOrientationPatient
    tags.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert shown(read_image(tmp_path / "x.dcm")).oriented is False


@pytest.mark.data
def test_the_window_of_a_real_ct_is_the_one_in_its_header(data_folder: Path) -> None:
    read = read_image(data_folder / "dicom/ct_chest")
    assert ranges(read) == [("DICOM", -115.0, 235.0)]


@pytest.mark.parametrize(("stored", "end"), [({}, 255), ({"BitsStored": 12}, 4095), ({"BitsStored": 12, "PixelRepresentation": 1}, -1)])
def test_dark_to_bright_is_turned_about_the_end_of_the_stored_range(stored: dict[str, int], end: int) -> None:
    tags = Dataset()
    for name, value in stored.items():
        setattr(tags, name, value)
    assert inversion_end(tags) == end
