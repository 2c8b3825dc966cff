"""A source's label of one case, in the values of the project's task."""

from dataclasses import dataclass

import numpy as np

from medloop.core.errors import LabelError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.datasets.dataset import CaseSource
from medloop.images.picture_masks import BLACK_AND_WHITE
from medloop.images.read import read_mask_with_notes
from medloop.loop.data.label_maps import LabelMap
from medloop.loop.data.source_drawings import read_drawing

WHITE = 255
"""What black and white masks hold for their only label."""


@dataclass(frozen=True)
class SourceLabel:
    """What a source says of a case: a mask in the task's values or a class, what was noticed, and which labels the file itself names."""

    label: Mask | int | None
    notes: tuple[str, ...] = ()
    named: tuple[int, ...] = ()


def read_label(case: CaseSource, read: Image, grid: Grid, values: LabelMap, *, partly: bool = False) -> SourceLabel:
    """The label, checked against its image even when it is not kept, and what was noticed.

    Args:
        case: Where it lies.
        read: The image.
        grid: The grid of the case.
        values: How the source's labels become the task's.
        partly: The source says that not every label is annotated in this case: then voxels of its ignore label are background.

    Raises:
        LabelError: A class or a value that the task does not know, or black and white where several labels could be meant.
        FormatError: A damaged mask or shape.
        GeometryError: A mask off its image's grid.
    """
    if case.tag is not None:
        tag = values.tag(case.tag)
        if tag is None:
            raise LabelError(f"{case.name}: unknown label {case.tag!r}", remedy=f"use one of {', '.join(values.tags)}")
        return SourceLabel(tag)
    if case.drawing is not None:
        return SourceLabel(read_drawing(case.drawing, grid, values))
    if case.mask is None:
        return SourceLabel(None)
    noted = read_mask_with_notes(
        case.mask, read.grid, reading="labels" if values.foreground is None else "foreground", naming=values.naming
    )
    if noted.named:
        return SourceLabel(Mask(noted.mask.array, grid), noted.notes, noted.named)
    white = [note for note in noted.notes if BLACK_AND_WHITE in note]
    table = _table(case.mask.name, noted.mask, values, white=bool(white), partly=partly)
    notes = tuple(note for note in noted.notes if values.foreground is None or note not in white)
    return SourceLabel(Mask(table[noted.mask.array], grid), notes)


def _table(name: str, mask: Mask, values: LabelMap, *, white: bool, partly: bool) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    """Stored value → the task's, 256 of them."""
    table = np.zeros(256, dtype=np.uint8)
    if values.foreground is not None:
        table[1:] = values.foreground
        return table
    if white:
        table[1] = _meaning_of_white(name, values)
        return table
    ignored = values.ignore is not None and values.ignore in mask.values()
    if ignored and not partly:
        raise LabelError(
            f"{name}: the voxels of its ignore label, {values.ignore}, do not say which labels are annotated",
            remedy="name those that are in a column `annotated` of its table, or with --annotated",
        )
    unknown = sorted(set(mask.values()) - {0, *values.voxels, *([values.ignore] if ignored else [])})
    if unknown:
        raise LabelError(
            f"{name}: mask values must be 0 or the task's labels, got also {unknown[:8]}",
            remedy="make the project with more labels, or read every object as the first one: --masks foreground",
        )
    for value, wanted in values.voxels.items():
        table[value] = wanted
    return table


def _meaning_of_white(name: str, values: LabelMap) -> int:
    meant = values.voxels.get(WHITE, values.only)
    if meant is None:
        raise LabelError(
            f"{name}: a black and white mask does not say which of the project's {len(values.voxels)} labels it shows",
            remedy="save it with the label's value, or read it as the first label: --masks foreground",
        )
    return meant
