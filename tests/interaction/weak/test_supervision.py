import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import InputError, LabelError
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble
from medloop.interaction.weak.marks import Mark, Superpixel, Tag, mark_from_json, mark_to_json, marked_voxels, marks_from_text
from medloop.interaction.weak.supervision import Supervision, require_agreement, supervise

SHAPE = (6, 5, 4)
NAMES = {1: "liver", 2: "spleen"}
EVERY: tuple[Mark, ...] = (
    Point((1, 2, 3), 2),
    Point((0, 0, 0), 1, positive=False),
    Scribble(((0, 0, 0), (1, 0, 0)), 0),
    Box((2, 1, 1), (5, 4, 3), 1),
    ExtremePoints(((2, 2, 2), (4, 3, 2)), 1),
    Superpixel(((0, 3), (9, 2)), 0),
    Tag(2, False),
)


@pytest.mark.parametrize("mark", EVERY)
def test_a_mark_survives_json(mark: Mark) -> None:
    assert mark_from_json(mark_to_json(mark)) == mark


def test_a_superpixel_counts_voxels_in_file_order() -> None:
    assert marked_voxels(Superpixel(((5, 2), (30, 1)), 1), SHAPE).tolist() == [[5, 0, 0], [0, 1, 0], [0, 0, 1]]


@st.composite
def sound_marks(draw: st.DrawFn) -> tuple[list[Mark], np.ndarray]:
    """A mask and marks that are true of it."""
    truth = np.array(draw(st.lists(st.integers(0, 2), min_size=120, max_size=120)), dtype=np.uint8).reshape(SHAPE)
    found: list[Mark] = []
    for label in (0, 1, 2):
        places = np.argwhere(truth == label)
        for n in draw(st.lists(st.integers(0, max(0, len(places) - 1)), max_size=3)) if len(places) else ():
            i, j, k = places[n].tolist()
            found.append(Point((i, j, k), label))
    for label in (1, 2):
        places = np.argwhere(truth == label)
        if draw(st.booleans()):
            found.append(Tag(label, bool(len(places))))
        if len(places) and draw(st.booleans()):
            low, high = places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist()
            found.append(Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), label))
        k = draw(st.integers(0, SHAPE[2] - 1))
        here = np.argwhere(truth[:, :, k] == label)
        if len(here) and draw(st.booleans()):
            (i, j), (x, y) = here.min(axis=0).tolist(), (here.max(axis=0) + 1).tolist()
            found.append(Box((i, j, k), (x, y, k + 1), label))
    return found, truth


@given(sound_marks())
def test_what_is_true_of_marks_is_always_possible(made: tuple[list[Mark], np.ndarray]) -> None:
    marks, truth = made
    if not marks:
        return
    found = supervise(marks, SHAPE, NAMES)
    assert found.possible[found.sets, truth].all()
    assert found.possible[0].all()
    certain = found.certain != UNKNOWN
    assert (found.certain[certain] == truth[certain]).all()
    require_agreement(found, truth, NAMES)


@given(sound_marks(), st.randoms())
def test_the_order_of_marks_does_not_matter(made: tuple[list[Mark], np.ndarray], random: Random) -> None:
    marks, _ = made
    if not marks:
        return
    other = list(marks)
    random.shuffle(other)
    one, two = supervise(marks, SHAPE, NAMES), supervise(other, SHAPE, NAMES)
    assert all(np.array_equal(one.allows(label), two.allows(label)) for label in (0, 1, 2))


def test_a_box_in_a_volume_excludes_its_label_everywhere_outside() -> None:
    found = supervise([Box((1, 1, 1), (3, 3, 3), 1)], SHAPE, NAMES)
    inside = np.zeros(SHAPE, dtype=bool)
    inside[1:3, 1:3, 1:3] = True
    assert np.array_equal(found.allows(1), inside)
    assert found.allows(2).all()
    assert found.allows(0).all()
    assert (found.certain == UNKNOWN).all()


def test_a_box_on_one_slice_speaks_of_that_slice_only() -> None:
    found = supervise([Box((1, 1, 2), (3, 3, 3), 1)], SHAPE, NAMES)
    assert found.allows(1)[:, :, [0, 1, 3]].all()
    assert int(found.allows(1)[:, :, 2].sum()) == 4


def test_several_boxes_of_a_label_add_up() -> None:
    found = supervise([Box((0, 0, 2), (2, 2, 3), 1), Box((3, 3, 2), (5, 5, 3), 1)], SHAPE, NAMES)
    assert int(found.allows(1)[:, :, 2].sum()) == 8


def test_with_one_label_what_lies_outside_its_boxes_is_background() -> None:
    found = supervise([ExtremePoints(((1, 2, 1), (3, 2, 2), (2, 1, 1), (2, 3, 2)), 1)], SHAPE, {1: "liver"})
    assert int((found.certain == 0).sum()) == 120 - 3 * 3 * 2
    assert int((found.certain == 1).sum()) == 4


def test_background_may_be_a_label_that_is_not_annotated() -> None:
    found = supervise([Scribble(((0, 0, 0),), 0), Point((5, 4, 3), 1)], SHAPE, NAMES, annotated=[1])
    assert found.allows(2)[0, 0, 0]
    assert not found.allows(1)[0, 0, 0]
    assert not found.allows(2)[5, 4, 3]


@pytest.mark.parametrize(
    ("marks", "rule"),
    [
        ([Point((1, 1, 1), 1), Scribble(((0, 1, 1), (1, 1, 1)), 2)], "this scribble is spleen, another mark says liver at (1, 1, 1)"),
        ([Point((1, 1, 1), 1), Point((1, 1, 1), 1, positive=False)], "A voxel is liver or is not, got both at (1, 1, 1)"),
        ([Tag(1, False), Scribble(((2, 3, 1),), 1)], "liver is tagged absent, and marked at (2, 3, 1)"),
        ([Tag(1, False), Box((1, 1, 1), (3, 3, 3), 1)], "liver is tagged absent, and given a box"),
        ([Tag(1, False), Tag(1, True)], "A tag says that liver is there or that it is not, got both"),
        ([Box((1, 1, 1), (3, 3, 3), 1), Point((5, 4, 3), 1)], "is marked at (5, 4, 3) outside of them"),
        ([Box((1, 1, 1), (3, 3, 7), 1)], "Mark 1 (box): a box must lie within the image's (6, 5, 4) voxels"),
        ([Point((6, 0, 0), 1)], "Mark 1 (point)"),
        ([Superpixel(((119, 2),), 1)], "within the image's 120 voxels"),
        ([Superpixel((), 1)], "A superpixel has runs".lower()[2:]),
        ([Box((1, 1, 1), (2, 3, 2), 1), Scribble(((1, 1, 1), (1, 2, 1)), 0)], "Every row of a box of liver"),
        ([], "1 to 10000 marks, got 0"),
    ],
)
def test_contradictory_marks_are_refused_with_rule_value_and_remedy(marks: list[Mark], rule: str) -> None:
    with pytest.raises(InputError) as refused:
        supervise(marks, SHAPE, NAMES)
    assert rule in refused.value.message
    assert refused.value.remedy
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("mark", [Box((0, 0, 0), (1, 1, 1), 0), Tag(0), Point((0, 0, 0), 7), Point((0, 0, 0), 0, positive=False)])
def test_a_label_must_be_one_of_the_task(mark: Mark) -> None:
    with pytest.raises(LabelError, match=r"use one of 1 \(liver\), 2 \(spleen\)"):
        supervise([mark], SHAPE, NAMES)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '[{"kind": "lasso"}]', '[{"kind": "tag"}]', '[{"kind": "superpixel", "runs": 3}]', '[{"kind": "point", "where": 1}]'],
)
def test_text_that_is_no_list_of_marks_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        marks_from_text(text)


def test_an_outline_is_no_mark() -> None:
    with pytest.raises(InputError, match="A mark is one of"):
        mark_from_json({"kind": "lasso", "axis": 2, "index": 0, "corners": [[0, 0], [1, 0], [1, 1]], "label": 1, "positive": True})
    assert not isinstance(EVERY[0], Lasso)


def test_a_tag_against_a_mask_is_refused() -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[2, 2, 2] = 1
    with pytest.raises(InputError, match=r"says liver at \(2, 2, 2\) where a mark leaves no room"):
        require_agreement(supervise([Tag(1, False)], SHAPE, NAMES), mask, NAMES)
    with pytest.raises(InputError, match="holds no spleen; a tag says that there is some"):
        require_agreement(supervise([Tag(2, True)], SHAPE, NAMES), mask, NAMES)
    mask[mask == 0] = UNKNOWN
    require_agreement(supervise([Tag(2, True)], SHAPE, NAMES), mask, NAMES)


def test_too_many_different_sets_are_refused() -> None:
    names = {n: f"label {n}" for n in range(1, 13)}
    places = list(enumerate(itertools.product(range(8), repeat=3)))
    marks = [Point(place, label, positive=False) for label in names for n, place in places if (n >> (label - 1)) & 1]
    with pytest.raises(InputError, match="250 different sets"):
        supervise(marks, (8, 8, 8), names)


def test_a_box_that_is_flat_along_two_axes_joins_the_others_of_its_slice_and_alone_excludes_nothing() -> None:
    thin = Box((4, 4, 2), (5, 5, 3), 1)
    assert supervise([thin], SHAPE, NAMES).allows(1).all()
    both = supervise([thin, Box((0, 0, 2), (2, 2, 3), 1)], SHAPE, NAMES).allows(1)[:, :, 2]
    assert int(both.sum()) == 5
    assert both[4, 4]


REGIONS = {1: (1, 2)}
"""Label 2 lies inside label 1: a tumour in a liver."""


def nested(*marks: Mark) -> Supervision:
    return supervise(list(marks), SHAPE, {1: "liver", 2: "tumour"}, regions=REGIONS)


def test_what_says_where_there_is_no_outer_label_says_so_of_what_lies_inside_it() -> None:
    box = nested(Box((2, 1, 1), (5, 4, 3), 1))
    assert not box.allows(2)[0, 0, 0], "outside the boxes of the liver there is no tumour"
    assert box.allows(2)[2, 1, 1]
    assert not nested(Tag(1, False)).allows(2).any()
    denied = nested(Point((0, 0, 0), 1, positive=False))
    assert not denied.allows(2)[0, 0, 0]
    assert nested(Point((0, 0, 0), 2, positive=False)).allows(1)[0, 0, 0], "no tumour may still be liver"
    apart = supervise([Tag(1, False)], SHAPE, {1: "liver", 2: "spleen"})
    assert apart.allows(2).all(), "labels that do not lie inside each other are no matter of each other"


def test_marks_of_an_inner_label_are_of_the_outer_one_too() -> None:
    inner = nested(Point((2, 2, 1), 2), Box((2, 2, 1), (3, 3, 2), 1), Tag(1))
    assert inner.labels[2, 2, 1] == 2, "a box of the liver that the tumour fills holds liver"
    require_agreement(inner, np.where(inner.labels == 2, 2, 0).astype(np.uint8), {1: "liver", 2: "tumour"}, regions=REGIONS)
    for clash, words in (
        ((Tag(1, False), Point((2, 2, 1), 2)), r"liver is tagged absent, and marked at \(2, 2, 1\)"),
        ((Tag(1, False), Tag(2)), "A tag says that liver is there or that it is not, got both"),
        ((Tag(1, False), Box((2, 1, 1), (5, 4, 3), 2)), "liver is tagged absent, and given a box"),
        ((Box((2, 1, 1), (5, 4, 3), 1), Point((0, 0, 0), 2)), "liver lies within its boxes and nowhere else, and is marked at"),
        ((Point((0, 0, 0), 1, positive=False), Point((0, 0, 0), 2)), "A voxel is liver or is not, got both"),
    ):
        with pytest.raises(InputError, match=words):
            nested(*clash)


CROSSED = {1: (1, 5), 2: (2, 5)}
"""Labels 1 and 2 overlap, 5 is the value of both; label 4 stands apart."""


def test_a_mark_leaves_open_whether_what_overlaps_its_label_is_there_too() -> None:
    crossed = {1: "vessel", 2: "tumour", 4: "rib"}
    marks = [
        Point((0, 0, 0), 1),
        Point((1, 0, 0), 0),
        Point((2, 0, 0), 4),
        Point((3, 0, 0), 2, positive=False),
        Box((0, 0, 2), (2, 2, 3), 4),
    ]
    found = supervise(marks, SHAPE, crossed, regions=CROSSED)

    def left(*voxel: int) -> set[int]:
        return set(np.flatnonzero(found.possible[found.sets[voxel]]).tolist())

    assert left(0, 0, 0) == {1, 5}
    assert left(1, 0, 0) == {0}
    assert left(2, 0, 0) == {4}
    assert left(3, 0, 0) == {0, 1, 4}
    assert left(5, 4, 2) == {0, 1, 2, 5}, "outside the boxes of another label a voxel may be of both"
    assert left(5, 4, 3) == {0, 1, 2, 4, 5}
    mask = np.full(SHAPE, UNKNOWN, dtype=np.uint8)
    mask[0, 0, 0] = 5
    require_agreement(found, mask, crossed, regions=CROSSED)
    about_one = supervise([Point((0, 0, 0), 0)], SHAPE, crossed, annotated=[1], regions=CROSSED)
    assert np.flatnonzero(about_one.possible[about_one.sets[0, 0, 0]]).tolist() == [0, 2, 4]
