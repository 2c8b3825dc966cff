"""How far jobs are, as a bar in a notebook while they run in its process."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from medloop.core.states import JobState
from medloop.loop.foundation.job_kinds import kind_named
from medloop.loop.foundation.workspace import Workspace
from medloop.report.markup import element

LOOK_SECONDS = 0.3


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
    ended, shown = threading.Event(), shell.display(shell.HTML(_bar(0.0, "Starting")), display_id=True)

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            for job in workspace.store.jobs.list(state=JobState.RUNNING, limit=1):
                shown.update(shell.HTML(_bar(job.progress, f"{kind_named(job.kind).title} {job.message}".strip())))

    thread = threading.Thread(target=look, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        shown.update(shell.HTML(""))


def _bar(share: float, words: str) -> str:
    return str(element("div", element("progress", value=f"{share:.3f}", max="1"), f" {share:.0%} {words}"))
