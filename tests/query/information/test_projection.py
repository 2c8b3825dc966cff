"""Principal axes against scikit-learn, and what they do with cases that are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.information.projection import fit_projection, project


def test_points_on_a_line_need_one_axis_and_get_mean_square_one():
    line = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    found = fit_projection(line, most=2)
    assert found.axes[:, 0] == pytest.approx(np.array([1.0, 2.0]) / np.sqrt(5))
    assert found.axes.shape == (2, 1)
    assert project(line, found).ravel() == pytest.approx(np.sqrt(1.5) * np.array([-1.0, 0.0, 1.0]))


def test_axes_are_those_of_scikit_learn_but_for_signs():
    table = np.random.default_rng(0).normal(size=(60, 5)) * [5, 4, 3, 2, 1] + 7
    found, reference = fit_projection(table, most=3), PCA(3).fit(table)
    assert np.abs(found.axes.T @ reference.components_.T) == pytest.approx(np.eye(3), abs=1e-9)
    assert np.abs(project(table, found) * found.scale) == pytest.approx(np.abs(reference.transform(table)))


def test_axes_stop_at_the_share_of_the_variance():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(500, 4)) * [10.0, 10.0, 0.1, 0.1]
    assert fit_projection(table, most=4).axes.shape[1] == 2


@pytest.mark.parametrize("value", [0.0, 1.0, 1e6 / 3])
def test_cases_that_are_alike_have_no_axis(value):
    found = fit_projection(np.full((7, 3), value), most=4)
    assert found.axes.shape == (3, 0)
    assert project(np.full((2, 3), value), found).shape == (2, 0)


@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(0.01, 100.0))
def test_the_scale_of_the_features_does_not_matter(seed, most, factor):
    table = np.random.default_rng(seed).normal(size=(20, 4))
    found = project(table, fit_projection(table, most=most))
    assert (found**2).mean() == pytest.approx(1.0)
    assert project(factor * table, fit_projection(factor * table, most=most)) == pytest.approx(found, abs=1e-6)


def test_bad_tables_are_refused():
    with pytest.raises(ShapeError, match="must be a table"):
        fit_projection(np.zeros(3), most=1)
    with pytest.raises(InputError, match="row 1 is not"):
        fit_projection(np.array([[0.0], [np.nan]]), most=1)
    with pytest.raises(SettingError, match="at least 1 axis"):
        fit_projection(np.zeros((2, 2)), most=0)
    with pytest.raises(ShapeError, match="must have 2 dimensions, got 3"):
        project(np.zeros((1, 3)), fit_projection(np.eye(2), most=1))
