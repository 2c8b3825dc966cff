import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.names import folded, in_natural_order, natural_key
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
