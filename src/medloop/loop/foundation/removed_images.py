"""Cases whose image was removed by the retention rule: what says so wherever one is opened, and copies that jobs have left."""

import shutil

from medloop.core.errors import ImageRemovedError, NotFoundError
from medloop.core.records import Case
from medloop.core.states import JobState
from medloop.loop.foundation.workspace import Workspace

REMOVED = "image removed"
"""How the note of such a case begins."""


def require_image(case: Case) -> None:
    """Refuse a case without an image.

    Raises:
        ImageRemovedError: Its image was removed.
    """
    if not case.voxels:
        note = next((note for note in reversed(case.notes) if note.startswith(REMOVED)), REMOVED)
        raise ImageRemovedError(f"{case.name} cannot be shown: {note}", remedy="its annotations, effort and history are kept")


def forget_copies(workspace: Workspace) -> None:
    """Delete the prepared images of trainings that were killed and have ended; their checkpoints stay."""
    for folder in workspace.work_folder.iterdir() if workspace.work_folder.is_dir() else ():
        if _has_ended(workspace, folder.name):
            for prepared in [path for path in folder.rglob("*") if _holds_images(path.name) and path.is_dir()]:
                shutil.rmtree(prepared, ignore_errors=True)


def _holds_images(name: str) -> bool:
    """Whether a folder of a training is called as those of prepared images are: medloop's own, and nnU-Net's."""
    return name.startswith("prepared") or name in ("raw", "preprocessed")


def _has_ended(workspace: Workspace, name: str) -> bool:
    if not name.startswith("job-"):
        return False
    try:
        return workspace.store.jobs.get(name).state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
    except NotFoundError:
        return False
