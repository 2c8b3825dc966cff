"""Areas under curves and adjusted p values: by hand, and what they must never do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.curves import area_under, holm

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_area_is_the_mean_height():
    assert area_under([0, 1, 3], [0.0, 1.0, 1.0]) == pytest.approx((0.5 + 2.0) / 3)
    assert area_under([8, 16], [0.7, 0.7]) == pytest.approx(0.7)
    assert area_under([8], [0.6]) == 0.6


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_area_stays_within_the_heights(heights):
    assert min(heights) - 1e-12 <= area_under(range(len(heights)), heights) <= max(heights) + 1e-12


def test_bad_curves_are_refused():
    with pytest.raises(InputError, match="increase"):
        area_under([0, 0], [1, 1])
    with pytest.raises(InputError, match="finite"):
        area_under([0, 1], [1, np.nan])
    with pytest.raises(ShapeError, match="as many"):
        area_under([0, 1], [1])


def test_holm_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


@given(p_lists)
def test_holm_never_lowers_keeps_the_order_and_is_gentler_than_bonferroni(values):
    adjusted = holm(values)
    assert (adjusted >= np.array(values)).all()
    assert (adjusted <= np.minimum(np.array(values) * len(values), 1.0) + 1e-12).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_refuses_what_is_no_p_value():
    for wrong in (float("nan"), 1.5, -0.1):
        with pytest.raises(InputError, match=r"0\.\.1"):
            holm([0.5, wrong])
