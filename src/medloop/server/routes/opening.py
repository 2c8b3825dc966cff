"""Hand out cases: the next one, a chosen one, and what comes after it."""

from typing import TypeAlias

from fastapi import APIRouter

from medloop.core.records import Case, Model
from medloop.loop.annotating.annotations import Opened, choose_case, next_assignment, open_case
from medloop.loop.annotating.opening import shown_at_first
from medloop.loop.annotating.review_verdicts import require_standing
from medloop.loop.foundation.anchoring import hidden_proposal
from medloop.loop.foundation.gold import independent_proposal
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import REVIEWING
from medloop.loop.foundation.references import references_of
from medloop.loop.foundation.trials import is_blind_audit, is_blinded, proposal_to_show
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.rounds import outlooks, upcoming_case, why_nothing
from medloop.server.routes.reviewing import require_others_reading
from medloop.server.web.callers import CallerHere
from medloop.server.web.site import PersonHere, Site, SiteHere, ViewerHere, WorkspaceHere
from medloop.server.wire.project_views import NothingLeft, OpenedView, OutlookView, PreviousView, SeenView, UpcomingView
from medloop.server.wire.schemas import Id, Nothing
from medloop.server.wire.standing_views import Sight, open_assignment_view, seen_case_view
from medloop.server.wire.views import case_view, prediction_view

router = APIRouter(prefix="/projects/{project}", tags=["opening"])
NextCase: TypeAlias = OpenedView | NothingLeft


@router.post("/next")
def post_next(site: SiteHere, workspace: WorkspaceHere, person: PersonHere, _body: Nothing) -> NextCase:
    """The case worth most of this annotator's time now; work left open comes back first."""
    opened = next_assignment(workspace, person.id)
    if opened is None:
        return NothingLeft(assignment=None, reason=why_nothing(workspace, person.id))
    return _shown(site, workspace, opened)


@router.get("/outlook")
def get_outlook(workspace: WorkspaceHere) -> list[OutlookView]:
    """What everybody at work would get next, and why; nothing is opened."""
    return [OutlookView.model_validate(one) for one in outlooks(workspace)]


@router.post("/cases/{case}/open")
def post_open(site: SiteHere, workspace: WorkspaceHere, case: Id, person: PersonHere, viewer: ViewerHere, _body: Nothing) -> OpenedView:
    """Open one chosen case with its annotation, anybody's, else with a proposal; a draft of one's own comes back."""
    return _shown(site, workspace, choose_case(workspace, case, person.id, reviews=viewer.reviews))


@router.post("/cases/{case}/edit")
def post_edit(site: SiteHere, workspace: WorkspaceHere, case: Id, person: PersonHere, caller: CallerHere, _body: Nothing) -> OpenedView:
    """Open a case as its reviewer: the draft begins with what stands, and is submitted with `POST …/adjudicate`."""
    require_others_reading(site, workspace, case, person, caller)
    with workspace.store.read() as tx:
        require_standing(tx, case)
    return _shown(site, workspace, open_case(workspace, case, person.id, reason=REVIEWING))


@router.get("/cases/{case}/look")
def get_look(workspace: WorkspaceHere, case: Id, viewer: ViewerHere) -> SeenView:
    """A case with its annotation in force, unless that is hidden from who looks, and its newest proposal: nothing is opened or written."""
    with workspace.store.read() as tx:
        found = tx.get(Case, case)
        sees, unread = viewer.sees(tx, found.id), found.id in viewer.unread(tx)
        standing = standing_annotation(tx, found.id) if sees else None
        shown, proposal = shown_at_first(workspace, tx, found, standing)
        proposal = independent_proposal(tx, found.id) if unread else proposal
        return SeenView(
            situation=seen_case_view(tx, found, shown, proposal, standing, Sight(viewer.annotator_id, sees, unread)),
            case=case_view(found, unread=unread, references=len(references_of(tx, found.id))),
            prediction=prediction_view(tx, proposal) if proposal else None,
            previous=PreviousView(id=shown.id, tag=shown.tag) if shown else None,
        )


@router.get("/upcoming")
def get_upcoming(workspace: WorkspaceHere, viewer: ViewerHere) -> UpcomingView:
    """The case that will probably be queried next and its prediction, so that a page can fetch them early."""
    case_id = upcoming_case(workspace, annotator_id=viewer.annotator_id)
    if case_id is None:
        return UpcomingView(case_id=None, prediction_id=None)
    with workspace.store.read() as tx:
        prediction = proposal_to_show(tx, case_id)
    return UpcomingView(case_id=case_id, prediction_id=prediction.id if prediction else None)


def _shown(site: Site, workspace: Workspace, opened: Opened) -> OpenedView:
    """The opened case; a missing proposal is asked for, and announced on the stream when it is there.

    For a gold case none is asked for: the newest model may have learned its truth; nor for one that a stream's audit has read blind.
    """
    shown, check = opened.prediction, opened.assignment.gold_id is not None
    with workspace.store.read() as tx:
        alone = check or is_blind_audit(tx, opened.case.id)
        newest = tx.live_model()
        assignment = open_assignment_view(tx, opened)
        known = shown or hidden_proposal(tx, opened.assignment)
        if known is not None and is_blinded(tx, known.model_id):
            newest = tx.get(Model, known.model_id)  # nobody is offered the other model's beside it
        seen = prediction_view(tx, shown) if shown else None
        references = len(references_of(tx, opened.case.id))
    if not alone:
        site.proposer.want(workspace.project.id, opened.case.id, shown=known, newest=newest)
    earlier = opened.annotation
    return OpenedView(
        assignment=assignment,
        case=case_view(opened.case, unread=check, references=references),
        prediction=seen,
        previous=PreviousView(id=earlier.id, tag=earlier.tag) if earlier else None,
    )
