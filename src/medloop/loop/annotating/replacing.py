"""What a submission owes to others: where it comes from, and which annotation it replaces.

Somebody else's annotation, and an imported one whoever made it, is replaced only knowingly: of an evaluation case, when the
submission says so; an imported one of another case, also when the draft began with it, so that the sender had it in front of them.
"""

from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import ReplacesError
from medloop.core.records import EVALUATION_SPLITS, Annotation, Annotator, AnswerKind, AnswerOrigin, Assignment, BeganWith, Case
from medloop.loop.annotating.drafts import own_answer
from medloop.loop.annotating.independence import Debt, Lineage, debt_of_mask, debt_of_tag, lineage
from medloop.loop.foundation.in_force import began, standing_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True)
class Submitted:
    """What is submitted.

    Attributes:
        kind: Kind of the annotation.
        blob: Of a mask.
        tag: Of a classification.
        mask: The mask itself, shape (I, J, K).
        elsewhere: The mask was not made in the draft.
        independent: Its maker says that it owes nothing to the proposal shown.
        replace: Its maker says that it shall replace the annotation in force.
        task_version: The version of the task that its maker saw; None when that was not said.
    """

    kind: AnswerKind
    blob: str | None = None
    tag: int | None = None
    mask: MaskArray | None = field(default=None, repr=False)
    elsewhere: bool = False
    independent: bool = False
    replace: bool = False
    task_version: int | None = None

    @property
    def values(self) -> frozenset[int]:
        """Label values that it uses."""
        if self.mask is None:
            return frozenset() if self.tag is None else frozenset({self.tag})
        return frozenset(int(value) for value in np.unique(self.mask) if value)


@dataclass(frozen=True)
class Origin:
    """Where an annotation comes from; see `Annotation`."""

    origin: AnswerOrigin
    began_with: BeganWith
    proposal_id: str | None
    untouched: float | None = None


def origin_of(workspace: Workspace, assignment_id: str, how: Submitted) -> Origin:
    """Where a submission comes from.

    Simulated annotators answer from the truth of a data set; only a draft that they submit as it stands owes anything.
    """
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        case = tx.get(Case, assignment.case_id)
        simulated = tx.get(Annotator, assignment.annotator_id).kind == "simulated"
        begun, found = began(tx, assignment), lineage(tx, assignment)
    origin: AnswerOrigin = "simulated" if simulated else "human"
    shown = assignment.proposal_id
    if how.independent:
        return Origin(origin, "blank", shown)
    if simulated and (how.elsewhere or how.mask is None):
        return Origin(origin, "elsewhere", shown)
    debt = _debt(workspace, found, case, how)
    if debt is not None and debt.taken:
        return Origin(origin, "prediction", debt.proposal.id, debt.untouched)
    return Origin(origin, "elsewhere" if how.elsewhere else begun, shown, debt.untouched if debt else None)


def _debt(workspace: Workspace, found: Lineage, case: Case, how: Submitted) -> Debt | None:
    if how.mask is not None:
        return debt_of_mask(workspace, found, case, how.mask, elsewhere=how.elsewhere)
    return debt_of_tag(found, how.tag) if how.tag is not None else None


def replaced_by(tx: Reader, assignment: Assignment, how: Submitted) -> str | None:
    """Id of the annotation that a submission replaces by name; None for none.

    Raises:
        ReplacesError: One of somebody else stands, and may only be replaced when `how.replace` says so.
    """
    if how.kind == "partial":
        return None
    standing = standing_annotation(tx, assignment.case_id)
    if standing is not None and (standing.annotator_id != assignment.annotator_id or standing.origin == "imported"):
        seen = standing.origin == "imported" and standing.id == assignment.base_id
        if not how.replace:
            _require_free(tx, assignment, standing, seen=seen)
        if how.replace or seen:
            return standing.id
    earlier = own_answer(tx, assignment.case_id, assignment.annotator_id)
    return earlier.id if earlier else None


def _require_free(tx: Reader, assignment: Assignment, standing: Annotation, *, seen: bool) -> None:
    case = tx.get(Case, assignment.case_id)
    if case.split not in EVALUATION_SPLITS and (seen or standing.origin != "imported"):
        return
    by = tx.get(Annotator, standing.annotator_id).name
    what = f"imported on {standing.created_at[:10]}" if standing.origin == "imported" else f"by {by} of {standing.created_at[:16]}Z"
    used = f", which models are judged by ({case.split})" if case.split in EVALUATION_SPLITS else ""
    raise ReplacesError(f"{case.name} has an annotation {what}{used}", remedy="say replace to put yours in its place")
