"""Labels that overlap: what masks hold of them, what is refused, and drawing against one boolean mask per label."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.drawing import drawn_table, erased_table, keep_shared, seen_alone, shows_locked, united
from medloop.core.errors import LabelError
from medloop.core.labels import class_regions, enclosing_values, gathered, mask_of, members, region_values, seen_as, shared_names, value_of
from medloop.core.names import folded
from medloop.core.overlaps import MAX_VALUE, overlapping, shared_values
from medloop.core.records import Label

VESSEL, TUMOUR, LIVER, RIB = 1, 2, 3, 4
FOUR = tuple(Label(value=n, name=name, colour="#000000") for n, name in enumerate(("vessel", "tumour", "liver", "rib"), start=1))
CROSSED = overlapping(FOUR, {"Vessel": ["tumour"]})
BOTH = 5


def many(count: int) -> tuple[Label, ...]:
    return tuple(Label(value=n, name=f"l{n}", colour="#000000") for n in range(1, count + 1))


def test_a_voxel_of_both_has_a_value_of_its_own_that_belongs_to_each() -> None:
    assert [label.shared for label in CROSSED] == [(BOTH,), (BOTH,), (), ()]
    assert members(CROSSED, BOTH) == (VESSEL, TUMOUR)
    assert region_values(CROSSED)[VESSEL] == (VESSEL, BOTH)
    assert shared_names(CROSSED) == {BOTH: "vessel + tumour"}
    assert class_regions(CROSSED) == ((1, BOTH), (2, BOTH), (3,), (4,), (BOTH,))
    mask = np.array([0, 1, 2, 5, 255], dtype=np.uint8)
    assert mask_of(CROSSED, mask, TUMOUR).tolist() == [False, False, True, True, False]
    assert gathered(CROSSED, mask, VESSEL).tolist() == [0, 1, 2, 1, 255]
    assert [seen_as(CROSSED, BOTH, known) for known in ((VESSEL,), (TUMOUR,), (LIVER,), (VESSEL, TUMOUR))] == [1, 2, 0, BOTH]


def test_what_lies_inside_another_overlaps_what_crosses_it_there() -> None:
    nested = shared_values(enclosing_values(CROSSED, {"tumour": "liver"}))
    assert members(nested, BOTH) == (TUMOUR, VESSEL, LIVER)
    alone = value_of(nested, {VESSEL, LIVER})
    assert alone is not None
    assert members(nested, alone) == (VESSEL, LIVER)
    assert erased_table(nested, TUMOUR)[BOTH] == alone
    assert drawn_table(nested, TUMOUR)[alone] == BOTH


def test_values_stay_what_they_are_when_labels_and_overlaps_come_and_go() -> None:
    later = (*CROSSED, Label(value=6, name="lung", colour="#000000"))
    wider = overlapping(later, {"lung": ["rib"]})
    assert [label.shared for label in wider] == [(5,), (5,), (), (7,), (7,)]
    ended = overlapping(wider, {"vessel": []})
    assert (ended[0].overlaps, ended[0].shared) == ((), (5,))
    assert drawn_table(ended, VESSEL)[TUMOUR] == VESSEL
    assert (drawn_table(ended, VESSEL)[BOTH], erased_table(ended, VESSEL)[BOTH]) == (BOTH, TUMOUR)
    assert overlapping(ended, {"tumour": ["vessel"]}) == wider


@pytest.mark.parametrize(
    ("overlaps", "said"),
    [
        ({"vessel": ["lung"]}, "There is no label 'lung' in vessel=lung; use some of vessel, tumour, liver, rib"),
        ({"rib": ["RIB"]}, "A label overlaps others, got 'rib' with itself"),
        ({"tumour": ["liver"]}, "'tumour' lies inside 'liver', so that all its voxels belong to both: it cannot overlap it, too"),
        ({"liver": ["tumour"]}, "'tumour' lies inside 'liver'"),
    ],
)
def test_nonsense_is_refused_in_one_line(overlaps: dict[str, list[str]], said: str) -> None:
    with pytest.raises(LabelError) as caught:
        overlapping(enclosing_values(FOUR, {"tumour": "liver"}), overlaps)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_that_overlap_cannot_come_to_lie_inside_each_other() -> None:
    with pytest.raises(LabelError, match="'vessel' lies inside 'tumour'"):
        shared_values(enclosing_values(CROSSED, {"vessel": "tumour"}))


def test_too_many_sets_of_labels_are_refused() -> None:
    every = {f"l{n}": [f"l{m}" for m in range(1, 13) if m != n] for n in range(1, 13)}
    with pytest.raises(LabelError, match="at most 64 sets"):
        overlapping(many(12), every)
    with pytest.raises(LabelError, match="at most 254 values, 254 labels and 1 sets"):
        overlapping(many(MAX_VALUE), {"l1": ["l2"]})


def test_two_masks_add_up_where_their_labels_overlap_and_only_there() -> None:
    one, other = np.array([1, 1, 0, 5, 3], dtype=np.uint8), np.array([2, 0, 2, 1, 1], dtype=np.uint8)
    both, contradicts = united(CROSSED, one, other)
    assert both[:4].tolist() == [5, 1, 2, 5]
    assert contradicts.tolist() == [False, False, False, False, True]


def test_locked_labels_keep_every_voxel_whatever_else_is_drawn_there() -> None:
    before, after = np.array([2, 5, 5, 0, 2], dtype=np.uint8), np.array([5, 2, 1, 1, 4], dtype=np.uint8)
    assert shows_locked(CROSSED, before, after, [TUMOUR]).tolist() == [False, False, True, False, True]


PAIRS = st.lists(st.sampled_from(list(combinations(range(1, 6), 2))), max_size=6, unique=True)
INSIDE = st.lists(st.none() | st.integers(1, 5), min_size=5, max_size=5)


def declared(pairs: list[tuple[int, int]], outer: list[int | None]) -> tuple[Label, ...] | None:
    try:
        labels = enclosing_values(many(5), {f"l{n}": f"l{to}" for n, to in enumerate(outer, start=1) if to is not None})
        return overlapping(labels, {f"l{n}": [f"l{b if a == n else a}" for a, b in pairs if n in (a, b)] for n in range(1, 6)})
    except LabelError:
        return None


def up(outer: list[int | None], value: int) -> set[int]:
    found, at = set[int](), int(value) if value else None
    while at is not None:
        found.add(at)
        at = outer[at - 1]
    return found


def meet(pairs: list[tuple[int, int]], outer: list[int | None], a: int, b: int) -> bool:
    crossing = any((a in up(outer, x) and b in up(outer, y)) or (b in up(outer, x) and a in up(outer, y)) for x, y in pairs)
    return a in up(outer, b) or b in up(outer, a) or crossing


@settings(max_examples=60, deadline=None)
@given(PAIRS, INSIDE, st.lists(st.tuples(st.booleans(), st.integers(1, 5), st.lists(st.booleans(), min_size=6, max_size=6)), max_size=8))
def test_drawing_is_as_on_one_mask_per_label(
    pairs: list[tuple[int, int]], outer: list[int | None], strokes: list[tuple[bool, int, list[bool]]]
) -> None:
    labels = declared(pairs, outer)
    if labels is None:
        return
    mask = np.zeros((6, 1, 1), dtype=np.uint8, order="F")
    layers = {n: np.zeros(6, dtype=bool) for n in range(1, 6)}
    for draws, value, where in strokes:
        here, before = np.array(where), mask.copy()
        asked = mask.copy()
        own = layers[value].copy()
        asked[here if draws else here & own, 0, 0] = value if draws else 0
        mask = keep_shared(labels, before, asked, [value])
        for n, layer in layers.items():
            if draws:
                around = n in up(outer, value)
                layer[here & ~own] = around | (layer[here & ~own] & meet(pairs, outer, n, value))
            elif value in up(outer, n):
                layer[here & own] = False
        for n, layer in layers.items():
            assert mask_of(labels, mask, n)[:, 0, 0].tolist() == layer.tolist()


@settings(max_examples=60, deadline=None)
@given(PAIRS, INSIDE, st.lists(st.sets(st.integers(1, 5)), min_size=1, max_size=8))
def test_masks_per_label_become_one_and_come_back_exactly(
    pairs: list[tuple[int, int]], outer: list[int | None], voxels: list[set[int]]
) -> None:
    labels = declared(pairs, outer)
    if labels is None:
        return
    held = [{of for one in voxel for of in up(outer, one)} for voxel in voxels]
    held = [of if all(meet(pairs, outer, a, b) for a, b in combinations(of, 2)) else set() for of in held]
    mask = np.zeros((len(held), 1, 1), dtype=np.uint8)
    for n in range(1, 6):
        own = np.array([n if n in of else 0 for of in held], dtype=np.uint8).reshape(mask.shape)
        mask, contradicts = united(labels, mask, own)
        assert not contradicts.any()
    for n in range(1, 6):
        assert mask_of(labels, mask, n)[:, 0, 0].tolist() == [n in of for of in held]


@settings(max_examples=60, deadline=None)
@given(
    PAIRS,
    INSIDE,
    st.integers(1, 5),
    st.sets(st.integers(1, 5), max_size=2),
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=10),
)
def test_an_engine_that_sees_one_label_alone_changes_that_one_and_no_locked_one(
    pairs: list[tuple[int, int]], outer: list[int | None], label: int, locked: set[int], voxels: list[tuple[int, bool]]
) -> None:
    labels = declared(pairs, outer)
    if labels is None:
        return
    every = (0, *sorted(value for value in {one.value for one in labels} | {v for one in labels for v in one.shared}))
    mask = np.array([every[n % len(every)] for n, _ in voxels], dtype=np.uint8).reshape(-1, 1, 1)
    wanted = np.array([draws for _, draws in voxels], dtype=bool).reshape(-1, 1, 1)
    view = seen_alone(labels, mask, label, sorted(locked))
    assert set(np.unique(view.mask).tolist()) <= {0, *range(1, 6)}
    assert np.array_equal(view.mask == label, mask_of(labels, mask, label))
    after = np.where(wanted, np.uint8(label), np.where(view.mask == label, np.uint8(0), view.mask))
    found = view.drawn(after)
    assert not shows_locked(labels, mask, found, locked).any()
    if not locked:
        assert np.array_equal(mask_of(labels, found, label), wanted)
        for other in range(1, 6):
            if meet(pairs, outer, other, label) and other not in up(outer, label) and label not in up(outer, other):
                assert np.array_equal(mask_of(labels, found, other), mask_of(labels, mask, other))


def test_a_label_that_is_called_as_two_overlapping_ones_are_leaves_every_name_to_one_value() -> None:
    own = ("a", "b", "a + b", "b + c", "c")
    labels = tuple(Label(value=n, name=name, colour="#000000") for n, name in enumerate(own, start=1))
    made = overlapping(labels, {"a": ["b", "b + c"], "a + b": ["c"]})
    names = shared_names(made)
    every = [folded(name) for name in (*(label.name for label in made), *names.values())]
    assert len(set(every)) == len(every)
    assert any(name.startswith("a + b (") for name in names.values())
