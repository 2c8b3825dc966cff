"""The worklist in any order, page by page, on both databases."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.records import Assignee, Round
from medloop.core.states import RoundState
from medloop.store.list_cursors import _fits, cursor_of
from medloop.store.store import Store, Writer
from medloop.store.worklist import SORTS, Listing, Sort, WorklistReader

from . import samples

NAMES = ("c1", "c2", "c10", "a", "B")


def fill(tx: Writer) -> None:
    """Five cases that differ and agree in everything that they can be sorted by."""
    samples.add_basics(tx, *NAMES)
    for record in (
        samples.annotator("bea"),
        samples.snapshot(),
        samples.model(),
        samples.prediction("c2", quality=0.5),
        samples.prediction("a", quality=0.5),
        samples.prediction("B", quality=None),
        samples.annotation("c10"),
        samples.assignment("a", number=3),
        samples.assignee("c1", name="bea"),
        samples.assignee("c2"),
        samples.query("c2", "a"),
        dataclasses.replace(samples.first_round(), query_id="query-1", state=RoundState.ANNOTATING),
    ):
        tx.add(record)


def paged(tx: WorklistReader, listing: Listing, size: int = 2) -> list[str]:
    """Names of all lines, fetched page by page."""
    names: list[str] = []
    cursor = ""
    while True:
        page = tx.work_page(listing, limit=size, after=cursor)
        names += [row.name for row in page.rows]
        cursor = page.cursor
        if not cursor:
            return names


@pytest.mark.parametrize(("sort", "descending", "by_round"), [*itertools.product(SORTS, (False, True), (False, True))])
def test_pages_of_any_order_hold_every_line_once_and_in_the_order_of_the_whole(
    store: Store, sort: Sort, descending: bool, by_round: bool
) -> None:
    with store.write("me") as tx:
        fill(tx)
        listing = Listing(sort=sort, descending=descending, by_round=by_round)
        whole = [row.name for row in tx.work_page(listing, limit=50).rows]
        assert sorted(whole) == sorted(NAMES)
        assert paged(tx, listing) == whole


@pytest.mark.parametrize(
    ("sort", "descending", "expected"),
    [
        ("name", False, ["a", "B", "c1", "c2", "c10"]),
        ("name", True, ["c10", "c2", "c1", "B", "a"]),
        ("quality", False, ["a", "c2", "B", "c1", "c10"]),
        ("quality", True, ["a", "c2", "B", "c1", "c10"]),
        ("annotations", True, ["c10", "a", "B", "c1", "c2"]),
        ("assignee", False, ["c2", "c1", "a", "B", "c10"]),
        ("assignee", True, ["c1", "c2", "a", "B", "c10"]),
        ("round", False, ["a", "c2", "B", "c1", "c10"]),
    ],
)
def test_lines_that_agree_stand_by_name_and_those_without_a_value_come_last(
    store: Store, sort: Sort, descending: bool, expected: list[str]
) -> None:
    with store.write("me") as tx:
        fill(tx)
        assert [row.name for row in tx.work_page(Listing(sort=sort, descending=descending)).rows] == expected


def test_a_page_goes_on_behind_its_cursor_whatever_was_added_before_it(store: Store) -> None:
    with store.write("me") as tx:
        fill(tx)
        first = tx.work_page(Listing(), limit=3)
        tx.add(samples.case("a0"))
        tx.add(samples.case("d"))
        rest = tx.work_page(Listing(), limit=9, after=first.cursor)
        assert [row.name for row in (*first.rows, *rest.rows)] == ["a", "B", "c1", "c2", "c10", "d"]
        assert [row.name for row in tx.work_page(Listing(), limit=9, after=first.cursor, offset=1).rows] == ["c10", "d"]


def test_rounds_are_counted_newest_first_and_only_once_they_have_begun(store: Store) -> None:
    with store.write("me") as tx:
        fill(tx)
        assert tx.worklist_rounds(Listing()) == [(1, 2), (None, 3)]
        assert tx.case_rounds(["case-a", "case-B"]) == {"case-a": 1}
        later = dataclasses.replace(samples.first_round(), id="round-2", index=2, query_id="query-1", state=RoundState.QUERYING)
        tx.add(later)
        assert tx.worklist_rounds(Listing()) == [(1, 2), (None, 3)], "what is prepared is not foretold"
        tx.change(Round, "round-2", verb="annotating", fields={"state": RoundState.ANNOTATING})
        assert tx.case_rounds(["case-a", "case-c2"]) == {"case-a": 2, "case-c2": 2}


def test_only_cases_that_are_somebodys_are_listed_as_theirs(store: Store) -> None:
    with store.write("me") as tx:
        fill(tx)
        mine = Listing(assigned_to="annotator-ann")
        assert ([row.name for row in tx.work_page(mine).rows], tx.worklist_total(mine)) == (["c2"], 1)
        tx.change(Assignee, "assignee-c2-ann", verb="unassign", fields={"ended_at": "2026"})
        assert tx.worklist_total(mine) == 0


def test_what_somebody_did_with_a_case_dates_it_and_a_check_by_a_gold_case_does_not(store: Store) -> None:
    with store.write("me") as tx:
        fill(tx)
        before = tx.case_updates(["case-a", "case-c10", "case-c1"])
        assert set(before) == {"case-a", "case-c10"}
        tx.add(dataclasses.replace(samples.assignment("c1", number=9), gold_id="gold-c1", opened_at="2999"))
        tx.add(dataclasses.replace(samples.assignment("a", number=8), opened_at="2999"))
        assert tx.case_updates(["case-a", "case-c1"]) == {"case-a": "2999"}


@pytest.mark.parametrize(("sort", "value", "descending"), [("annotations", 9, False), ("state", "zzz", False), ("split", "", True)])
def test_behind_a_value_that_no_case_has_any_more_there_are_no_lines(store: Store, sort: Sort, value: object, descending: bool) -> None:
    listing = Listing(sort=sort, descending=descending)
    with store.write("me") as tx:
        fill(tx)
        page = tx.work_page(listing, after=cursor_of(f"{sort} {descending:d} 0", [value, "", ""]))
    assert (page.rows, page.cursor) == ((), "")


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "WyJuYW1lIDAgMCIsIDEsIDJd", "WyJuYW1lIDAgMCIsICJhIl0", "[" * 5000])
def test_a_cursor_of_another_order_is_refused(store: Store, cursor: str) -> None:
    with store.read() as tx, pytest.raises(InputError, match="another order"):
        tx.work_page(Listing(), after=cursor)


@settings(deadline=None, max_examples=50)
@given(value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()))
def test_only_values_that_a_database_can_compare_come_from_a_cursor(value: object) -> None:
    with_text, with_number = samples_keys()
    assert _fits(with_text, value) == (isinstance(value, str) and "\0" not in value)
    assert _fits(with_number, value) == (isinstance(value, int | float) and abs(value) < 2**62)


def samples_keys():  # columns
    from medloop.store.tables import case_states

    return (case_states.c.name, False), (case_states.c.quality, False)
