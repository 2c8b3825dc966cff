"""Labels that lie inside others: what a voxel belongs to, and where a label is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.drawing import keep_shared
from medloop.core.errors import LabelError
from medloop.core.labels import enclosing_values, gathered, mask_of, members, nested_regions, region_values, seen_as
from medloop.core.records import Label

BODY, LIVER, TUMOUR, SPLEEN = 1, 2, 3, 4
FOUR = tuple(Label(value=n, name=name, colour="#000000") for n, name in enumerate(("body", "liver", "tumour", "spleen"), start=1))
NESTED = enclosing_values(FOUR, {"Tumour": "liver", "liver": "BODY", "spleen": "body"})


def test_a_voxel_belongs_to_its_label_and_to_all_around_it() -> None:
    assert [members(NESTED, value) for value in range(5)] == [(), (BODY,), (LIVER, BODY), (TUMOUR, LIVER, BODY), (SPLEEN, BODY)]
    assert region_values(NESTED)[LIVER] == (LIVER, TUMOUR)
    assert nested_regions(NESTED) == {BODY: (BODY, LIVER, TUMOUR, SPLEEN), LIVER: (LIVER, TUMOUR)}
    assert nested_regions(FOUR) == {}


def test_a_label_is_where_its_own_voxels_and_those_inside_it_are() -> None:
    mask = np.array([0, 1, 2, 3, 4, 255], dtype=np.uint8)
    assert mask_of(NESTED, mask, LIVER).tolist() == [False, False, True, True, False, False]
    assert gathered(NESTED, mask, LIVER).tolist() == [0, 1, 2, 2, 4, 255]
    assert gathered(FOUR, mask, LIVER) is mask


def test_who_knows_some_labels_sees_the_innermost_of_these() -> None:
    assert [seen_as(NESTED, value, (BODY, LIVER)) for value in range(5)] == [0, BODY, LIVER, LIVER, BODY]
    assert seen_as(NESTED, TUMOUR, (SPLEEN,)) == 0


def test_what_is_left_out_stays_and_an_empty_name_ends_it() -> None:
    assert [label.inside for label in enclosing_values(NESTED, {"liver": ""})] == [None, None, LIVER, BODY]


def test_drawing_keeps_what_lies_inside_and_taking_away_leaves_what_lies_around() -> None:
    before = np.array([0, BODY, LIVER, TUMOUR, SPLEEN], dtype=np.uint8)
    over = np.full(5, LIVER, dtype=np.uint8)
    assert keep_shared(NESTED, before, over, [LIVER]).tolist() == [LIVER, LIVER, LIVER, TUMOUR, LIVER]
    gone = np.zeros(5, dtype=np.uint8)
    assert keep_shared(NESTED, before, gone, [TUMOUR]).tolist() == [0, 0, 0, LIVER, 0]
    assert keep_shared(NESTED, before, gone, [LIVER]).tolist() == [0, 0, BODY, BODY, 0]
    assert keep_shared(NESTED, before, gone, [BODY]).tolist() == [0, 0, 0, 0, 0]
    assert keep_shared(FOUR, before, gone, [LIVER, TUMOUR]) is gone


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ({"tumour": "kidney"}, "There is no label 'kidney' in tumour=kidney; use some of body, liver, tumour, spleen"),
        ({"bone": "body"}, "There is no label 'bone' in bone=body"),
        ({"body": "body"}, "Labels must not lie inside each other in a circle, got body inside body"),
        ({"body": "tumour", "tumour": "liver", "liver": "body"}, "in a circle, got body inside tumour inside liver inside body"),
    ],
)
def test_nonsense_is_refused_in_one_line(inside: dict[str, str], said: str) -> None:
    with pytest.raises(LabelError) as caught:
        enclosing_values(FOUR, inside)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.lists(st.none() | st.integers(1, 7), min_size=7, max_size=7), st.lists(st.integers(0, 7), min_size=1, max_size=30))
def test_regions_are_the_voxels_whose_members_hold_the_label(outer: list[int | None], voxels: list[int]) -> None:
    labels = tuple(Label(value=n, name=f"l{n}", colour="#000000") for n in range(1, 8))
    try:
        labels = enclosing_values(labels, {f"l{n}": f"l{to}" for n, to in enumerate(outer, start=1) if to is not None})
    except LabelError:
        seen, at = set(), None
        for start in range(1, 8):  # a circle is really there
            seen, at = set(), start
            while at is not None and at not in seen:
                seen.add(at)
                at = outer[at - 1]
            if at is not None:
                return
        raise
    mask = np.array(voxels, dtype=np.uint8)
    for label in labels:
        assert mask_of(labels, mask, label.value).tolist() == [label.value in members(labels, value) for value in voxels]
