"""Work on an open case: save patches, read the draft, submit, skip, flag."""

from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, ReplacesError, ReturnedError, StateError
from medloop.core.records import Annotation, Assignment, Case
from medloop.loop.annotating.annotations import Opened, flag_case, open_case, report_effort, skip_case, submit
from medloop.loop.annotating.declaring import declare_draft
from medloop.loop.annotating.drafts import Edit, packed_draft, save_patch
from medloop.loop.annotating.filling import fill_between
from medloop.loop.annotating.placing import place_frame
from medloop.loop.annotating.propagating import preview_propagation
from medloop.loop.annotating.rejecting import reject_proposal
from medloop.loop.annotating.reviewing import mark_visited, review_places
from medloop.loop.annotating.steps import draft_steps
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.tracing import preview_trace
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.anchoring import hidden_proposal
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.blinding import seen_annotation
from medloop.loop.foundation.leases import release_assignment, release_untouched
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.case_outlook import case_outlook
from medloop.server.web.callers import Caller, CallerHere
from medloop.server.web.failures import StaleRevisionError
from medloop.server.web.sending import VOXELS, send_packed
from medloop.server.web.site import OwnAssignment, ReviewedAssignment, WorkspaceHere, is_own
from medloop.server.web.uploads import RAW_BODY, uploaded_mask
from medloop.server.wire.place_views import PlacesView, VisitView, places_view
from medloop.server.wire.project_views import (
    CaseOutlookView,
    ClosedView,
    DraftStepsView,
    FilledView,
    PropagatedView,
    RevisionView,
    SubmittedView,
    TimeView,
    TracedView,
)
from medloop.server.wire.schemas import (
    AnnotatedBody,
    DraftEdit,
    EffortBody,
    FillBody,
    Nothing,
    PlaceBody,
    PlaceNumber,
    PropagateBody,
    Reason,
    Rejection,
    Seconds,
    Submission,
    TaskVersion,
    TraceBody,
    part_of,
    reported,
)
from medloop.server.wire.standing_views import AnnotatedView, NamedFramesView, OpenAssignmentView, open_assignment_view
from medloop.server.wire.views import PredictionView, prediction_view

router = APIRouter(prefix="/projects/{project}/assignments/{assignment}", tags=["assignments"])


@router.get("/draft", response_class=Response, responses=VOXELS)
def get_draft(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> Response:
    """The mask as drawn so far: uint8, file order, gzip; the header X-Revision tells which state it is."""
    revision, packed = packed_draft(workspace, assignment)
    return send_packed(packed, revision=revision)


@router.patch("/draft")
def patch_draft(workspace: WorkspaceHere, assignment: OwnAssignment, edit: DraftEdit) -> RevisionView:
    """Save one edit made on the newest revision; 409 with the current revision when it was made on an older one."""
    try:
        return RevisionView(revision=save_patch(workspace, assignment, Edit(**dict(edit))))
    except ConflictError as error:
        raise_stale(workspace, assignment, edit.base_revision, error)


@router.post("/fill")
def post_fill(workspace: WorkspaceHere, assignment: OwnAssignment, asked: FillBody) -> FilledView:
    """Fill the slices between those drawn on, by shape or by how a proposal was corrected; saved as one edit."""
    try:
        made = fill_between(workspace, assignment, axis=asked.axis, base_revision=asked.base_revision, locked=asked.locked)
    except ConflictError as error:
        raise_stale(workspace, assignment, asked.base_revision, error)
    return FilledView(revision=made.draft.revision, runs=list(made.runs), drawn=list(made.drawn), filled=made.filled)


@router.post("/propagate")
def post_propagate(workspace: WorkspaceHere, assignment: OwnAssignment, asked: PropagateBody) -> PropagatedView:
    """What carrying the labels of a film to other frames would do; nothing is saved until the runs come back as a patch."""
    try:
        made = preview_propagation(workspace, assignment, base_revision=asked.base_revision, reach=asked.reach, locked=asked.locked)
    except ConflictError as error:
        raise_stale(workspace, assignment, asked.base_revision, error)
    return PropagatedView.model_validate(made)


@router.post("/trace")
def post_trace(workspace: WorkspaceHere, assignment: OwnAssignment, asked: TraceBody) -> TracedView:
    """What a trace of a pointer or of gaze would add of a label to the draft; nothing is saved until the runs come back as a patch."""
    try:
        made = preview_trace(workspace, assignment, **dict(asked))
    except ConflictError as error:
        raise_stale(workspace, assignment, asked.base_revision, error)
    return TracedView.model_validate(made)


@router.get("/steps")
def get_steps(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> DraftStepsView:
    """Every saved edit of a draft, oldest first: applied one after the other to what it began with they give the draft as it stands."""
    return DraftStepsView.model_validate(draft_steps(workspace, assignment))


@router.put("/frames")
def put_frames(workspace: WorkspaceHere, assignment: OwnAssignment, body: PlaceBody) -> NamedFramesView:
    """Let a name of the project's template stand for another frame or slice of the case."""
    place_frame(workspace, assignment, body.name, body.index)
    with workspace.store.read() as tx:
        return NamedFramesView.of(tx, tx.get(Assignment, assignment))


@router.put("/annotated")
def put_annotated(workspace: WorkspaceHere, assignment: OwnAssignment, body: AnnotatedBody) -> AnnotatedView:
    """Say which labels the draft is going to annotate; it is remembered, and whoever draws another label annotates that, too."""
    declared = declare_draft(workspace, assignment, body.annotated)
    with workspace.store.read() as tx:
        return AnnotatedView.of(tx, declared)


@router.post("/submit")
def post_submit(workspace: WorkspaceHere, assignment: OwnAssignment, answer: Submission) -> SubmittedView:
    """Finish with the draft as the page knows it, whole or in parts, or with a tag."""
    said = dict(answer) | {"parts": None if answer.parts is None else [part_of(part) for part in answer.parts]}
    said["effort"] = reported(answer.effort, said.pop("effort_seconds"))
    try:
        return _submitted(submit(workspace, assignment, Submitted(**said)))
    except ConflictError as error:
        raise_stale(workspace, assignment, answer.revision, error)


@router.post("/reject")
def post_reject(workspace: WorkspaceHere, assignment: OwnAssignment, body: Rejection) -> SubmittedView:
    """Finish by rejecting the proposal without correcting it: it is no pseudo-label, and the case is queried again before others."""
    return _submitted(reject_proposal(workspace, assignment, effort=reported(body.effort)))


def _made_elsewhere(
    x_effort_seconds: Annotated[Seconds | None, Header()] = None,
    x_replace: Annotated[bool, Header(description="Replace an annotation that somebody else gave.")] = False,
    x_task_version: Annotated[TaskVersion | None, Header(description="The version of the task that the mask was made for.")] = None,
    x_independent: Annotated[bool, Header(description="The mask owes nothing to the proposal that was shown.")] = False,
    x_annotated: Annotated[str | None, Header(pattern=r"^[0-9]{1,3}(,[0-9]{1,3})*$", description="Values of its labels: 1,3.")] = None,
) -> dict[str, Any]:
    """What the headers of a mask say of it, as fields of `Submitted`."""
    said: dict[str, Any] = {"effort": reported(None, x_effort_seconds), "replace": x_replace, "independent": x_independent}
    return said | {
        "task_version": x_task_version,
        "annotated": None if x_annotated is None else [int(one) for one in x_annotated.split(",")],
    }


@router.put("/mask", openapi_extra=RAW_BODY)
def put_mask(
    workspace: WorkspaceHere,
    assignment: OwnAssignment,
    mask: Annotated[MaskArray, Depends(uploaded_mask)],
    made: Annotated[dict[str, Any], Depends(_made_elsewhere)],
) -> SubmittedView:
    """Finish with a whole mask made elsewhere, sent as raw uint8 voxels in file order; it all counts, also where parts were queried."""
    return _submitted(submit(workspace, assignment, Submitted(mask=mask, whole=True, **made)))


@router.put("/effort")
def put_effort(workspace: WorkspaceHere, assignment: OwnAssignment, body: EffortBody) -> TimeView:
    """Report the work of one session on an assignment so far; again, late, or after it was closed is as good."""
    return TimeView(active_seconds=report_effort(workspace, assignment, body.reported()))


@router.post("/undo")
def post_undo(workspace: WorkspaceHere, assignment: OwnAssignment, _body: Nothing) -> OpenAssignmentView:
    """Take a submission back: its annotation stays in the history only, and the draft is open again as it was submitted."""
    opened = undo_submit(workspace, assignment)
    with workspace.store.read() as tx:
        case = tx.get(Case, opened.case_id)
        return open_assignment_view(tx, Opened(opened, case, None, seen_annotation(tx, case.id, opened.annotator_id)))


@router.get("/outlook")
def get_outlook(workspace: WorkspaceHere, assignment: OwnAssignment) -> CaseOutlookView:
    """The case's place in its round, what is left of that, and how good its proposal probably is, or what is missing to tell."""
    return CaseOutlookView.model_validate(case_outlook(workspace, assignment))


@router.get("/proposal")
def get_proposal(workspace: WorkspaceHere, assignment: OwnAssignment) -> PredictionView | None:
    """The proposal that was hidden until the first edit; null where there is none, 409 before that edit."""
    with workspace.store.read() as tx:
        opened = tx.get(Assignment, assignment)
        found = hidden_proposal(tx, opened)
        if found is not None and opened.revision == 0:
            raise StateError("The proposal is hidden until the first edit of this draft", remedy="draw first")
        return prediction_view(tx, found) if found else None


@router.post("/release")
def post_release(workspace: WorkspaceHere, assignment: OwnAssignment, _body: Nothing) -> ClosedView:
    """Give a case that was passed over back to the others; one that was edited, or opened again meanwhile, stays open."""
    return _closed(release_untouched(workspace, assignment))


@router.get("/places")
def get_places(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> PlacesView:
    """Where a correction of the case is expected to gain most, best first, and which places have been looked at."""
    return places_view(review_places(workspace, assignment))


@router.post("/places/{number}/visited")
def post_visited(workspace: WorkspaceHere, assignment: OwnAssignment, number: PlaceNumber, _body: Nothing) -> VisitView:
    """Log that a place was looked at and whether it was changed; a second time changes nothing."""
    return VisitView.model_validate(mark_visited(workspace, assignment, number))


@router.post("/skip")
def post_skip(workspace: WorkspaceHere, assignment: ReviewedAssignment, caller: CallerHere, body: Reason) -> ClosedView:
    """Close without an annotation; the case is not queried again, and annotations it has leave training, evaluation and export."""
    return _closed(skip_case(workspace, _taken_over(workspace, assignment, caller), reason=body.reason, effort=reported(body.effort)))


@router.post("/flag")
def post_flag(workspace: WorkspaceHere, assignment: ReviewedAssignment, caller: CallerHere, body: Reason) -> ClosedView:
    """Mark the case for someone to look at; annotations it has leave training, evaluation and export until a new one comes."""
    return _closed(flag_case(workspace, _taken_over(workspace, assignment, caller), reason=body.reason, effort=reported(body.effort)))


def _taken_over(workspace: Workspace, assignment: str, caller: Caller) -> str:
    """The assignment to close: one's own; where a reviewer closes another's, that one is released and the case opened in their name."""
    if is_own(workspace, assignment, caller):
        return assignment
    reviewer = annotator_named(workspace, caller.name)
    case_id = release_assignment(workspace, assignment, actor=reviewer.id)
    return open_case(workspace, case_id, reviewer.id).assignment.id


def _submitted(annotation: Annotation) -> SubmittedView:
    return SubmittedView(annotation_id=annotation.id, next=True, gold=annotation.origin == "gold")


def _closed(assignment: Assignment) -> ClosedView:
    return ClosedView(assignment_id=assignment.id, state=assignment.state, next=True)


def raise_stale(workspace: Workspace, assignment_id: str, known: int | None, error: ConflictError) -> NoReturn:
    """A conflict over the revision says which one is current; any other conflict stays as it is."""
    current = workspace.store.get(Assignment, assignment_id).revision
    if isinstance(error, StateError | ReplacesError | ReturnedError) or current == known:
        raise error
    raise StaleRevisionError(error.message, remedy=error.remedy, revision=current) from error
