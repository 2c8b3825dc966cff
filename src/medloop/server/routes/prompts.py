"""Refine an open case by prompts; the assistant computes, this only calls it."""

import anyio.to_thread
from fastapi import APIRouter

from medloop.core.errors import ConflictError
from medloop.core.records import Assignment
from medloop.loop.annotating.prompt_log import in_force, prompt_log
from medloop.loop.foundation.workspace import Workspace
from medloop.server.routes.assignments import raise_stale
from medloop.server.web.site import OwnAssignment, ReviewedAssignment, Site, SiteHere, WorkspaceHere
from medloop.server.wire.prompt_views import (
    Addition,
    AddRequest,
    Change,
    ChangeRequest,
    EngineView,
    PromptsView,
    PromptView,
    Readiness,
    RefinedView,
    RefineRequest,
    Removal,
    WithdrawRequest,
)
from medloop.server.wire.schemas import Id

router = APIRouter(prefix="/projects/{project}/assignments/{assignment}/prompts", tags=["prompts"])


@router.get("")
def get_prompts(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> PromptsView:
    """Every prompt of an assignment with its revision, and which are in force."""
    with workspace.store.read() as tx:
        log = prompt_log(tx, tx.get(Assignment, assignment).id)
    return PromptsView(prompts=[PromptView.of(record) for record in log], in_force=[record.id for record in in_force(log)])


@router.post("")
async def post_prompt(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, body: Addition) -> RefinedView:
    """Answer a prompt made on the newest revision; prompt and effect are saved together as one edit."""
    return await _refined(site, workspace, AddRequest(project_id=workspace.project.id, assignment_id=assignment, said=body))


@router.post("/ready")
async def post_ready(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, body: Readiness) -> EngineView:
    """Have the engine look at the case before its first prompt, and name the engine."""
    case_id = await anyio.to_thread.run_sync(_case_id, workspace, assignment)
    asked = {"project_id": workspace.project.id, "case_id": case_id, "engine": body.engine}
    return EngineView.model_validate(await site.assistant.ask("/warm", asked))


@router.put("/{prompt}")
async def put_prompt(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, prompt: Id, body: Change) -> RefinedView:
    """Put another prompt in a prompt's place and answer all of them anew; the brush's later strokes stay."""
    return await _refined(
        site, workspace, ChangeRequest(project_id=workspace.project.id, assignment_id=assignment, prompt_id=prompt, said=body)
    )


@router.delete("/{prompt}")
async def delete_prompt(site: SiteHere, workspace: WorkspaceHere, assignment: OwnAssignment, prompt: Id, body: Removal) -> RefinedView:
    """Withdraw a prompt and answer the remaining ones anew; the brush's later strokes stay."""
    return await _refined(
        site, workspace, WithdrawRequest(project_id=workspace.project.id, assignment_id=assignment, prompt_id=prompt, said=body)
    )


def _case_id(workspace: Workspace, assignment: str) -> str:
    with workspace.store.read() as tx:
        return tx.get(Assignment, assignment).case_id


async def _refined(site: Site, workspace: Workspace, request: RefineRequest) -> RefinedView:
    try:
        return RefinedView.model_validate(await site.assistant.ask("/refine", request.model_dump(mode="json")))
    except ConflictError as error:
        await anyio.to_thread.run_sync(raise_stale, workspace, request.assignment_id, request.said.base_revision, error)
        raise
