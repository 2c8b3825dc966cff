import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from scipy.special import ellipe

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.metrics.ellipse import Ellipse, _from_conic, fit_ellipse
from medloop.metrics.measures import (
    area_mm2,
    circumference_mm,
    diameter_mm,
    ellipse_of,
    in_plane_diameter_mm,
    measure,
    measure_names,
    unit_of,
    volume_ml,
)
from medloop.metrics.outline import crossing_points

SHEARED = Grid((9, 8, 7), np.array([[0.0, -2.0, 0.3, 5.0], [1.5, 0.1, 0.0, -3.0], [0.2, 0.0, 4.0, 7.0], [0.0, 0.0, 0.0, 1.0]]))
masks = arrays(bool, (5, 4, 3), elements=st.booleans())


def block(grid: Grid, shape: tuple[int, int, int]) -> np.ndarray:
    inside = np.zeros(grid.shape, dtype=bool)
    inside[1 : 1 + shape[0], 1 : 1 + shape[1], 1 : 1 + shape[2]] = True
    return inside


def disc(semi_axes: tuple[float, float], *, angle: float = 0.0, size: int = 200, spacing: tuple[float, float] = (1.0, 1.0)):
    """An ellipse with semi-axes in mm, drawn on a flat grid of `size` mm."""
    grid = Grid.of_spacing((round(size / spacing[0]), round(size / spacing[1]), 1), (*spacing, 1.0))
    i, j = np.meshgrid(*(np.arange(n) * s - size / 2 for n, s in zip(grid.shape, spacing, strict=False)), indexing="ij")
    u, v = i * math.cos(angle) + j * math.sin(angle), -i * math.sin(angle) + j * math.cos(angle)
    return ((u / semi_axes[0]) ** 2 + (v / semi_axes[1]) ** 2 <= 1)[..., None], grid


def test_a_block_is_as_large_as_its_voxels_say() -> None:
    grid = Grid.of_spacing((10, 10, 10), (1.0, 2.0, 5.0))
    found = measure(block(grid, (6, 3, 1)), grid)
    assert found["volume"] == pytest.approx(6 * 3 * 1 * 10 / 1000)
    assert found["area"] == pytest.approx(6 * 3 * 2)
    assert found["in_plane_diameter"] == pytest.approx(math.hypot(5, 3 * 2))  # corner to corner: half a pixel beyond, along J
    assert found["diameter"] == pytest.approx(math.hypot(5, 2 * 2, 5))  # half a slice beyond, along K


def test_one_voxel_is_as_long_as_its_longest_side() -> None:
    grid = Grid.of_spacing((4, 4, 4), (1.0, 2.0, 5.0))
    found = measure(block(grid, (1, 1, 1)), grid)
    assert found["diameter"] == pytest.approx(5.0)
    assert found["in_plane_diameter"] == pytest.approx(2.0)
    assert math.isnan(found["circumference"])


def test_nothing_has_no_size() -> None:
    for grid in (Grid.of_spacing((4, 5, 6), (1, 1, 1)), Grid.flat(4, 5)):
        assert set(measure(np.zeros(grid.shape, dtype=bool), grid).values()) == {0.0}


def test_volume_and_area_follow_a_turned_and_sheared_affine() -> None:
    inside = block(SHEARED, (3, 2, 4))
    columns = SHEARED.affine[:3, :3].T
    assert volume_ml(inside, SHEARED) == pytest.approx(24 * abs(np.dot(columns[2], np.cross(columns[0], columns[1]))) / 1000)
    assert area_mm2(inside, SHEARED, axis=1) == pytest.approx(12 * np.linalg.norm(np.cross(columns[0], columns[2])))


@settings(max_examples=30)
@given(masks)
def test_the_diameter_is_the_largest_of_all_distances(inside: np.ndarray) -> None:
    assume(inside.any())
    grid = Grid((5, 4, 3), SHEARED.affine)
    assert diameter_mm(inside, grid) == pytest.approx(pdist(grid.to_mm(crossing_points(inside))).max(), rel=1e-9)


@settings(max_examples=30)
@given(masks, st.integers(0, 2))
def test_no_slice_is_wider_than_the_whole(inside: np.ndarray, axis: int) -> None:
    grid = Grid((5, 4, 3), SHEARED.affine)
    assert in_plane_diameter_mm(inside, grid, axis=axis) <= diameter_mm(inside, grid) + 1e-9


@settings(max_examples=30)
@given(masks, st.permutations(range(3)), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_sizes_do_not_depend_on_the_order_or_direction_of_voxels(inside, order, turned) -> None:
    """The same body stored with other axes measures the same."""
    grid = Grid.of_spacing(inside.shape, (0.7, 1.3, 2.0))
    flips = tuple(axis for axis in range(3) if turned[axis])
    affine = grid.affine.copy()
    for axis in flips:
        affine[:3, 3] += affine[:3, axis] * (inside.shape[axis] - 1)
        affine[:3, axis] *= -1
    affine[:, :3] = affine[:, list(order)]
    stored = np.flip(inside, flips).transpose(order)
    other = Grid(stored.shape, affine)
    assert volume_ml(stored, other) == pytest.approx(volume_ml(inside, grid))
    assert diameter_mm(stored, other) == pytest.approx(diameter_mm(inside, grid))


def test_a_ball_has_the_volume_and_diameter_of_a_ball() -> None:
    grid = Grid.of_spacing((60, 40, 30), (1.0, 1.5, 2.0))
    centre = np.array([30.0, 29.0, 29.0])
    inside = np.linalg.norm(grid.to_mm(np.argwhere(np.ones(grid.shape))) - centre, axis=1).reshape(grid.shape) <= 20
    assert volume_ml(inside, grid) == pytest.approx(4 / 3 * math.pi * 8, rel=0.01)
    assert diameter_mm(inside, grid) == pytest.approx(40, abs=2.0)  # a slice is 2 mm thick


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 1.0)])
@pytest.mark.parametrize("axes", [(60.0, 60.0), (70.0, 50.0), (80.0, 25.0)])
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_the_circumference_of_a_drawn_ellipse_is_that_of_the_ellipse(axes, spacing, angle) -> None:
    inside, grid = disc(axes, angle=angle, spacing=spacing)
    exact = 4 * axes[0] * ellipe(1 - (axes[1] / axes[0]) ** 2)
    assert circumference_mm(inside, grid) == pytest.approx(exact, rel=0.004)


def test_a_drawn_outline_measures_as_the_filled_shape() -> None:
    filled, grid = disc((70.0, 50.0))
    inner, _ = disc((67.0, 47.0))
    assert circumference_mm(filled & ~inner, grid) == pytest.approx(circumference_mm(filled, grid))


def test_crumbs_do_not_change_the_circumference() -> None:
    inside, grid = disc((50.0, 40.0))
    crumbs = inside.copy()
    crumbs[2:5, 2:5] = True
    assert circumference_mm(crumbs, grid) == circumference_mm(inside, grid)


def test_the_fit_agrees_with_scikit_image() -> None:
    from skimage.measure import EllipseModel

    rng = np.random.default_rng(2)
    around = np.linspace(0, 5, 40)
    points = np.stack([3 + 9 * np.cos(around), -2 + 4 * np.sin(around)], axis=1) @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    points += rng.normal(0, 0.2, points.shape)
    fitted = EllipseModel.from_estimate(points)
    found = fit_ellipse(points)
    assert (found.x, found.y) == pytest.approx(tuple(fitted.center), rel=1e-6)
    assert (found.long, found.short) == pytest.approx(tuple(sorted(fitted.axis_lengths)[::-1]), rel=1e-6)


@given(st.floats(1, 100), st.floats(0.05, 1), st.floats(-1.5, 1.5), st.floats(-1e3, 1e3))
def test_points_of_an_ellipse_give_it_back(long, ratio, angle, x) -> None:
    around = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    u, v = long * np.cos(around), long * ratio * np.sin(around)
    points = np.stack([x + u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)], axis=1)
    found = fit_ellipse(points)
    assert (found.long, found.short) == pytest.approx((long, long * ratio), rel=1e-4)
    if ratio < 0.95:
        assert math.cos(2 * (found.angle - angle)) == pytest.approx(1, abs=1e-3)


@given(st.floats(0.05, 1))
def test_ramanujan_is_right_to_a_ten_thousandth(ratio: float) -> None:
    exact = 4 * ellipe(1 - ratio**2)
    assert Ellipse(0, 0, 1.0, ratio, 0).circumference == pytest.approx(exact, rel=1e-4)


def test_a_line_has_no_ellipse() -> None:
    line = np.zeros((20, 20, 1), dtype=bool)
    line[3:15, 4] = True
    assert circumference_mm(line, Grid.flat(20, 20)) > 0  # a pixel wide is wide enough
    with pytest.raises(InputError, match="line"):
        fit_ellipse(np.stack([np.arange(9.0), 2 * np.arange(9.0)], axis=1))
    with pytest.raises(InputError, match="nothing"):
        ellipse_of(np.zeros((20, 20, 1), dtype=bool), Grid.flat(20, 20))


def test_a_conic_that_rounding_took_for_an_ellipse_is_refused() -> None:
    with pytest.raises(InputError, match="No ellipse"):
        _from_conic(0.0, 0.0, 1.0, 1.0, 0.0, 0.0)  # a parabola: its form has no inverse


def test_without_a_pixel_size_everything_is_pixels() -> None:
    grid = Grid.of_spacing((10, 10, 10), (3.0, 3.0, 3.0))
    found = measure(block(grid, (4, 3, 2)), grid, sized=False)
    assert found["volume"] == pytest.approx(24)
    assert found["area"] == pytest.approx(12)
    assert [unit_of(name, sized=False) for name in measure_names(grid)] == ["voxels", "pixels", "pixels", "pixels", "pixels"]
    assert unit_of("diameter", sized=True) == "mm"


def test_wrong_use_is_told() -> None:
    grid = Grid.flat(4, 4)
    with pytest.raises(ShapeError, match="shape"):
        volume_ml(np.zeros((2, 2, 1), dtype=bool), grid)
    with pytest.raises(SettingError, match="0, 1 or 2"):
        area_mm2(np.zeros((4, 4, 1), dtype=bool), grid, axis=3)
    with pytest.raises(SettingError, match="volume"):
        unit_of("weight", sized=True)  # type: ignore[arg-type]
