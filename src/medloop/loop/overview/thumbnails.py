"""A small picture of each case, kept beside the project: blobs never change, so one that was made once stays right.

Whoever may not see a case's annotation gets the middle slice of its image: which slices hold something is part of the annotation.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import BlobError, StorageError
from medloop.core.labels import mask_colours
from medloop.core.records import Annotation, Case
from medloop.images.files import write_atomic
from medloop.loop.foundation.arrays import load_mask, shown_channels
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.report.thumbnails import thumbnail_png
from medloop.store.reader import Reader

SIZES = (96, 288)
"""Pixels of the longer side: in a list, and in a grid."""

DRAWN = "1"
"""Goes up when pictures are drawn in another way."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture that is wanted: of a case, with the annotation of a mask or without, so large."""

    case: Case
    annotation: Annotation | None
    size: int
    colours: tuple[tuple[int, str], ...]

    @property
    def tag(self) -> str:
        """What the picture shows, as a word that changes with it."""
        shown = (DRAWN, self.case.voxels, self.case.channel_windows, self.case.display.inverted, self.size)
        of_mask = (self.annotation.blob, self.colours) if self.annotation else ()
        return hashlib.sha256(repr((shown, of_mask)).encode()).hexdigest()[:24]


def wanted_thumbnail(workspace: Workspace, tx: Reader, case: Case, *, sees: bool, size: int) -> Thumbnail:
    """The picture of a case for somebody who `sees` its annotation, or does not."""
    standing = standing_annotation(tx, case.id) if sees else None
    colours = tuple(mask_colours(workspace.task.labels).items())
    return Thumbnail(case, standing if standing is not None and standing.blob else None, size, colours)


def thumbnail(workspace: Workspace, wanted: Thumbnail) -> bytes:
    """The picture, as PNG: as it was kept, else made now. An annotation that cannot be read is left out.

    Raises:
        BlobError: The image's bytes are damaged or gone.
    """
    file = _file(workspace, wanted)
    try:
        return file.read_bytes()
    except OSError:
        made = _drawn(workspace, wanted)
    with suppress(OSError, StorageError):  # where nothing can be written it is made each time
        file.parent.mkdir(parents=True, exist_ok=True)
        for older in file.parent.glob(f"{wanted.case.id}-{wanted.size}-{'mask' if wanted.annotation else 'plain'}-*.png"):
            older.unlink(missing_ok=True)
        write_atomic(file, made, mode=0o600)
    return made


def _file(workspace: Workspace, wanted: Thumbnail) -> Path:
    kind = "mask" if wanted.annotation else "plain"
    return workspace.work_folder / "thumbnails" / f"{wanted.case.id}-{wanted.size}-{kind}-{wanted.tag}.png"


def _drawn(workspace: Workspace, wanted: Thumbnail) -> bytes:
    blobs, case = workspace.store.blobs, wanted.case
    channels, windows = shown_channels(blobs, case)
    mask = None
    if wanted.annotation is not None:
        with suppress(BlobError):
            mask = load_mask(blobs, wanted.annotation, case).array
    return thumbnail_png(channels, windows, case.grid, mask, dict(wanted.colours), size=wanted.size, inverted=case.display.inverted)
