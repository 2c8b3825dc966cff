"""Finished objects of a front end: what of them the next one must not take."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.interaction.nninteractive.objects import MOST, Objects
from medloop.interaction.prompts import Box, Lasso, Point, Prompt, Scribble

SHAPE = (8, 6, 4)
LEFT, RIGHT = np.zeros(SHAPE, dtype=np.uint8), np.zeros(SHAPE, dtype=np.uint8)
LEFT[:4], RIGHT[4:] = 1, 1
FINISHED = Objects.of(SHAPE).finished(LEFT)


@pytest.mark.parametrize(
    ("prompt", "stays"),
    [
        (Point((5, 2, 2)), True),
        (Point((2, 2, 2), positive=False), True),
        (Point((2, 2, 2)), False),
        (Scribble(((3, 1, 1), (4, 1, 1), (5, 1, 1))), True),
        (Scribble(((2, 1, 1), (3, 1, 1), (4, 1, 1))), False),
        (Box((4, 0, 0), (8, 6, 4)), True),
        (Box((0, 0, 0), (8, 6, 4)), False),
        (Box((0, 0, 0), (4, 6, 4)), False),
        (Box((0, 0, 1), (4, 6, 2)), False),
        (Box((3, 0, 1), (8, 6, 2)), True),
        (Lasso(2, 1, ((3.5, -0.5), (7.5, -0.5), (7.5, 5.5), (3.5, 5.5))), True),
        (Lasso(2, 1, ((-0.5, -0.5), (3.5, -0.5), (3.5, 5.5), (-0.5, 5.5))), False),
    ],
)
def test_a_finished_object_stays_in_the_way_unless_a_prompt_is_given_on_it(prompt: Prompt, stays: bool) -> None:
    closed = FINISHED.closed([prompt])
    assert closed[0, 0, 0] == stays
    assert not closed[RIGHT != 0].any()
    if isinstance(prompt, Scribble) and stays:
        assert not closed[3, 1, 1], "what a prompt says is drawn is free, and the rest of the object stays"


def test_a_mask_to_begin_with_reopens_what_it_has_half_of() -> None:
    assert FINISHED.mostly_in(LEFT) == {1}
    assert FINISHED.mostly_in(RIGHT) == frozenset()
    assert not FINISHED.closed([], FINISHED.mostly_in(LEFT)).any()


@given(st.lists(st.lists(st.integers(0, 7), min_size=0, max_size=4), max_size=6))
def test_every_voxel_is_of_the_last_object_that_covered_it_and_empty_ones_count_not(drawn: list[list[int]]) -> None:
    objects, expected, number = Objects.of(SHAPE), np.zeros(SHAPE, dtype=np.uint16), 0
    for rows in drawn:
        mask = np.zeros(SHAPE, dtype=np.uint8)
        mask[rows] = 1
        objects, number = objects.finished(mask), number + bool(rows)
        expected[mask != 0] = number
    assert np.array_equal(objects.numbers, expected)
    assert objects.last == number
    assert np.array_equal(objects.closed([]), expected > 0)


def test_what_a_project_knows_is_counted_on_and_numbers_end_in_words() -> None:
    known = Objects.of(SHAPE, np.where(LEFT, np.uint16(MOST), np.uint16(0)))
    assert known.last == MOST
    with pytest.raises(InputError, match="may hold 65535 objects"):
        known.finished(RIGHT)
