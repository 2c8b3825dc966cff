"""Run lengths, brushes, polygons and ellipses: golden strings of the documented formats, and every plane comes back, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as peer

from medloop.core.errors import FormatError
from medloop.images.shapes.brush import brush_of, from_brush
from medloop.images.shapes.outlines import outline, parts_of
from medloop.images.shapes.regions import PictureMark, ellipse, pixel_box, polygons
from medloop.images.shapes.runs import (
    box_runs,
    coco_runs,
    from_box_runs,
    from_coco_runs,
    from_run_lengths,
    packed_lengths,
    run_lengths,
    unpacked_lengths,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on numpy 2

PLANES = arrays.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))


@pytest.mark.parametrize(("flat", "lengths"), [([0, 0, 1, 1, 1, 0, 1], [2, 3, 1, 1]), ([1, 1, 1, 1, 1, 1, 0], [0, 6, 1])])
def test_run_lengths_are_those_of_cocos_documentation(flat: list[int], lengths: list[int]) -> None:
    assert run_lengths(np.array(flat, bool)) == lengths
    assert from_run_lengths(lengths, 7).tolist() == [bool(one) for one in flat]


def test_a_mask_is_the_circle_of_cvats_documentation() -> None:
    text = "3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3"
    lengths = [int(word) for word in text.split(", ")]
    plane = from_box_runs(lengths, (707, 888, 13, 15), 800, 950)
    rows = ["".join("#" if one else "." for one in row) for row in plane[707:720, 888:903].T]
    assert rows[0] == "...#####....."
    assert rows[7] == "#############"
    assert rows[14] == ".....#####..."
    assert box_runs(plane) == (lengths, (707, 888, 13, 15))


def test_a_brush_is_written_as_its_packing_is_documented() -> None:
    bits = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + "1" + "00" + "011" + "00000000" + "1" + "00" + "011" + "11111111"
    bits += "0" * (-len(bits) % 8)
    golden = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    assert brush_of(np.array([[False], [True]])) == golden
    words = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + "0" + "00" + "111" + "".join(f"{n:08b}" for n in (9, 9, 9, 0, 9, 9, 9, 200))
    words += "0" * (-len(words) % 8)
    drawn, plain = from_brush([int(words[at : at + 8], 2) for at in range(0, len(words), 8)], 2, 1)
    assert (drawn[:, 0].tolist(), plain) == ([False, True], False)


@settings(max_examples=150, deadline=None)
@given(plane=PLANES)
def test_every_plane_comes_back_and_pycocotools_reads_the_same(plane: np.ndarray) -> None:
    columns, rows = plane.shape
    counts = coco_runs(plane)
    assert packed_lengths(counts).encode() == peer.encode(np.asfortranarray(plane.T.astype(np.uint8)))["counts"]
    assert unpacked_lengths(packed_lengths(counts)) == counts
    assert np.array_equal(from_coco_runs(packed_lengths(counts), columns, rows), plane)
    assert np.array_equal(from_brush(brush_of(plane), columns, rows)[0], plane)
    if plane.any():
        assert np.array_equal(from_box_runs(*box_runs(plane), columns, rows), plane)
    filled, drawn = np.zeros_like(plane), np.zeros_like(plane)
    for part, (left, top) in parts_of(plane):
        rings = [[float(c) for x, y in ring for c in (x + left, y + top)] for ring in outline(part)]
        polygons(rings)(filled)
        drawn |= peer.decode(peer.merge(peer.frPyObjects(rings, rows, columns))).T.astype(bool)
    assert np.array_equal(filled, plane)
    assert np.array_equal(drawn, plane)


def test_long_runs_of_a_brush_are_parted() -> None:
    plane = np.zeros((400, 300), bool)
    plane[20:380, 10:290] = True
    plane[21, 11] = False
    assert np.array_equal(from_brush(brush_of(plane), 400, 300)[0], plane)


def test_a_turned_ellipse_lies_across() -> None:
    plane = np.zeros((30, 30), bool)
    ellipse((15, 15), (12, 2), 90)(plane)
    at = np.argwhere(plane)
    assert (at.max(0) - at.min(0)).tolist() == [3, 23]
    assert plane.sum() == pytest.approx(np.pi * 24, rel=0.1)


@pytest.mark.parametrize(
    ("paint", "words"),
    [
        (polygons([[1, 1, 5, 5]]), "3 to 100000 points, got 2"),
        (polygons([[1, 1, 5, 5, 9]]), "got 2.5"),
        (polygons([[1, 1, float("nan"), 5, 9, 9]]), "finite pixels"),
        (polygons([[1, 1, 1e300, 5, 9, 9]]), "finite pixels"),
        (polygons([["a", 1, 1, 5, 9, 9]]), "a list of numbers"),
        (ellipse((1, 1), (0, 3), 0), "above 0"),
    ],
)
def test_damaged_shapes_are_refused(paint, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        paint(np.zeros((9, 9), bool))


@pytest.mark.parametrize(
    "decode",
    [
        lambda: from_coco_runs([3, 4], 3, 3),
        lambda: from_coco_runs([-1, 10], 3, 3),
        lambda: from_coco_runs([[1], [2, 3]], 3, 3),  # type: ignore[list-item]
        lambda: from_coco_runs([10**30], 3, 3),
        lambda: from_coco_runs("é", 3, 3),
        lambda: from_coco_runs("ooooooooooo1", 3, 3),
        lambda: from_coco_runs("o", 3, 3),
        lambda: from_box_runs([9], (1, 1, 3, 3), 3, 3),
        lambda: from_brush([0, 0, 0, 36], 3, 3),
        lambda: from_brush([999], 3, 3),
        lambda: from_brush(brush_of(np.ones((4, 3), bool)), 3, 3),
    ],
)
def test_damaged_run_lengths_are_refused(decode) -> None:
    with pytest.raises(FormatError):
        decode()


def test_boxes_and_points_become_whole_pixels_within_the_picture() -> None:
    assert pixel_box(PictureMark(1, "box", (1.9999, 2.0, 4.0001, 50)), 9, 9) == ((2, 2), (4, 9))
    assert pixel_box(PictureMark(1, "point", (3.2, 8.9)), 9, 9) == ((3, 8), (4, 9))
    with pytest.raises(FormatError, match="lies outside"):
        pixel_box(PictureMark(1, "point", (9.5, 1)), 9, 9)
