"""Which cases need no second look at their readings: said by the database, so that what waits is found without reading what is done."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, literal, or_, select, true

from medloop.store.pool_rows import TransactionReader
from medloop.store.states import full_annotations_query, is_whole
from medloop.store.tables import annotations, assignments, case_states, consensuses, reviews, withdrawals


class ReadingReader(TransactionReader):
    """What is asked about the readings of very many cases."""

    def begun_cases(self, origins: Collection[str], *, fewer_than: int | None = None, not_by: str = "") -> list[str]:
        """Ids of the cases with an annotation of these origins in force, in their order.

        Args:
            origins: Of the annotation.
            fewer_than: Only cases with fewer full annotations.
            not_by: Only cases of which this annotator has none in force.
        """
        own = full_annotations_query().where(annotations.c.origin.in_(list(origins))).with_only_columns(annotations.c.case_id)
        query = select(case_states.c.case_id).where(case_states.c.annotations > 0, case_states.c.case_id.in_(own))
        if fewer_than is not None:
            query = query.where(case_states.c.annotations < fewer_than)
        if not_by:
            theirs = full_annotations_query().where(annotations.c.annotator_id == not_by).with_only_columns(annotations.c.case_id)
            query = query.where(case_states.c.case_id.not_in(theirs))
        return list(self._connection.execute(query.order_by(case_states.c.case_id)).scalars())

    def fused_cases(self, method: str, *, soft: bool) -> set[str]:
        """Ids of the cases whose readings have not changed since a consensus of this method; if `soft`, one with probabilities."""
        return set(self._connection.execute(_fused(method, 0.0, soft=soft)).scalars())

    def settled_cases(self, readings: int, method: str, agreement: float, *, soft: bool) -> set[str]:
        """Ids of the cases with so many readings and with an approval or a consensus, after which nothing happened to them.

        Args:
            readings: At least so many annotations.
            method: Of the consensus.
            agreement: At least this, where nobody has reviewed the case; above 1 only approved cases count.
            soft: Only a consensus with probabilities.
        """
        enough = select(case_states.c.case_id).where(case_states.c.annotations >= readings)
        unreviewed = _fused(method, agreement, soft=soft).where(~_any(reviews, reviews.c.case_id == consensuses.c.case_id))
        approved = select(reviews.c.case_id).where(reviews.c.verdict == "approve", _unchanged(reviews))
        found = or_(case_states.c.case_id.in_(unreviewed), case_states.c.case_id.in_(approved))
        return set(self._connection.execute(enough.where(found)).scalars())

    def single_cases(self) -> set[str]:
        """Ids of the cases with one annotation in force, and without review or consensus ever."""
        one = select(case_states.c.case_id).where(case_states.c.annotations == 1)
        touched = (_any(table, table.c.case_id == case_states.c.case_id) for table in (reviews, consensuses))
        return set(self._connection.execute(one.where(*(~each for each in touched))).scalars())

    def people_at_work(self) -> list[str]:
        """Ids of the annotators who have opened a case."""
        return list(self._connection.execute(select(assignments.c.annotator_id).distinct()).scalars())


def _fused(method: str, agreement: float, *, soft: bool) -> Select[Any]:
    made = select(consensuses.c.case_id).where(consensuses.c.method == method, consensuses.c.agreement >= agreement)
    if soft:
        made = made.where(or_(consensuses.c.uncertainty.is_(None), consensuses.c.voxel_probabilities.is_not(None)))
    return made.where(_unchanged(consensuses))


def _unchanged(record: FromClause) -> ColumnElement[bool]:
    """Whether nothing happened to a case since a review or consensus of it.

    No full annotation, nothing taken back, no later consensus and, of a reviewed one, no later review.
    """
    full, taken, fused, reviewed = (table.alias() for table in (annotations, withdrawals, consensuses, reviews))
    since = [(full, is_whole(full)), (taken, true()), (fused, true())] + ([(reviewed, true())] if record is reviews else [])
    return and_(*(~_any(t, t.c.case_id == record.c.case_id, t.c.event > record.c.event, more) for t, more in since))


def _any(table: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(literal(1)).select_from(table).where(*conditions).exists()
