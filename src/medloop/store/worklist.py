"""The worklist: cases that fit, in any order, page by page.

A page ends with a cursor that says where its last line stands: the next page begins behind that place, whatever was added
or changed meanwhile, so no line comes twice and none is left out. Lines that agree in what they are sorted by stand by name.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement, Float, FromClause, Select, case, cast, false, func, literal, select, true, tuple_, union_all
from sqlalchemy.dialects.postgresql import JSONB

from medloop.core.errors import InputError
from medloop.core.names import folded
from medloop.core.records import Split
from medloop.store.list_cursors import Key, behind, cursor_of, values_in
from medloop.store.listed import one_of
from medloop.store.states import CASE_STATES, GOLD, CaseState
from medloop.store.tables import annotations, annotators, assignees, assignments, case_states, queries, reviews, rounds
from medloop.store.tallies import TallyReader

Sort: TypeAlias = Literal[
    "name", "patient", "split", "state", "annotations", "quality", "uncertainty", "assignee", "updated", "round", "domain"
]
SORTS: tuple[Sort, ...] = get_args(Sort)

KINDS: Mapping[str, Sequence[str]] = {"state": CASE_STATES, "split": get_args(Split)}
"""Columns of few values, which an index has with the names behind each."""

SELDOM = ("assignee", "updated", "round", "domain")
"""What few cases have, and no column holds."""

OPTIONAL = ("quality", "uncertainty")
WALKED = ("patient", "split", "annotations", *OPTIONAL)
"""Columns by which an index orders the whole list."""

FEW_READINGS = 30
"""Of cases with more annotations each their number is sorted."""

COMMON = 20
"""One case in so many makes a state a common one."""


@dataclass(frozen=True)
class CaseRow:
    """One line of the worklist; `quality` and `uncertainty` are of the case's newest prediction."""

    case_id: str
    name: str
    patient: str
    split: Split
    state: CaseState
    annotations: int
    open_assignments: int
    quality: float | None
    uncertainty: float | None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Which cases are listed, and in which order.

    Attributes:
        state: Only cases in this state.
        search: Only cases with this in name or patient, whatever their case, spelling and script.
        case_ids: Only these; None for all.
        assigned_to: Only cases given to the annotator of this id.
        sort: What they are sorted by; lines without a value come last.
        descending: From the largest on.
        by_round: Newest round first, then what belongs to none; sorted within each.
        p_values: Of cases by id, where `sort` is "domain": the chance that one like those the model was judged on lies as far out.
        unlabelled: Cases that are listed, found and sorted as training cases which nobody has annotated or opened.
    """

    state: CaseState | Literal["all"] = "all"
    search: str = ""
    case_ids: Collection[str] | None = None
    assigned_to: str = ""
    sort: Sort = "name"
    descending: bool = False
    by_round: bool = False
    p_values: Mapping[str, float] = field(default_factory=dict)
    unlabelled: Collection[str] = ()


EVERY_CASE = Listing()
UNLABELLED: Mapping[str, Any] = {"state": "unanswered", "annotations": 0, "split": "train"}
"""What the line of a case says that nobody has annotated."""


@dataclass(frozen=True)
class WorkPage:
    """Some lines, and the cursor behind the last one; "" behind the last of all."""

    rows: tuple[CaseRow, ...]
    cursor: str


class WorklistReader(TallyReader):
    """What the worklist asks."""

    def worklist(
        self,
        *,
        state: CaseState | Literal["all"] = "all",
        search: str = "",
        limit: int = 50,
        offset: int = 0,
        case_ids: Collection[str] | None = None,
    ) -> list[CaseRow]:
        """Lines of the worklist by case name in natural order; see `Listing`.

        Raises:
            InputError: An unknown state.
        """
        return list(self.work_page(Listing(state=state, search=search, case_ids=case_ids), limit=limit, offset=offset).rows)

    def work_page(self, listing: Listing = EVERY_CASE, *, limit: int = 50, offset: int = 0, after: str = "") -> WorkPage:
        """Lines behind a cursor, of which the first `offset` are left out.

        Raises:
            InputError: An unknown state, or a cursor of another order.
        """
        source, keys = self._sorted(listing)
        place = values_in(after, _order(listing), keys) if after else []
        query = self._fitting(select(*_SHOWN, *(key.label(f"key{n}") for n, (key, _) in enumerate(keys))).select_from(source), listing)
        if place:
            query = query.where(behind(keys, place))
        if _is_plain(listing) and (first := self._first(listing, place, limit + 1 + offset)) is not None:
            query = query.where(case_states.c.case_id.in_(first))
        ordered = query.order_by(*_ordering(listing, keys))
        found = self._connection.execute(ordered.limit(limit + 1).offset(offset)).mappings().all()
        lines = (CaseRow(**{name: row[name] for name in _NAMES}) for row in found[:limit])
        rows = tuple(replace(row, **UNLABELLED) if row.case_id in listing.unlabelled else row for row in lines)
        more = len(found) > limit
        return WorkPage(rows, cursor_of(_order(listing), [found[limit - 1][f"key{n}"] for n in range(len(keys))]) if more else "")

    def worklist_total(self, listing: Listing = EVERY_CASE) -> int:
        """How many lines `work_page` has in all.

        Raises:
            InputError: An unknown state.
        """
        query = self._fitting(select(func.count()).select_from(case_states), listing)
        if not listing.search and listing.case_ids is None and not listing.assigned_to and not listing.unlabelled:
            return sum(cases for _, found, cases, _ in self.counts_by_state() if listing.state in ("all", found))
        return int(self._connection.execute(query).scalar_one())

    def worklist_rounds(self, listing: Listing) -> list[tuple[int | None, int]]:
        """How many lines there are of each round, newest first, None for those of none last."""
        asked = self._rounds()
        if _is_plain(listing):  # few cases were queried: the others are not counted one by one
            queried = case_states.join(asked, asked.c.case_id == case_states.c.case_id)
            counts = self._fitting(select(asked.c.number, func.count()).select_from(queried), listing).group_by(asked.c.number)
            found = [(int(number), int(cases)) for number, cases in self._connection.execute(counts)]
            left = self.worklist_total(listing) - sum(cases for _, cases in found)
            return [*sorted(found, reverse=True), *([(None, left)] if left else [])]
        source = case_states.outerjoin(asked, asked.c.case_id == case_states.c.case_id)
        of_round = self._masked(asked.c.number, listing, None)
        counted = self._fitting(select(of_round, func.count()).select_from(source), listing).group_by(of_round)
        rows = [(None if number is None else int(number), int(cases)) for number, cases in self._connection.execute(counted)]
        return sorted(rows, key=lambda row: -(row[0] or 0))

    def case_rounds(self, case_ids: Collection[str]) -> dict[str, int]:
        """Number of the newest begun round that queried each of these cases; cases that none has are not in it."""
        asked = self._rounds()
        query = select(asked.c.case_id, asked.c.number).where(one_of(asked.c.case_id, case_ids, self._on_sqlite))
        return {row.case_id: int(row.number) for row in self._connection.execute(query)} if case_ids else {}

    def case_updates(self, case_ids: Collection[str]) -> dict[str, str]:
        """When somebody last opened, annotated, left out or reviewed each of these cases; others are not in it."""
        found = _updates(lambda column: one_of(column, case_ids, self._on_sqlite))
        return {row.case_id: row.at for row in self._connection.execute(select(found.c.case_id, found.c.at))} if case_ids else {}

    def _first(self, listing: Listing, place: Sequence[Any], most: int) -> Select[Any] | None:
        """Cases among which the first lines are, where no index orders all of them; None where one does."""
        if listing.by_round:
            return self._first_with_value(listing, place, most) if (listing.sort, listing.descending) == ("name", False) else None
        if values := self._values(listing):
            return self._first_of_each(listing, values, place, most)
        return self._first_with_value(listing, place, most) if listing.sort in SELDOM else None

    def _first_with_value(self, listing: Listing, place: Sequence[Any], most: int) -> Select[Any]:
        """The few cases that have a value, which come first, and behind them the first of the others by name."""
        by_name, valued = (case_states.c.sort_key, case_states.c.name), select(self._seldom(listing).c.case_id)
        rest = self._fitting(select(case_states.c.case_id), listing).where(case_states.c.case_id.not_in(valued))
        if place and place[0] == 1:
            rest = rest.where(tuple_(*by_name) > tuple_(*(literal(one) for one in place[-2:])))
        others = rest.order_by(*by_name).limit(most).subquery()
        return select(union_all(valued, select(others.c.case_id)).subquery().c.case_id)

    def _seldom(self, listing: Listing) -> FromClause:
        """What few cases have: an assignee, a change, a round."""
        if listing.by_round or listing.sort == "round":
            return self._rounds()
        return self._valued(listing)

    def _valued(self, listing: Listing) -> FromClause:
        """The same where it is no round."""
        if listing.sort == "domain":
            return self._chances(listing.p_values)
        return _assigned() if listing.sort == "assignee" else _updates()

    def _chances(self, p_values: Mapping[str, float]) -> FromClause:
        """Each case of which a p-value is known, with it; one JSON parameter, however many there are."""
        if self._on_sqlite:
            pair = func.json_each(json.dumps(dict(p_values))).table_valued("key", "value")
            return select(pair.c.key.label("case_id"), pair.c.value.label("at")).subquery()
        pair = func.jsonb_each_text(cast(dict(p_values), JSONB)).table_valued("key", "value")
        return select(pair.c.key.label("case_id"), cast(pair.c.value, Float).label("at")).subquery()

    def _values(self, listing: Listing) -> Sequence[Any]:
        """All values of the column that a list is sorted by, where they are few; else none."""
        if listing.sort != "annotations":
            return KINDS.get(listing.sort, ())
        most = self._connection.execute(select(func.max(case_states.c.annotations))).scalar() or 0
        return range(most + 1) if most <= FEW_READINGS else ()

    def _first_of_each(self, listing: Listing, values: Sequence[Any], place: Sequence[Any], most: int) -> Select[Any]:
        """The first lines of each value, such as a state, each found in an index: among them are the first of all, whatever comes first."""
        column, by_name = case_states.c[listing.sort], (case_states.c.sort_key, case_states.c.name)
        parts = []
        for value in values:
            if place and (value > place[0] if listing.descending else value < place[0]):
                continue
            part = self._fitting(select(case_states.c.case_id), listing).where(column == value)
            if place and value == place[0]:
                part = part.where(tuple_(*by_name) > tuple_(*(literal(one) for one in place[1:])))
            parts.append(part.order_by(*by_name).limit(most).subquery())
        if not parts:  # behind a value that no case has any more
            return self._fitting(select(case_states.c.case_id), listing).where(false())
        return select(union_all(*(select(part.c.case_id) for part in parts)).subquery().c.case_id)

    def _is_common(self, state: str) -> bool:
        """Whether so many cases are in a state that they are soon met in any order."""
        counted = self.counts_by_state()
        return COMMON * sum(cases for _, found, cases, _ in counted if found == state) > sum(cases for _, _, cases, _ in counted)

    def _fitting(self, query: Select[Any], listing: Listing) -> Select[Any]:
        if listing.state != "all":
            if listing.state not in CASE_STATES:
                raise InputError(f"Unknown case state {listing.state!r}", remedy=f"use all, {', '.join(CASE_STATES)}")
            state = self._masked(case_states.c.state, listing, "unanswered")
            if _is_plain(listing) and not listing.by_round and listing.sort in WALKED and self._is_common(listing.state):
                state = state.concat("")  # the index of the order is walked, not that of the state sorted
            query = query.where(state == listing.state)
        if listing.search:
            query = query.where(case_states.c.search_key.contains(folded(listing.search).replace("\n", "\n\n"), autoescape=True))
        if listing.case_ids is not None:
            query = query.where(one_of(case_states.c.case_id, listing.case_ids, self._on_sqlite))
        if listing.assigned_to:
            theirs = select(assignees.c.case_id).where(assignees.c.annotator_id == listing.assigned_to, assignees.c.ended_at.is_(None))
            query = query.where(case_states.c.case_id.in_(theirs))
        return query

    def _sorted(self, listing: Listing) -> tuple[FromClause, list[Key]]:
        """The tables that lines are read from, and what they are sorted by."""
        source: FromClause = case_states
        keys: list[Key] = []
        if listing.by_round or listing.sort == "round":
            asked = self._rounds()
            source = source.outerjoin(asked, asked.c.case_id == case_states.c.case_id)
            number = self._masked(asked.c.number, listing, None)
            keys += _key(number, 0, descending=listing.by_round or listing.descending)
        if listing.sort in ("assignee", "updated", "domain"):
            found = self._valued(listing)
            source = source.outerjoin(found, found.c.case_id == case_states.c.case_id)
            value = self._masked(found.c.at, listing, None) if listing.sort == "updated" else found.c.at
            keys += _key(value, 0.0 if listing.sort == "domain" else "", descending=listing.descending)
        elif listing.sort not in ("round", "name"):
            column: ColumnElement[Any] = case_states.c[listing.sort]
            if listing.sort in UNLABELLED:
                column = self._masked(column, listing, UNLABELLED[listing.sort])
            keys += _key(column, 0, descending=listing.descending) if listing.sort in OPTIONAL else [(column, listing.descending)]
        by_name = listing.sort == "name" and listing.descending
        keys += [(case_states.c.sort_key, by_name), (case_states.c.name, by_name)]
        return source, keys

    def _masked(self, column: ColumnElement[Any], listing: Listing, value: str | int | None) -> ColumnElement[Any]:
        """A column, with a value of its own for the cases that are listed as if nobody had annotated them."""
        if not listing.unlabelled:
            return column
        return case((one_of(case_states.c.case_id, listing.unlabelled, self._on_sqlite), value), else_=column)

    def _rounds(self) -> FromClause:
        """Each queried case with the number of the newest begun round."""
        if self._on_sqlite:
            choice = func.json_each(queries.c.choices).table_valued("value")
            case_id: ColumnElement[Any] = func.json_extract(choice.c.value, "$.case_id")
        else:
            choice = func.jsonb_array_elements(cast(queries.c.choices, JSONB)).table_valued("value")
            case_id = func.jsonb_extract_path_text(choice.c.value, "case_id")
        begun = select(case_id.label("case_id"), func.max(rounds.c.index).label("number")).select_from(rounds)
        begun = begun.join(queries, queries.c.id == rounds.c.query_id).join(choice, literal(True))
        return begun.where(rounds.c.state != "querying").group_by(case_id).subquery()

    @property
    def _on_sqlite(self) -> bool:
        return self._connection.dialect.name == "sqlite"


def _is_plain(listing: Listing) -> bool:
    """Whether cases are listed by what stands in their own lines."""
    return not (listing.unlabelled or listing.assigned_to or listing.search or listing.case_ids is not None)


def _ordering(listing: Listing, keys: Sequence[Key]) -> list[ColumnElement[Any]]:
    """The keys as an order; where a value may be missing so that its index is used."""
    ordered: list[ColumnElement[Any]] = [key.desc() if descending else key.asc() for key, descending in keys]
    if listing.sort not in OPTIONAL:
        return ordered
    value, at = case_states.c[listing.sort], 2 * listing.by_round
    return [*ordered[:at], (value.desc() if listing.descending else value.asc()).nulls_last(), *ordered[at + 2 :]]


_NAMES = tuple(field.name for field in fields(CaseRow))
_SHOWN = tuple(case_states.c[name] for name in _NAMES)


def _key(value: ColumnElement[Any], stand_in: Any, *, descending: bool) -> list[Key]:
    """A value that may be missing: what has none comes last, in either order."""
    return [(case((value.is_(None), 1), else_=0), False), (func.coalesce(value, stand_in), descending)]


def _assigned() -> FromClause:
    """Each given case with the first name of those whom it was given to."""
    first = func.min(annotators.c.name).label("at")
    given = select(assignees.c.case_id, first).join(annotators, annotators.c.id == assignees.c.annotator_id)
    return given.where(assignees.c.ended_at.is_(None)).group_by(assignees.c.case_id).subquery()


def _updates(of: Callable[[ColumnElement[Any]], ColumnElement[bool]] = lambda _: true()) -> FromClause:
    """Each case, of those whose ids fit, that somebody did something with, and when last; checks by gold cases do not count."""
    opened = select(assignments.c.case_id, func.coalesce(assignments.c.closed_at, assignments.c.opened_at).label("at"))
    made = select(annotations.c.case_id, annotations.c.created_at.label("at")).where(annotations.c.origin != GOLD)
    judged = select(reviews.c.case_id, reviews.c.created_at.label("at"))
    opened = opened.where(assignments.c.gold_id.is_(None), of(assignments.c.case_id))
    every = union_all(opened, made.where(of(annotations.c.case_id)), judged.where(of(reviews.c.case_id))).subquery()
    return select(every.c.case_id, func.max(every.c.at).label("at")).group_by(every.c.case_id).subquery()


def _order(listing: Listing) -> str:
    return f"{listing.sort} {listing.descending:d} {listing.by_round:d}"
