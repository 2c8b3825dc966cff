"""The worker: claim a job, run it, say how it ended, again.

`run_worker` is what the worker process does; `run_job` and `drain` run the same jobs in the calling
process, for the command line, simulations and tests. An exception ends its job, never the worker.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from medloop.core.errors import CancelledError, ConflictError, InputError, MedloopError
from medloop.core.records import Job
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import kind_named
from medloop.loop.foundation.leases import release_stale
from medloop.loop.foundation.round_moves import advance
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.settling import settle

IDLE_SECONDS = 0.3
"""How long an idle worker waits before it looks for work again."""


def run_worker(folder: Path, owner: str, stop: Callable[[], bool], *, threads: int = 1) -> None:
    """Run jobs until told to stop; a job in progress is told too, keeps its checkpoint and goes back to the queue.

    Args:
        folder: The project's folder.
        owner: Name of this worker, unique per process.
        stop: Asked between jobs and at every report of a job.
        threads: CPU threads a job may use.
    """
    pause = threading.Event()
    with Workspace.open(folder) as workspace:
        follow_up(workspace)
        while not stop():
            job = workspace.store.jobs.claim(owner)
            if job is None:
                keep_up(workspace)
                pause.wait(IDLE_SECONDS)
            else:
                run_job(workspace.reload(), job, threads=threads, stop=stop)


def keep_up(workspace: Workspace) -> None:
    """What every idle worker does: end what nobody works on any more, so that rounds end also when nobody asks or answers."""
    settle(workspace)
    if release_stale(workspace):
        advance(workspace)
        follow_up(workspace)


def drain(workspace: Workspace, *, threads: int = 1, owner: str = "") -> int:
    """Run every queued job here and now, in order; returns how many ran.

    Raises:
        MedloopError: The first job that failed for good.
    """
    name = owner or f"inline-{os.getpid()}"
    ran = 0
    while (job := workspace.store.jobs.claim(name)) is not None:
        run_job(workspace.reload(), job, threads=threads)
        ended = workspace.store.jobs.get(job.id)
        if ended.state == "failed":
            raise MedloopError(f"Job {job.kind} failed: {ended.error}", remedy="see its log: medloop status")
        ran += 1
    return ran


def run_job(workspace: Workspace, job: Job, *, threads: int = 1, stop: Callable[[], bool] | None = None) -> None:
    """Run one claimed job to its end and record how it ended."""
    jobs = workspace.store.jobs
    with JobControl(workspace, job, stop=stop, threads=threads) as control:
        try:
            result = kind_named(job.kind).load()(workspace, control)
        except CancelledError as error:
            _cancelled(control, error)
        except InputError as error:
            _failed(workspace, control, str(error), retry=False)
        except Exception as error:
            _failed(workspace, control, f"{type(error).__name__}: {error}", retry=True)
        else:
            try:
                jobs.finish(job, result)
            except ConflictError:
                control.log("another worker finished this job first")
    settle(workspace)


def _cancelled(control: JobControl, error: CancelledError) -> None:
    control.log(str(error))
    control.give_up()


def _failed(workspace: Workspace, control: JobControl, message: str, *, retry: bool) -> None:
    control.log(message)
    with suppress(ConflictError):
        workspace.store.jobs.fail(control.job, message, retry=retry)
