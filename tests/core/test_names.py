import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.names import (
    MAX_NAME,
    RESERVED,
    brief_lines,
    checked_name,
    counted,
    first_named,
    folded,
    in_natural_order,
    natural_key,
    nearest,
)
from medloop.core.patients import is_placeholder

WORDS = st.text(st.characters(categories=("L", "N", "M", "P", "Zs")), max_size=12)


def test_numbers_count_and_letters_do_not_differ_by_case():
    assert in_natural_order(["img10", "img2", "IMG1", "img 3", "10", "9", "img2a"]) == [
        "9",
        "10",
        "img 3",
        "IMG1",
        "img2",
        "img2a",
        "img10",
    ]


@given(first=st.integers(0, 10**30), second=st.integers(0, 10**30))
def test_names_with_a_number_sort_as_their_numbers(first: int, second: int):
    assert (natural_key(f"a{first}") < natural_key(f"a{second}")) == (first < second)


@given(text=WORDS)
def test_every_spelling_of_a_text_folds_alike(text: str):
    assert folded(unicodedata.normalize("NFD", text)) == folded(unicodedata.normalize("NFC", text)) == folded(folded(text))


@pytest.mark.parametrize(("first", "second"), [("МРТ", "мрт"), ("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("É", "e\u0301"), ("ǅ", "ǆ")])
def test_case_is_ignored_in_every_script(first: str, second: str):
    assert folded(first) == folded(second)


@pytest.mark.parametrize("someone", ["1", "p0", "anon_007", "Anna", "00123", "Nan Goldin", "張偉"])
def test_ids_that_name_somebody_are_kept(someone: str):
    assert not is_placeholder(someone)


@pytest.mark.parametrize(
    "name",
    ["Ann", "Zoë Müller-Lüdenscheidt", "田中 花子", "Ольга", "د. سارة", "Nguyễn Thị", "علی\u200cرضا", "क्\u200dष", "local", "O'Neill"],
)
def test_names_of_every_script_are_kept(name: str) -> None:
    assert checked_name(f"  {name} ") == unicodedata.normalize("NFC", name)


def test_one_name_written_two_ways_is_one_name() -> None:
    assert checked_name("Zoe\u0308") == checked_name("Zo\u00eb") == "Zo\u00eb"


@pytest.mark.parametrize(
    "name", ["", " ", "a\nb", "a\x00b", "\u202eevil", "x" * (MAX_NAME + 1), "a\u2028b", "An\u200dn", "علی\u200c", "क\u200d\u200cष"]
)
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="printable"):
        checked_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *sorted(RESERVED),
        "System",
        "ＳＹＳＴＥＭ",
        " imported ",
        "annotator-0123456789ab",
        "Worker-1",
        "inline-77",
        "\u0405ystem",
        "w\u043erker",
        "\u0430nnotator\u20101",
        "med\u217coop",
    ],
)
def test_nobody_is_called_like_a_part_of_medloop(name: str) -> None:
    with pytest.raises(InputError, match="kept for medloop itself"):
        checked_name(name)
    assert checked_name(name, program=True)


@pytest.mark.parametrize(
    "name", ["\u0421\u0438\u0441\u0442\u0435\u043c\u0430", "\u0391\u03bd\u03bd\u03b1", "\u0418\u043c\u043f\u043e\u0440\u0442"]
)
def test_names_of_other_scripts_that_resemble_nothing_reserved_stay_free(name: str) -> None:
    assert checked_name(name) == name


@given(st.text(max_size=100))
def test_a_checked_name_stays_as_it_is(name: str) -> None:
    try:
        once = checked_name(name)
    except InputError:
        return
    assert checked_name(once) == once


def test_one_thing_is_counted_in_the_singular():
    assert [counted(n, "evaluated patient") for n in (0, 1, 2)] == ["0 evaluated patients", "1 evaluated patient", "2 evaluated patients"]


def test_long_lists_name_five_and_count_the_rest():
    names = [f"case{n}" for n in range(700)]
    assert first_named(names) == "case0, case1, case2, case3, case4 and 695 more"
    assert first_named(names[:5]) == "case0, case1, case2, case3, case4"
    assert brief_lines({"gone": names, "odd": ["x"]}) == [*names[:5], "and 695 more of this kind", "x"]


def test_the_known_names_most_like_a_wrong_one_begin_the_remedy():
    assert nearest("entropi", ["margin", "entropy"]) == "use entropy; "
    assert nearest("marginn", ["margins", "margin"]) == "use margin or margins; "
    assert nearest("x", ["margin", "entropy"]) == ""
