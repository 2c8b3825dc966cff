"""Lengths, angles and regions by hand on grids of every kind."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.metrics.caliper import angle, length, pixel_area, region_area, region_pixels, value_figures

OBLIQUE = np.array([[0.6, -0.8, 0.3, 5.0], [0.8, 0.6, 0.0, -7.0], [0.0, 0.0, 2.5, 9.0], [0.0, 0.0, 0.0, 1.0]])
"""Axes turned by 53 degrees in the plane, and slices that lean over: a tilted gantry."""

small = st.floats(-50, 50, allow_nan=False)
points3 = st.lists(st.tuples(small, small, small), min_size=3, max_size=3).map(np.array)


def test_a_length_is_pythagoras_in_millimetres() -> None:
    affine = np.diag([0.5, 2.0, 3.0, 1.0])
    assert length(np.array([[1.0, 1.0, 4.0], [7.0, 3.0, 4.0]]), affine) == pytest.approx(5.0)  # 3 mm and 4 mm


@given(points3)
def test_a_length_is_the_distance_of_the_places_in_the_patient(points: np.ndarray) -> None:
    places = points @ OBLIQUE[:3, :3].T + OBLIQUE[:3, 3]
    assert length(points[:2], OBLIQUE) == pytest.approx(float(np.linalg.norm(places[0] - places[1])), abs=1e-9)


def test_an_angle_is_measured_in_millimetres_not_in_voxels() -> None:
    corner = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    assert angle(corner, np.eye(4)) == pytest.approx(45)
    assert angle(corner, np.diag([1.0, math.sqrt(3), 1.0, 1.0])) == pytest.approx(60)


@pytest.mark.parametrize(("third", "wanted"), [((1, 0, 0), 0), ((-1, 0, 0), 180), ((0, 1, 0), 90)])
def test_straight_and_right_angles_are_exact(third: tuple[int, int, int], wanted: float) -> None:
    assert angle(np.array([[1.0, 0, 0], [0, 0, 0], third]), np.eye(4)) == pytest.approx(wanted, abs=1e-12)


def test_an_angle_without_a_leg_is_none() -> None:
    assert math.isnan(angle(np.zeros((3, 3)), np.eye(4)))


def test_the_area_of_a_leaning_pixel_is_that_of_its_parallelogram() -> None:
    assert pixel_area(2, OBLIQUE) == pytest.approx(1.0)
    first, third = OBLIQUE[:3, 0], OBLIQUE[:3, 2]
    assert pixel_area(1, OBLIQUE) == pytest.approx(float(np.linalg.norm(np.cross(first, third))))


def test_pixels_of_a_rectangle_are_those_whose_centre_is_within() -> None:
    corners = np.array([[0.6, 2.0, 1.0], [3.4, 0.0, 1.0]])
    found = region_pixels("rectangle", corners, 2, (5, 4))
    assert np.argwhere(found).tolist() == [[i, j] for i in (1, 2, 3) for j in (0, 1, 2)]
    assert region_area("rectangle", corners, 2, np.diag([0.5, 2.0, 3.0, 1.0])) == pytest.approx(2.8 * 0.5 * 2 * 2.0)


def test_the_pixels_of_an_ellipse_fill_its_area() -> None:
    corners = np.array([[10.0, 5.0, 3.0], [90.0, 5.0, 63.0]])  # across J: 80 by 60 voxels
    found = region_pixels("ellipse", corners, 1, (100, 80))
    assert region_area("ellipse", corners, 1, np.eye(4)) == pytest.approx(math.pi * 40 * 30)
    assert found.sum() == pytest.approx(math.pi * 40 * 30, rel=0.005)
    assert [found[10, 33], found[50, 3], found[12, 5]] == [True, True, False]


def test_figures_are_of_these_values_and_not_of_a_sample() -> None:
    assert value_figures(np.array([2, 4, 4, 4, 5, 5, 7, 9], np.int16)) == {"voxels": 8, "mean": 5, "sd": 2, "min": 2, "max": 9}


def test_no_voxel_has_no_mean() -> None:
    assert value_figures(np.zeros(0)) == {"voxels": 0}


GOLDEN = json.loads((Path(__file__).parent / "measured_by_numpy.json").read_text())
"""Worked out by other formulas (places in the patient, arc cosines, Gram determinants) on oblique, leaning and anisotropic grids;
the page's own code is held to the same file. Voxel (i, j, k) of 10 × 11 × 12 has the value (37 i + 91 j + 53 k + i j k) mod 301 − 100."""


@pytest.mark.parametrize("case", GOLDEN)
def test_figures_are_those_of_other_formulas(case: dict) -> None:
    affine = np.vstack([case["affine"], [0, 0, 0, 1]])
    points, axis = np.array(case["points"]), case["axis"]
    assert length(points[:2], affine) == pytest.approx(case["length"])
    assert angle(points, affine) == pytest.approx(case["angle"])
    i, j, k = np.indices((10, 11, 12))
    values = ((37 * i + 91 * j + 53 * k + i * j * k) % 301 - 100).take(case["index"], axis=axis)
    for shape in ("ellipse", "rectangle"):
        wanted = dict(case["regions"][shape])
        assert region_area(shape, points[:2], axis, affine) == pytest.approx(wanted.pop("area"))
        assert value_figures(values[region_pixels(shape, points[:2], axis, values.shape)]) == pytest.approx(wanted)
