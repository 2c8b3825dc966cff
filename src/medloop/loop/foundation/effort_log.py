"""The log of work: what clients report of the time that a case took, held against the clock of this machine.

A client names each of its sessions, so that its reports may come twice, late or out of order: of each session the largest
figures stand, and the sessions of an assignment add up. Who is at work for longer than the case was open is not believed: the
seconds are cut to those that passed, and the record says so. What a caller in Python reports was not observed, and counts as it is.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from medloop.core.errors import InputError
from medloop.core.records import Annotation, Assignment, Effort, Review, new_id, now, time_text
from medloop.loop.foundation.anchoring import FirstSight, record_first_sight
from medloop.store.reader import Reader
from medloop.store.writer import Writer

MAX_EFFORT_SECONDS = 24 * 3600.0
MAX_SPAN_SECONDS = 31 * 24 * 3600.0
MAX_COUNT = 1_000_000
SLACK_SECONDS = 2.0
"""Two clocks and a network lie between what a client counts and what passed here."""

EARLIER = "earlier"
"""Session of the seconds that an assignment had before sessions were kept."""

_EVER = datetime.min.replace(tzinfo=UTC)
SECONDS = ("active_seconds", "idle_seconds", "first_stroke_seconds")
COUNTS = ("strokes", "prompts", "slices_viewed", "undos")


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a client knows of one session, all of it so far; fields as in `medloop.core.records.Effort`.

    Attributes:
        proposal: What was on the screen of a proposal when the first stroke came; None as long as none did.
        ago_seconds: How long ago the session's last sign of life was.
        observed: It comes from another process now, so that the seconds must fit into the time that passed here.
    """

    session: str = ""
    active_seconds: float | None = None
    idle_seconds: float | None = None
    first_stroke_seconds: float | None = None
    strokes: int | None = None
    prompts: int | None = None
    slices_viewed: int | None = None
    undos: int | None = None
    ago_seconds: float = 0.0
    observed: bool = False
    proposal: FirstSight | None = None

    @property
    def figures(self) -> dict[str, float | int]:
        """What is known of it, by field."""
        every = {name: getattr(self, name) for name in (*SECONDS, *COUNTS)}
        return {name: value for name, value in every.items() if value is not None}


UNKNOWN_EFFORT = Reported()


def plain_seconds(seconds: float | None) -> Reported:
    """The report of a client that knows seconds only; 0 is what those send who measured nothing."""
    return Reported(active_seconds=seconds or None)


def checked_report(reported: Reported) -> Reported:
    """The report, if it can be.

    Raises:
        InputError: A time or a count that is negative, not finite or too large.
    """
    for name, value in {**reported.figures, "ago_seconds": reported.ago_seconds}.items():
        most: float = MAX_EFFORT_SECONDS if name == "active_seconds" else MAX_COUNT if name in COUNTS else MAX_SPAN_SECONDS
        if not 0 <= value <= most:
            raise InputError(f"Effort lies between 0 and {most:.0f} ({name}), got {value:g}")
    return reported


def spent_on(tx: Reader, assignment: Assignment) -> float:
    """Active seconds recorded for an assignment so far."""
    known = tx.find(Effort, where={"assignment_id": assignment.id})
    return active_seconds(known) if known else _earlier_seconds(tx, assignment)


def record_effort(tx: Writer, assignment: Assignment, reported: Reported) -> float:
    """Keep what a client reports of its session on an assignment; the active seconds of all sessions so far.

    Raises:
        InputError: As `checked_report`.
    """
    if reported.proposal is not None:
        record_first_sight(tx, assignment.id, reported.proposal)
    known = tx.find(Effort, where={"assignment_id": assignment.id})
    earlier = 0.0 if known else _earlier_seconds(tx, assignment)
    if not checked_report(reported).figures:
        return earlier or active_seconds(known)
    if earlier:
        known = [_added(tx, assignment, _Held(Reported(session=EARLIER, active_seconds=earlier)))]
    others = [one for one in known if one.session != reported.session]
    mine = next((one for one in known if one.session == reported.session), None)
    held = _held_against_clock(reported, assignment, active_seconds(others)) if reported.observed else _Held(reported)
    made = _added(tx, assignment, held) if mine is None else _grown(tx, mine, held)
    return active_seconds([*others, made])


def record_outside(tx: Writer, made: Annotation | Review, reported: Reported) -> None:
    """Keep what an annotation or a verdict took that was made without an assignment.

    Raises:
        InputError: As `checked_report`.
    """
    if checked_report(reported).figures:
        own = replace(reported, session=made.id)
        held = _placed(own, datetime.fromisoformat(now()) - timedelta(seconds=own.ago_seconds)) if own.observed else _Held(own)
        tx.add(_effort(made.case_id, made.annotator_id, None, held), verb="work")


def active_seconds(efforts: list[Effort]) -> float:
    """Active seconds of sessions together; those unknown are none."""
    return math.fsum(one.active_seconds or 0.0 for one in efforts)


@dataclass(frozen=True)
class _Held:
    """A report held against the clock: what counts of it, when it was, and why it counts for less."""

    reported: Reported
    began_at: str | None = None
    ended_at: str | None = None
    note: str = ""


def _held_against_clock(reported: Reported, assignment: Assignment, others: float) -> _Held:
    """The report with no more active seconds than passed between opening and closing, less those of other sessions."""
    current, opened = datetime.fromisoformat(now()), datetime.fromisoformat(assignment.opened_at)
    closed = datetime.fromisoformat(assignment.closed_at) if assignment.closed_at else current
    end = min(closed, current - timedelta(seconds=reported.ago_seconds))
    passed = (closed - opened).total_seconds()
    if passed < 0:
        return _Held(reported, note="this machine's clock went back since the case was opened: not held against it")
    active, room = reported.active_seconds, max(0.0, passed + SLACK_SECONDS - others)
    note = ""
    if active is not None and active > room:
        beside = f", {others:.1f} s of them in other sessions" if others else ""
        note = f"{active:.1f} s were reported, {passed:.1f} s had passed since the case was opened{beside}"
        reported = replace(reported, active_seconds=round(room, 1))
    return _placed(reported, max(end, opened), since=opened, note=note)


def _placed(reported: Reported, end: datetime, *, since: datetime = _EVER, note: str = "") -> _Held:
    """When a report's work was: it ended then, and began not before the case was opened."""
    span = timedelta(seconds=(reported.active_seconds or 0.0) + (reported.idle_seconds or 0.0))
    return _Held(reported, time_text(max(since, end - span)), time_text(end), note)


def _added(tx: Writer, assignment: Assignment, held: _Held) -> Effort:
    made = _effort(assignment.case_id, assignment.annotator_id, assignment.id, held)
    tx.add(made, verb="work")
    return made


def _effort(case_id: str, annotator_id: str, assignment_id: str | None, held: _Held) -> Effort:
    figures: dict[str, Any] = held.reported.figures
    return Effort(
        id=new_id("effort"),
        case_id=case_id,
        annotator_id=annotator_id,
        assignment_id=assignment_id,
        session=held.reported.session,
        began_at=held.began_at,
        ended_at=held.ended_at,
        note=held.note,
        created_at=now(),
        **figures,
    )


def _grown(tx: Writer, mine: Effort, held: _Held) -> Effort:
    """The session's record with the larger figures of what was known and what is reported."""
    figures: dict[str, float | int | str | None] = {
        name: max(value, getattr(mine, name) or 0) for name, value in held.reported.figures.items() if name != "first_stroke_seconds"
    }
    figures["first_stroke_seconds"] = held.reported.first_stroke_seconds if mine.first_stroke_seconds is None else mine.first_stroke_seconds
    if held.began_at is not None:
        figures["began_at"] = min(filter(None, (mine.began_at, held.began_at)))
        figures["ended_at"] = max(filter(None, (mine.ended_at, held.ended_at)))
    return tx.change(Effort, mine.id, verb="work", fields={**figures, "note": held.note or mine.note})


def _earlier_seconds(tx: Reader, assignment: Assignment) -> float:
    """Seconds of what an assignment was submitted with before sessions were kept; those of one undone went on in the next."""
    return max((a.effort_seconds for a in tx.find(Annotation, where={"assignment_id": assignment.id})), default=0.0)
