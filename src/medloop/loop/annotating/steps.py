"""The steps that led to a draft, in the order they were made: what each was, when, and what it changed, to be gone through again.

Applied one after the other to what the draft began with, they give the draft as it stands, bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medloop.core.records import Assignment
from medloop.interaction.runs import Run, runs_between
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.open_edit import ELSEWHERE, FILLED, PROPAGATE, TAKE, TRACED, load_edit
from medloop.loop.annotating.replaying import history_of
from medloop.loop.foundation.workspace import Workspace

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(FILLED, "slices filled between"),
    PROPAGATE: "propagated",
    TAKE: "hypothesis taken",
    TRACED: "trace",
    ELSEWHERE: "another program",
}


@dataclass(frozen=True, eq=False)
class DraftStep:
    """One saved edit: the draft's revision after it, what it was in words, when, and its runs."""

    revision: int
    what: str
    at: str
    runs: tuple[Run, ...]


def began_runs(workspace: Workspace, assignment_id: str) -> tuple[Run, ...]:
    """The runs that make what a draft began with out of background."""
    begun = read_draft(workspace, assignment_id, upto=0).mask
    return runs_between(np.zeros_like(begun), begun)


def draft_steps(workspace: Workspace, assignment_id: str) -> tuple[DraftStep, ...]:
    """The steps of an assignment, open or closed, oldest first.

    Raises:
        NotFoundError: No such assignment.
    """
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
    undone = {back for _, back in history_of(edit).undone}
    kinds = {record.revision: f"prompt: {record.prompt.get('kind', '')}".replace("_", " ") for record in edit.log}
    withdrawn = {record.withdrawn for record in edit.log}
    steps = []
    for patch in edit.patches:
        what = kinds.get(patch.revision) or _WORDS.get(edit.verbs.get(patch.id, ""), "stroke")
        back = patch.revision in undone or (patch.revision in withdrawn and patch.revision not in kinds)
        steps.append(DraftStep(patch.revision, "taken back" if back else what, patch.created_at, patch.runs))
    return tuple(steps)
