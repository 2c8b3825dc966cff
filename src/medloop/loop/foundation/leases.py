"""Give back cases that somebody opened and left, so that others are asked them and their rounds can end.

Signs of life are what the audit tells of an assignment: it was opened, edited, looked at, shown again. The draft is not lost: whoever
left it finds it when they open the case again (see `medloop.loop.annotating.opening`).
"""

from datetime import timedelta

from medloop.core.errors import StateError
from medloop.core.records import Assignment, now
from medloop.loop.foundation import workspace as limits
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

UNTOUCHED = ("open", "undo")
"""Verbs of the audit after which nobody has looked at an assignment again: it was opened, or its submission taken back."""


def release_stale(workspace: Workspace, *, hours: float | None = None) -> tuple[str, ...]:
    """Release every open assignment without a sign of life for so long, usually `LEASE_HOURS`; returns their ids."""
    limit = now(-timedelta(hours=limits.LEASE_HOURS if hours is None else hours))
    with workspace.store.read() as tx:
        stale = _stale(tx, limit)
    return tuple(i for i in stale if _release(workspace, i, limit))


def release_assignment(workspace: Workspace, assignment_id: str, *, actor: str) -> str:
    """Release an open assignment of somebody, so that others can have its case; the case's id. The draft stays its owner's.

    Raises:
        NotFoundError: No such assignment.
        StateError: It is not open.
    """
    with workspace.store.write(actor) as tx:
        assignment = tx.get(Assignment, assignment_id)
        if assignment.state != "open":
            raise StateError(f"This assignment is {assignment.state}", remedy="open the case")
        tx.change(Assignment, assignment_id, verb="release", fields={"state": "released", "closed_at": now()})
    return assignment.case_id


def release_untouched(workspace: Workspace, assignment_id: str) -> Assignment:
    """Give back a case that its annotator passed over: at once, where nothing was done in it since it was opened.

    What was edited, or opened again meanwhile in another window, stays open: its lease ends as any other.

    Returns:
        The assignment as it is then, released or not.

    Raises:
        NotFoundError: No such assignment.
    """
    with workspace.store.write(workspace.store.get(Assignment, assignment_id).annotator_id) as tx:
        assignment = tx.get(Assignment, assignment_id)
        signs = tx.events_about("assignment", [assignment_id])
        if assignment.state != "open" or assignment.revision > 0 or signs[-1].verb not in UNTOUCHED:
            return assignment
        return tx.change(Assignment, assignment_id, verb="release", fields={"state": "released", "closed_at": now()})


def any_stale(tx: Reader) -> bool:
    """Whether `release_stale` would release one."""
    return bool(_stale(tx, now(-timedelta(hours=limits.LEASE_HOURS))))


def _stale(tx: Reader, limit: str) -> list[str]:
    return [a.id for a in tx.find(Assignment, where={"state": "open"}) if a.opened_at < limit and last_sign(tx, a) < limit]


def last_sign(tx: Reader, assignment: Assignment) -> str:
    """When somebody last did something with an assignment, as the records write times."""
    return max((event.at for event in tx.events_about("assignment", [assignment.id])), default=assignment.opened_at)


def _release(workspace: Workspace, assignment_id: str, limit: str) -> bool:
    """Release it unless it was closed or showed a sign of life meanwhile."""
    with workspace.store.write("system") as tx:
        assignment = tx.get(Assignment, assignment_id)
        if assignment.state != "open" or last_sign(tx, assignment) >= limit:
            return False
        tx.change(Assignment, assignment_id, verb="release", fields={"state": "released", "closed_at": now()})
    return True
