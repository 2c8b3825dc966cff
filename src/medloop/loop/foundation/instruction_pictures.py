"""Pictures beside the instructions of a task: decoded here and written anew, so that nothing of the file but its pixels is kept."""

import io
import warnings
from collections.abc import Sequence

import PIL.Image
import PIL.ImageOps

from medloop.core.errors import FormatError, NotFoundError, SettingError
from medloop.core.records import Task
from medloop.store.store import Store

MAX_PICTURES = 12
"""Of one task."""

MAX_SIDE = 1600
"""Pixels along the longer side as kept; a larger picture is made smaller."""

MAX_PIXELS = 40_000_000
"""Of a picture as sent: a photograph's, and what decodes within a second."""

_DAMAGE = (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)


def keep_pictures(store: Store, pictures: Sequence[bytes]) -> tuple[str, ...]:
    """Store PNG or JPEG files; the names of their blobs.

    Raises:
        FormatError: Something that is no such picture, or is too large.
    """
    prepared = [_prepared(picture) for picture in pictures[: MAX_PICTURES + 1]]
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


def _prepared(data: bytes) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise FormatError(
                        f"A picture may have {MAX_PIXELS:,} pixels, got {opened.width} × {opened.height}", remedy="make it smaller"
                    )
                upright = PIL.ImageOps.exif_transpose(opened).convert("RGBA" if opened.mode in ("LA", "PA", "RGBA") else "RGB")
    except _DAMAGE as error:
        raise FormatError(f"This is no PNG or JPEG picture that can be read ({error})", remedy="save it as PNG or JPEG") from error
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    upright.info.clear()  # texts and profiles of the file
    made = io.BytesIO()
    upright.save(made, "PNG", optimize=True)
    return made.getvalue()
