"""Background work: jobs, their logs, how the project learns, and whom its predictions still need."""

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.datastructures import Headers
from starlette.requests import Request

from medloop.core.errors import ForbiddenError, InputError, SettingError
from medloop.core.names import counted
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.trials import blind_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.releasing import refuse_model, release_model, roll_back, use_automatic, use_model
from medloop.loop.judging.triage import HARD_DICE, Triage, triage_pool
from medloop.loop.judging.trust import Check
from medloop.loop.learning.settling import settle
from medloop.loop.overview.model_change import change_picture, model_change, no_comparison
from medloop.loop.overview.model_history import list_models
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import report_html
from medloop.quality.triage import GOOD_DICE
from medloop.server.web.callers import CallerHere
from medloop.server.web.security import REPORT_POLICY
from medloop.server.web.site import PersonHere, Site, SiteHere, ViewerHere, WorkspaceHere
from medloop.server.wire.progress_views import ModelChangeView, ModelLineView, ProgressView
from medloop.server.wire.project_views import JobRef, LogLineView, LogView
from medloop.server.wire.schemas import After, BackBody, Id, Limit, ModelIndex, Nothing, RefusalBody, ReleaseBody, TrainBody
from medloop.server.wire.triage_views import TriageResult, TriageView
from medloop.server.wire.views import JobView, job_view

router = APIRouter(prefix="/projects/{project}", tags=["work"])
SVG: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"image/svg+xml": {}},
        "description": "The slice where the models differ most: truth, and dashed prediction.",
    }
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events `change` and `proposal`, comments as signs of life."}
}


@router.get("/progress")
def get_progress(workspace: WorkspaceHere) -> ProgressView:
    """The learning curve, the labels per hour, the expected quality of the pool, models, rounds, time, and advice on stopping."""
    return ProgressView.model_validate(progress(workspace))


@router.get("/change")
def get_change(workspace: WorkspaceHere, viewer: ViewerHere) -> ModelChangeView | None:
    """The last two models on the same evaluation cases: how much better or worse, and a few cases; null before there are two."""
    with workspace.store.read() as tx:
        hidden = viewer.hidden(tx)
    found = model_change(workspace, hidden=hidden)
    return ModelChangeView.model_validate(found) if found else None


@router.get("/cases/{case}/change/{index}", response_class=Response, responses=SVG)
def get_change_picture(workspace: WorkspaceHere, case: Id, index: ModelIndex, viewer: ViewerHere) -> Response:
    """One of these cases with its annotation and, dashed, the prediction of one of the models; 403 while one is to read it blind."""
    with workspace.store.read() as tx:
        unread = case in viewer.unread(tx)
        if not unread and not viewer.sees(tx, case):
            raise ForbiddenError("This case is read blind: its annotation shows once you have read it", remedy="submit yours first")
    if unread:  # a gold case looks like one that nobody has annotated
        raise no_comparison()
    return Response(str(change_picture(workspace, case, index)), media_type="image/svg+xml")


@router.get("/report", response_class=HTMLResponse)
def get_report(workspace: WorkspaceHere, viewer: ViewerHere) -> HTMLResponse:
    """The report as one page: what to do next, worst and best evaluation cases as pictures, figures, models and rounds."""
    with workspace.store.read() as tx:
        hidden = viewer.hidden(tx)
    return HTMLResponse(report_html(workspace, hidden=hidden), headers={"Content-Security-Policy": REPORT_POLICY})


@router.get("/triage")
def get_triage(
    workspace: WorkspaceHere,
    risk: Annotated[float, Query(description="Share of all cases that may be accepted wrongly.")] = 0.1,
    good: Annotated[float, Query(description="True score (Dice) that needs no look.")] = GOOD_DICE,
    hard: Annotated[float, Query(description="True score below which two people should look.")] = HARD_DICE,
    check: Annotated[Check, Query(description="domain accepts no case unlike those the model was judged on; none accepts it.")] = "domain",
) -> TriageResult:
    """Which predictions to accept, to review or to show to a second expert at a stated risk, and the measured curve; or why not yet."""
    try:
        found = triage_pool(workspace, risk=risk, good=good, hard=hard, check=check)
        return TriageResult(found=TriageView.model_validate(_without_audit(workspace, found)), reason="", remedy="")
    except SettingError:
        raise
    except InputError as error:  # too little is evaluated: a state of the project, not a mistake of the caller
        return TriageResult(found=None, reason=error.message, remedy=error.remedy)


def _without_audit(workspace: Workspace, found: Triage) -> Triage:
    """What is shown of it: no case of a stream's audit sample that still lacks a reading."""
    with workspace.store.read() as tx:
        blind = blind_among(tx, [one.case_id for one in found.cases])
    if not blind:
        return found
    promise = f"{found.promise}; {counted(len(blind), 'case')} of the audit sample not listed, read blind"
    return replace(found, cases=tuple(one for one in found.cases if one.case_id not in blind), promise=promise)


@router.get("/stream", response_class=StreamingResponse, responses=_EVENTS)
async def get_stream(site: SiteHere, workspace: WorkspaceHere, caller: CallerHere, request: Request) -> StreamingResponse:
    """The project's state now and at every change; `proposal` when a requested one is ready. It ends with the session."""
    project = workspace.project.id
    events = _while_allowed(
        await site.feed.listen(project, who=caller.person.account.id if caller.person else ""), site, project, request.headers
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _while_allowed(events: AsyncIterator[str], site: Site, project: str, headers: Headers) -> AsyncIterator[str]:
    """The events up to the first one that the listener may not see any more; signs of life are looked at, too."""
    async for event in events:
        caller = await anyio.to_thread.run_sync(partial(site.people.caller, headers, used=False))
        if caller is None or not caller.may(project, "look"):
            return
        yield event


@router.get("/jobs")
def list_jobs(workspace: WorkspaceHere, limit: Limit = 50) -> list[JobView]:
    """Jobs, newest first."""
    return [job_view(job) for job in workspace.store.jobs.list(limit=limit)]


@router.get("/jobs/{job}/log")
def get_job_log(workspace: WorkspaceHere, job: Id, after: After = 0) -> LogView:
    """The lines a job has written since the one already known."""
    workspace.store.jobs.get(job)
    return LogView(lines=[LogLineView.model_validate(line) for line in workspace.store.jobs.logs(job, after=after)])


@router.post("/jobs/{job}/cancel")
def post_cancel(workspace: WorkspaceHere, job: Id, person: PersonHere, _body: Nothing) -> JobView:
    """Stop a job at its next checkpoint; what it has learned so far is kept."""
    from medloop.loop.data.pacs_wanted import forget_cancelled

    forget_cancelled(workspace, workspace.store.jobs.cancel(job, actor=person.id))
    settle(workspace)
    return job_view(workspace.store.jobs.get(job))


@router.post("/train")
def post_train(workspace: WorkspaceHere, person: PersonHere, body: TrainBody) -> JobRef:
    """Request a training now; one that waits already counts. Without anything new it makes no model, unless `again` is true."""
    return JobRef(job_id=start_training(workspace, again=body.again, actor=person.id).id)


@router.post("/models/auto")
def post_automatic(workspace: WorkspaceHere, person: PersonHere, _body: Nothing) -> list[ModelLineView]:
    """Give the choice of the model in use back to the evaluations."""
    use_automatic(workspace, actor=person.id)
    return _models(workspace)


@router.post("/models/{index}/use")
def post_use_model(workspace: WorkspaceHere, person: PersonHere, index: ModelIndex, _body: Nothing) -> list[ModelLineView]:
    """Pin a model: it predicts, ranks and proposes until another one is pinned or the choice is given back."""
    use_model(workspace, index, actor=person.id)
    return _models(workspace)


@router.post("/models/{index}/release")
def post_release_model(
    workspace: WorkspaceHere, person: PersonHere, caller: CallerHere, index: ModelIndex, body: ReleaseBody
) -> list[ModelLineView]:
    """Put a candidate to use against the gate, with a reason and a signature; with accounts one signs in one's own name, by no token."""
    if caller.is_program:
        raise ForbiddenError("A release is signed by a person: a token signs nothing", remedy="sign in")
    signed_as = body.signed_as if caller.person is None else caller.name
    release_model(workspace, index, why=body.why, signed_as=signed_as, actor=person.id, instead_of=body.instead_of)
    return _models(workspace)


@router.post("/models/{index}/refuse")
def post_refuse_model(workspace: WorkspaceHere, person: PersonHere, index: ModelIndex, body: RefusalBody) -> list[ModelLineView]:
    """Say that a candidate stays out of use, with a reason; its trial ends."""
    refuse_model(workspace, index, why=body.why, actor=person.id)
    return _models(workspace)


@router.post("/models/back")
def post_roll_back(workspace: WorkspaceHere, person: PersonHere, body: BackBody) -> list[ModelLineView]:
    """Put the model that was in use before the present one to use again; it stays so until another choice."""
    roll_back(workspace, actor=person.id, index=body.index)
    return _models(workspace)


def _models(workspace: Workspace) -> list[ModelLineView]:
    return [ModelLineView.model_validate(line) for line in list_models(workspace)]
