"""How far jobs are while they run in this process: for whoever shows it, and as a bar in a notebook."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.loop.foundation.job_kinds import kind_named
from medloop.loop.foundation.workspace import Workspace
from medloop.report.markup import element

LOOK_SECONDS = 0.3
"""Pause between two looks at the jobs."""


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this code."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def job_bar(workspace: Workspace) -> Iterator[None]:
    """Show the job at work until the block ends; nothing outside of notebooks."""
    if not in_notebook():
        yield
        return
    shell = import_module("IPython.display")
    shown = shell.display(shell.HTML(_bar(0.0, "Starting")), display_id=True)

    def show(job: Job) -> None:
        shown.update(shell.HTML(_bar(job.progress, f"{kind_named(job.kind).title} {job.message}".strip())))

    try:
        with running_job_shown(workspace, show):
            yield
    finally:
        shown.update(shell.HTML(""))


@contextmanager
def running_job_shown(workspace: Workspace, show: Callable[[Job], None]) -> Iterator[None]:
    """Call `show` with the running job now and then, from a thread, until the block ends."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            for job in workspace.store.jobs.list(state=JobState.RUNNING, limit=1):
                show(job)

    thread = threading.Thread(target=look, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _bar(share: float, words: str) -> str:
    return str(element("div", element("progress", value=f"{share:.3f}", max="1"), f" {share:.0%} {words}"))
