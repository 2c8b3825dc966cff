"""A job of the worker as clients of MONAI Label know a task."""

from typing import Any

import anyio
from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.settling import settle

STATUS = {
    JobState.QUEUED: "SUBMITTED",
    JobState.RUNNING: "RUNNING",
    JobState.DONE: "DONE",
    JobState.FAILED: "ERROR",
    JobState.CANCELLED: "STOPPED",
}
MOST_LINES = 20
PAUSE_SECONDS = 0.2


def task_of(workspace: Workspace, job: Job) -> dict[str, Any]:
    """The job with its last lines; a running job that was asked to stop is stopped for clients."""
    lines = [line.text for line in workspace.store.jobs.logs(job.id)][-MOST_LINES:] if job.started_at else []
    said = job.error or job.message or str(job.result.get("message", ""))
    stopping = job.state == JobState.RUNNING and job.cancel_requested
    started = {"details": lines or [said or f"{job.kind} has begun"]} if job.started_at or job.state not in (JobState.QUEUED,) else {}
    return {
        "id": job.id,
        "status": "STOPPED" if stopping else STATUS[job.state],
        "request": {**job.payload, "task": job.kind},
        "start_ts": _seconds(job.started_at or job.created_at),
        "end_ts": _seconds(job.finished_at or ""),
        **started,
    }


def newest_task(workspace: Workspace, kind: str, *, every: bool, running: bool) -> Any:
    """The last task of a kind, or every one.

    Raises:
        HTTPException: 404 without any; with `running` also where none runs.
    """
    if every:
        found = [job for job in workspace.store.jobs.list(limit=1000) if job.kind == kind]
        if not found:
            raise HTTPException(404, f"No {kind} tasks found")
        return [task_of(workspace, job) for job in reversed(found)]
    job = workspace.store.jobs.newest(kind)
    if job is None or (running and not (job.state == JobState.RUNNING and not job.cancel_requested)):
        raise HTTPException(404, f"No {kind} tasks {'running' if running else 'found'}")
    return task_of(workspace, job)


def require_idle(workspace: Workspace, kind: str) -> None:
    """Refuse a second task.

    Raises:
        HTTPException: 429 while one waits or runs.
    """
    if workspace.store.jobs.active(kind):
        raise HTTPException(429, f"{kind} task is already running")


def stop(workspace: Workspace, kind: str, *, actor: str) -> dict[str, Any] | None:
    """Stop what waits or runs of a kind; the last of it as a task, None where there was nothing to stop."""
    active = [job for job in workspace.store.jobs.list(limit=1000) if job.kind == kind and job.state in (JobState.QUEUED, JobState.RUNNING)]
    for job in active:
        workspace.store.jobs.cancel(job.id, actor=actor)
    if not active:
        return None
    settle(workspace)
    stopped = task_of(workspace, workspace.store.jobs.get(active[0].id))
    return {"details": [f"{kind} is being stopped"], **stopped, "status": "STOPPED"}


async def ended(workspace: Workspace, job: Job) -> Job:
    """The job once it has ended; nothing is held while it runs."""
    while job.state in (JobState.QUEUED, JobState.RUNNING):
        await anyio.sleep(PAUSE_SECONDS)
        job = await run_in_threadpool(workspace.store.jobs.get, job.id)
    return job


def _seconds(at: str) -> str:
    return at[:19].replace("T", " ")
