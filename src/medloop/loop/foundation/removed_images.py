"""Cases whose image was removed by the retention rule: what says so wherever one is opened."""

from medloop.core.errors import ImageRemovedError
from medloop.core.records import Case

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
