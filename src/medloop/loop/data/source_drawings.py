"""Shapes on a picture as a mask of the project's task.

Shapes of one label add up. Those of different labels must not share pixels, unless one lies inside the other or they overlap
by the task's declaration, or the file says which lies above.
"""

from collections import defaultdict

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.drawing import drawn_table
from medloop.core.errors import FormatError, GeometryError, LabelError
from medloop.core.geometry import Grid
from medloop.core.image import Mask
from medloop.images.shapes.regions import Drawing, Region
from medloop.loop.data.label_maps import LabelMap
from medloop.loop.data.source_segments import mask_of_labels


def read_drawing(drawing: Drawing, grid: Grid, values: LabelMap) -> Mask:
    """The mask of a drawing.

    Args:
        drawing: Of the picture.
        grid: Of the case.
        values: How the source's labels become the task's.

    Raises:
        FormatError: A damaged shape.
        GeometryError: A volume, or a picture of another size than the source says.
        LabelError: Labels that may not share pixels do.
    """
    columns, rows, slices = grid.shape
    if slices != 1:
        raise GeometryError(f"{drawing.file}: shapes lie on a picture, this image has {slices} slices", remedy="import masks as volumes")
    if drawing.size is not None and drawing.size != (columns, rows):
        wide, high = drawing.size
        raise GeometryError(
            f"{drawing.file}: shapes lie on a picture of {wide}×{high}, this one has {columns}×{rows}",
            remedy="import the picture that was drawn on, in the size that it had",
        )
    layers: dict[int, list[Region]] = defaultdict(list)
    for region in drawing.regions:
        layers[region.layer].append(region)
    mask: MaskArray = np.zeros(grid.shape, dtype=np.uint8, order="F")
    for layer in sorted(layers):
        mask = _over(mask, _planes(drawing.file, layers[layer], values, (columns, rows)), values, drawing.file)
    return Mask(mask, grid)


def _planes(file: str, regions: list[Region], values: LabelMap, size: tuple[int, int]) -> dict[int, BoolArray]:
    """Value of each label of the task → where it is, shape (columns, rows, 1)."""
    planes: dict[int, BoolArray] = {}
    for region in regions:
        value = values.foreground if values.foreground is not None else values.voxels.get(region.value)
        if value is None:
            raise LabelError(f"{file}: {region.what} has the label {region.label!r}, which the project does not know", remedy="add it")
        plane = planes.setdefault(value, np.zeros(size, dtype=bool))
        try:
            region.paint(plane)
        except FormatError as error:
            raise FormatError(f"{file}: {region.what} ({region.label}): {error.message}", remedy="correct or remove it") from None
    return {value: plane[..., None] for value, plane in planes.items()}


def _over(below: MaskArray, planes: dict[int, BoolArray], values: LabelMap, file: str) -> MaskArray:
    """A mask with one layer of labels laid over it."""
    labels = values.naming.labels if values.naming is not None else ()
    above = mask_of_labels(planes, labels, file)
    if not below.any():
        return above
    for value, plane in planes.items():
        below = np.where(plane, drawn_table(labels, value)[below], below)
    return np.asfortranarray(below.astype(np.uint8))
