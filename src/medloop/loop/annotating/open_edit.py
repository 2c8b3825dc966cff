"""An edit as the store holds it: what it began with, its patches and its prompts, read once for whatever is asked of it.

The base is the annotation in force when the case was opened, anybody's, else the proposal shown, else background, these two with the
slices and boxes that people (blind: oneself) had annotated by then; it stays the base whatever happens to the case meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import ConflictError, StateError
from medloop.core.records import Annotation, Assignment, Case, DraftPatch, Prediction, PromptRecord, Withdrawal
from medloop.images.encode import decode_mask
from medloop.interaction.moments import TIME
from medloop.interaction.runs import apply_runs
from medloop.loop.annotating.prompt_log import prompt_log
from medloop.loop.foundation.in_force import base_of
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

FILLED = ("fill-i", "fill-j", "fill-k")
"""What the event log says of the patch of a filling between slices, by the slices' axis: it counts as it is, but is no stroke."""

PROPAGATE = "propagate"
"""Verb of a patch that carried labels to other frames of a film: it counts as it is, but is no stroke."""

NOT_DRAWN = (*FILLED, PROPAGATE)
"""Verbs of patches that no hand drew, made from what hands drew elsewhere."""

TAKE = "take"
"""Verb of a patch that put something a model proposed (a hypothesis) into the draft."""


TRACED = "trace-in"
"""Verb of a patch that a trace of a pointer or of gaze proposed."""

ELSEWHERE = "edit-elsewhere"
"""Verb of a patch that another program drew (a front end of nnInteractive)."""


@dataclass(frozen=True)
class Draft:
    """An assignment's mask as it stands, shape (I, J, K), and the number of its last patch."""

    revision: int
    mask: MaskArray = field(repr=False)


@dataclass(frozen=True, eq=False)
class OpenEdit:
    """An assignment, open or closed, and everything saved of its edit.

    Attributes:
        assignment: The assignment; its `revision` is the number of the last patch.
        case: What is edited.
        base: The annotation it began with; None when it began with a proposal or with nothing.
        stored: Blob of the mask it began with; None for background.
        beside: Blob of the proposal whose labels are shown that an annotation of some labels, its base, says nothing of.
        partial: Partial annotations that stood when it began with no whole one; their parts lie over the stored mask.
        patches: In order.
        log: Every prompt it ever had, in order.
        verbs: Of the patches that are no strokes: id → one of `NOT_DRAWN`, `TAKE`, `TRACED` or `ELSEWHERE`.
        blobs: Where masks are.
    """

    assignment: Assignment
    case: Case
    base: Annotation | None
    stored: str | None
    beside: str | None
    partial: tuple[Annotation, ...]
    patches: tuple[DraftPatch, ...]
    log: tuple[PromptRecord, ...]
    verbs: Mapping[str, str]
    blobs: Blobs

    @cached_property
    def begun(self) -> MaskArray:
        """The mask it began with, shape (I, J, K), in file order in memory, as patches are applied and masks compared."""
        shape = self.case.grid.shape
        mask = np.zeros(shape, dtype=np.uint8, order="F") if self.stored is None else decode_mask(self.blobs.get(self.stored), shape)
        if self.beside is not None:
            mask = np.where(mask == 0, self.overlay, mask)
        if not self.partial:
            return mask
        known = merged_annotation(self.blobs, self.partial, self.case).array
        return np.where(known == UNKNOWN, mask, known)

    @cached_property
    def overlay(self) -> MaskArray:
        """What a proposal shows of labels that the base does not annotate, shape (I, J, K); background elsewhere."""
        if self.beside is None or self.base is None:
            return np.zeros(self.case.grid.shape, dtype=np.uint8)
        shown = decode_mask(self.blobs.get(self.beside), self.case.grid.shape)
        return np.where(np.isin(shown, self.base.annotated), 0, shown).astype(np.uint8)

    @property
    def proposed(self) -> MaskArray:
        """What of the mask that it began with is the model's own, shape (I, J, K); background elsewhere."""
        if self.base is not None or self.assignment.proposal_id is None or self.stored is None:
            return self.overlay
        return decode_mask(self.blobs.get(self.stored), self.case.grid.shape)

    @property
    def drawn_labels(self) -> frozenset[int]:
        """Labels that a patch drew."""
        return frozenset(value for patch in self.patches for _, _, value in patch.runs) - {0}

    @property
    def by_hand(self) -> tuple[DraftPatch, ...]:
        """The patches without fillings and propagations: brush strokes and prompts."""
        return tuple(patch for patch in self.patches if self.verbs.get(patch.id) not in NOT_DRAWN)

    @property
    def filled_axes(self) -> tuple[int, ...]:
        """Along which axes slices were filled in between, or frames propagated to."""
        return tuple(sorted({FILLED.index(verb) if verb in FILLED else TIME for verb in self.verbs.values() if verb in NOT_DRAWN}))

    def draft(self, *, upto: int | None = None, known: Draft | None = None) -> Draft:
        """The mask with patches applied.

        Args:
            upto: The last revision wanted; None for the newest.
            known: An earlier state of this draft, to go on from; patches never change.
        """
        begin = known if known is not None and (upto is None or known.revision <= upto) else None
        wanted = [p for p in self.patches if (not begin or p.revision > begin.revision) and (upto is None or p.revision <= upto)]
        if begin and not wanted:
            return begin
        mask = begin.mask if begin else self.begun
        return Draft(wanted[-1].revision if wanted else 0, apply_runs(mask, [run for patch in wanted for run in patch.runs]))


def load_edit(tx: Reader, assignment: Assignment, blobs: Blobs) -> OpenEdit:
    """Everything saved of an assignment's edit, in the caller's transaction; masks are read when they are first used."""
    base, patches = base_of(tx, assignment), tuple(tx.patches(assignment.id))
    verbs = tx.events_about("patch", [patch.id for patch in patches], verbs=[*NOT_DRAWN, TAKE, TRACED, ELSEWHERE]) if patches else ()
    return OpenEdit(
        assignment=assignment,
        case=tx.get(Case, assignment.case_id),
        base=base,
        stored=_stored(tx, assignment, base),
        beside=tx.get(Prediction, assignment.proposal_id).mask
        if base and base.annotated and base.blob and assignment.proposal_id
        else None,
        partial=_partial(tx, assignment) if base is None else (),
        patches=patches,
        log=tuple(prompt_log(tx, assignment.id)),
        verbs={event.noun_id: event.verb for event in verbs},
        blobs=blobs,
    )


def _stored(tx: Reader, assignment: Assignment, base: Annotation | None) -> str | None:
    if base is not None and base.blob is not None:
        return base.blob
    return tx.get(Prediction, assignment.proposal_id).mask if assignment.proposal_id is not None else None


def _partial(tx: Reader, assignment: Assignment) -> tuple[Annotation, ...]:
    """The partial annotations of its case that counted when it was opened, also those withdrawn or replaced since."""
    of_case = {"case_id": assignment.case_id}
    made, lost = tx.find(Annotation, where=of_case), tx.find(Withdrawal, where=of_case)
    order = tx.event_numbers(Annotation, [a.id for a in made]) | tx.event_numbers(Withdrawal, [w.id for w in lost])
    opened = tx.event_numbers(Assignment, [assignment.id])[assignment.id]
    made = [a for a in made if order[a.id] < opened]
    gone = {w.annotation_id for w in lost if order[w.id] < opened}
    gone |= {a.supersedes for a in made if a.supersedes}
    seen = (a for a in made if not assignment.blind or a.annotator_id == assignment.annotator_id)
    return tuple(a for a in seen if a.kind == "partial" and a.id not in gone)


def require_open(assignment: Assignment) -> Assignment:
    """The assignment itself, if it still accepts work.

    Raises:
        StateError: It was submitted, skipped, flagged or released.
    """
    if assignment.state != "open":
        kept = "; your draft is kept" if assignment.state == "released" else ""
        raise StateError(f"This assignment is {assignment.state}, not open", remedy=f"open the case again{kept}")
    return assignment


def require_revision(assignment: Assignment, base_revision: int) -> Assignment:
    """The assignment itself, if it is open and an edit made on that revision is the next one.

    Raises:
        ConflictError: Another edit came first.
        StateError: It is closed.
    """
    if require_open(assignment).revision != base_revision:
        raise ConflictError(
            f"The draft is at revision {assignment.revision}, the edit was made on {base_revision}",
            remedy="read the draft again and repeat the edit",
        )
    return assignment
