"""Fused masks whose values stand for several labels: decided label by label."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.raters.label_decision import decided_by_label
from medloop.raters.mask_votes import majority_mask

A, B, BOTH = 1, 2, 3
CROSSED = {A: {A}, B: {B}, BOTH: {A, B}}
NESTED = {1: {1}, 2: {1, 2}}


def fused(values: list[int], held: dict[int, set[int]]) -> int:
    masks = [np.full((1, 1, 1), value, dtype=np.uint8) for value in values]
    return int(decided_by_label(majority_mask(masks, sorted(held)), held).mask[0, 0, 0])


@pytest.mark.parametrize(
    ("values", "held", "wanted"),
    [
        ([A, B, BOTH], CROSSED, BOTH),  # two of three drew each
        ([BOTH, A, 0], CROSSED, A),  # two of three drew the one, one the other
        ([A, B, 0], CROSSED, 0),
        ([1, 2, 0], NESTED, 1),  # two of three say liver, one tumour
        ([2, 2, 0], NESTED, 2),
        ([1, 0], NESTED, 0),
    ],
)
def test_a_label_is_there_where_most_annotators_drew_it(values: list[int], held: dict[int, set[int]], wanted: int) -> None:
    assert fused(values, held) == wanted


@given(st.lists(st.sampled_from([0, A, B, BOTH]), min_size=3, max_size=5).filter(lambda v: len(v) % 2 == 1))
def test_of_an_odd_number_every_label_is_by_its_own_majority(values: list[int]) -> None:
    found = fused(values, CROSSED)
    for label in (A, B):
        drew = sum(label in CROSSED.get(value, ()) for value in values)
        assert (label in CROSSED.get(found, ())) == (drew > len(values) / 2)


def test_labels_apart_from_each_other_are_fused_as_before() -> None:
    apart = {1: {1}, 2: {2}, 4: {4}}
    for values in product((0, 1, 2, 4), repeat=4):
        masks = [np.full((1, 1, 1), value, dtype=np.uint8) for value in values]
        plain = majority_mask(masks, [1, 2, 4])
        assert decided_by_label(plain, apart).mask.item() == plain.mask.item()


def test_voxels_that_nobody_annotated_stay_so() -> None:
    unknown = np.full((2, 1, 1), 255, dtype=np.uint8)
    one = unknown.copy()
    one[0] = A
    assert decided_by_label(majority_mask([one, unknown], [A, B, BOTH]), CROSSED).mask.ravel().tolist() == [A, 255]
