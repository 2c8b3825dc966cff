"""The worker process: runs the jobs of every project of a folder at low priority, long ones one after the other, the others beside.

Started by `supervise` as `python -m medloop.server.processes.worker FOLDER THREADS`; `work` can be called by any
other process too. Each project's worker lock is shared, so that the page knows somebody is working.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from medloop.core.errors import MedloopError
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.job_kinds import ARCHIVE, SHORT, Lane
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import IDLE_SECONDS, Apart, beside, keep_up, knows_archives, run_job
from medloop.server.processes.lifeline import Lifeline
from medloop.server.web.folders import Projects
from medloop.server.web.locks import WORKER_LOCK, FolderLock
from medloop.store.claims import host_name, require_fellow, sign_on

MOST_ARCHIVES = 4
"""Projects whose archives are talked to at once: one that is slow delays its own project only."""

NICENESS = 10
SESSION_NICENESS = 5
"""A third of a busy session's share: enough to finish a training on a machine that never rests."""


def work(root: Path, owner: str, stop: Callable[[], bool], *, threads: int = 1) -> None:
    """Run jobs of every project below a root until told to stop: short ones, and those that wait for an archive, beside the long ones.

    Raises:
        NotFoundError: No project in the folder.
    """
    pause = threading.Event()
    with ExitStack() as held:
        here = _Here(held.enter_context(closing(Projects(root, exclusive=False))), held)

        archives = Apart(MOST_ARCHIVES, lambda each: _run_one(each, f"{owner}-archive", enough, lane="archive"))
        held.callback(archives.close)

        def enough() -> bool:
            return stop() or archives.ended.is_set()

        def run_short() -> bool:
            ran = [_run_one(each, f"{owner}-short", stop, lane="short") for each in here.workspaces()]
            return any(ran)

        def run_archives() -> bool:
            archives.turn(here.workspaces())
            return False

        with beside(run_short) as short_failed, beside(run_archives) as archive_failed:

            def over() -> bool:
                return short_failed() or archive_failed() or stop()

            while not over():
                ran = [_run_one(each, owner, over, threads=threads) for each in here.workspaces()]
                if not any(ran):
                    pause.wait(IDLE_SECONDS)


class _Here:
    """The projects that can be worked on, each with its lock held since it was first seen."""

    def __init__(self, projects: Projects, held: ExitStack) -> None:
        self._projects = projects
        self._held = held
        self._locked: set[Path] = set()
        self._guard = threading.Lock()

    def workspaces(self) -> list[Workspace]:
        """Those of them that can be written, as they are now."""
        with self._guard:
            found = [workspace for workspace in self._projects.all() if not workspace.store.read_only]
            for workspace in found:
                if workspace.folder not in self._locked:
                    self._held.enter_context(FolderLock(workspace.folder, WORKER_LOCK, shared=True))
                    if workspace.store.blobs.shared and (sign := sign_on(workspace.store.database)) is not None:
                        self._held.callback(sign.close)
                    self._locked.add(workspace.folder)
                    follow_up(workspace)
            return found


def _run_one(workspace: Workspace, owner: str, stop: Callable[[], bool], *, threads: int = 1, lane: Lane = "long") -> bool:
    """Run one job of a project, if one waits; none of a database that a server of another folder holds now."""
    require_fellow(workspace.store.database, workspace.folder, shared=workspace.store.blobs.shared)
    if lane == "archive" and not knows_archives(workspace):
        return False
    jobs = workspace.store.jobs
    job = jobs.claim(owner, but=(*SHORT, *ARCHIVE)) if lane == "long" else jobs.claim(owner, kinds=SHORT if lane == "short" else ARCHIVE)
    if job is not None:
        run_job(workspace.reload(), job, threads=threads, stop=stop)
    elif lane == "short":  # by whom no training keeps from it
        keep_up(workspace)
    return job is not None


def _lower_priority() -> None:
    """Give way to the page. Linux shares time between sessions first, so the session needs the number too."""
    os.nice(NICENESS)
    try:
        Path("/proc/self/autogroup").write_text(str(SESSION_NICENESS))
    except OSError:
        return  # no such grouping here: the process's own number counts


def main(folder: str, threads: str) -> None:
    """The process: niced, tied to its server."""
    os.umask(0o077)  # what is learned from patients' images is this user's alone
    lifeline = Lifeline()
    _lower_priority()
    work(Path(folder), f"worker-{host_name()}-{os.getpid()}", lifeline.stopping.is_set, threads=int(threads))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except MedloopError as problem:
        sys.exit(f"error: {problem}")
