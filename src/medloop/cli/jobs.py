"""Have a job done: by the worker that is alive, or else right here, with its progress shown.

Ctrl-C tells the job to stop at its next step: it keeps its checkpoint and goes back to the queue. A second Ctrl-C does
not wait for that; nothing is lost even then, as a job whose worker is gone goes back too.
"""

import os
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

from medloop.cli.printing import say
from medloop.cli.progress import Bar
from medloop.core.errors import MedloopError
from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.job_kinds import ARCHIVE, SHORT, kind_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.watching import LOOK_SECONDS, running_job_shown
from medloop.loop.worker import beside, knows_archives, run_job
from medloop.server.web.locks import WORKER_LOCK, FolderLock, somebody_works
from medloop.store.claims import host_name

_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


def have_done(workspace: Workspace, job: Job, *, threads: int) -> Job:
    """See a queued job through to its end, on so many CPU threads, 0 for all.

    With a worker alive, only watch it. Without one, run every waiting job here: what a training sets in motion
    (predictions, evaluation, the next query) belongs to it.

    Raises:
        MedloopError: The job failed, was cancelled, or had nothing to do.
    """
    with Bar(kind_named(job.kind).title) as bar:
        if somebody_works(workspace):
            _watch(workspace, job, bar)
        else:
            _work(workspace, bar, threads or os.cpu_count() or 1)
    for case in damaged_cases(workspace):
        say(str(case))
    ended = workspace.store.jobs.get(job.id)
    if ended.state != JobState.DONE:
        reason = (ended.error.strip() or "it was cancelled").splitlines()[-1]
        raise MedloopError(f"The {ended.kind} job {ended.state}: {reason}", remedy="medloop status tells more")
    if (message := str(ended.result.get("message", ""))) and "nothing_new" not in ended.result:
        raise MedloopError(f"Nothing to do: {message}")
    return ended


def _work(workspace: Workspace, bar: Bar, threads: int) -> None:
    """Run every waiting job in this process, as a worker would: short ones also beside a long one, and those that wait for an archive.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed and the job has stopped.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    owner, elsewhere = f"cli-{host_name()}-{os.getpid()}", () if knows_archives(workspace) else ARCHIVE

    def show(job: Job) -> None:
        bar.move(job.progress, job.message, stage=kind_named(job.kind).title)

    held = FolderLock(workspace.folder, WORKER_LOCK, shared=True)
    with held, _stopping_on_interrupt() as stopping, running_job_shown(workspace, show):

        def run(owner: str, kinds: Collection[str] | None, threads: int, but: Collection[str] = ()) -> bool:
            job = None if stopping.is_set() else workspace.store.jobs.claim(owner, kinds=kinds, but=(*but, *elsewhere))
            if job is not None:
                run_job(workspace.reload(), job, threads=threads, stop=stopping.is_set)
            return job is not None

        short, archive = beside(lambda: run(f"{owner}-short", SHORT, 1)), beside(lambda: run(f"{owner}-archive", ARCHIVE, 1))
        with short as failed, archive as broken:
            while not (failed() or broken()) and run(owner, None, threads, ARCHIVE):
                pass
        while run(owner, None, threads):  # what an archive's job asked for at its end
            pass
    if stopping.is_set():
        raise KeyboardInterrupt


@contextmanager
def _stopping_on_interrupt() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one interrupts as usual."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()
        say("Stopping after this step; the checkpoint is kept")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)


def _watch(workspace: Workspace, job: Job, bar: Bar) -> None:
    """Show what the worker reports until the job has ended."""
    pause = threading.Event()
    while (current := workspace.store.jobs.get(job.id)).state not in _ENDED:
        bar.move(current.progress, current.message, stage=f"{kind_named(job.kind).title} (by the worker)")
        pause.wait(LOOK_SECONDS)
