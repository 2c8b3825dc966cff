"""Somebody leaves a project: what they have open is offered to others. Their drafts and annotations stay."""

from collections.abc import Iterable

from medloop.core.names import folded
from medloop.core.records import Annotator, Assignment, now
from medloop.loop.foundation.assignees import end_assigned
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace


def release_work(workspace: Workspace, name: str, *, actor: str) -> int:
    """Release every assignment that the annotator of an account has open, and take back what was given to them; returns how many were open.

    Args:
        workspace: The project.
        name: The account's.
        actor: Who does it, for the audit.
    """
    with workspace.store.write(actor) as tx:
        theirs = [one.id for one in tx.find(Annotator) if folded(one.name) == folded(name)]
        held = tx.find(Assignment, where={"annotator_id": theirs, "state": "open"}) if theirs else []
        for one in held:
            tx.change(Assignment, one.id, verb="release", fields={"state": "released", "closed_at": now()})
        for who in theirs:
            end_assigned(tx, {"annotator_id": [who]})
            tx.record("leave", "annotator", who, {"released": len(held)})
    if held:
        after_annotation(workspace)
    return len(held)


def release_everywhere(workspaces: Iterable[Workspace], name: str, *, actor: str) -> int:
    """The same in several projects, without those that can only be read."""
    return sum(release_work(one, name, actor=actor) for one in workspaces if not one.store.read_only)
