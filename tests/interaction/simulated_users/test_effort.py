import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.simulated_users.outlining import boundary_length

MODEL = EffortModel(click=2, scribble=6, box=7, slice_viewed=1, outline=0.5)


def test_gestures_and_slices_add_up():
    prompts = [Point((0, 0, 0)), Scribble(((0, 0, 0),)), Box((0, 0, 0), (1, 1, 1)), ExtremePoints(((0, 0, 0), (1, 1, 1)))]
    assert MODEL.refining_seconds(prompts, slices_viewed=3) == 2 + 6 + 7 + 7 + 3


def test_a_lasso_takes_as_long_as_its_outline():
    square = Lasso(axis=2, index=0, corners=((0, 0), (4, 0), (4, 4), (0, 4)))
    assert MODEL.prompt_seconds(square) == 0.5 * 16


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2))
def test_a_rectangle_has_its_own_outline(a, b, axis):
    shape = [8, 8, 8]
    inside = np.zeros(shape, dtype=bool)
    sides = iter((slice(1, 1 + a), slice(1, 1 + b)))
    inside[tuple(slice(3, 4) if other == axis else next(sides) for other in range(3))] = True
    assert boundary_length(inside, axis) == a * b - max(a - 2, 0) * max(b - 2, 0)


def test_the_models_words_hold_its_numbers():
    assert "2 s per click" in MODEL.describe()
    assert "assumed" in MODEL.describe()


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_times_must_be_times(value):
    with pytest.raises(SettingError, match="0 or more seconds"):
        EffortModel(click=value)
