"""Pictures: outlines follow their masks, the slice is the one that differs most, what is cut out holds the structures."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from medloop.core.geometry import Grid
from medloop.report.pictures import Shape, drawn_slice, largest_disagreement, outline_path, picture

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


def vertices(path: str) -> np.ndarray:
    return np.array([[float(v) for v in point.split()] for point in re.findall(r"[ML]([^MLZ]+)", path)])


@given(MASKS)
def test_every_vertex_of_an_outline_lies_half_way_between_a_voxel_inside_and_one_outside(inside: np.ndarray) -> None:
    padded = np.pad(inside, 1)
    path = outline_path(inside)
    assert bool(path) == bool(inside.any())
    for x, y in vertices(path) if path else ():
        column, row = x + 0.5, y + 0.5  # of the padded mask, centres at whole numbers
        assert (column % 1 == 0.5) != (row % 1 == 0.5)
        low = padded[int(np.floor(row)), int(np.floor(column))]
        high = padded[int(np.ceil(row)), int(np.ceil(column))]
        assert low != high


def test_the_outline_of_a_rectangle_holds_its_area_but_for_the_corners() -> None:
    inside = np.zeros((8, 9), dtype=np.bool_)
    inside[2:5, 3:8] = True
    points = vertices(outline_path(inside))
    x, y = points.T
    assert (x.min(), x.max(), y.min(), y.max()) == (3, 8, 2, 5)
    assert 0.5 * abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) == pytest.approx(15 - 4 / 8)


def test_a_hole_has_an_outline_of_its_own() -> None:
    ring = np.ones((5, 5), dtype=np.bool_)
    ring[2, 2] = False
    assert outline_path(ring).count("Z") == 2


def test_the_slice_that_differs_most_is_shown_in_the_plane_of_the_thickest_slices() -> None:
    grid = Grid.of_spacing((12, 30, 30), (5.0, 1.0, 1.0))
    truth, predicted = np.zeros(grid.shape, dtype=np.uint8), np.zeros(grid.shape, dtype=np.uint8)
    truth[:, 10:14, 10:14] = 1
    predicted[:, 10:14, 10:13] = 1
    predicted[7, 10:14, 10:13] = 2
    shot = largest_disagreement(grid, truth, predicted)
    assert (shot.plane.slice_axis, shot.index) == (0, 7)


def test_masks_that_agree_are_shown_where_they_are_largest_and_empty_ones_in_the_middle() -> None:
    grid = Grid.of_spacing((10, 10, 9), (1.0, 1.0, 1.0))
    mask = np.zeros(grid.shape, dtype=np.uint8)
    assert largest_disagreement(grid, mask, mask).index == 4
    mask[2:6, 2:6, 7] = 1
    mask[2:3, 2:3, 1] = 1
    assert largest_disagreement(grid, mask, mask).index == 7


def test_the_patients_left_is_drawn_on_the_right_and_the_front_on_top() -> None:
    plane = Grid.of_spacing((3, 4, 1), (1.0, 1.0, 1.0)).plane("axial")
    volume = np.zeros((3, 4, 1))
    volume[0, 3, 0] = 1  # left, anterior
    assert drawn_slice(volume, plane, 0).shape == (4, 3)
    assert drawn_slice(volume, plane, 0)[0, 2] == 1


def test_a_flat_picture_is_drawn_as_it_is_stored() -> None:
    stored = np.arange(12).reshape(3, 4, 1)
    assert (drawn_slice(stored, Grid.flat(3, 4).plane("axial"), 0) == stored[:, :, 0].T).all()


@given(arrays(np.uint8, (20, 33, 2), elements=st.sampled_from([0] * 30 + [1])), st.floats(0.2, 8.0))
def test_what_is_shown_holds_every_structure_of_the_slice(mask: np.ndarray, thick: float) -> None:
    grid = Grid.of_spacing(mask.shape, (1.0, thick, 20.0))
    shot = largest_disagreement(grid, mask, np.zeros_like(mask))
    whole = drawn_slice(mask, shot.plane, shot.index)
    assert (shot.cut(mask) > 0).sum() == (whole > 0).sum()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_holds_its_pixels_and_outlines_in_the_labels_colour(channels: int) -> None:
    grid = Grid.flat(40, 30)
    image = np.zeros((channels, *grid.shape), dtype=np.uint8)
    image[0, :, 10:] = 255
    truth, predicted = np.zeros(grid.shape, dtype=np.uint8), np.zeros(grid.shape, dtype=np.uint8)
    truth[:20] = 1
    shot = largest_disagreement(grid, truth, predicted)
    drawn = picture(
        image, [(0.0, 255.0)] * channels, shot, [("truth", truth), ("predicted", predicted)], [Shape((1,), "#d80000")], label="<b>"
    )
    root = ElementTree.fromstring(drawn)
    assert root.attrib["aria-label"] == "<b>"
    lines = [(p.attrib["class"], p.get("stroke")) for p in root.iter("path")]
    assert lines == [("outline truth", None), ("outline truth", "#d80000")]
    (shown,) = root.iter("image")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.attrib["href"].partition(",")[2]))))
    assert pixels.shape[:2] == shot.cut(truth).shape
    assert pixels.ndim == (3 if channels == 3 else 2)
    assert {int(v) for v in np.unique(pixels)} == {0, 255}


def test_large_pictures_are_made_smaller_and_pixels_that_are_no_numbers_are_black() -> None:
    grid = Grid.flat(1500, 900)
    image = np.full((1, *grid.shape), np.nan, dtype=np.float32)
    drawn = picture(image, [(0.0, 1.0)], largest_disagreement(grid, None, None), [], [], label="x")
    (shown,) = ElementTree.fromstring(drawn).iter("image")
    small = Image.open(io.BytesIO(base64.b64decode(shown.attrib["href"].partition(",")[2])))
    assert max(small.size) == 512
    assert np.asarray(small).max() == 0
