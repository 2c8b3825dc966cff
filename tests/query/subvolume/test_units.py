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


def halves(columns: int = 40) -> np.ndarray:
    """A picture of one channel, dark at low I and bright at high I, shape (1, 40, columns, 1)."""
    return np.where(np.arange(40)[:, None, None] < 20, 0.0, 1.0)[None].repeat(columns, axis=2)


def test_the_box_of_a_superpixel_ends_where_the_picture_changes():
    score_map = np.zeros((40, 40, 1))
    score_map[18:26, 4:8] = 0.5  # two of its rows are dark
    first, second = units.rank_superpixels(score_map, halves(), 2)
    assert (first.start[0], second.stop[0]) == (20, 20)
    assert all(box.start[1] <= 4 < box.stop[1] and (box.start[2], box.stop[2]) == (0, 1) for box in (first, second))


def test_superpixels_lie_on_the_most_uncertain_slices_across_any_axis():
    score_map, image = np.zeros((30, 4, 40)), np.zeros((2, 30, 4, 40))
    score_map[5, 3, 5], score_map[20, 1, 20] = 1.0, 0.5
    found = units.rank_superpixels(score_map, image, 9, axis=1)
    assert [(box.start[1], box.stop[1]) for box in found] == [(3, 4), (1, 2)]
    assert all(box.start[n] <= at[n] < box.stop[n] for box, at in zip(found, [(5, 3, 5), (20, 1, 20)], strict=True) for n in range(3))


@settings(max_examples=15, deadline=None)
@given(hnp.arrays(np.float64, (30, 34, 1), elements=st.integers(0, 8).map(lambda n: n / 8)))
def test_superpixels_match_plain_loops(score_map):
    image = np.sin(np.arange(30)[:, None, None] / 3) * np.cos(np.arange(34)[:, None] / 5)
    numbers, left, expected = units.superpixels(image[None, ..., 0], (1.0, 1.0)), score_map[..., 0].copy(), []
    while left.sum() > 0 and len(expected) < 4:
        best = max(range(1, numbers.max() + 1), key=lambda n: left[numbers == n].sum())
        low, high = np.argwhere(numbers == best).min(axis=0), np.argwhere(numbers == best).max(axis=0) + 1
        expected.append(((*low, 0), (*high, 1)))
        left[low[0] : high[0], low[1] : high[1]] = 0
    assert [(box.start, box.stop) for box in units.rank_superpixels(score_map, image[None], 4)] == expected


def test_pictures_without_a_pixel_size_and_without_anything_in_them_are_cut_as_well():
    large = units.rank_superpixels(np.ones((600, 400, 1)), np.full((1, 600, 400, 1), np.nan), 1)[0]
    assert 25 <= large.stop[0] - large.start[0] <= 45  # a twentieth of 600, where 10 would be a dot
    assert units.rank_superpixels(np.ones((1, 1, 1)), np.ones((3, 1, 1, 1)), 5) == [units.PatchUnit((0, 0, 0), (1, 1, 1), 1.0)]
    assert units.rank_superpixels(np.zeros((5, 5, 1)), np.ones((1, 5, 5, 1)), 5) == []
    with pytest.raises(ShapeError, match=r"must fit the map \(5, 5, 1\), got \(1, 5, 4, 1\)"):
        units.rank_superpixels(np.zeros((5, 5, 1)), np.ones((1, 5, 4, 1)), 5)


def test_a_box_larger_than_the_map_is_the_map():
    assert units.rank_patches(np.ones((2, 2, 1)), 3, box=(9, 9, 9)) == [units.PatchUnit((0, 0, 0), (2, 2, 1), 1.0)]


def test_bad_maps_are_refused():
    ranks = (
        lambda m, n: units.rank_slices(m, n),
        lambda m, n: units.rank_patches(m, n, box=(1, 1, 1)),
        lambda m, n: units.rank_superpixels(m, m[None], n),
    )
    for rank in ranks:
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


def test_an_axis_plane_has_the_integral_worked_out_by_hand():
    score_map = np.zeros((4, 5, 7))
    score_map[2] = 0.5
    found = planes.best_plane(score_map, (3.0, 1.0, 2.0), normals=np.eye(3), thickness_mm=3.0)
    assert found.normal == (1.0, 0.0, 0.0)
    assert found.score == pytest.approx(0.5 * 5 * 7 * 1.0 * 2.0)


def test_the_centre_lies_on_the_plane():
    normal = planes.plane_normals()[90]
    spacing, middle = np.array([1.0, 1.0, 1.5]), np.array([11.5, 11.5, 8.0])
    found = planes.best_plane(sheet(normal, offset_mm=4.5), spacing, normals=normal[None])
    assert (np.array(found.centre) - middle) * spacing @ normal == pytest.approx(4.5)


def test_nothing_is_gained_by_tilting_where_doubt_is_one_voxel():
    score_map = np.zeros((5, 5, 5))
    score_map[1, 2, 3] = 1.0
    assert planes.best_plane(score_map, (1.0, 1.0, 1.0)).normal == (1.0, 0.0, 0.0)
    assert planes.best_plane(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0)) == planes.PlaneUnit((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.0)


@settings(max_examples=20, deadline=None)
@given(maps)
def test_planes_match_a_plain_search(score_map):
    normals, spacing = planes.plane_normals(6), np.array([1.0, 2.0, 0.5])
    middle = (np.array(score_map.shape) - 1) / 2
    best = 0.0
    for normal in normals:
        along = np.array([np.dot((np.array(v) - middle) * spacing, normal) for v in itertools.product(*map(range, score_map.shape))])
        for step in range(-8, 9):
            inside = (along - 2.0 * step >= -1.0 - 1e-9) & (along - 2.0 * step < 1.0 - 1e-9)
            best = max(best, score_map.ravel()[inside].sum() * 1.0 / 2.0)
    found = planes.best_plane(score_map, spacing, normals=normals)
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
    with pytest.raises(InputError, match="negative"):
        planes.best_plane(-np.ones((2, 2, 2)), (1.0, 1.0, 1.0))
