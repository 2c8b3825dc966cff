"""What the worklist shows per case, kept up to date in the transaction of each change.

State of a case, first rule that fits:
    answered    it has a current full annotation (see `Reader.current_annotations`); partial ones, marks and rejections do not count
    skipped     the assignment of it that was closed last in the order of the audit, not released and no check by a gold case, was
                closed as skipped
    flagged     the same, closed as flagged
    unanswered  anything else; `open_assignments` tells whether somebody has it open now
`quality` and `uncertainty` are those of the case's newest prediction, of whatever model.
"""

from functools import cache
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, Exists, FromClause, Select, and_, func, insert, literal, or_, select, union, update

from medloop.core.names import folded, natural_key
from medloop.core.records import Annotation, Assignment, Case, Prediction, Withdrawal
from medloop.store.rows import from_row, kind_of
from medloop.store.tables import annotations, assignments, case_states, consensuses, events, predictions, withdrawals

CaseState: TypeAlias = Literal["unanswered", "answered", "skipped", "flagged"]
CASE_STATES: tuple[CaseState, ...] = ("unanswered", "answered", "skipped", "flagged")
SHOWN_STATES: dict[CaseState, str] = {"unanswered": "unlabelled", "answered": "annotated", "skipped": "skipped", "flagged": "flagged"}
"""States of cases as the database keeps them, by their names for people and programs."""

PARTIAL, MARKS, REJECTED = "partial", "marks", "rejected"
"""Kinds of annotations that do not annotate a whole case: some slices or boxes; points, scribbles, boxes and tags in place of a mask; and
that a proposal was rejected, which annotates nothing."""

NOT_WHOLE = (PARTIAL, MARKS, REJECTED)

FUSED = "consensus"
"""Origin of an annotation that was fused from readings: it counts until one of these changes or another comes."""

GOLD = "gold"
"""Origin of an annotation given on a gold case: it is held against the truth, and counts as no annotation of the case."""
DECIDED = "adjudicated"
"""Origin of an annotation that a reviewer put together: it is not a reading of theirs, and replaces none."""

UNCERTAINTY_SCORE = "entropy"
"""The prediction score shown in the worklist."""


@cache
def current_annotations_query() -> Select[Any]:
    """Annotations that no later full one of the same case and annotator, and no other one by name, replaces.

    Partial annotations and marks add up: a later one replaces nothing but what it names. One that was withdrawn counts neither as an
    annotation nor as what replaces another. A fused one counts until the case gets another annotation, loses one, or another
    consensus is made. What a reviewer put together and what they read themselves replace each other by name only. One that was
    given on a gold case never counts.
    """
    later, other = annotations.alias("later"), annotations.alias("other")
    same = and_(
        later.c.case_id == annotations.c.case_id,
        later.c.annotator_id == annotations.c.annotator_id,
        later.c.event > annotations.c.event,
        is_whole(later),
        later.c.origin != GOLD,
        (later.c.origin == DECIDED) == (annotations.c.origin == DECIDED),
        ~_withdrawn(later),
    )
    replaced_by_later = select(literal(1)).select_from(later).where(same).exists()
    replaced_by_name = select(literal(1)).select_from(other).where(other.c.supersedes == annotations.c.id, ~_withdrawn(other)).exists()
    counts = and_(annotations.c.origin != GOLD, or_(annotations.c.origin != FUSED, ~_overtaken()))
    return select(annotations).where(~replaced_by_later, ~replaced_by_name, ~_withdrawn(annotations), counts)


def full_annotations_query() -> Select[Any]:
    """Of these the full ones."""
    return current_annotations_query().where(is_whole(annotations))


def is_whole(answers: FromClause) -> ColumnElement[bool]:
    """Whether annotations are of whole cases."""
    return answers.c.kind.not_in(NOT_WHOLE)


def _overtaken() -> ColumnElement[bool]:
    """Whether a full annotation of the same case was added or taken back after an annotation, or another consensus made."""
    newer, lost, made = annotations.alias("newer"), withdrawals.alias("lost"), consensuses.alias("made")
    added = and_(newer.c.case_id == annotations.c.case_id, newer.c.event > annotations.c.event, is_whole(newer), newer.c.origin != GOLD)
    taken = and_(lost.c.case_id == annotations.c.case_id, lost.c.event > annotations.c.event)
    other = and_(made.c.case_id == annotations.c.case_id, made.c.event > annotations.c.event, made.c.annotation_id != annotations.c.id)
    changed = ((newer, added), (lost, taken), (made, other))
    return or_(*(select(literal(1)).select_from(table).where(found).exists() for table, found in changed))


def _withdrawn(answers: FromClause) -> Exists:
    """Whether an annotation was taken back."""
    return select(literal(1)).select_from(withdrawals).where(withdrawals.c.annotation_id == answers.c.id).exists()


DECIDES = frozenset({"state", "gold_id"})
"""Fields of an assignment that a case's line in the worklist follows from; no other change of one is a reason to work it out."""


def note_added(connection: Connection, record: object) -> None:
    """Bring the worklist up to date after a record was added."""
    if isinstance(record, Case):
        connection.execute(insert(case_states), {**_identity(record), "state": "unanswered", "annotations": 0, "open_assignments": 0})
    elif isinstance(record, Annotation | Assignment | Withdrawal):
        refresh(connection, record.case_id)
    elif isinstance(record, Prediction):
        shown = {"quality": record.quality, "uncertainty": _score(record)}
        connection.execute(update(case_states).where(case_states.c.case_id == record.case_id).values(shown))


def refresh(connection: Connection, case_id: str) -> None:
    """Work a case's state out anew from its annotations and assignments."""
    connection.execute(update(case_states).where(case_states.c.case_id == case_id).values(worked_out(connection, case_id)))


def refresh_all(connection: Connection) -> None:
    """Work out anew what an older version wrote by its own rules; cases nobody opened or annotated are as they were."""
    touched = union(select(assignments.c.case_id), select(annotations.c.case_id))
    for case_id in connection.execute(touched).scalars().all():
        refresh(connection, case_id)


def worked_out(connection: Connection, case_id: str) -> dict[str, Any]:
    """State and counts of a case, from its annotations and assignments as they are."""
    full = current_annotations_query().where(annotations.c.case_id == case_id, is_whole(annotations), annotations.c.origin != FUSED)
    counted = connection.execute(select(func.count()).select_from(full.subquery())).scalar_one()
    of_case = select(assignments.c.state).where(assignments.c.case_id == case_id)
    closed = of_case.where(assignments.c.state.in_(("submitted", "skipped", "flagged")), assignments.c.gold_id.is_(None))
    about = and_(events.c.noun == "assignment", events.c.noun_id == assignments.c.id, events.c.verb.in_(("submit", "skip", "flag")))
    ended = func.coalesce(select(func.max(events.c.seq)).where(about).scalar_subquery(), 0)
    latest = connection.execute(closed.order_by(ended.desc(), assignments.c.event.desc()).limit(1)).scalar()
    is_open = connection.execute(select(func.count()).select_from(of_case.where(assignments.c.state == "open").subquery())).scalar_one()
    state: str = "answered" if counted else latest if latest in ("skipped", "flagged") else "unanswered"
    return {"state": state, "annotations": counted, "open_assignments": is_open}


def expected_line(connection: Connection, case: Case) -> dict[str, Any]:
    """What the worklist's line of a case must say, all of it derived anew; for the audit."""
    newest = select(predictions).where(predictions.c.case_id == case.id).order_by(predictions.c.event.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    shown = None if row is None else from_row(kind_of(Prediction), row)
    predicted = {"quality": shown.quality if shown else None, "uncertainty": _score(shown) if shown else None}
    return {**_identity(case), **worked_out(connection, case.id), **predicted}


def search_key(name: str, patient: str) -> str:
    """What a search looks through: both texts without upper and lower case, a line each."""
    return folded(f"{name}\n{patient}")


def _identity(case: Case) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "name": case.name,
        "patient": case.patient,
        "split": case.split,
        "sort_key": natural_key(case.name),
        "search_key": search_key(case.name, case.patient),
    }


def _score(prediction: Prediction) -> float | None:
    score = prediction.scores.get(UNCERTAINTY_SCORE)
    return None if score is None else float(score)
