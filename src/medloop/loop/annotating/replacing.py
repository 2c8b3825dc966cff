"""What a submission owes to others: where it comes from, and which annotation it replaces.

Somebody else's annotation, and an imported one whoever made it, is replaced only knowingly: of an evaluation case, when the
submission says so; an imported or adjudicated one of another case, also when the draft began with it, so that the sender had it in
front of them.
"""

from dataclasses import dataclass

from medloop.core.arrays import MaskArray
from medloop.core.errors import ReplacesError, ReturnedError, StateError
from medloop.core.records import EVALUATION_SPLITS, Annotation, AnnotationOrigin, Annotator, Assignment, BeganWith, Case, Review
from medloop.loop.annotating.independence import Lineage, debt_of_mask, debt_of_tag, lineage
from medloop.loop.annotating.open_edit import OpenEdit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.blinding import own_annotation
from medloop.loop.foundation.in_force import began, standing_annotation
from medloop.loop.foundation.readings import DERIVED, case_readings, readings_due
from medloop.store.reader import Reader
from medloop.store.states import DECIDED


@dataclass(frozen=True)
class Origin:
    """Where an annotation comes from; see `Annotation`."""

    origin: AnnotationOrigin
    began_with: BeganWith
    proposal_id: str | None
    untouched: float | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Where a submission comes from: a program that knows the truth or not, what its draft began with, was shown and goes back to."""

    simulated: bool
    begun: BeganWith
    shown: str | None
    lineage: Lineage


def source_of(tx: Reader, edit: OpenEdit) -> Source:
    """Where what is submitted for an edit would come from."""
    simulated = tx.get(Annotator, edit.assignment.annotator_id).kind == "simulated"
    return Source(simulated, began(tx, edit.assignment), edit.assignment.proposal_id, lineage(tx, edit))


def origin_of(source: Source, submitted: Submitted, mask: MaskArray | None) -> Origin:
    """Where a submission comes from; the mask, shape (I, J, K), is of it or of the draft, None for a tag.

    Simulated annotators answer from the truth of a data set; only a draft that they submit as it stands owes anything.
    """
    origin: AnnotationOrigin = "simulated" if source.simulated else "human"
    elsewhere = submitted.mask is not None
    if submitted.independent:
        return Origin(origin, "blank", source.shown)
    if source.simulated and (elsewhere or mask is None):
        return Origin(origin, "elsewhere", source.shown)
    debt = (
        debt_of_tag(source.lineage, submitted.tag or 0)
        if mask is None
        else debt_of_mask(source.lineage, mask, elsewhere=elsewhere, annotated=tuple(submitted.annotated or ()))
    )
    if debt is not None and debt.taken:
        return Origin(origin, "prediction", debt.proposal.id, debt.untouched)
    return Origin(origin, "elsewhere" if elsewhere else source.begun, source.shown, debt.untouched if debt else None)


def replaced_by(tx: Reader, assignment: Assignment, submitted: Submitted) -> str | None:
    """Id of the annotation that a submission replaces by name; None for none.

    Where several people read a case nobody replaces another's reading, but for one that a reviewer returned to them.

    Raises:
        ReplacesError: One of somebody else stands, and may only be replaced when `replace` says so.
        StateError: Several people read the case, and `replace` is on.
    """
    if submitted.kind == "partial":
        return None
    case_id, who = assignment.case_id, assignment.annotator_id
    standing, earlier = standing_annotation(tx, case_id), own_annotation(tx, case_id, who)
    several = readings_due(tx, case_id) > 1
    if (returned := _returned_reading(tx, assignment)) is not None:
        return returned
    if not several and standing is not None and standing.origin == DECIDED and standing.annotator_id == who:
        return standing.id
    if standing is not None and (standing.annotator_id != who or standing.origin == "imported"):
        seen = standing.origin in ("imported", DECIDED) and standing.id == assignment.base_id
        if several and submitted.replace:
            rule = "Several people read this case, and a reading replaces nobody else's"
            raise StateError(rule, remedy="submit without replace; a reviewer decides with medloop adjudicate")
        if not submitted.replace and not several:
            _require_free(tx, assignment, standing, seen=seen)
        if not several and (submitted.replace or seen):
            return standing.id
    return earlier.id if earlier else None


def require_return_seen(tx: Reader, assignment: Assignment, submitted: Submitted) -> None:
    """Refuse a submission that would settle a return whose comment its maker cannot have seen.

    Raises:
        ReturnedError: The case was returned to them since they opened it, and `returned` does not name that.
    """
    review = case_readings(tx, [assignment.case_id])[assignment.case_id].returned
    if review is None or review.returned_to != assignment.annotator_id or review.id == submitted.returned:
        return
    shown = tx.events_about("assignment", [assignment.id], verbs=["open", "resume"])
    if shown and shown[-1].seq > tx.event_numbers(Review, [review.id])[review.id]:
        return
    by = tx.get(Annotator, review.annotator_id).name
    raise ReturnedError(f"{by} returned this case to you while you had it open: {review.comment}", remedy="open it again, then submit")


def _returned_reading(tx: Reader, assignment: Assignment) -> str | None:
    """The reading of somebody else that a reviewer returned to this annotator, while it stands."""
    review = case_readings(tx, [assignment.case_id])[assignment.case_id].returned
    if review is None or review.returned_to != assignment.annotator_id:
        return None
    current = {a.id: a for a in tx.current_annotations(case_ids=[assignment.case_id])}
    found = current.get(review.annotation_id)
    return found.id if found is not None and found.origin not in DERIVED else None


def _require_free(tx: Reader, assignment: Assignment, standing: Annotation, *, seen: bool) -> None:
    case = tx.get(Case, assignment.case_id)
    if case.split not in EVALUATION_SPLITS and (seen or standing.origin != "imported"):
        return
    by = tx.get(Annotator, standing.annotator_id).name
    what = f"imported on {standing.created_at[:10]}" if standing.origin == "imported" else f"by {by} of {standing.created_at[:16]}Z"
    used = f", which models are judged by ({case.split})" if case.split in EVALUATION_SPLITS else ""
    raise ReplacesError(f"{case.name} has an annotation {what}{used}", remedy="say replace to put yours in its place")
