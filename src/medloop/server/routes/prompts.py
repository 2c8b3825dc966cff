"""Refine an open case by prompts; the assistant computes, this only calls it."""

from typing import Any

import anyio.to_thread
from fastapi import APIRouter

from medloop.core.errors import ConflictError
from medloop.core.records import Assignment
from medloop.loop.annotating.prompt_log import in_force, prompt_log
from medloop.loop.foundation.workspace import Workspace
from medloop.server.routes.assignments import raise_stale
from medloop.server.web.site import OwnAssignment, ReviewedAssignment, Site, SiteHere, WorkspaceHere
from medloop.server.wire import prompt_views as wire
from medloop.server.wire.schemas import Id

router = APIRouter(prefix="/projects/{project}/assignments/{assignment}/prompts", tags=["prompts"])


@router.get("")
def get_prompts(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> wire.PromptsView:
    """Every prompt of an assignment with its revision, and which are in force."""
    with workspace.store.read() as tx:
        log = prompt_log(tx, tx.get(Assignment, assignment).id)
    return wire.PromptsView(
        prompts=[wire.PromptView.model_validate(record) for record in log], in_force=[record.id for record in in_force(log)]
    )


@router.post("")
async def post_prompt(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, body: wire.Addition) -> wire.RefinedView:
    """Answer a prompt made on the newest revision; prompt and effect are saved together as one edit."""
    return await _refined(site, workspace, wire.AddRequest(project_id=workspace.project.id, assignment_id=assignment, said=body))


@router.post("/ready")
async def post_ready(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, body: wire.Readiness) -> wire.EngineView:
    """Have the engine look at the case before its first prompt, and name the engine."""
    opened = await anyio.to_thread.run_sync(workspace.store.get, Assignment, assignment)
    asked = {"project_id": workspace.project.id, "case_id": opened.case_id, "engine": body.engine}
    return wire.EngineView.model_validate(await site.assistant.request("/warm", asked))


@router.post("/preview")
async def post_preview(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, body: wire.PreviewBody) -> wire.PreviewView:
    """What prompts would do to the newest revision; nothing is saved until they are accepted."""
    asked = wire.PreviewRequest(project_id=workspace.project.id, assignment_id=assignment, said=body)
    return wire.PreviewView.model_validate(await _asked(site, workspace, asked))


@router.post("/accept")
async def post_accept(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, body: wire.AcceptanceBody) -> wire.RefinedView:
    """Save the prompts of a preview with the effect that was shown, one revision each; 409 when they would do something else by now."""
    return await _refined(site, workspace, wire.AcceptRequest(project_id=workspace.project.id, assignment_id=assignment, said=body))


@router.put("/{prompt}")
async def put_prompt(
    site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, prompt: Id, body: wire.Change
) -> wire.RefinedView:
    """Put another prompt in a prompt's place and answer all of them anew; the brush's later strokes stay."""
    asked = wire.ChangeRequest(project_id=workspace.project.id, assignment_id=assignment, prompt_id=prompt, said=body)
    return await _refined(site, workspace, asked)


@router.delete("/{prompt}")
async def delete_prompt(
    site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, prompt: Id, body: wire.Removal
) -> wire.RefinedView:
    """Withdraw a prompt and answer the remaining ones anew; the brush's later strokes stay."""
    asked = wire.WithdrawRequest(project_id=workspace.project.id, assignment_id=assignment, prompt_id=prompt, said=body)
    return await _refined(site, workspace, asked)


async def _refined(site: Site, workspace: Workspace, request: wire.RefineRequest) -> wire.RefinedView:
    return wire.RefinedView.model_validate(await _asked(site, workspace, request))


async def _asked(site: Site, workspace: Workspace, request: wire.RefineRequest) -> Any:
    try:
        return await site.assistant.request("/refine", request.model_dump(mode="json"))
    except ConflictError as error:
        await anyio.to_thread.run_sync(raise_stale, workspace, request.assignment_id, request.said.base_revision, error)
        raise
