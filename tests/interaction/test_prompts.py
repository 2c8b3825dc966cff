import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, LabelError
from medloop.interaction.prompts import (
    Box,
    ExtremePoints,
    Lasso,
    Point,
    Scribble,
    check_prompts,
    keep_prompts,
    prompt_from_json,
    prompt_to_json,
    prompted_voxels,
)

SHAPE = (6, 5, 4)
VOXELS = st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 3))
POINTS = st.builds(Point, voxel=VOXELS, label=st.integers(1, 3), positive=st.booleans())


def test_a_square_lasso_holds_the_voxels_whose_centres_lie_within():
    square = Lasso(axis=2, index=1, corners=((0.5, 0.5), (3.5, 0.5), (3.5, 2.5), (0.5, 2.5)))
    hinted = prompted_voxels([square], SHAPE, label=1)
    assert {tuple(v) for v in hinted.positive.tolist()} == {(i, j, 1) for i in (1, 2, 3) for j in (1, 2)}


def test_a_hint_for_another_label_is_a_negative_one():
    hinted = prompted_voxels([Point((1, 1, 1), label=2)], SHAPE, label=1)
    assert hinted.negative.tolist() == [[1, 1, 1]]
    assert not len(hinted.positive)


def test_of_two_hints_at_one_voxel_the_later_wins():
    hinted = prompted_voxels([Point((1, 1, 1)), Point((1, 1, 1), positive=False)], SHAPE, label=1)
    assert hinted.negative.tolist() == [[1, 1, 1]]
    assert not len(hinted.positive)


@given(st.lists(POINTS, max_size=8), st.integers(0, 3))
def test_kept_hints_are_obeyed_and_nothing_else_changes(points, value):
    unique = {p.voxel: p for p in points}
    mask = np.full(SHAPE, value, dtype=np.uint8)
    kept = keep_prompts(mask, list(unique.values()))
    for point in unique.values():
        assert (kept[point.voxel] == point.label) == point.positive
    changed = kept != mask
    assert {tuple(v) for v in np.argwhere(changed).tolist()} <= set(unique)


@given(
    st.one_of(
        POINTS,
        st.builds(Scribble, voxels=st.lists(VOXELS, min_size=1, max_size=5).map(tuple)),
        st.just(Box((0, 1, 0), (3, 4, 4), label=2)),
        st.just(Lasso(axis=0, index=3, corners=((0.0, 0.0), (3.0, 1.0), (1.5, 3.0)), positive=False)),
        st.just(ExtremePoints(((0, 0, 0), (5, 4, 3)))),
    )
)
def test_json_gives_every_prompt_back(prompt):
    assert prompt_from_json(prompt_to_json(prompt)) == prompt


@pytest.mark.parametrize(
    ("prompts", "error"),
    [
        ([Point((6, 0, 0))], InputError),
        ([Point((0, -1, 0))], InputError),
        ([Scribble(())], InputError),
        ([Box((0, 0, 0), (0, 5, 4))], InputError),
        ([Box((0, 0, 0), (7, 5, 4))], InputError),
        ([Lasso(axis=2, index=4, corners=((0, 0), (1, 0), (0, 1)))], InputError),
        ([Lasso(axis=2, index=0, corners=((0, 0), (1, 0)))], InputError),
        ([Lasso(axis=2, index=0, corners=((0, 0), (float("nan"), 0), (0, 1)))], InputError),
        ([ExtremePoints(((0, 0, 0),))], InputError),
        ([Point((0, 0, 0), label=9)], LabelError),
        ([Point((0, 0, 0)), Scribble(((0, 0, 0), (1, 0, 0)), positive=False)], InputError),
        ([Point((0, 0, 0), label=1), Point((0, 0, 0), label=2)], InputError),
    ],
)
def test_prompts_that_cannot_be_obeyed_are_refused(prompts, error):
    with pytest.raises(error):
        check_prompts(prompts, SHAPE, labels=(1, 2, 3))


def test_a_negative_hint_for_one_label_agrees_with_a_positive_one_for_another():
    check_prompts([Point((0, 0, 0), label=1, positive=False), Point((0, 0, 0), label=2)], SHAPE, labels=(1, 2))


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(InputError, match="point, scribble"):
        prompt_from_json({"kind": "wand"})
    with pytest.raises(InputError, match="Not a point"):
        prompt_from_json({"kind": "point", "where": [0, 0, 0]})


def test_a_lasso_with_an_edge_as_flat_as_numbers_go_is_no_trouble():
    flat = Lasso(axis=0, index=0, corners=((0.0, 0.0), (0.0, 0.0), (1.0, 2.2e-311)))
    assert len(prompted_voxels([flat], SHAPE, label=1).positive) <= 2


@pytest.mark.parametrize(
    "prompt",
    [
        Point((math.nan, 1, 1)),
        Point((1, 1)),
        Point((1.5, 1, 1)),
        Point((1, 1, 1, 1)),
        Point(5),
        Point((10**30, 1, 1)),
        Point((-1, 0, 0)),
        Point((True, 0, 0)),
        Point(("1", 0, 0)),
        Scribble(((1, 1, 1), (1, 1))),
        Scribble(((1, 1, math.inf),)),
        Box((0, 0), (2, 2)),
        Box((0, 0, 0.5), (2, 2, 2)),
        Box((0, 0, math.nan), (2, 2, 2)),
        ExtremePoints(((0, 0, 0), (1, 2))),
        Lasso(0.5, 1, ((0, 0), (1, 0), (0, 1))),
        Lasso(2, math.nan, ((0, 0), (1, 0), (0, 1))),
        Lasso(2, 1, ((0, 0), (1, 0), (0, 1, 2))),
        Lasso(2, 1, ((0, 0), (1, 0), (0, math.nan))),
        Lasso(2, 1, ((0, 0), (1, 0), ("a", 1))),
    ],
)
def test_what_is_no_place_in_an_image_raises_the_products_own_error(prompt):
    with pytest.raises(InputError):
        check_prompts([prompt], (4, 4, 4), labels=[1])
