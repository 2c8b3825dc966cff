"""Whom cases were given to by a lead: what that does to who gets them next.

A case goes to those whom it was given to before any other work, and as many of its readings as they have not given so far are kept
for them; further ones anybody may give. Opening a case from the worklist is everybody's as before. A lease ends an open draft,
not this: the case stays theirs until a lead takes it back, or they leave the project.
"""

from collections.abc import Collection

from medloop.core.records import Assignee, now
from medloop.loop.foundation.readings import CaseReading
from medloop.store.reader import Reader
from medloop.store.writer import Writer


def assigned(tx: Reader, case_ids: Collection[str]) -> dict[str, list[str]]:
    """Ids of those whom each of these cases was given to, in order; cases that are nobody's are not in it."""
    found: dict[str, list[str]] = {}
    for one in tx.find(Assignee, where={"case_id": case_ids, "ended_at": None}) if case_ids else ():
        found.setdefault(one.case_id, []).append(one.annotator_id)
    return found


def assigned_to(tx: Reader, annotator_id: str) -> list[str]:
    """Ids of the cases that were given to an annotator, in order."""
    return [one.case_id for one in tx.find(Assignee, where={"annotator_id": annotator_id, "ended_at": None})]


def is_kept(reading: CaseReading, whose: Collection[str], annotator_id: str) -> bool:
    """Whether the readings that a case needs are kept for others."""
    begun = {*reading.readers, *reading.open}
    waiting = {*whose} - begun - {*reading.declined}
    return bool(waiting) and annotator_id not in whose and len(begun | waiting) >= reading.needed


def end_assigned(tx: Writer, where: dict[str, Collection[str]]) -> int:
    """Take cases back; returns how many there were."""
    theirs = tx.find(Assignee, where={**where, "ended_at": None})
    for one in theirs:
        tx.change(Assignee, one.id, verb="unassign", fields={"ended_at": now()})
    return len(theirs)
