"""Frames that are moments: read as time, never as millimetres."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.tag import Tag

from medloop.core.records import Display, Source, source_from_json
from medloop.images.frame_times import are_moments, frame_seconds
from medloop.images.notes import kind_of
from medloop.images.read import read_image
from medloop.images.result import UNSPACED
from tests.images.test_dicom import slice_of

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"


def film(path: Path, frames: int = 4, **changes: Any) -> Path:
    """A cine loop without positions, of 6 × 4 pixels."""
    tags = slice_of(0, Modality="US", SOPClassUID=ULTRASOUND, NumberOfFrames=frames, RescaleIntercept=0)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "PixelSpacing", "SpacingBetweenSlices"):
        if keyword in tags:
            delattr(tags, keyword)
    tags.PixelData = np.arange(24 * frames, dtype="<u2").tobytes()
    for keyword, value in changes.items():
        setattr(tags, keyword, value)
    tags.save_as(path, enforce_file_format=True)
    return path


def test_a_cine_loop_is_frames_over_time_with_the_times_of_its_header(tmp_path: Path) -> None:
    read = read_image(film(tmp_path / "x.dcm", FrameTime=40, FrameIncrementPointer=Tag("FrameTime"), PixelSpacing=[2.5, 2.5]))
    shown = read.source.display
    assert shown is not None
    assert (shown.over_time, shown.frame_seconds, shown.oriented) == (True, (0.0, 0.04, 0.08, 0.12), False)
    assert read.image.grid.shape == (6, 4, 4)
    assert read.image.grid.paging_axis == 2
    assert UNSPACED not in read.notes
    (said,) = (note for note in read.notes if kind_of(note) == "time")
    assert said == "4 frames are moments of one picture, not slices of a volume; 0.12 s from the first to the last"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"FrameTimeVector": [0, 30, 50, 20], "FrameTime": 40}, (0.0, 0.03, 0.08, 0.1)),
        ({"FrameTimeVector": [0, 30], "FrameTime": 40}, (0.0, 0.04, 0.08, 0.12)),
        ({"CineRate": 25}, (0.0, 0.04, 0.08, 0.12)),
        ({"FrameTime": 0}, ()),
        ({}, ()),
    ],
)
def test_the_times_are_those_that_the_header_can_mean(tmp_path: Path, header: dict[str, Any], seconds: tuple[float, ...]) -> None:
    shown = read_image(film(tmp_path / "x.dcm", **header)).source.display
    assert shown is not None
    assert (shown.over_time, shown.frame_seconds) == (True, seconds)


@pytest.mark.parametrize(
    ("header", "spaced", "moments"),
    [
        ({"Modality": "US"}, False, True),
        ({"Modality": "US"}, True, False),
        ({"Modality": "NM"}, False, False),
        ({"Modality": "MR", "FrameTime": 40}, False, True),
        ({"Modality": "MR", "FrameTime": 40, "FrameIncrementPointer": Tag("FrameTime")}, True, True),
        ({"Modality": "US", "FrameIncrementPointer": Tag("SliceVector")}, False, False),
        ({"Modality": "US", "FrameIncrementPointer": [Tag("SliceVector"), Tag("FrameTimeVector")]}, False, True),
    ],
)
def test_the_pointer_of_the_file_decides_before_its_spacing_and_this_before_its_modality(
    header: dict[str, Any], spaced: bool, moments: bool
) -> None:
    tags = pydicom.Dataset()
    for keyword, value in header.items():
        setattr(tags, keyword, value)
    assert are_moments(tags, spaced=spaced) == moments


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=50))
def test_frames_never_run_backwards(steps: list[float]) -> None:
    seconds = frame_seconds({"FrameTimeVector": steps}, len(steps))
    assert len(seconds) == len(steps)
    assert seconds[0] == 0
    assert (np.diff(seconds) >= 0).all()


def test_a_source_keeps_its_times_and_one_from_before_them_has_none() -> None:
    source = Source(format="dicom", names=("x",), sha256="", display=Display(over_time=True, frame_seconds=(0.0, 0.5)))
    record = asdict(source)
    assert source_from_json(record) == source
    for name in ("over_time", "frame_seconds"):
        del record["display"][name]
    old = source_from_json(record).display
    assert old is not None
    assert (old.over_time, old.frame_seconds) == (False, ())
