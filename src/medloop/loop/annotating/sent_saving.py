"""A mask that another program sends becomes somebody's annotation, through the same submission as on the page.

A client that shows an image need not show what others annotated, nor what a reviewer wrote. So an annotation of somebody else is replaced
only by a client that has taken it, or says `replace`; a return is told once before it counts as seen; and a draft that was drawn on the
page is never closed by a file.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.errors import ConflictError, ReplacesError, ReturnedError, StateError
from medloop.core.labels import mask_of
from medloop.core.records import EVALUATION_SPLITS, Annotation, Annotator, Assignment, Case
from medloop.loop.annotating.annotations import choose_case, submit
from medloop.loop.annotating.open_edit import load_edit
from medloop.loop.annotating.sent_labels import SentMask
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.blinding import own_annotation, seen_annotation
from medloop.loop.foundation.gold import unread_gold
from medloop.loop.foundation.readings import case_readings, project_settings, readings_due
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True)
class Known:
    """What a person's client has been shown of a case.

    Attributes:
        annotation: Id of the annotation that it took last; "" for none.
        returned: Id of the return that it was told of; "" for none.
        replace: It says that somebody else's annotation shall be replaced.
    """

    annotation: str = ""
    returned: str = ""
    replace: bool = False


class ReturnToldError(ReturnedError):
    """A reviewer returned the case: told once, by the review's id, before a file settles it."""

    def __init__(self, message: str, *, remedy: str, review: str) -> None:
        super().__init__(message, remedy=remedy)
        self.review = review


@dataclass(frozen=True)
class _Standing:
    annotation_id: str | None
    replace: bool


def save_sent(workspace: Workspace, case: Case, annotator_id: str, sent: SentMask, known: Known, *, reviews: bool = False) -> Annotation:
    """Submit a sent mask as a person's annotation of the whole case.

    Args:
        workspace: The project.
        case: Which case.
        annotator_id: Whose annotation it becomes.
        sent: The mask.
        known: What the person's client has been shown.
        reviews: They may review; see `choose_case`.

    Raises:
        ReplacesError: Another annotation stands that the client has not taken, or one with labels that the mask does not name.
        ReturnToldError: A reviewer returned the case to this person, and the client has not been told.
        StateError: They have a draft of the case with edits, or their tutorial is not over.
        MedloopError: As `submit`.
    """
    with workspace.store.read() as tx:
        revision = _require_unedited(workspace, tx, case, annotator_id)
        standing = _require_known(tx, case, annotator_id, known)
        if not known.replace and case.id not in unread_gold(tx, annotator_id):
            _require_named(workspace, tx, case, _replaced(tx, case, annotator_id), sent)
    opened = choose_case(workspace, case.id, annotator_id, reviews=reviews)
    if opened.assignment.gold_id is None and (opened.annotation.id if opened.annotation else None) != standing.annotation_id:
        raise ConflictError("Somebody annotated this case in this moment, so nothing was saved", remedy="look at it, then save again")
    if opened.assignment.revision != revision:
        raise _edited(case, opened.assignment)
    whole = Submitted(
        mask=sent.mask,
        whole=True,
        annotated=sent.annotated or None,
        replace=standing.replace,
        returned=known.returned or None,
        revision=opened.assignment.revision,
    )
    return submit(workspace, opened.assignment.id, whole)


def _require_known(tx: Reader, case: Case, annotator_id: str, known: Known) -> _Standing:
    if case.id in unread_gold(tx, annotator_id):
        return _Standing(None, replace=False)
    _require_told(tx, case, annotator_id, known)
    standing = seen_annotation(tx, case.id, annotator_id)
    settings = project_settings(tx)
    if standing is None or settings.blind or readings_due(tx, case.id) > 1:
        return _Standing(standing.id if standing else None, replace=known.replace)
    if standing.annotator_id == annotator_id and standing.origin != "imported":
        return _Standing(standing.id, replace=known.replace)
    if not known.replace and standing.id != known.annotation:
        raise _unseen(tx, case, standing)
    return _Standing(standing.id, replace=known.replace or case.split not in EVALUATION_SPLITS)


def _require_unedited(workspace: Workspace, tx: Reader, case: Case, annotator_id: str) -> int:
    """The revision of a person's open draft, 0 without one; refuse edits that are in no annotation of it, withdrawn or not."""
    mine = tx.find(Assignment, where={"case_id": case.id, "annotator_id": annotator_id, "state": "open"}, limit=1)
    if not mine or not mine[0].revision:
        return 0
    made = tx.find(Annotation, where={"assignment_id": mine[0].id, "kind": "mask"}, descending=True, limit=1)
    draft = load_edit(tx, mine[0], workspace.store.blobs).draft().mask if made else None
    if draft is None or not np.array_equal(draft, load_mask(workspace.store.blobs, made[0], case).array):
        raise _edited(case, mine[0])
    return mine[0].revision


def _edited(case: Case, draft: Assignment) -> StateError:
    rule = f"You have a draft of {case.name} with {draft.revision} edits, which a file would close unseen"
    return StateError(rule, remedy="submit it on the page, or undo its edits there, then save again")


def _replaced(tx: Reader, case: Case, annotator_id: str) -> Annotation | None:
    """What a person's annotation of a case would replace: where several people read it, their own reading alone."""
    settings = project_settings(tx)
    if settings.blind or readings_due(tx, case.id) > 1:
        return own_annotation(tx, case.id, annotator_id)
    return seen_annotation(tx, case.id, annotator_id)


def _require_named(workspace: Workspace, tx: Reader, case: Case, before: Annotation | None, sent: SentMask) -> None:
    """Refuse a mask that says nothing of a label that is drawn in the annotation that it replaces: that label would be gone."""
    if before is None or before.kind != "mask" or not sent.annotated:
        return
    unnamed = [one for one in annotated_labels(tx, workspace.task).of(before) if one.value not in sent.annotated]
    mask = load_mask(workspace.store.blobs, before, case).array if unnamed else sent.mask
    drawn = [one.name for one in unnamed if mask_of(workspace.task.labels, mask, one.value).any()]
    if drawn:
        raise ReplacesError(
            f"{case.name} has an annotation with {', '.join(drawn)}, of which this label says nothing and which it would replace",
            remedy='save with these segments, too (empty ones for none), or with "replace": true in params',
        )


def _require_told(tx: Reader, case: Case, annotator_id: str, known: Known) -> None:
    review = case_readings(tx, [case.id])[case.id].returned
    if review is None or review.returned_to != annotator_id or review.id == known.returned:
        return
    by = tx.get(Annotator, review.annotator_id).name
    raise ReturnToldError(f"{by} returned {case.name} to you: {review.comment}", remedy="save again, corrected", review=review.id)


def _unseen(tx: Reader, case: Case, standing: Annotation) -> ReplacesError:
    by = "imported" if standing.origin == "imported" else f"by {tx.get(Annotator, standing.annotator_id).name}"
    return ReplacesError(
        f"{case.name} has an annotation {by} of {standing.created_at[:16]}Z, which this client has not taken",
        remedy='take it first (GET /datastore/label), or save with "replace": true in params',
    )
