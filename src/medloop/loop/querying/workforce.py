"""Who is at work here, how fast, at what rate, and how much more they can read: what routing knows of people."""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from medloop.core.names import counted
from medloop.core.records import Annotation, Annotator, Assignment, now
from medloop.loop.foundation.annotators import annotating_people
from medloop.loop.foundation.effort import RECENT_ANNOTATIONS
from medloop.loop.foundation.spent import OWN_ORIGINS, spent_since
from medloop.store.pool_rows import Period
from medloop.store.reader import Reader

WEEK = timedelta(days=7)
"""Who has opened nothing for so long is not counted on; capacity is what they do in such a time, ending now."""

USUAL_CASES = 5
"""Timed cases that somebody's own speed weighs as much as everybody's."""

LEFT = "leave"
"""Verb of the event that says that somebody was taken out of a project."""


@dataclass(frozen=True)
class Worker:
    """Somebody at work.

    Attributes:
        pace: Time they take over that of everybody: 2 is twice as long.
        full: Why they get no more for now, in words; "" while they have capacity left.
    """

    annotator: Annotator
    pace: float
    full: str


def workforce(tx: Reader, asking: str) -> tuple[Worker, ...]:
    """Everybody who is counted on, in the order they joined: whoever `asking` names, and who has opened a case within a week."""
    here = [one for one in annotating_people(tx) if one.id == asking or _is_here(tx, one)]
    paces = _paces(tx)
    return tuple(Worker(one, paces.get(one.id, 1.0), used_up(tx, one)) for one in here)


def used_up(tx: Reader, annotator: Annotator) -> str:
    """Why an annotator has no capacity left, and until when, in words; "" while there is some."""
    if annotator.hours_per_week is None and annotator.cases_per_week is None:
        return ""
    week = Period(annotator.id, now(-WEEK))
    if annotator.hours_per_week is not None:
        worked = spent_since(tx, week)
        hours = math.fsum(seconds for seconds, _ in worked) / 3600.0
        if hours >= annotator.hours_per_week:
            again = _again(min((ended for _, ended in worked), default=None))
            return f"{annotator.name} has worked {hours:.1f} of {annotator.hours_per_week:g} hours within seven days{again}"
    cases, first = tx.cases_worked_on(OWN_ORIGINS, week)
    if annotator.cases_per_week is not None and cases >= annotator.cases_per_week:
        return f"{annotator.name} has {cases} of {counted(annotator.cases_per_week, 'case')} within seven days{_again(first)}"
    return ""


def _again(first: str | None) -> str:
    """When the first of what counts is a week old."""
    return f"; more from {datetime.fromisoformat(first) + WEEK:%Y-%m-%d %H:%M} UTC" if first else ""


def _is_here(tx: Reader, annotator: Annotator) -> bool:
    """Whether they opened something within a week, and were not taken out of the project since."""
    last = tx.find(Assignment, where={"annotator_id": annotator.id}, descending=True, limit=1)
    if not last or last[0].opened_at <= now(-WEEK):
        return False
    gone = tx.events_about("annotator", [annotator.id], verbs=[LEFT])
    return not gone or gone[-1].seq < tx.event_numbers(Assignment, [last[0].id])[last[0].id]


def _paces(tx: Reader) -> dict[str, float]:
    """Time that each annotator takes over that of everybody, drawn towards 1 while few of theirs are timed."""
    newest = tx.find(Annotation, where={"origin": OWN_ORIGINS}, descending=True, limit=RECENT_ANNOTATIONS)
    taken = defaultdict[str, list[float]](list)
    for one in newest:
        if one.effort_seconds > 0 and one.kind != "rejected":  # a look is no reading
            taken[one.annotator_id].append(math.log(one.effort_seconds))
    if not taken:
        return {}
    usual = float(np.median([seconds for own in taken.values() for seconds in own]))
    return {who: math.exp(len(own) / (len(own) + USUAL_CASES) * (float(np.median(own)) - usual)) for who, own in taken.items()}
