"""Objects of a label told apart: drawn ones keep their voxels, and every other part is an object."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from medloop.datasets.objects import DrawnObjects, divided, object_map

SHAPE = (6, 5, 3)
MASKS = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 2))
NUMBERS = arrays.arrays(np.uint16, SHAPE, elements=st.sampled_from([0, 0, 0, 1, 2, 5]))


@given(MASKS, NUMBERS)
def test_objects_divide_exactly_the_voxels_of_the_label(mask: np.ndarray, drawn: np.ndarray) -> None:
    there = mask == 1
    found = divided(there, drawn)
    assert np.array_equal(found > 0, there)
    assert sorted(np.unique(found[there])) == list(range(1, int(found.max(initial=0)) + 1))
    known = np.where(there, drawn, 0)
    numbers = [n for n in np.unique(known) if n]
    for place, number in enumerate(numbers, start=1):
        assert (found[known == number] == place).all(), "drawn objects come first, in their order, and keep what was drawn"
    parts, count = ndimage.label(there, structure=np.ones((3, 3, 3)))
    without = [n for n in range(1, count + 1) if not known[parts == n].any()]
    assert int(found.max(initial=0)) == len(numbers) + len(without)
    assert all(len(np.unique(found[parts == n])) == 1 for n in without)


@given(MASKS)
def test_without_drawn_objects_every_separate_part_is_one(mask: np.ndarray) -> None:
    parts, _ = ndimage.label(mask == 2, structure=np.ones((3, 3, 3)))
    assert np.array_equal(divided(mask == 2), parts)


def test_what_was_painted_beside_two_objects_goes_to_the_nearer_one_in_mm() -> None:
    there, drawn = np.ones((9, 2, 1), dtype=bool), np.zeros((9, 2, 1), dtype=np.uint16)
    drawn[0, 0], drawn[8, 0] = 3, 7
    assert divided(there, drawn)[:, 0, 0].tolist()[:4] == [1, 1, 1, 1]
    assert divided(there, drawn)[:, 1, 0].tolist()[5:] == [2, 2, 2, 2]


def test_one_map_numbers_on_from_label_to_label() -> None:
    mask = np.zeros((8, 1, 1), dtype=np.uint8)
    mask[[0, 1, 2, 6]], mask[4] = 1, 2
    drawn = DrawnObjects(np.array([1, 2, 0, 0, 3, 0, 0, 0], dtype=np.uint16).reshape(8, 1, 1), (1, 1, 2))
    numbers, rows = object_map(mask, drawn, (1.0, 1.0, 1.0))
    assert numbers.ravel().tolist() == [1, 2, 2, 0, 4, 0, 3, 0]
    assert [(row.number, row.label, row.voxels) for row in rows] == [(1, 1, 1), (2, 1, 2), (3, 1, 1), (4, 2, 1)]


def test_objects_of_one_label_are_replaced_and_those_of_others_stay() -> None:
    def line(*numbers: int) -> np.ndarray:
        return np.array(numbers, dtype=np.uint16).reshape(-1, 1, 1)

    there = DrawnObjects(line(1, 2, 0, 3, 0), (1, 2, 1))
    drawn = DrawnObjects(line(0, 0, 0, 2, 3), (2, 2, 2))  # began with one that is nowhere any more
    found = there.with_label(drawn, 2)
    assert found.labels == (1, 1, 2, 2, 2)
    assert found.numbers.ravel().tolist() == [1, 0, 0, 4, 5]
    assert DrawnObjects(line(0, 0, 0, 0, 0)).with_label(drawn, 2).labels == (2, 2, 2)
