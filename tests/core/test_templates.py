"""Templates: one line of text says which slices are annotated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.core.settings import ProjectSettings, check_settings
from medloop.core.templates import check_template, named_places


def places(text: str, count: int) -> dict[str, int]:
    return {place.name: place.index for place in named_places(text, count)}


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("", 10, {}),
        ("end-diastole@first, end-systole@40%", 11, {"end-diastole": 0, "end-systole": 4}),
        ("first, middle, last", 9, {"first": 0, "middle": 4, "last": 8}),
        ("apex@12", 9, {"apex": 8}),
        ("apex@ 2 ", 9, {"apex": 1}),
        ("a, b", 10, {"a": 2, "b": 7}),
        ("a, x@last, b", 10, {"a": 2, "x": 9, "b": 7}),
        ("evenly:3", 9, {"1 of 3": 1, "2 of 3": 4, "3 of 3": 7}),
        ("evenly:5", 2, {"1 of 2": 0, "2 of 2": 1}),
        ("every:4", 9, {"1 of 3": 0, "2 of 3": 4, "3 of 3": 8}),
        ("every:1", 2, {"1 of 2": 0, "2 of 2": 1}),
        ("a, b, c", 1, {"a": 0, "b": 0, "c": 0}),
    ],
)
def test_names_and_their_places_by_hand(text: str, count: int, expected: dict[str, int]) -> None:
    assert places(text, count) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a@somewhere", "'somewhere'"),
        ("a@0", "'0'"),
        ("a@101%", "'101%'"),
        ("a, a", "'a' twice"),
        ("evenly:0", "from 1 to 64, got 0"),
        ("evenly:65", "from 1 to 64, got 65"),
        ("every:0", "from 1 to 99999, got 0"),
        ("every:x", "'every:x'"),
        ("a,,b", "got ''"),
        ("x" * 41, "1 to 40 printable characters"),
        ("a\x07", "printable"),
    ],
)
def test_what_is_no_template_is_refused_with_the_item_that_is_off(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_template(text)
    with pytest.raises(SettingError, match=message):
        check_settings(ProjectSettings(template=text))


def test_a_template_and_queries_of_slices_exclude_each_other() -> None:
    with pytest.raises(SettingError, match="query_unit"):
        check_settings(ProjectSettings(template="first", query_unit="slice"))


@given(st.sampled_from(["first, middle, last", "evenly:7", "every:3", "a, b, c", "a@33.3%, b@5"]), st.integers(1, 400))
def test_every_place_is_a_slice_of_the_case(text: str, count: int) -> None:
    found = named_places(text, count)
    assert found
    assert all(0 <= place.index < count for place in found)
    assert len({place.name for place in found}) == len(found)
