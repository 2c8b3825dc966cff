"""Give cases to somebody, or take them back: many at once, by a lead."""

from collections.abc import Sequence
from dataclasses import dataclass

from medloop.core.names import counted
from medloop.core.records import Assignee, Case, Query, Round, new_id, now
from medloop.loop.foundation.assignees import assigned, assigned_to, end_assigned
from medloop.loop.foundation.readings import CaseReading, case_readings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.routing import NextChoice
from medloop.store.reader import Reader

AT_ONCE = 200
"""Cases looked at together for one that waits: usually the first does."""


@dataclass(frozen=True)
class Assigned:
    """What came of giving cases to somebody: how many are theirs now, and (case, why) of those that are not."""

    cases: int
    left: tuple[tuple[str, str], ...] = ()


def assign_cases(workspace: Workspace, case_ids: Sequence[str], annotator_id: str, *, actor: str) -> Assigned:
    """Give cases to an annotator, beside whomever they were given to before.

    Args:
        workspace: The project.
        case_ids: The cases; those that are theirs already stay so.
        annotator_id: Whose they become.
        actor: Who gives them, for the audit.

    Raises:
        NotFoundError: There is no such case.
    """
    wanted = list(dict.fromkeys(case_ids))
    with workspace.store.write(actor) as tx:
        cases = {case_id: tx.get(Case, case_id) for case_id in wanted}
        readings, known, refused = case_readings(tx, wanted), assigned(tx, wanted), tx.refused_among(wanted)
        why = {i: _why_not(readings[i], annotator_id, known.get(i, ()), refused=i in refused) for i in wanted}
        for case_id in wanted:
            if not why[case_id] and annotator_id not in known.get(case_id, ()):
                tx.add(Assignee(id=new_id("assignee"), case_id=case_id, annotator_id=annotator_id, created_at=now()), verb="assign")
    left = tuple((cases[i].name, reason) for i, reason in why.items() if reason)
    return Assigned(len(wanted) - len(left), left)


def unassign_cases(workspace: Workspace, case_ids: Sequence[str], *, actor: str) -> Assigned:
    """Take cases back from everybody whom they were given to; what somebody has open stays open.

    Raises:
        NotFoundError: There is no such case.
    """
    wanted = list(dict.fromkeys(case_ids))
    with workspace.store.write(actor) as tx:
        for case_id in wanted:
            tx.get(Case, case_id)
        had = assigned(tx, wanted)
        end_assigned(tx, {"case_id": wanted})
    return Assigned(len(had))


def assigned_choice(tx: Reader, annotator_id: str) -> NextChoice | None:
    """The first case that was given to an annotator and that they may read now, in its open round, if there is one."""
    mine = assigned_to(tx, annotator_id)
    for start in range(0, len(mine), AT_ONCE):
        some = mine[start : start + AT_ONCE]
        refused = tx.refused_among(some)
        for case_id, reading in case_readings(tx, some).items():
            if case_id not in refused and reading.wants(annotator_id):
                return NextChoice(case_id, _open_round(tx, case_id), "assigned to you")
    return None


def _open_round(tx: Reader, case_id: str) -> str | None:
    """Id of the newest open round that queried a case."""
    opened = tx.find(Round, where={"state": "annotating"}, order=("index",))
    queried = (one for one in reversed(opened) if one.query_id and case_id in {c.case_id for c in tx.get(Query, one.query_id).choices})
    return next((one.id for one in queried), None)


def _why_not(reading: CaseReading, annotator_id: str, known: Sequence[str], *, refused: bool) -> str:
    """Why a case cannot be given to somebody; "" where it can."""
    if refused:
        return "it was skipped or flagged: open it to bring it back"
    if annotator_id in reading.readers:
        return "they have read it"
    if annotator_id in reading.declined:
        return "they have skipped it"
    if annotator_id in known:
        return ""
    taken = {*reading.readers, *reading.open, *known} - {*reading.declined} - {annotator_id}
    if reading.state in ("in review", "accepted"):
        return "it needs no further reading"
    full = f"what it needs ({counted(reading.needed, 'reading')}) is open or assigned already: unassign it first"
    return full if len(taken) >= reading.needed else ""
