"""Questions to the store, all answered within one transaction that sees one state."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, literal_column, select

from medloop.core.errors import InputError, NotFoundError
from medloop.core.records import Annotation, Case, DraftPatch, Event, Prediction, Split
from medloop.store.lineage import LineageReader
from medloop.store.listed import one_of, scalar
from medloop.store.pool_rows import CLOSED, PoolReader
from medloop.store.raw import RawRow, raw_rows
from medloop.store.reading_rows import ReadingReader
from medloop.store.rows import Kind, from_row, kind_of
from medloop.store.states import MARKS, PARTIAL, REJECTED, current_annotations_query, full_annotations_query
from medloop.store.tables import IN_PART, annotations, case_states, cases, draft_patches, events, predictions
from medloop.store.worklist import WorklistReader

R = TypeVar("R")
Scalar: TypeAlias = str | int | float | bool
Where: TypeAlias = Mapping[str, Scalar | Collection[str] | Collection[int] | None]
"""Field → value it must equal, None for "is empty", or a collection of allowed values."""


@dataclass(frozen=True)
class CaseCounts:
    """How many cases there are: `total`, by split, by state; `open` are those somebody has open now."""

    total: int
    train: int
    validation: int
    test: int
    audit: int
    annotated: int
    skipped: int
    flagged: int
    unlabelled: int
    open: int


class Reader(LineageReader, PoolReader, ReadingReader, WorklistReader):
    """An open reading transaction; made by `Store.read`."""

    def get(self, kind: type[R], id: str) -> R:  # noqa: A002  # the field's name
        """The record of that id.

        Raises:
            NotFoundError: There is none.
        """
        known = kind_of(kind)
        row = self._connection.execute(select(known.table).where(known.table.c.id == id)).mappings().first()
        if row is None:
            raise NotFoundError(f"There is no {known.noun} {id!r}")
        return from_row(known, row)

    def find(
        self,
        kind: type[R],
        *,
        limit: int | None = None,
        offset: int = 0,
        order: str | Sequence[str] = (),
        descending: bool = False,
        where: Where | None = None,
    ) -> list[R]:
        """Records that fit, by default in the order they were added.

        Args:
            kind: Record type.
            limit: At most so many; None for all.
            offset: Leave so many out first.
            order: Fields to sort by; records that agree in them keep the order they were added in.
            descending: Turn the whole order round.
            where: Conditions, all of which must hold; see `Where`.

        Raises:
            InputError: A field the record does not have.
        """
        known = kind_of(kind)
        names = (order,) if isinstance(order, str) else order
        keys = [*(_column(known, name) for name in names), known.table.c.event]
        query = _filtered(select(known.table), known, where, self._is_sqlite)
        query = query.order_by(*(key.desc() if descending else key.asc() for key in keys)).limit(limit).offset(offset or None)
        return [from_row(known, row) for row in self._connection.execute(query).mappings()]

    def count(self, kind: type[Any], *, where: Where | None = None) -> int:
        """How many records fit; see `find`.

        Raises:
            InputError: A field the record does not have.
        """
        known = kind_of(kind)
        query = _filtered(select(func.count()).select_from(known.table), known, where, self._is_sqlite)
        return int(self._connection.execute(query).scalar_one())

    def current_annotations(self, *, splits: Sequence[Split] | None = None, case_ids: Collection[str] | None = None) -> list[Annotation]:
        """Full answers that count now, of these splits and cases, in the order they were given.

        Current is the newest full answer of each annotator to each case, unless another annotation names it in
        `supersedes`. One that was withdrawn is not current and replaces nothing. Several annotators may have a current
        answer to the same case.
        """
        return self._current(full_annotations_query(), splits, case_ids)

    def some_annotated_in_part(self) -> bool:
        """Whether any annotation, current or not, says nothing of some label of its version of the task."""
        query = select(annotations.c.case_id).where(IN_PART).limit(1)
        return self._connection.execute(query).first() is not None

    def event_numbers(self, kind: type[Any], ids: Collection[str]) -> dict[str, int]:
        """Id → number of the event that added the record: the order of records, whatever the clocks said."""
        table = kind_of(kind).table
        rows = self._connection.execute(select(table.c.id, table.c.event).where(one_of(table.c.id, ids, self._is_sqlite)))
        return {row.id: int(row.event) for row in rows}

    def partial_annotations(self, *, splits: Sequence[Split] | None = None, case_ids: Collection[str] | None = None) -> list[Annotation]:
        """Partial answers that count now, in the order they were given: those without a later full answer by the same annotator."""
        return self._current(current_annotations_query().where(annotations.c.kind == PARTIAL), splits, case_ids)

    def marked_annotations(self, *, splits: Sequence[Split] | None = None, case_ids: Collection[str] | None = None) -> list[Annotation]:
        """Marks that count now, in the order they were given: those without a later full annotation by the same annotator."""
        few = current_annotations_query().where(annotations.c.kind == literal_column(f"'{MARKS}'"))
        return self._current(few, splits, case_ids, order=annotations.c.event + 0)  # a sum: the index of events would be walked whole

    def rejections(self, *, splits: Sequence[Split] | None = None) -> list[Annotation]:
        """Rejected proposals of cases that nobody has annotated whole, in the order they were rejected."""
        is_one = annotations.c.kind == literal_column(f"'{REJECTED}'")
        if self._connection.execute(select(annotations.c.id).where(is_one).limit(1)).first() is None:  # seldom there are any
            return []
        of_case = and_(case_states.c.case_id == annotations.c.case_id, case_states.c.state == "unanswered")
        open_ = select(literal(1)).select_from(case_states).where(of_case).exists()  # for each rejection: a list would hold the pool
        few = current_annotations_query().where(is_one, open_)
        return self._current(few, splits, None, order=annotations.c.event + 0)

    def _current(
        self,
        query: Select[Any],
        splits: Sequence[Split] | None,
        case_ids: Collection[str] | None,
        *,
        order: ColumnElement[Any] = annotations.c.event,
    ) -> list[Annotation]:
        query = query.order_by(order)
        if splits is not None:
            query = query.join(cases, cases.c.id == annotations.c.case_id).where(cases.c.split.in_(list(splits)))
        if case_ids is not None:
            query = query.where(one_of(annotations.c.case_id, case_ids, self._is_sqlite))
        known = kind_of(Annotation)
        return [from_row(known, row) for row in self._connection.execute(query).mappings()]

    def latest_predictions(self, model_id: str, *, among: Collection[str] | None = None) -> list[Prediction]:
        """The newest prediction of this model for each case it has seen; only those of cases `among` these, if they are named."""
        own = predictions.c.model_id == model_id
        if among is not None:
            own = and_(own, one_of(predictions.c.case_id, among, self._is_sqlite))
        newest = select(func.max(predictions.c.event)).where(own).group_by(predictions.c.case_id).scalar_subquery()
        query = select(predictions).where(own, predictions.c.event.in_(newest)).order_by(predictions.c.event)
        known = kind_of(Prediction)
        return [from_row(known, row) for row in self._connection.execute(query).mappings()]

    def contested_cases(self, splits: Sequence[Split]) -> list[str]:
        """Ids of the cases of these splits that have several full annotations in force."""
        table = case_states.c
        query = select(table.case_id).where(table.split.in_(list(splits)), table.state.in_(CLOSED), table.annotations > 1)
        return list(self._connection.execute(query).scalars())

    def annotated_among(self, case_ids: Collection[str]) -> set[str]:
        """Which of these cases have a full annotation that counts."""
        query = select(case_states.c.case_id).where(case_states.c.annotations > 0)
        return set(self._connection.execute(query.where(one_of(case_states.c.case_id, case_ids, self._is_sqlite))).scalars())

    def refused_among(self, case_ids: Collection[str]) -> set[str]:
        """Which of these cases were skipped or flagged, and have no annotation that counts."""
        query = select(case_states.c.case_id).where(case_states.c.state.in_(("skipped", "flagged")))
        return set(self._connection.execute(query.where(one_of(case_states.c.case_id, case_ids, self._is_sqlite))).scalars())

    def patients_of(self, case_ids: Collection[str]) -> dict[str, tuple[str, str]]:
        """Case id → (name, patient)."""
        query = select(case_states.c.case_id, case_states.c.name, case_states.c.patient)
        rows = self._connection.execute(query.where(one_of(case_states.c.case_id, case_ids, self._is_sqlite)))
        return {row.case_id: (row.name, row.patient) for row in rows}

    def some_unlabelled(self, splits: Sequence[Split], limit: int) -> list[Case]:
        """Unanswered cases in the order of their random ids: always the same ones while they stay unanswered."""
        chosen = select(case_states.c.case_id).where(case_states.c.split.in_(list(splits)), case_states.c.state == "unanswered")
        ids = chosen.order_by(case_states.c.case_id).limit(limit).subquery()
        query = select(cases).join(ids, ids.c.case_id == cases.c.id).order_by(cases.c.id)
        known = kind_of(Case)
        return [from_row(known, row) for row in self._connection.execute(query).mappings()]

    def unlabelled_cases(self, splits: Sequence[Split], *, exclude_open: bool = True, limit: int | None = None) -> list[Case]:
        """Cases that are neither answered, skipped nor flagged, nor usually open with somebody, by name in natural order."""
        chosen = select(case_states.c.case_id, *_BY_NAME).where(case_states.c.split.in_(list(splits)), case_states.c.state == "unanswered")
        if exclude_open:
            chosen = chosen.where(case_states.c.open_assignments == 0)
        ids = chosen.order_by(*_BY_NAME).limit(limit).subquery()  # limited before the wide rows are touched
        query = select(cases).join(ids, ids.c.case_id == cases.c.id).order_by(ids.c.sort_key, ids.c.name)
        known = kind_of(Case)
        return [from_row(known, row) for row in self._connection.execute(query).mappings()]

    def case_counts(self) -> CaseCounts:
        """Cases by split and by state."""
        rows = self.counts_by_state()
        tally = {name: sum(cases for split, state, cases, _ in rows if stored in (split, state)) for name, stored in _COUNTED.items()}
        return CaseCounts(total=sum(row[2] for row in rows), open=sum(row[3] for row in rows), **tally)

    def patches(self, assignment_id: str, after: int = 0) -> list[DraftPatch]:
        """Saved edits of an assignment whose revision is above `after`, in order."""
        query = select(draft_patches).where(draft_patches.c.assignment_id == assignment_id, draft_patches.c.revision > after)
        known = kind_of(DraftPatch)
        return [from_row(known, row) for row in self._connection.execute(query.order_by(draft_patches.c.revision)).mappings()]

    def assignments_patched(self, verbs: Collection[str]) -> set[str]:
        """Ids of the assignments with an edit that the event log tells by one of these verbs."""
        query = select(draft_patches.c.assignment_id).join(events, events.c.noun_id == draft_patches.c.id)
        return set(self._connection.execute(query.where(events.c.noun == "patch", events.c.verb.in_(verbs))).scalars())

    def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Audit events whose number is above `after`, in order."""
        query = select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
        return [Event(**row) for row in self._connection.execute(query).mappings()]

    def last_event(self) -> int:
        """Number of the newest audit event; 0 without any."""
        return int(self._connection.execute(select(func.max(events.c.seq))).scalar() or 0)

    def changed_since(self, event: int, nouns: Collection[str]) -> tuple[int, dict[str, set[str]]]:
        """The newest event, and which things of these kinds were added or changed after an event."""
        rows = self._connection.execute(select(events.c.noun, events.c.noun_id).where(events.c.seq > event, events.c.noun.in_(list(nouns))))
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row.noun, set()).add(row.noun_id)
        return self.last_event(), found

    def events_about(self, noun: str, noun_ids: Collection[str] | None = None, *, verbs: Collection[str] | None = None) -> list[Event]:
        """Audit events about things of one kind, for example "explanation", in order; of these things and verbs only."""
        query = select(events).where(events.c.noun == noun)
        if verbs is not None:
            query = query.where(events.c.verb.in_(verbs))
        if noun_ids is not None:
            query = query.where(one_of(events.c.noun_id, noun_ids, self._is_sqlite))
        return [Event(**row) for row in self._connection.execute(query.order_by(events.c.seq)).mappings()]

    def raw_events(self) -> Iterator[RawRow]:
        """Every audit event as it lies in the database, for the audit itself."""
        return raw_rows(self._connection, events)

    @property
    def connection(self) -> Connection:
        """The open transaction, for what looks below the records."""
        return self._connection


_BY_NAME = (case_states.c.sort_key, case_states.c.name)
_COUNTED = {name: name for name in ("train", "validation", "test", "audit", "skipped", "flagged")}
_COUNTED |= {"annotated": "answered", "unlabelled": "unanswered"}


def _column(known: Kind[Any], name: str) -> ColumnElement[Any]:
    if name not in known.table.c:
        raise InputError(f"A {known.noun} has no field {name!r}", remedy=f"use one of {', '.join(known.table.c.keys())}")
    return known.table.c[name]


def _filtered(query: Select[Any], known: Kind[Any], where: Where | None, is_sqlite: bool) -> Select[Any]:
    for name, wanted in (where or {}).items():
        column = _column(known, name)
        if wanted is None:
            query = query.where(column.is_(None))
        elif isinstance(wanted, str | int | float):
            query = query.where(column == scalar(wanted))
        else:
            query = query.where(one_of(column, wanted, is_sqlite))
    return query
