"""What is left of pulls that were cancelled while they ran, and whose worker was gone before it could forget what they were about.

Every idle worker looks, so that nothing is loaded before there is something to do.
"""

from datetime import UTC, datetime
from pathlib import Path

from medloop.core.records import time_text
from medloop.core.states import JobState
from medloop.loop.foundation.workspace import Workspace

FOLDER = "pacs-wanted"
"""Of the project's work folder: which studies each pull is about."""


def forget_ended(workspace: Workspace) -> None:
    """Remove what such pulls were about, and what they fetched and did not import."""
    for file in (workspace.work_folder / FOLDER).glob("*.json"):
        job = workspace.store.jobs.newest("pull", [f"pull-{file.stem}"])
        if job is None or job.state != JobState.CANCELLED or not job.finished_at or _written(file) >= job.finished_at:
            continue
        from medloop.loop.data.pacs_pull import discard_fetched

        file.unlink(missing_ok=True)
        discard_fetched(workspace)


def _written(file: Path) -> str:
    """When, as the store writes times; a file that is gone counts as one to come."""
    try:
        return time_text(datetime.fromtimestamp(file.stat().st_mtime, UTC))
    except FileNotFoundError:
        return "9999"
