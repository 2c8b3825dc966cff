"""Projects: what is served, and how far each one is."""

from fastapi import APIRouter

from medloop.core.states import JobState
from medloop.loop.foundation.annotated_labels import label_gaps
from medloop.loop.foundation.computable import oversized_cases
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.marked import marked_lines
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.status import current_round
from medloop.loop.querying.rejected import rejected_lines
from medloop.pacs.sites import sites_file
from medloop.server.web.callers import CallerHere
from medloop.server.web.locks import somebody_works
from medloop.server.web.site import SiteHere, WorkspaceHere
from medloop.server.wire.project_views import Counts, DamagedView, ProjectLine, ProjectView, WorkersView
from medloop.server.wire.views import label_views, model_brief, round_brief, shared_views
from medloop.store.private import why_full

router = APIRouter(tags=["projects"])


@router.get("/projects")
def list_projects(site: SiteHere, caller: CallerHere) -> list[ProjectLine]:
    """Every project that one has a role in, by name."""
    return [_line(workspace) for workspace in site.projects.all() if caller.sees(workspace.project.id)]


@router.get("/projects/{project}")
def get_project(workspace: WorkspaceHere) -> ProjectView:
    """One project: its task, its settings and its counts."""
    line = _line(workspace)
    with workspace.store.read() as tx:
        counts = Counts.model_validate(tx.case_counts())
    running = bool(workspace.store.jobs.list(state=JobState.RUNNING, limit=1))
    return ProjectView(
        **line.model_dump(),
        instructions=workspace.task.instructions,
        task_version=workspace.task.version,
        label_gaps=[*(str(gap) for gap in label_gaps(workspace)), *marked_lines(workspace), *rejected_lines(workspace)],
        settings=workspace.settings,
        counts=counts,
        strategy=workspace.settings.strategy,
        workers=WorkersView(alive=running or somebody_works(workspace)),
        damaged=[DamagedView.model_validate(case) for case in damaged_cases(workspace)],
        oversized=[DamagedView.model_validate(case) for case in oversized_cases(workspace)],
        archives=sites_file(workspace.folder).exists(),
        read_only=workspace.store.read_only or why_full(workspace.folder),
    )


def _line(workspace: Workspace) -> ProjectLine:
    with workspace.store.read() as tx:
        counts, model = tx.case_counts(), tx.live_model()
        current = current_round(tx)
    return ProjectLine(
        id=workspace.project.id,
        name=workspace.project.name,
        kind=workspace.task.kind,
        labels=label_views(workspace.task),
        shared=shared_views(workspace.task),
        cases=counts.total,
        annotated=counts.annotated,
        model=model_brief(model),
        round=round_brief(current),
    )
