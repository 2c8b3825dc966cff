import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.metrics.calibration import ece
from medloop.metrics.voxel_calibration import boundary_band, judge_calibration, voxel_rows


def line(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint8).reshape(-1, 1, 1)


def grid_of(mask: np.ndarray, spacing_mm: float = 1.0) -> Grid:
    return Grid(mask.shape, np.diag([spacing_mm] * 3 + [1.0]))


def test_the_band_lies_on_both_sides_of_the_border_and_is_measured_in_mm():
    mask = line([0, 0, 0, 1, 1, 1])
    assert boundary_band(mask, grid_of(mask), width_mm=1.0).ravel().tolist() == [False, False, True, True, False, False]
    assert boundary_band(mask, grid_of(mask, 0.5), width_mm=1.0).ravel().tolist() == [False, True, True, True, True, False]


def test_a_band_is_that_of_one_label_or_of_all_foreground():
    mask = line([0, 1, 1, 2, 2, 0])
    assert boundary_band(mask, grid_of(mask), width_mm=1.0).ravel().tolist() == [True, True, False, False, True, True]
    assert boundary_band(mask, grid_of(mask), width_mm=1.0, label=1).ravel().tolist() == [True, True, True, True, False, False]


@pytest.mark.parametrize("values", [[0, 0, 0], [1, 1, 1]])
def test_without_a_border_there_is_no_band(values):
    mask = line(values)
    assert not boundary_band(mask, grid_of(mask), width_mm=3.0).any()


@given(hnp.arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 2)), st.floats(0.5, 4), st.floats(0.1, 3))
def test_a_wider_band_holds_the_narrower(mask, width, more):
    narrow = boundary_band(mask, grid_of(mask), width_mm=width)
    assert not (narrow & ~boundary_band(mask, grid_of(mask), width_mm=width + more)).any()


def test_voxels_are_judged_where_asked():
    stated = np.stack([line([9, 9, 5, 5]) / 10, line([1, 1, 5, 5]) / 10])
    truth = line([0, 0, 1, 0])
    found = judge_calibration(stated, truth, truth == 0)
    assert found.voxels == 3
    assert found.ece == pytest.approx((2 * 0.1 + 1 * 0.5) / 3)
    assert found.brier == pytest.approx((2 * 2 * 0.1**2 + 2 * 0.5**2) / 3)


@given(st.integers(0, 100))
def test_all_voxels_are_judged_as_a_table_of_cases(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (2, 3, 4)).astype(np.uint8)
    stated = np.moveaxis(rng.dirichlet(np.ones(3), (2, 3, 4)), -1, 0)
    rows = [(int(truth[at]), stated[(slice(None), *at)]) for at in np.ndindex(2, 3, 4)]
    assert judge_calibration(stated, truth).ece == pytest.approx(ece([t for t, _ in rows], np.array([p for _, p in rows])))


def test_shapes_that_do_not_fit_are_refused():
    mask = line([0, 1])
    with pytest.raises(ShapeError, match="same voxels"):
        voxel_rows(np.zeros((2, 3, 1, 1)), mask)
    with pytest.raises(ShapeError, match="grid's shape"):
        boundary_band(mask, grid_of(line([0, 1, 1])), width_mm=1.0)
    with pytest.raises(SettingError, match="positive"):
        boundary_band(mask, grid_of(mask), width_mm=0.0)
