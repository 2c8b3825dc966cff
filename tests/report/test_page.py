"""Pages and tables: valid, closed in themselves, with columns that line up; nothing from outside becomes markup."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from medloop.report.markup import element, listed, note
from medloop.report.page import advice, facts, page, section, steps
from medloop.report.tables import matrix, table

SCRIPT = "<script>alert('1')</script>&\""


def parsed(html: str) -> ElementTree.Element:
    """The document; a page is XML as well, so that what is not closed is found."""
    assert html.startswith("<!doctype html>\n")
    return ElementTree.fromstring(html.removeprefix("<!doctype html>\n"))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF)))
def test_text_comes_back_as_it_was_given(text: str) -> None:
    root = ElementTree.fromstring(element("p", text, title=text))
    assert (root.text or "", root.attrib["title"]) == (text, text)


def test_markup_stays_and_plain_text_is_escaped() -> None:
    assert element("p", element("b", "x"), "<b>") == Markup("<p><b>x</b>&lt;b&gt;</p>")
    assert f"{element('b', 'x')}" == "<b>x</b>"


def test_text_joined_to_markup_by_formatting_is_escaped_rather_than_trusted() -> None:
    assert "<b>" not in element("p", f"{element('b', 'x')}")


def test_nothing_is_said_in_place_of_nothing() -> None:
    assert note("") == ""
    assert listed([]) == ""


def test_a_whole_page_is_valid_loads_nothing_and_holds_no_script() -> None:
    rows = [(SCRIPT, 0.5)]
    box = advice(SCRIPT, steps([(SCRIPT, SCRIPT)]), unsure=True)
    html = page(SCRIPT, SCRIPT, [box, section(SCRIPT, table((SCRIPT, SCRIPT), rows), facts(rows), None)])
    root = parsed(html)
    assert "<script" not in html
    assert not any(word in html for word in ("http:", "https:", "src=", "@import", "url("))
    assert root.find("body/h1").text == SCRIPT  # type: ignore[union-attr]


def test_a_heading_stands_on_the_side_of_its_column() -> None:
    root = ElementTree.fromstring(table(("case", "why", "Dice"), [("a", "word", 0.5), ("b", "word", 0.75)], text=(0, 1)))
    sides = [[cell.get("class") for cell in row] for row in root.iter("tr")]
    assert sides == [["t", "t", None], [None, "t", None], [None, "t", None]]


@pytest.mark.parametrize("cells", [("a", "b"), ("a", "b", "c", "d")])
def test_a_row_of_another_length_is_refused(cells: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        table(("one", "two", "three"), [cells])


def test_a_table_without_rows_says_so() -> None:
    assert table(("case",), []) == note("None yet.")


def test_a_matrix_has_as_many_cells_in_each_row() -> None:
    cells = [[element("td", n) for n in range(2)] for _ in range(2)]
    foot = [element("th", "all"), element("td", 1), element("td", 2)]
    root = ElementTree.fromstring(matrix(["a<b", "c"], cells, foot=foot, corner="true, predicted"))
    assert [len(row) for row in root.iter("tr")] == [3, 3, 3, 3]
