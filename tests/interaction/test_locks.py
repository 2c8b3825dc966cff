"""Locked labels: one rule, asked before any engine."""

import numpy as np
import pytest

from medloop.core.errors import InputError, LabelError
from medloop.interaction.locks import check_locks, keep_locked, require_unlocked
from medloop.interaction.prompts import Box, Lasso, Point, Scribble

BEFORE = np.array([0, 1, 2, 2, 0], dtype=np.uint8).reshape(5, 1, 1)


@pytest.mark.parametrize(
    "prompt", [Point((0, 0, 0), 2), Point((2, 0, 0), 2, positive=False), Box((0, 0, 0), (2, 1, 1), 2), Scribble(((0, 0, 0),), 2)]
)
def test_a_prompt_for_a_locked_label_is_refused(prompt):
    with pytest.raises(InputError, match="must not change the locked label 2"):
        require_unlocked([prompt], BEFORE, [2])


@pytest.mark.parametrize("prompt", [Point((2, 0, 0)), Scribble(((2, 0, 0), (3, 0, 0)))])
def test_a_positive_prompt_on_locked_voxels_only_is_refused(prompt):
    with pytest.raises(InputError, match="lies on the locked label 2 only"):
        require_unlocked([prompt], BEFORE, [2])


@pytest.mark.parametrize(
    "prompt",
    [
        Scribble(((1, 0, 0), (2, 0, 0))),
        Point((2, 0, 0), positive=False),
        Box((0, 0, 0), (5, 1, 1)),
        Lasso(2, 0, ((-0.5, -0.5), (4.5, -0.5), (4.5, 0.5), (-0.5, 0.5))),
        Point((0, 0, 0)),
    ],
)
def test_what_has_something_free_to_say_is_not_refused(prompt):
    require_unlocked([prompt], BEFORE, [2])
    require_unlocked([prompt], BEFORE, [])


def test_a_locked_label_neither_gives_nor_takes():
    wish = np.array([2, 2, 1, 0, 1], dtype=np.uint8).reshape(5, 1, 1)
    assert keep_locked(BEFORE, wish, [2]).ravel().tolist() == [0, 1, 2, 2, 1]
    assert keep_locked(BEFORE, wish, []) is wish


def test_a_lock_on_an_unknown_label_is_refused():
    check_locks([1, 2], [1, 2])
    with pytest.raises(LabelError, match=r"are \[1, 2\], got \[7\]"):
        check_locks([1, 7], [1, 2])
