"""A start before the first annotation: what trainings begin with, learning from the pool, and another project's weights."""

from fastapi import APIRouter

from medloop.core.errors import ForbiddenError, InputError, NotFoundError
from medloop.loop.foundation.starts import begin_with_pool, request_transfer, start_in_use, too_few_images
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.callers import Caller, CallerHere
from medloop.server.web.site import PersonHere, SiteHere, WorkspaceHere
from medloop.server.wire.pretraining_views import PretrainBody, PretrainingView, StartView, TransferBody
from medloop.server.wire.project_views import JobRef

router = APIRouter(prefix="/projects/{project}", tags=["work"])


@router.get("/pretraining")
def get_pretraining(workspace: WorkspaceHere) -> PretrainingView:
    """What trainings that go on from no model begin with, its report, and why the pool cannot be learned from, where it cannot."""
    with workspace.store.read() as tx:
        start = start_in_use(tx, workspace.settings)
    view = None if start is None else StartView.of(start)
    return PretrainingView(setting=workspace.settings.pretraining, refusal=too_few_images(workspace), start=view)


@router.post("/pretraining")
def post_pretraining(workspace: WorkspaceHere, caller: CallerHere, person: PersonHere, body: PretrainBody) -> JobRef:
    """Learn from the project's images before anything is annotated; one that waits already counts. It sets `pretraining` to `pool`."""
    if body.steps and body.minutes:
        rule = f"A pretraining ends by steps or by minutes, got {body.steps} steps and {body.minutes:g} minutes"
        raise InputError(rule, remedy="leave one out")
    _require_setting(workspace, caller, "pool")
    return JobRef(job_id=begin_with_pool(workspace, steps=body.steps, minutes=body.minutes, actor=person.id).id)


@router.post("/pretraining/transfer")
def post_transfer(site: SiteHere, workspace: WorkspaceHere, caller: CallerHere, person: PersonHere, body: TransferBody) -> JobRef:
    """Begin with the model in use of another project on this server, whose `export` one needs; then `pretraining` becomes `file`."""
    if not caller.sees(body.from_project):
        raise NotFoundError(f"No project {body.from_project}", remedy="see /api/v1/projects")
    if not caller.may(body.from_project, "export"):
        raise ForbiddenError("Weights leave a project with the right export, which you lack there", remedy="its lead can do this")
    _require_setting(workspace, caller, "file")
    other = site.projects.get(body.from_project)
    if other.project.id == workspace.project.id:
        raise InputError("A project cannot start from itself", remedy="set training=all to go on from its model in use")
    with other.store.read() as tx:
        if tx.live_model() is None:
            raise NotFoundError(f"{other.project.name} has no model yet", remedy="train one there first")
    asked = request_transfer(workspace, other.folder.resolve(), inflate=body.inflate, layers=body.layers, actor=person.id)
    return JobRef(job_id=asked.id)


def _require_setting(workspace: Workspace, caller: Caller, wanted: str) -> None:
    """A start counts where the setting names it, and who may start trainings may not always change that."""
    if workspace.settings.pretraining != wanted and not caller.may(workspace.project.id, "decide"):
        rule = f"This needs pretraining {wanted}, it is {workspace.settings.pretraining}, and changing it needs the right decide"
        raise ForbiddenError(rule, remedy="the project's lead can do this")
