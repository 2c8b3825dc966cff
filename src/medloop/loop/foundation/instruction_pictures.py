"""Pictures beside the instructions of a task."""

from collections.abc import Sequence

from medloop.core.errors import NotFoundError, SettingError
from medloop.core.records import Task
from medloop.store.store import Store

MAX_PICTURES = 12
"""Of one task."""


def keep_pictures(store: Store, pictures: Sequence[bytes]) -> tuple[str, ...]:
    """Store PNG or JPEG files; the names of their blobs.

    Raises:
        FormatError: Something that is no such picture, or is too large.
    """
    from medloop.loop.foundation.redrawn_pictures import redrawn  # a server that nobody sends a picture needs no decoder

    prepared = [redrawn(picture) for picture in pictures[: MAX_PICTURES + 1]]
    return tuple(store.blobs.put(picture) for picture in prepared)


def with_pictures(task: Task, names: Sequence[str]) -> tuple[str, ...]:
    """The pictures of a task and further ones.

    Raises:
        SettingError: More than `MAX_PICTURES`.
    """
    pictures = (*task.pictures, *names)
    if len(pictures) > MAX_PICTURES:
        raise SettingError(f"Instructions may have {MAX_PICTURES} pictures, got {len(pictures)}", remedy="put several into one picture")
    return pictures


def read_picture(store: Store, task: Task, number: int) -> bytes:
    """The PNG of a picture, counted from 1.

    Raises:
        NotFoundError: The task has fewer pictures.
    """
    if not 1 <= number <= len(task.pictures):
        raise NotFoundError(f"The instructions have {len(task.pictures)} pictures, not one with number {number}")
    return store.blobs.get(task.pictures[number - 1])
