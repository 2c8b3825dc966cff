from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import GeometryError, ShapeError
from medloop.core.geometry import Grid

SPACING = (0.7, 1.3, 4.1)
ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def oriented(order: tuple[int, ...], signs: tuple[int, ...], shape: tuple[int, int, int] = (4, 5, 6)) -> Grid:
    """A grid whose voxel axis v runs along world axis order[v] with the given sign."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for voxel, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, voxel] = sign * SPACING[voxel]
    affine[:3, 3] = (-20, 7, 100)
    return Grid(shape, affine)


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        one = np.eye(3)
        one[a, a] = one[b, b] = np.cos(angle)
        one[a, b], one[b, a] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    return turn


angles = st.floats(-3.1, 3.1)
sizes = st.floats(0.05, 50)
grids = st.builds(
    lambda a, s, o: Grid((7, 8, 9), np.vstack([np.column_stack([rotation(a) * np.array(s), o]), [0, 0, 0, 1]])),
    st.tuples(angles, angles, angles),
    st.tuples(sizes, sizes, sizes),
    st.tuples(*[st.floats(-1000, 1000)] * 3),
)


@given(grids, hnp.arrays(np.float64, (5, 3), elements=st.floats(-500, 500)))
def test_millimetres_and_voxels_are_inverse(grid: Grid, points: np.ndarray) -> None:
    np.testing.assert_allclose(grid.to_voxels(grid.to_mm(points)), points, atol=1e-7)


@given(grids)
def test_json_keeps_a_grid_bit_for_bit(grid: Grid) -> None:
    assert Grid.from_json(grid.to_json()) == grid
    assert hash(Grid.from_json(grid.to_json())) == hash(grid)


@given(grids)
def test_each_world_axis_is_used_once(grid: Grid) -> None:
    assert sorted(grid.world_axes) == [0, 1, 2]
    assert {grid.plane(name).slice_axis for name in ("axial", "coronal", "sagittal")} == {0, 1, 2}


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_axis_codes_are_those_of_nibabel(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    grid = oriented(order, signs)
    assert grid.axis_codes == "".join(nibabel.aff2axcodes(grid.affine))


@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_every_orientation_is_drawn_in_radiological_convention(order: tuple[int, ...], signs: tuple[int, ...], name: str) -> None:
    """Walking right and down on the screen must walk to the patient's left or back, and to the back or feet."""
    grid = oriented(order, signs)
    plane = grid.plane(name)
    right, down = np.zeros(3), np.zeros(3)
    right[plane.x_axis] = -1 if plane.x_flip else 1
    down[plane.y_axis] = -1 if plane.y_flip else 1
    walked_right = grid.to_mm(right) - grid.to_mm((0, 0, 0))
    walked_down = grid.to_mm(down) - grid.to_mm((0, 0, 0))
    wanted = {"axial": ((-1, 0, 0), (0, -1, 0)), "coronal": ((-1, 0, 0), (0, 0, -1)), "sagittal": ((0, -1, 0), (0, 0, -1))}[name]
    np.testing.assert_allclose(walked_right, np.array(wanted[0]) * plane.x_spacing_mm, atol=1e-9)
    np.testing.assert_allclose(walked_down, np.array(wanted[1]) * plane.y_spacing_mm, atol=1e-9)


def test_an_axial_plane_of_an_lps_scan_is_drawn_as_stored() -> None:
    plane = oriented((0, 1, 2), (-1, -1, 1)).plane("axial")
    assert (plane.x_axis, plane.y_axis, plane.slice_axis) == (0, 1, 2)
    assert not plane.x_flip
    assert not plane.y_flip
    assert plane.edges == ("R", "L", "A", "P")
    assert (plane.x_spacing_mm, plane.y_spacing_mm) == pytest.approx((0.7, 1.3))


def test_a_sagittal_plane_shows_the_front_on_the_left() -> None:
    assert oriented((0, 1, 2), (1, 1, 1)).plane("sagittal").edges == ("A", "P", "S", "I")


def test_a_picture_is_drawn_as_stored() -> None:
    grid = Grid.flat(30, 20, 0.5)
    (plane,) = grid.planes()
    assert grid.is_2d
    assert (plane.x_axis, plane.y_axis, plane.x_flip, plane.y_flip) == (0, 1, False, False)
    assert grid.spacing_mm == (0.5, 0.5, 1.0)


def test_a_single_coronal_slice_offers_its_own_plane() -> None:
    grid = oriented((0, 2, 1), (-1, -1, 1), (30, 40, 1))
    assert [plane.name for plane in grid.planes()] == ["coronal"]


def test_spacing_of_an_oblique_grid_is_the_length_of_its_steps() -> None:
    affine = np.eye(4)
    affine[:3, :3] = rotation((0.3, -0.4, 1.1)) * np.array(SPACING)
    assert Grid((2, 2, 2), affine).spacing_mm == pytest.approx(SPACING)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, 1), (1, 1, 40_000), (-3, 4, 4)])
def test_shapes_without_three_positive_lengths_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        Grid(shape, np.eye(4))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(3),
        np.diag([1, 1, 0, 1]),
        np.diag([1, np.nan, 1, 1]),
        np.diag([1, np.inf, 1, 1]),
        np.diag([1, 1, 1, 2]),
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    ],
)
def test_affines_that_do_not_span_space_are_refused(affine: object) -> None:
    with pytest.raises(GeometryError):
        Grid((2, 2, 2), affine)  # type: ignore[arg-type]


@pytest.mark.parametrize("spacing", [0.01, 1.0, 50.0])
def test_grids_within_a_share_of_a_voxel_are_the_same_whatever_its_size(spacing: float) -> None:
    grid = Grid.of_spacing((10, 10, 10), (spacing, spacing, 5 * spacing))
    near, far = np.array(grid.affine), np.array(grid.affine)
    near[0, 3], far[0, 3] = 0.04 * spacing, 0.06 * spacing
    assert grid.same_as(Grid(grid.shape, near))
    assert Grid(grid.shape, near).same_as(grid)
    assert not grid.same_as(Grid(grid.shape, far))
    assert not Grid(grid.shape, far).same_as(grid)


def test_grids_within_a_micrometre_are_the_same_and_beyond_a_millimetre_are_not() -> None:
    grid = Grid.of_spacing((10, 10, 10), (1, 1, 1))
    near, far = np.array(grid.affine), np.array(grid.affine)
    near[0, 3], far[0, 0] = 1e-6, 1.2
    assert grid.same_as(Grid(grid.shape, near))
    assert grid.differs_from(Grid(grid.shape, far)) == "positions differ by up to 1.8 mm (1.8 of a voxel)"
    with pytest.raises(GeometryError, match="the mask must lie"):
        grid.require_same(Grid.of_spacing((10, 10, 9), (1, 1, 1)), "the mask")


def test_the_affine_of_a_grid_cannot_be_changed() -> None:
    affine = np.eye(4)
    grid = Grid((2, 2, 2), affine)
    affine[0, 0] = 9
    assert grid.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 2


@pytest.mark.parametrize(("lean", "refused"), [(1e-4, True), (5e-3, False)])
def test_axes_that_hardly_span_space_are_refused_and_leaning_ones_are_not(lean: float, refused: bool) -> None:
    affine = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, lean, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    if refused:
        with pytest.raises(GeometryError, match="must span space"):
            Grid((4, 4, 4), affine)
    else:
        assert Grid((4, 4, 4), affine).shape == (4, 4, 4)
