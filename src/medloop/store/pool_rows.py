"""Questions about very many cases, answered with few or narrow rows: numbers are added up by the database, and rows fetched at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Exists, and_, distinct, func, literal, or_, select, union

from medloop.core.records import Case, Effort, Split
from medloop.store.listed import one_of
from medloop.store.rows import from_row, kind_of
from medloop.store.states import DECIDED, FUSED, REJECTED, current_annotations_query, full_annotations_query
from medloop.store.tables import (
    annotations,
    annotators,
    assignments,
    case_states,
    case_tallies,
    cases,
    descriptors,
    draft_patches,
    efforts,
    predictions,
    withdrawals,
)

Scored = tuple[str, Mapping[str, Any], int]
"""Case id, scores, number of the event that added the prediction."""

FEW = 20
ROWS_AT_ONCE = 5000
"""So many rows are held of an answer that is given as it is read."""

CLOSED = ("answered", "skipped", "flagged")


@dataclass(frozen=True)
class AnnotatedRow:
    """One own annotation: whose, of which case, with which assignment in which round, its seconds (0: unknown), whether it was undone."""

    id: str
    annotator_id: str
    case_id: str
    assignment_id: str | None
    round_id: str | None
    seconds: float
    created_at: str
    event: int
    undone: bool


@dataclass(frozen=True)
class NewRow:
    """An annotation: of which case, whose, of what kind, and the number of the event that added it."""

    id: str
    case_id: str
    annotator_id: str
    kind: str
    event: int


@dataclass(frozen=True)
class ShownRow:
    """A case that a person opened with the proposal of a model, and what became of that assignment."""

    assignment_id: str
    case_id: str
    annotator_id: str
    model_id: str
    state: str
    opened_at: str


@dataclass(frozen=True)
class VectorRow:
    """The blob of a case's vector, and the number of the event that added it."""

    case_id: str
    blob: str
    event: int


@dataclass(frozen=True)
class Period:
    """What somebody did after a moment."""

    annotator_id: str
    since: str


class TransactionReader:
    """Asks within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _is_sqlite(self) -> bool:
        return self._connection.dialect.name == "sqlite"


class PoolReader(TransactionReader):
    """What is asked about very many cases."""

    def case_columns(self) -> tuple[list[str], list[str], list[Split]]:
        """Ids, names and splits of every case, ordered by name as Python orders text."""
        rows = sorted(self._connection.execute(select(case_states.c.name, case_states.c.case_id, case_states.c.split)).all())
        names, ids, splits = zip(*rows, strict=True) if rows else ((), (), ())
        return list(ids), list(names), list(splits)

    def case_lines(self) -> Iterator[tuple[str, str, Split]]:
        """Name, id and split of every case, in no order, given as they are read."""
        query = select(case_states.c.name, case_states.c.case_id, case_states.c.split).execution_options(yield_per=ROWS_AT_ONCE)
        return ((row[0], row[1], row[2]) for row in self._connection.execute(query))

    def refused_cases(self, splits: Sequence[Split]) -> set[str]:
        """Cases of these splits that are answered, skipped, flagged or open with somebody."""
        table = case_states.c
        of_splits = select(table.case_id).where(table.split.in_(list(splits)))
        done = of_splits.where(table.state.in_(CLOSED))
        opened = of_splits.where(table.state == "unanswered", table.open_assignments > 0)
        return {*self._connection.execute(done).scalars().all(), *self._connection.execute(opened).scalars().all()}

    def closed_cases(self) -> set[str]:
        """Cases that are annotated, skipped or flagged."""
        return set(self._connection.execute(select(case_states.c.case_id).where(case_states.c.state.in_(CLOSED))).scalars().all())

    def left_out_cases(self, splits: Sequence[Split]) -> set[str]:
        """Cases of these splits that are skipped or flagged."""
        table = case_states.c
        query = select(table.case_id).where(table.split.in_(list(splits)), table.state.in_(("skipped", "flagged")))
        return set(self._connection.execute(query).scalars().all())

    def arrived_since(self, number: int) -> list[str]:
        """Ids of the unlabelled cases added after that event, in their order, that nobody has open."""
        table = case_states.c
        query = select(cases.c.id).join(case_states, table.case_id == cases.c.id).where(cases.c.event > number)
        free = query.where(table.state == "unanswered", table.open_assignments == 0)
        return list(self._connection.execute(free.order_by(cases.c.event)).scalars().all())

    def unread_among(self, case_ids: Collection[str]) -> set[str]:
        """Which of these cases nobody has annotated or left out, those that somebody has open among them."""
        table = case_states.c
        query = select(table.case_id).where(one_of(table.case_id, case_ids, self._is_sqlite), table.state == "unanswered")
        return set(self._connection.execute(query).scalars().all()) if case_ids else set()

    def cases_per_patient(self, split: Split) -> float:
        """How many cases of a split a patient has on average; 1 without any."""
        table = case_states.c
        query = select(func.count(), func.count(distinct(table.patient))).where(table.split == split)
        cases, patients = self._connection.execute(query).one()
        return cases / patients if patients else 1.0

    def prediction_count(self, model_id: str) -> int:
        """How many predictions a model has made."""
        return int(self._connection.execute(select(func.count()).where(predictions.c.model_id == model_id)).scalar_one())

    def prediction_scores(self, model_id: str, *, after: int = -1) -> list[Scored]:
        """Scores of a model's predictions that were added after an event, oldest first."""
        return list(self.each_score(model_id, after=after))

    def each_score(self, model_id: str, *, after: int = -1) -> Iterator[Scored]:
        """The same, given as they are read."""
        query = select(predictions.c.case_id, predictions.c.scores, predictions.c.event)
        query = query.where(predictions.c.model_id == model_id, predictions.c.event > after).order_by(predictions.c.event)
        found = self._connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE))
        return ((row.case_id, row.scores, row.event) for row in found)

    def vector_blobs(self, model_id: str, method: str, maker: str, *, after: int = -1) -> Iterator[VectorRow]:
        """Blobs of a model's embeddings, or else of a method's vectors by their maker, added after an event, oldest first.

        They are given as they are read: so long the transaction stays open.
        """
        columns, own = _vectors(model_id, method, maker)
        query = select(*columns).where(*own, columns[2] > after).order_by(columns[2]).execution_options(yield_per=ROWS_AT_ONCE)
        return (VectorRow(*row) for row in self._connection.execute(query))

    def vector_count(self, model_id: str, method: str, maker: str) -> int:
        """How many cases a model has predicted, or else how many vectors of a method there are by their maker."""
        if model_id:
            of_model = select(func.coalesce(func.sum(case_tallies.c.cases), 0)).where(case_tallies.c.model_id == model_id)
            return int(self._connection.execute(of_model).scalar_one())
        table = descriptors.c
        return int(self._connection.execute(select(func.count()).where(table.method == method, table.maker == maker)).scalar_one())

    def has_embeddings(self, model_id: str) -> bool:
        """Whether a model's predictions hold embeddings, by some of them: those of models from elsewhere have none."""
        some = select(predictions.c.features).where(predictions.c.model_id == model_id).limit(FEW)
        return any(features is not None for features in self._connection.execute(some).scalars())

    def annotated_rows(self, origins: Collection[str], *, among: Collection[str] | None = None) -> list[AnnotatedRow]:
        """Every annotation of these origins, or those of these ids, later replaced and undone ones included, oldest first."""
        table = annotations.c
        columns = (table.id, table.annotator_id, table.case_id, table.assignment_id, assignments.c.round_id, table.effort_seconds)
        query = select(*columns, table.created_at, table.event, _undone()).outerjoin(assignments, assignments.c.id == table.assignment_id)
        if among is not None:
            query = query.where(one_of(table.id, among, self._is_sqlite))
        rows = self._connection.execute(query.where(table.origin.in_(list(origins))).order_by(table.event))
        return [AnnotatedRow(*row) for row in rows.all()]

    def annotations_after(self, event: int, splits: Sequence[Split], *, limit: int, before: int | None = None) -> list[NewRow]:
        """Annotations in force of cases of these splits, whole or not, given after an event (and `before` one), newest first."""
        columns = (annotations.c.id, annotations.c.case_id, annotations.c.annotator_id, annotations.c.kind, annotations.c.event)
        query = current_annotations_query().with_only_columns(*columns).where(annotations.c.event > event, annotations.c.kind != REJECTED)
        if before is not None:
            query = query.where(annotations.c.event < before)
        of_splits = and_(case_states.c.case_id == annotations.c.case_id, case_states.c.split.in_(list(splits)))
        query = query.where(select(literal(1)).select_from(case_states).where(of_splits).exists())  # asked of the new ones only
        rows = self._connection.execute(query.order_by(annotations.c.event.desc()).limit(limit))
        return [NewRow(*row) for row in rows]

    def cases_worked_on(self, origins: Collection[str], of: Period) -> tuple[int, str | None]:
        """How many cases somebody has annotated in a period or has open now, and when the first of these annotations was given."""
        table, open_now = annotations.c, (assignments.c.annotator_id == of.annotator_id, assignments.c.state == "open")
        own = (table.annotator_id == of.annotator_id, table.created_at > of.since, table.origin.in_(list(origins)), ~_undone())
        every = union(select(table.case_id).where(*own), select(assignments.c.case_id).where(*open_now)).subquery()
        first = select(func.min(table.created_at)).where(*own).scalar_subquery()
        found = self._connection.execute(select(func.count(), first).select_from(every)).one()
        return int(found[0]), found[1]

    def effort_log(self, *, of: Period | None = None, among: Collection[str] | None = None) -> list[tuple[Effort, str | None, int]]:
        """Every session of work, the round of its assignment, and the number of the event that added it, oldest first.

        Args:
            of: Only those that ended in this period, or were first reported in it where nobody knows when they ended.
            among: Only those of these ids.
        """
        names = [field.name for field in fields(Effort)]
        query = select(*(efforts.c[name] for name in names), assignments.c.round_id, efforts.c.event).outerjoin(
            assignments, assignments.c.id == efforts.c.assignment_id
        )
        if among is not None:
            query = query.where(one_of(efforts.c.id, among, self._is_sqlite))
        if of is not None:
            unplaced = and_(efforts.c.ended_at.is_(None), efforts.c.created_at > of.since)
            query = query.where(efforts.c.annotator_id == of.annotator_id, or_(efforts.c.ended_at > of.since, unplaced))
        return [
            (Effort(**dict(zip(names, row[:-2], strict=True))), row[-2], row[-1])
            for row in self._connection.execute(query.order_by(efforts.c.event))
        ]

    def cases_with_image(self, *, until: str | None = None, after: str | None = None, limit: int | None = None) -> list[Case]:
        """Cases whose image was not removed, that were added by one time and after another, oldest first."""
        bounds = [*([] if until is None else [cases.c.added_at <= until]), *([] if after is None else [cases.c.added_at > after])]
        query = select(cases).where(cases.c.voxels != "", *bounds)
        query = query.order_by(cases.c.added_at, cases.c.event).limit(limit)
        return [from_row(kind_of(Case), row) for row in self._connection.execute(query).mappings()]

    def shown_proposals(self, model_ids: Sequence[str], split: Split, since: str, until: str | None) -> list[ShownRow]:
        """Cases of a split that people opened with a proposal of these models in a stretch of time, gold cases left out, oldest first."""
        table = assignments.c
        query = select(table.id, table.case_id, table.annotator_id, predictions.c.model_id, table.state, table.opened_at)
        query = query.join(predictions, predictions.c.id == table.proposal_id).join(cases, cases.c.id == table.case_id)
        query = query.where(predictions.c.model_id.in_(list(model_ids)), cases.c.split == split, table.opened_at >= since)
        query = query.where(table.began_with == "prediction", table.gold_id.is_(None), *([table.opened_at < until] if until else []))
        return [ShownRow(*row) for row in self._connection.execute(query.order_by(table.opened_at, table.id))]

    def first_patches(self) -> dict[str, str]:
        """When the first edit of each assignment arrived, by its id."""
        table = draft_patches.c
        rows = self._connection.execute(select(table.assignment_id, func.min(table.created_at)).group_by(table.assignment_id))
        return {row[0]: row[1] for row in rows.all()}

    def recent_efforts(
        self, origins: Collection[str], limit: int, *, whole: bool = False
    ) -> list[tuple[str, str | None, float, float, str]]:
        """(case id, proposal id, seconds, cost at today's rate, annotator id) of the newest annotations of these origins, oldest first.

        Those that were undone are left out, and looks that ended with a rejection; with `whole` those of parts, and marks, too.
        """
        table = annotations.c
        cost = table.effort_seconds / 60 * annotators.c.cost_per_minute
        query = select(table.case_id, table.proposal_id, table.effort_seconds, cost, table.annotator_id)
        query = query.join(annotators, annotators.c.id == table.annotator_id)
        query = query.where(table.origin.in_(list(origins)), table.kind != REJECTED, ~_undone(), *([table.kind == "mask"] if whole else []))
        rows = self._connection.execute(query.order_by(table.created_at.desc(), table.event.desc()).limit(limit))
        return [tuple(row) for row in rows.all()][::-1]

    def sole_annotations(self, splits: Sequence[Split]) -> list[tuple[str, str, str | None, int | None]]:
        """(case id, annotation id, blob, tag) of the cases of these splits that have exactly one full annotation in force."""
        columns = (annotations.c.case_id, annotations.c.id, annotations.c.blob, annotations.c.tag)
        query = full_annotations_query().with_only_columns(*columns).join(case_states, case_states.c.case_id == annotations.c.case_id)
        query = query.where(case_states.c.split.in_(list(splits)), case_states.c.state.in_(CLOSED), case_states.c.annotations == 1)
        return [tuple(row) for row in self._connection.execute(query).all()]

    def decided_annotations(self, splits: Sequence[Split]) -> list[tuple[str, str, str | None, int | None]]:
        """The same of the cases of which a consensus or a reviewer's decision is in force: the decision where there are both."""
        columns = (annotations.c.case_id, annotations.c.id, annotations.c.blob, annotations.c.tag)
        made = full_annotations_query().with_only_columns(*columns).join(case_states, case_states.c.case_id == annotations.c.case_id)
        made = made.where(case_states.c.split.in_(list(splits)), annotations.c.origin.in_((FUSED, DECIDED)))
        rows = self._connection.execute(made.order_by(annotations.c.origin == DECIDED, annotations.c.event))
        return list({row.case_id: tuple(row) for row in rows}.values())

    def annotated_cases(self, origins: Collection[str]) -> int:
        """How many cases have an annotation of these origins in force, whole or in part."""
        own = current_annotations_query().where(annotations.c.origin.in_(list(origins)), annotations.c.kind != REJECTED)
        return int(self._connection.execute(own.with_only_columns(func.count(distinct(annotations.c.case_id)))).scalar_one())


def _undone() -> Exists:
    return select(literal(1)).where(withdrawals.c.annotation_id == annotations.c.id, withdrawals.c.verb == "undone").exists()


def _vectors(model_id: str, method: str, maker: str) -> tuple[tuple[Any, Any, Any], tuple[Any, ...]]:
    """The columns of a case's vector, and which rows have one of this kind."""
    if model_id:
        table = predictions.c
        return (table.case_id, table.features, table.event), (table.model_id == model_id, table.features.is_not(None))
    table = descriptors.c
    return (table.case_id, table.vector, table.event), (table.method == method, table.maker == maker)
