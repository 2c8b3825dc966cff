"""What an annotation owes to a model's proposal: which one it goes back to, and the share of it that nobody touched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.records import Assignment, Case, DraftPatch, Prediction
from medloop.images.encode import decode_mask
from medloop.loop.annotating.drafts import TAKE, base_mask
from medloop.loop.annotating.touching import Edits, edits_in_force, state_of, taken_in_a_label
from medloop.loop.foundation.in_force import base_of, began
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

NEWEST = 3
"""So many of the newest predictions of a case are looked for in its draft: a page may put one that came later into it."""


@dataclass(frozen=True)
class _Step:
    """One draft of the chain that leads from a proposal to an annotation."""

    assignment: Assignment
    patches: tuple[DraftPatch, ...]
    taken: frozenset[str] = frozenset()
    """Ids of the patches that put a hypothesis of a model into it."""


@dataclass(frozen=True)
class Lineage:
    """Where a draft comes from.

    Attributes:
        steps: Its own draft first, then those of the annotations it goes back to.
        proposal: What the last one of them began with; None when that was nothing, or an annotation made without a model.
        shown: The prediction that its own draft was shown with, also beside an annotation.
        later: Predictions that may have been put into its own draft while it was open.
        kept_tag: The tag it began with, given without a model.
    """

    steps: tuple[_Step, ...]
    proposal: Prediction | None
    shown: Prediction | None
    later: tuple[Prediction, ...]
    kept_tag: int | None = None


def lineage(tx: Reader, assignment: Assignment) -> Lineage:
    """Follow a draft back to what it all began with."""
    steps, current, own = list[_Step](), assignment, base_of(tx, assignment)
    while True:
        patches = tuple(tx.patches(current.id))
        steps.append(_Step(current, patches, _taken(tx, patches)))
        base = base_of(tx, current)
        if base is None or base.assignment_id is None or not leans_on_proposal(tx, base):
            break
        current = tx.get(Assignment, base.assignment_id)
    proposal = tx.get(Prediction, current.proposal_id) if base is None and current.proposal_id else None
    shown = tx.get(Prediction, assignment.proposal_id) if assignment.proposal_id else None
    kept = own.tag if own is not None and len(steps) == 1 else None
    return Lineage(tuple(steps), proposal, shown, _later(tx, assignment), kept)


@dataclass(frozen=True)
class Debt:
    """What an annotation owes to a proposal: which one, and the share, 0..1, of it that nobody touched.

    Attributes:
        taken: The proposal, or a hypothesis, was put into the draft while it was open.
    """

    proposal: Prediction
    untouched: float
    taken: bool = False


def debt_of_mask(workspace: Workspace, found: Lineage, case: Case, mask: MaskArray, *, elsewhere: bool) -> Debt | None:
    """What a mask owes: the share of the proposal's and its own voxels that are the proposal's and that nobody touched.

    Args:
        workspace: The project.
        found: The draft's `lineage`.
        case: Its case.
        mask: What is submitted, shape (I, J, K).
        elsewhere: It was made outside the draft: then every voxel that is the proposal's counts as untouched.

    Returns:
        None when no proposal stands at the beginning.
    """
    own = Edits() if elsewhere else _edits(workspace, found.steps[0], case)
    hypothesis = _of_hypotheses(found.steps[0], own, case)
    adopted = None if elsewhere else _adopted(workspace, found, case, own)
    proposal = adopted[0] if adopted else found.proposal
    if proposal is None or proposal.mask is None:
        source = found.shown or next(iter(found.later), None)
        return Debt(source, _of_all(hypothesis & (mask > 0), mask > 0), taken=True) if source is not None and hypothesis.any() else None
    proposed = _proposed(workspace, proposal, case)
    touched = own.touched(case.grid.shape, after=adopted[1] if adopted else 0) & ~hypothesis
    for step in () if adopted else found.steps[1:]:
        touched |= _edits(workspace, step, case).touched(case.grid.shape)
    return Debt(proposal, _share(np.where(hypothesis, mask, proposed), mask, touched), taken=adopted is not None)


def debt_of_tag(found: Lineage, tag: int) -> Debt | None:
    """What a tag owes: all when it is a class proposed, at the beginning or while the case was open, else nothing.

    A tag that was there, given without a model, and stays owes nothing.
    """
    if found.kept_tag == tag:
        return None
    came = found.later[0] if found.later and found.shown is None else None
    proposals = [p for p in (found.shown, found.proposal, came) if p is not None]
    confirmed = next((p for p in proposals if int(np.argmax(p.probabilities)) == tag), None)
    if confirmed is not None:
        return Debt(confirmed, 1.0, taken=confirmed is came)
    return Debt(proposals[0], 0.0) if proposals else None


def _taken(tx: Reader, patches: Sequence[DraftPatch]) -> frozenset[str]:
    if not patches:
        return frozenset()
    return frozenset(event.noun_id for event in tx.events_about("patch", [patch.id for patch in patches], verbs=[TAKE]))


def _of_hypotheses(step: _Step, own: Edits, case: Case) -> BoolArray:
    """Voxels that a hypothesis was taken into and that nobody has gone over since, shape (I, J, K)."""
    flat = np.zeros(case.grid.voxels, dtype=np.bool_)
    for patch in own.patches:
        for start, length, _ in patch.runs:
            flat[start : start + length] = patch.id in step.taken
    return flat.reshape(case.grid.shape, order="F")


def _of_all(part: BoolArray, whole: BoolArray) -> float:
    return int(np.count_nonzero(part)) / max(1, int(np.count_nonzero(whole)))


def _share(proposed: MaskArray, mask: MaskArray, touched: BoolArray) -> float:
    region = (proposed > 0) | (mask > 0)
    if not region.any():
        return 1.0
    kept = region & (mask == proposed) & ~touched
    return float(np.count_nonzero(kept) / np.count_nonzero(region))


def _proposed(workspace: Workspace, proposal: Prediction, case: Case) -> MaskArray:
    return decode_mask(workspace.store.blobs.get(str(proposal.mask)), case.grid.shape)


def _edits(workspace: Workspace, step: _Step, case: Case) -> Edits:
    if not step.patches:
        return Edits()
    with workspace.store.read() as tx:
        return edits_in_force(base_mask(workspace, tx, step.assignment, case), step.patches)


def _adopted(workspace: Workspace, found: Lineage, case: Case, own: Edits) -> tuple[Prediction, int] | None:
    """The prediction that the draft was made equal to while it was open, and after how many edits in force; None for none.

    Equal as a whole or, where other labels were kept, in one label.
    """
    if not own.patches:
        return None
    with workspace.store.read() as tx:
        base = base_mask(workspace, tx, found.steps[0].assignment, case)
    for prediction in found.later:
        if prediction.mask is None:
            continue
        proposed = _proposed(workspace, prediction, case)
        state = state_of(base, proposed)
        if state in own.states[1:]:
            return prediction, own.states.index(state)
        if (count := taken_in_a_label(base, own.patches, proposed)) is not None:
            return prediction, count
    return None


def _later(tx: Reader, assignment: Assignment) -> tuple[Prediction, ...]:
    newest = tx.find(Prediction, where={"case_id": assignment.case_id}, order=("created_at",), descending=True, limit=NEWEST)
    begun = assignment.proposal_id if began(tx, assignment) == "prediction" else None
    return tuple(p for p in newest if p.id != begun)
