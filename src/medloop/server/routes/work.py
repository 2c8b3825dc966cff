"""Background work: jobs, their logs, and how the project learns."""

from fastapi import APIRouter

from medloop.loop.progress import progress
from medloop.loop.rounds import start_training
from medloop.server.progress_views import ProgressView
from medloop.server.project_views import JobRef, LogLineView, LogView
from medloop.server.schemas import After, Id, Limit, Nothing
from medloop.server.site import AnnotatorName, WorkspaceHere
from medloop.server.views import JobView, job_view

router = APIRouter(prefix="/projects/{project}", tags=["work"])


@router.get("/progress")
def get_progress(workspace: WorkspaceHere) -> ProgressView:
    """The learning curve, the labels per hour, the expected quality of the pool, models, rounds, time, and advice on stopping."""
    return ProgressView.of(progress(workspace))


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
def post_cancel(workspace: WorkspaceHere, job: Id, _body: Nothing) -> JobView:
    """Ask a job to stop; what it has learned so far is kept."""
    workspace.store.jobs.cancel(job)
    return job_view(workspace.store.jobs.get(job))


@router.post("/train")
def post_train(workspace: WorkspaceHere, annotator: AnnotatorName, _body: Nothing) -> JobRef:
    """Ask for a training now; one that waits already counts."""
    return JobRef(job_id=start_training(workspace, actor=annotator).id)
