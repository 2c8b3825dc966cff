"""Slices, boxes, regions and planes of doubt: made by hand, and against plain loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.subvolume import planes, units

maps = hnp.arrays(np.float64, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 8).map(lambda n: n / 8))


def test_slices_are_ranked_by_their_mean():
    score_map = np.zeros((2, 2, 3))
    score_map[..., 1], score_map[0, 0, 2] = 1.0, 2.0
    assert units.rank_slices(score_map, 2) == [units.SliceUnit(2, 1, 1.0), units.SliceUnit(2, 2, 0.5)]
    assert units.rank_slices(score_map, 9, axis=0)[0] == units.SliceUnit(0, 0, pytest.approx((2 + 2) / 6))


@given(maps, st.integers(0, 2))
def test_slices_match_a_stable_sort(score_map, axis):
    means = [np.take(score_map, n, axis=axis).mean() for n in range(score_map.shape[axis])]
    found = units.rank_slices(score_map, 3, axis=axis)
    assert [u.score for u in found] == pytest.approx(sorted(means, reverse=True)[:3])


def test_patches_lie_on_the_bad_spots_and_do_not_overlap():
    score_map = np.zeros((8, 8, 8))
    score_map[0:2, 0:2, 0:2], score_map[5:7, 5:7, 5:7] = 1.0, 0.5
    first, second = units.rank_patches(score_map, 2, box=(2, 2, 2))
    assert (first.start, first.stop, first.score) == ((0, 0, 0), (2, 2, 2), pytest.approx(1.0))
    assert (second.start, second.score) == ((5, 5, 5), pytest.approx(0.5))


@given(maps, st.tuples(*[st.integers(1, 3)] * 3))
def test_patches_never_overlap_and_fill_what_they_can(score_map, box):
    found = units.rank_patches(score_map, 1000, box=box)
    covered = np.zeros(score_map.shape, dtype=int)
    for patch in found:
        inside = tuple(slice(a, b) for a, b in zip(patch.start, patch.stop, strict=True))
        covered[inside] += 1
        assert patch.score == pytest.approx(score_map[inside].mean())
    assert covered.max() == 1
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_a_box_larger_than_the_map_is_the_map():
    assert units.rank_patches(np.ones((2, 2, 1)), 3, box=(9, 9, 9)) == [units.PatchUnit((0, 0, 0), (2, 2, 1), 1.0)]


def test_bad_maps_are_refused():
    for rank in (lambda m, n: units.rank_slices(m, n), lambda m, n: units.rank_patches(m, n, box=(1, 1, 1))):
        with pytest.raises(ShapeError, match="axes"):
            rank(np.ones((2, 2)), 1)
        with pytest.raises(InputError, match="NaN"):
            rank(np.full((2, 2, 2), np.nan), 1)
        with pytest.raises(SettingError, match="0 or more"):
            rank(np.ones((2, 2, 2)), -1)
    with pytest.raises(SettingError, match="0, 1 or 2"):
        units.rank_slices(np.ones((2, 2, 2)), 1, axis=3)


def sheet(normal, shape=(24, 24, 17), spacing=(1.0, 1.0, 1.5), offset_mm=0.0):
    """Doubt 1 within half a millimetre of the plane with that normal, through the middle or beside it."""
    middle = (np.array(shape) - 1) / 2
    places = (np.indices(shape).reshape(3, -1).T - middle) * spacing
    return (np.abs(places @ normal - offset_mm) <= 0.5).astype(float).reshape(shape)


@pytest.mark.parametrize("which", [0, 1, 2, 20, 77, 150, 202])
def test_a_sheet_of_doubt_is_found_in_every_orientation(which):
    normal = planes.plane_normals()[which]
    found = planes.best_plane(sheet(normal), (1.0, 1.0, 1.5))
    assert abs(np.dot(found.normal, normal)) > 0.98
    through = planes.best_plane_through(sheet(normal), (1.0, 1.0, 1.5), point=(11.5, 11.5, 8.0))
    assert abs(np.dot(through.normal, normal)) > 0.98
    assert through.centre == (11.5, 11.5, 8.0)


def test_an_axis_plane_has_the_integral_worked_out_by_hand():
    score_map = np.zeros((4, 5, 7))
    score_map[2] = 0.5
    found = planes.best_plane(score_map, (3.0, 1.0, 2.0), normals=np.eye(3), thickness_mm=3.0)
    assert found.normal == (1.0, 0.0, 0.0)
    assert found.score == pytest.approx(0.5 * 5 * 7 * 1.0 * 2.0)
    inner = planes.best_plane_through(score_map, (3.0, 1.0, 2.0), point=(2, 2, 3), radius_mm=1.0)
    assert inner.score == pytest.approx(0.5 * 3 * 2.0)


def test_the_centre_lies_on_the_plane():
    normal = planes.plane_normals()[90]
    spacing, middle = np.array([1.0, 1.0, 1.5]), np.array([11.5, 11.5, 8.0])
    found = planes.best_plane(sheet(normal, offset_mm=4.5), spacing, normals=normal[None])
    assert (np.array(found.centre) - middle) * spacing @ normal == pytest.approx(4.5)


def test_nothing_is_gained_by_tilting_where_doubt_is_one_voxel():
    score_map = np.zeros((5, 5, 5))
    score_map[1, 2, 3] = 1.0
    assert planes.best_plane_through(score_map, (1.0, 1.0, 1.0), point=(1, 2, 3)).normal == (1.0, 0.0, 0.0)
    assert planes.best_plane(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0)) == planes.PlaneUnit((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.0)


@settings(max_examples=20, deadline=None)
@given(maps)
def test_planes_match_a_plain_search(score_map):
    normals, spacing = planes.plane_normals(6), np.array([1.0, 2.0, 0.5])
    point = np.array(score_map.shape) // 2
    best = 0.0
    for normal in normals:
        inside = [
            -1.0 - 1e-9 <= np.dot((np.array(v) - point) * spacing, normal) < 1.0 - 1e-9
            for v in itertools.product(*map(range, score_map.shape))
        ]
        best = max(best, score_map.ravel()[inside].sum() * 1.0 / 2.0)
    found = planes.best_plane_through(score_map, spacing, point=point, normals=normals)
    assert found.score == pytest.approx(best)


def test_normals_are_unit_vectors_that_leave_no_hole():
    normals = planes.plane_normals()
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0)
    directions = np.random.default_rng(0).normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.abs(directions @ normals.T).max(axis=1).min() > np.cos(np.radians(12))


def test_bad_lengths_are_refused():
    with pytest.raises(SettingError, match="above 0 mm"):
        planes.best_plane(np.ones((2, 2, 2)), (1.0, 0.0, 1.0))
    with pytest.raises(SettingError, match="radius"):
        planes.best_plane_through(np.ones((2, 2, 2)), (1.0, 1.0, 1.0), point=(0, 0, 0), radius_mm=0.0)
    with pytest.raises(InputError, match="negative"):
        planes.best_plane(-np.ones((2, 2, 2)), (1.0, 1.0, 1.0))
