"""Names decide what a sent mask means: by place or by number, and never one of two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import LabelError
from medloop.core.records import Label, Task
from medloop.loop.annotating.sent_labels import NamedValue, task_values

NAMES = ["liver", "tumour", "vessel", "spleen"]
TASK = Task(
    id="task-1",
    version=1,
    kind="segmentation",
    labels=tuple(Label(value=n, name=name, colour="#000000") for n, name in enumerate(NAMES, 1)),
    created_at="2026-01-01T00:00:00.000000Z",
)
TRUTH = {name: n for n, name in enumerate(NAMES, 1)}


@given(st.permutations(NAMES), st.data())
def test_in_any_order_a_name_is_its_label(order: list[str], data: st.DataObject) -> None:
    named = [NamedValue(name.upper(), n) for n, name in enumerate(order, 1)]
    present = sorted(data.draw(st.sets(st.integers(1, 4))))
    assert task_values(TASK, present, named) == {value: TRUTH[order[value - 1]] for value in present}


@given(st.permutations(NAMES), st.integers(1, 3), st.sets(st.integers(1, 4), min_size=1))
def test_numbers_with_a_gap_are_read_one_way_or_refused(order: list[str], left_out: int, present: set[int]) -> None:
    named = [NamedValue(name, n + left_out) for n, name in enumerate(order, 1)]
    numbers = {one.number for one in named}
    if present <= numbers:
        with pytest.raises(LabelError, match="two ways"):
            task_values(TASK, sorted(present), named)
    else:
        assert task_values(TASK, sorted(present), named) == {value: TRUTH[order[value - 1]] for value in present}


def test_background_is_no_label_and_values_beyond_the_places_are_numbers() -> None:
    named = [NamedValue("background", 5), NamedValue("tumour", 9)]
    assert task_values(TASK, [5, 9], named) == {5: 0, 9: 2}
