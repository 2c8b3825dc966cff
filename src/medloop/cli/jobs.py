"""Have a job done: by the worker that is alive, or else right here, with its progress shown.

Work done here runs in a thread, so that Ctrl-C is answered at once: the job is told to stop, keeps its checkpoint and
goes back to the queue.
"""

import os
import threading
from dataclasses import dataclass, field

from medloop.cli.printing import say
from medloop.cli.progress import Bar
from medloop.core.errors import MedloopError
from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.loop.control import LEASE_SECONDS
from medloop.loop.work import run_job
from medloop.loop.workspace import Workspace
from medloop.server.locks import WORKER_LOCK, FolderLock, is_held

LOOK_SECONDS = 0.3
"""Pause between two looks at the jobs."""

_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


def have_done(workspace: Workspace, job: Job, *, threads: int) -> Job:
    """See a job through to its end.

    With a worker alive, only watch it. Without one, run every waiting job here: what a training sets in motion
    (predictions, evaluation, the next query) belongs to it.

    Args:
        workspace: The project.
        job: Queued.
        threads: CPU threads, 0 for all.

    Raises:
        MedloopError: The job failed or was cancelled.
    """
    here = None if is_held(workspace.folder, WORKER_LOCK) else _Here(workspace, threads or os.cpu_count() or 1)
    with Bar(_title(job)) as bar:
        ended = _watched(workspace, job, bar) if here is None else _worked(workspace, job, bar, here)
    if ended.state != JobState.DONE:
        raise MedloopError(f"The {ended.kind} job {ended.state}: {_last_line(ended.error)}", remedy="medloop status tells more")
    if message := str(ended.result.get("message", "")):
        raise MedloopError(f"Nothing to do: {message}")
    return ended


@dataclass
class _Here:
    """A worker in a thread of this process."""

    workspace: Workspace
    threads: int
    stopping: threading.Event = field(default_factory=threading.Event)
    fault: BaseException | None = None

    def start(self) -> threading.Thread:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        thread = threading.Thread(target=self._work, name="work", daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        try:
            with FolderLock(self.workspace.folder, WORKER_LOCK, shared=True):
                self._drain()
        except Exception as error:  # told by the thread that waits
            self.fault = error

    def _drain(self) -> None:
        jobs = self.workspace.store.jobs
        while not self.stopping.is_set() and (job := jobs.claim(f"cli-{os.getpid()}", lease_seconds=LEASE_SECONDS)) is not None:
            run_job(self.workspace.reload(), job, threads=self.threads, stop=self.stopping.is_set)


def _worked(workspace: Workspace, job: Job, bar: Bar, here: _Here) -> Job:
    thread = here.start()
    try:
        while thread.is_alive():
            _show_running(workspace, bar)
            thread.join(LOOK_SECONDS)
    except KeyboardInterrupt:
        say("Stopping; the checkpoint is kept")
        here.stopping.set()
        thread.join()
        raise
    if here.fault is not None:
        raise here.fault
    return workspace.store.jobs.get(job.id)


def _watched(workspace: Workspace, job: Job, bar: Bar) -> Job:
    pause = threading.Event()
    while (current := workspace.store.jobs.get(job.id)).state not in _ENDED:
        bar.move(current.progress, current.message, stage=f"{_title(job)} (by the worker)")
        pause.wait(LOOK_SECONDS)
    return current


def _show_running(workspace: Workspace, bar: Bar) -> None:
    for job in workspace.store.jobs.list(state=JobState.RUNNING, limit=1):
        bar.move(job.progress, job.message, stage=_title(job))


def _title(job: Job) -> str:
    titles = {"train": "Training", "predict": "Predicting", "evaluate": "Evaluating", "query": "Choosing", "export": "Exporting"}
    return titles.get(job.kind, job.kind)


def _last_line(error: str) -> str:
    return error.strip().splitlines()[-1] if error.strip() else "it was cancelled"
