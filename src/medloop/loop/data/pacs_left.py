"""What archives leave behind in a project: files that never became cases, and what cancelled pulls were about.

Every idle worker looks, so that nothing is loaded before there is something to do.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from medloop.core.records import time_text
from medloop.core.states import JobState
from medloop.loop.data.pacs_folders import PULLED, RECEIVED, REFUSED, WANTED
from medloop.loop.foundation.workspace import Workspace


def forget_ended(workspace: Workspace) -> None:
    """Remove what pulls were about that were cancelled while they ran, and whose worker was gone before it could forget it.

    What they fetched and did not import goes, too.
    """
    for file in (workspace.work_folder / WANTED).glob("*.json"):
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


def old_files(workspace: Workspace, until: str) -> list[Path]:
    """Files of images that came from archives by a time and are in no case: set aside, or of a pull that never ended."""
    return [file for file in _no_cases(workspace) if _written(file) <= until]


def remove_old_files(workspace: Workspace, until: str) -> tuple[int, int]:
    """Delete them: how many files, and bytes. While a pull is at work, what pulls left stays until the next time."""
    found, freed, gone = old_files(workspace, until), 0, 0
    if not found:
        return 0, 0
    from medloop.loop.data.pacs_spool import AtWorkError, alone

    pulled = workspace.work_folder / PULLED
    with suppress(AtWorkError):
        if any(file.is_relative_to(pulled) for file in found):
            with alone(pulled, "pull"):
                gone, freed = _deleted(file for file in found if file.is_relative_to(pulled))
    more, bytes_of = _deleted(file for file in found if not file.is_relative_to(pulled))
    return gone + more, freed + bytes_of


def _no_cases(workspace: Workspace) -> Iterator[Path]:
    folders = (workspace.folder / RECEIVED / REFUSED, *(workspace.work_folder / PULLED / part for part in ("ready", "growing")))
    return (path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file())


def _deleted(files: Iterator[Path]) -> tuple[int, int]:
    count, freed = 0, 0
    for file in files:
        with suppress(FileNotFoundError):
            size = file.stat().st_size
            file.unlink()
            count, freed = count + 1, freed + size
        with suppress(OSError):
            file.parent.rmdir()  # once it is empty
    return count, freed
