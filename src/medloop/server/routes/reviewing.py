"""Several readings of one case: side by side, the reviewer's queue and verdicts, history, suspects, agreement."""

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from medloop.core.accounts import Account
from medloop.core.errors import ForbiddenError, InputError, NotFoundError
from medloop.core.names import folded, in_natural_order, is_reserved
from medloop.core.records import Annotation, Annotator, Assignment, Case, Consensus
from medloop.core.roles import Verb
from medloop.loop.annotating.adjudicating import adjudicate, adjudicate_draft, restore
from medloop.loop.annotating.history import case_history
from medloop.loop.annotating.review_verdicts import (
    Looked,
    Signed,
    approve,
    require_independent,
    return_case,
    returned_annotation,
    review_queue,
)
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.gold import as_unlabelled
from medloop.loop.foundation.readings import CaseHistory, case_readings, derive, histories, project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.annotator_skill import agreement_over_time
from medloop.loop.overview.suspects import suspects
from medloop.loop.people.accounts import rights_in, roles_of
from medloop.server.web.callers import Caller, CallerHere
from medloop.server.web.sending import VOXELS, send_blob
from medloop.server.web.site import PersonHere, Site, SiteHere, Viewer, ViewerHere, WorkspaceHere, is_own
from medloop.server.wire.review_views import (
    AdjudicateBody,
    AgreementWindowView,
    ApproveBody,
    HistoryLineView,
    ReadingsView,
    RestoreBody,
    ReturnBody,
    ReviewResultView,
    SuspectView,
    WaitingView,
    readings_view,
)
from medloop.server.wire.schemas import Id, reported
from medloop.server.wire.standing_views import CaseReadingView
from medloop.store.reader import Reader

router = APIRouter(prefix="/projects/{project}", tags=["reviewing"])


@router.get("/review")
def list_review(workspace: WorkspaceHere) -> list[WaitingView]:
    """The cases in review, least agreement first, and those that were returned."""
    return [WaitingView.of(line) for line in review_queue(workspace)]


@router.get("/review/people")
def list_annotators_here(site: SiteHere, workspace: WorkspaceHere) -> list[str]:
    """The names of those whom a case may be returned to."""
    return list(in_natural_order(_annotators_here(site, workspace)))


@router.get("/cases/{case}/readings")
def get_readings(workspace: WorkspaceHere, case: Id, viewer: ViewerHere) -> ReadingsView:
    """The readings of a case side by side, their consensus and reviews; 403 while one is to read it blind oneself."""
    with workspace.store.read() as tx:
        found, scope = tx.get(Case, case), annotated_labels(tx, workspace.task)
        if _is_unread(tx, case, viewer):
            return readings_view(tx, found.name, CaseHistory(case_id=case), as_unlabelled(tx, case), scope)
        _require_seen(tx, case, viewer)
        history = histories(tx, [case])[case]
        return readings_view(tx, found.name, history, derive(project_settings(tx), history), scope)


@router.get("/cases/{case}/history")
def get_history(workspace: WorkspaceHere, case: Id, viewer: ViewerHere) -> list[HistoryLineView]:
    """What happened to a case: who, when, what changed label by label; 403 while one is to read it blind oneself."""
    with workspace.store.read() as tx:
        tx.get(Case, case)
        if _is_unread(tx, case, viewer):
            return []
        _require_seen(tx, case, viewer)
    return [HistoryLineView.model_validate(line) for line in case_history(workspace, case)]


@router.post("/cases/{case}/approve")
def post_approve(
    site: SiteHere, workspace: WorkspaceHere, case: Id, person: PersonHere, caller: CallerHere, body: ApproveBody
) -> ReviewResultView:
    """Approve what stands for a case, with a signature where a name is given; with accounts one signs in one's own name, by no token."""
    if body.signed_as and caller.is_program:
        raise ForbiddenError("A signature is given by a person: a token signs nothing", remedy="sign in, or approve without a signature")
    require_others_reading(site, workspace, case, person, caller, approves=True)
    signed_as = body.signed_as if caller.person is None or not body.signed_as else caller.name
    made = approve(
        workspace,
        case,
        person.id,
        looked=Looked(body.annotation_id, body.readings, body.reviews),
        comment=body.comment,
        signed=Signed(signed_as, body.meaning) if signed_as else None,
        effort=reported(body.effort),
    )
    return _result(workspace, case, made.annotation_id, made.id)


@router.post("/cases/{case}/return")
def post_return(site: SiteHere, workspace: WorkspaceHere, case: Id, person: PersonHere, body: ReturnBody) -> ReviewResultView:
    """Return a case with a comment, to whose annotation it is or to somebody else who annotates here: it comes next to them."""
    looked = Looked(body.annotation_id, body.readings, body.reviews)
    to = annotator_here(site, workspace, body.to or _author_of(workspace, case, body.annotation_id))
    made = return_case(workspace, case, person.id, comment=body.comment, to=to, looked=looked, effort=reported(body.effort))
    return _result(workspace, case, made.annotation_id, made.id)


@router.post("/cases/{case}/adjudicate")
def post_adjudicate(
    site: SiteHere, workspace: WorkspaceHere, case: Id, person: PersonHere, caller: CallerHere, body: AdjudicateBody
) -> ReviewResultView:
    """Decide a case: which reading counts for which label or box, or what one has drawn; it supersedes and is approved."""
    if body.assignment_id is not None and not is_own(workspace, body.assignment_id, caller):
        raise ForbiddenError("This assignment is somebody else's", remedy="open the case under your own name")
    if body.assignment_id is not None and workspace.store.get(Assignment, body.assignment_id).case_id != case:
        raise InputError("This draft is of another case", remedy="open this one as its reviewer")
    if (body.assignment_id is None) == (not body.choices):
        raise InputError("An adjudication takes choices or a draft, got both or none", remedy="say which reading counts where")
    require_others_reading(site, workspace, case, person, caller)
    made = _ruled(workspace, case, person.id, body) if body.assignment_id is None else _drawn(workspace, body.assignment_id, body)
    return _result(workspace, case, made.id)


@router.post("/annotations/{annotation}/restore")
def post_restore(
    site: SiteHere, workspace: WorkspaceHere, annotation: Id, person: PersonHere, caller: CallerHere, body: RestoreBody
) -> ReviewResultView:
    """Bring an earlier annotation of a case back as a new one."""
    require_others_reading(site, workspace, workspace.store.get(Annotation, annotation).case_id, person, caller)
    made = restore(workspace, annotation, person.id, comment=body.comment, looked=Looked(body.standing_id, body.readings, body.reviews))
    return _result(workspace, made.case_id, made.id)


@router.get("/consensuses/{consensus}/uncertainty", response_class=Response, responses=VOXELS)
def get_consensus_uncertainty(workspace: WorkspaceHere, consensus: Id, viewer: ViewerHere, request: Request) -> Response:
    """Where readers disagree: uint8, 0 none to 255 = ln(classes) nats of entropy, file order, gzip."""
    with workspace.store.read() as tx:
        found = tx.get(Consensus, consensus)
        _require_seen(tx, found.case_id, viewer)
    if found.uncertainty is None:
        raise NotFoundError("This consensus has no map", remedy="the classes of a classification have probabilities")
    return send_blob(workspace.store.blobs, found.uncertainty, request)


@router.get("/suspects")
def list_suspects(workspace: WorkspaceHere) -> list[SuspectView]:
    """Annotations that are probably wrong, most suspicious first, with the reason."""
    return [SuspectView.model_validate(line) for line in suspects(workspace)]


@router.get("/agreement")
def list_agreement(workspace: WorkspaceHere) -> list[AgreementWindowView]:
    """Agreement of the readings, week by week."""
    return [AgreementWindowView.model_validate(window) for window in agreement_over_time(workspace)]


def _is_unread(tx: Reader, case_id: str, viewer: Viewer) -> bool:
    """Whether a case must look as if nobody had annotated it; where cases are read blind, it looks like every other one anyway."""
    return not project_settings(tx).blind and case_id in viewer.unread(tx)


def _require_seen(tx: Reader, case_id: str, viewer: Viewer) -> None:
    if not viewer.sees(tx, case_id):
        raise ForbiddenError("This case is read blind: others' annotations show once you have read it", remedy="submit yours first")


def _ruled(workspace: Workspace, case: str, reviewer_id: str, body: AdjudicateBody) -> Annotation:
    return adjudicate(
        workspace,
        case,
        reviewer_id,
        [choice.ruling() for choice in body.choices],
        looked=Looked(body.annotation_id, body.readings, body.reviews),
        comment=body.comment,
        effort=reported(body.effort, body.effort_seconds),
    )


def _drawn(workspace: Workspace, assignment_id: str, body: AdjudicateBody) -> Annotation:
    """The decision by a draft or a class of an assignment."""
    if (body.revision is None) == (body.tag is None):
        raise InputError("A decision takes the draft's revision or a class, got both or none", remedy="give one of them")
    effort = reported(body.effort, body.effort_seconds)
    submitted = Submitted(tag=body.tag, revision=body.revision, effort=effort, task_version=body.task_version)
    looked = Looked(body.annotation_id, body.readings, body.reviews)
    return adjudicate_draft(workspace, assignment_id, submitted, looked=looked, comment=body.comment)


def _annotators_here(site: Site, workspace: Workspace) -> list[str]:
    """Who may annotate: with accounts who has the right, else whoever has opened a case."""
    if site.people.are_on():
        return [one.name for one in _accounts_that_may(site, workspace, "annotate")]
    with workspace.store.read() as tx:
        return [one.name for one in tx.find(Annotator) if one.kind == "person" and not is_reserved(one.name)]


def require_others_reading(
    site: Site, workspace: Workspace, case_id: str, person: Annotator, caller: Caller, *, approves: bool = False
) -> None:
    """Refuse that somebody decides on nothing but their own reading, where accounts are on and somebody else here may decide."""
    others = caller.person is not None and any(
        one.has_joined and folded(one.name) != folded(person.name) for one in _accounts_that_may(site, workspace, "sign")
    )
    if others:
        with workspace.store.read() as tx:
            require_independent(tx, case_id, person.id, approves=approves)


def _accounts_that_may(site: Site, workspace: Workspace, verb: Verb) -> list[Account]:
    """The accounts in use that have a right in a project."""
    with site.people.store().read() as tx:
        accounts = [one for one in tx.find(Account) if not one.disabled]
        return [one for one in accounts if verb in rights_in(roles_of(tx, one.id), workspace.project.id)]


def _author_of(workspace: Workspace, case_id: str, annotation_id: str | None) -> str:
    """Whose annotation a return is about.

    Raises:
        InputError: A program's.
    """
    with workspace.store.read() as tx:
        returned = returned_annotation(tx, case_id, annotation_id)
        author = tx.get(Annotator, returned.annotator_id)
    if author.kind == "model" or is_reserved(author.name):
        raise InputError(f"A {returned.origin} annotation is nobody's to correct", remedy="say to whom it is returned")
    return author.name


def annotator_here(site: Site, workspace: Workspace, name: str) -> str:
    """Id of the annotator of that name, who must be able to annotate; one who has opened no case yet joins."""
    found = next((one for one in _annotators_here(site, workspace) if folded(one) == folded(name)), None)
    if found is None:
        raise NotFoundError(f"Nobody called {name!r} annotates here", remedy="GET /projects/{project}/review/people names who does")
    return annotator_named(workspace, found).id


def _result(workspace: Workspace, case_id: str, annotation_id: str, review_id: str | None = None) -> ReviewResultView:
    with workspace.store.read() as tx:
        progress = CaseReadingView.of(case_readings(tx, [case_id])[case_id])
    return ReviewResultView(review_id=review_id, annotation_id=annotation_id, progress=progress)
