"""The worker process: runs the jobs of every project of a folder, one after the other, at low priority.

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
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import IDLE_SECONDS, keep_up, run_job
from medloop.server.processes.lifeline import Lifeline
from medloop.server.web.folders import Projects
from medloop.server.web.locks import WORKER_LOCK, FolderLock
from medloop.store.claims import require_same_folder

NICENESS = 10
SESSION_NICENESS = 5
"""A third of a busy session's share: enough to finish a training on a machine that never rests."""


def work(root: Path, owner: str, stop: Callable[[], bool], *, threads: int = 1) -> None:
    """Run jobs of every project below a root until told to stop.

    Raises:
        NotFoundError: No project in the folder.
    """
    pause = threading.Event()
    with ExitStack() as held:
        projects = held.enter_context(closing(Projects(root, exclusive=False)))
        locked: set[Path] = set()
        while not stop():
            workspaces = [workspace for workspace in projects.all() if not workspace.store.read_only]
            for workspace in workspaces:
                if workspace.folder not in locked:
                    held.enter_context(FolderLock(workspace.folder, WORKER_LOCK, shared=True))
                    locked.add(workspace.folder)
                    follow_up(workspace)
            ran = [_run_one(workspace, owner, stop, threads) for workspace in workspaces]
            if not any(ran):
                pause.wait(IDLE_SECONDS)


def _run_one(workspace: Workspace, owner: str, stop: Callable[[], bool], threads: int) -> bool:
    """Run one job of a project, if one waits; none of a database that a server of another folder holds now."""
    require_same_folder(workspace.store.database, workspace.folder)
    job = workspace.store.jobs.claim(owner)
    if job is None:
        keep_up(workspace)
        return False
    run_job(workspace.reload(), job, threads=threads, stop=stop)
    return True


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
    work(Path(folder), f"worker-{os.getpid()}", lifeline.stopping.is_set, threads=int(threads))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except MedloopError as problem:
        sys.exit(f"error: {problem}")
