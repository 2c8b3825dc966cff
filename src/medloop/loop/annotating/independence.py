"""What an annotation owes to a model's proposal: which one it goes back to, and the share of it that nobody touched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.records import Assignment, Prediction
from medloop.images.encode import decode_mask
from medloop.interaction.runs import put_runs
from medloop.loop.annotating.open_edit import TAKE, OpenEdit, load_edit
from medloop.loop.annotating.touching import Edits, edits_in_force, state_of, taken_in_a_label
from medloop.loop.foundation.annotated_labels import without_others
from medloop.loop.foundation.in_force import began
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.store.reader import Reader

NEWEST = 3
"""So many of the newest predictions of a case are looked for in its draft: a page may put one that came later into it."""


@dataclass(frozen=True, eq=False)
class Lineage:
    """Where a draft comes from.

    Attributes:
        steps: Its own draft first, then those of the annotations it goes back to.
        proposal: What the last one of them began with; None when that was nothing, or an annotation made without a model.
        shown: The prediction that its own draft was shown with, also beside an annotation.
        later: Predictions that may have been put into its own draft while it was open.
        kept_tag: The tag it began with, given without a model.
    """

    steps: tuple[OpenEdit, ...]
    proposal: Prediction | None
    shown: Prediction | None
    later: tuple[Prediction, ...]
    kept_tag: int | None = None


def lineage(tx: Reader, edit: OpenEdit) -> Lineage:
    """Follow a draft back to what it all began with."""
    steps = [edit]
    while (base := steps[-1].base) is not None and base.assignment_id is not None and leans_on_proposal(tx, base):
        steps.append(load_edit(tx, tx.get(Assignment, base.assignment_id), edit.blobs))
    first = steps[-1].assignment
    proposal = tx.get(Prediction, first.proposal_id) if base is None and first.proposal_id else None
    shown = tx.get(Prediction, edit.assignment.proposal_id) if edit.assignment.proposal_id else None
    kept = edit.base.tag if edit.base is not None and len(steps) == 1 else None
    return Lineage(tuple(steps), proposal, shown, _later(tx, edit.assignment), kept)


@dataclass(frozen=True)
class Debt:
    """What an annotation owes to a proposal: which one, and the share, 0..1, of it that nobody touched.

    Attributes:
        taken: The proposal, or a hypothesis, was put into the draft while it was open.
    """

    proposal: Prediction
    untouched: float
    taken: bool = False


def debt_of_mask(found: Lineage, mask: MaskArray, *, elsewhere: bool, annotated: Sequence[int] = ()) -> Debt | None:
    """What a mask owes: the share of the proposal's and its own voxels that are the proposal's and that nobody touched.

    Args:
        found: The draft's `lineage`.
        mask: What is submitted, shape (I, J, K).
        elsewhere: It was made outside the draft: then every voxel that is the proposal's counts as untouched.
        annotated: The labels that it annotates, as a record keeps them: what a proposal shows of others is owed by nobody.

    Returns:
        None when no proposal stands at the beginning.
    """
    edit = found.steps[0]
    own = Edits() if elsewhere else _in_force(edit)
    hypothesis = _of_hypotheses(edit, own)
    adopted = None if elsewhere else _adopted(found, own)
    proposal = adopted[0] if adopted else found.proposal
    if proposal is None and found.shown is not None and (beside := without_others(edit.overlay, annotated, ())).any():
        return Debt(found.shown, _share(beside, mask, own.touched(mask.shape) & ~hypothesis))
    if proposal is None or proposal.mask is None:
        source = found.shown or next(iter(found.later), None)
        return Debt(source, _of_all(hypothesis & (mask > 0), mask > 0), taken=True) if source is not None and hypothesis.any() else None
    proposed = without_others(_proposed(edit, proposal), annotated, ())
    touched = own.touched(mask.shape, after=adopted[1] if adopted else 0) & ~hypothesis
    for step in () if adopted else found.steps[1:]:
        touched |= _in_force(step).touched(mask.shape)
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


def _of_hypotheses(edit: OpenEdit, own: Edits) -> BoolArray:
    """Voxels that a hypothesis was taken into and that nobody has gone over since, shape (I, J, K)."""
    flat = np.zeros(edit.case.grid.voxels, dtype=np.bool_)
    for patch in own.patches:
        put_runs(flat, patch.runs, edit.verbs.get(patch.id) == TAKE)
    return flat.reshape(edit.case.grid.shape, order="F")


def _of_all(part: BoolArray, whole: BoolArray) -> float:
    return int(np.count_nonzero(part)) / max(1, int(np.count_nonzero(whole)))


def _share(proposed: MaskArray, mask: MaskArray, touched: BoolArray) -> float:
    region = (proposed > 0) | (mask > 0)
    if not region.any():
        return 1.0
    kept = region & (mask == proposed) & ~touched
    return float(np.count_nonzero(kept) / np.count_nonzero(region))


def _proposed(edit: OpenEdit, proposal: Prediction) -> MaskArray:
    return decode_mask(edit.blobs.get(str(proposal.mask)), edit.case.grid.shape)


def _in_force(edit: OpenEdit) -> Edits:
    return edits_in_force(edit.begun, edit.patches) if edit.patches else Edits()


def _adopted(found: Lineage, own: Edits) -> tuple[Prediction, int] | None:
    """The prediction that the draft was made equal to while it was open, and after how many edits in force; None for none.

    Equal as a whole or, where other labels were kept, in one label.
    """
    edit = found.steps[0]
    for prediction in found.later if own.patches else ():
        if prediction.mask is None:
            continue
        proposed = _proposed(edit, prediction)
        state = state_of(edit.begun, proposed)
        if state in own.states[1:]:
            return prediction, own.states.index(state)
        if (count := taken_in_a_label(edit.begun, own.patches, proposed)) is not None:
            return prediction, count
    return None


def _later(tx: Reader, assignment: Assignment) -> tuple[Prediction, ...]:
    newest = tx.find(Prediction, where={"case_id": assignment.case_id}, order=("created_at",), descending=True, limit=NEWEST)
    begun = assignment.proposal_id if began(tx, assignment) == "prediction" else None
    return tuple(p for p in newest if p.id != begun)
