"""One slice of a case as a picture, with the outlines of an annotation and of a prediction on it.

Pictures are PNG bytes inside the page; outlines are SVG paths at voxel positions, so that they stay sharp at any size.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Self

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.geometry import Grid, Plane
from medloop.core.labels import region_values
from medloop.core.records import Label
from medloop.report.markup import element

MOST_PIXELS = 512
"""Along either side; larger pictures are made smaller, since a page holds several."""

MARGIN = 1.6
"""Side of what is shown, as a multiple of the structures in it."""

FEWEST_PIXELS = 24

STYLE = (
    ".outline{fill:none;stroke-linejoin:round;vector-effect:non-scaling-stroke;stroke-width:2}"
    ".outline:not([stroke]){stroke:#000;stroke-width:3.4;opacity:.55}.predicted[stroke]{stroke-dasharray:5 4}"
)
"""Of outlines in a picture that belongs to no page: the truth is solid, what is held against it dashed."""

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Shape:
    """A label to outline: the values whose voxels belong to it, and its colour."""

    values: tuple[int, ...]
    colour: str

    @classmethod
    def each(cls, labels: Sequence[Label], of: Sequence[Label]) -> list[Self]:
        """One of each of these labels `of` a task's, with the voxels of those inside it and those that it shares."""
        held = region_values(of)
        return [cls(held[label.value], label.colour) for label in labels]


@dataclass(frozen=True, eq=False)
class Shot:
    """Where a case is looked at: which slice of which plane, and which part of it.

    Attributes:
        plane: How its slices are drawn.
        index: The slice, from 0.
        box: Rows and columns of the drawn slice.
    """

    plane: Plane
    index: int
    box: Box

    def cut(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """What is seen of an array, shape (I, J, K), as rows and columns."""
        return drawn_slice(array, self.plane, self.index)[self.box]


def largest_disagreement(grid: Grid, truth: MaskArray | None, predicted: MaskArray | None) -> Shot:
    """The slice where two masks differ in most voxels, cut to the structures in it; of the plane with the thickest slices.

    Args:
        grid: The case's.
        truth: Label values, shape (I, J, K); None where there are no masks: the middle slice is shown then.
        predicted: The same.

    Returns:
        For masks that agree everywhere, the slice that holds most of them.
    """
    plane = max(grid.planes(), key=lambda p: grid.spacing_mm[p.slice_axis])
    others = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    middle = grid.shape[plane.slice_axis] // 2
    if truth is None or predicted is None:
        return Shot(plane, middle, (slice(None), slice(None)))
    inside = (truth > 0) | (predicted > 0)
    differing = (truth != predicted).sum(axis=others)
    counts = differing if differing.any() else inside.sum(axis=others)
    index = int(counts.argmax()) if counts.any() else middle
    return Shot(plane, index, _box(drawn_slice(inside, plane, index), plane))


def drawn_slice(array: npt.NDArray[np.generic], plane: Plane, index: int) -> npt.NDArray[np.generic]:
    """One slice of an array, shape (I, J, K), as it is drawn: rows downwards, columns to the right."""
    flat = np.take(array, index, axis=plane.slice_axis)
    flat = flat.T if plane.x_axis < plane.y_axis else flat
    drawn: npt.NDArray[np.generic] = flat[:: -1 if plane.y_flip else 1, :: -1 if plane.x_flip else 1]
    return drawn


def picture(
    channels: ImageArray,
    windows: Sequence[tuple[float, float]],
    shot: Shot,
    masks: Sequence[tuple[str, MaskArray]],
    shapes: Sequence[Shape],
    *,
    label: str,
) -> Markup:
    """A slice in grey or colour with outlines.

    Args:
        channels: Shape (1, I, J, K) for grey or (3, I, J, K) for red, green and blue.
        windows: Intensities (low, high) drawn black and white, one per channel.
        shot: What is shown.
        masks: (style, label values): styles are classes of the style sheet, "truth" and "predicted".
        shapes: The labels to outline.
        label: What it shows, for those who hear it.
    """
    seen = np.stack([grey(shot.cut(channel), *window) for channel, window in zip(channels, windows, strict=True)], axis=-1)
    height, width = seen.shape[:2]
    wide, high = width * shot.plane.x_spacing_mm, height * shot.plane.y_spacing_mm
    scale = 100.0 / max(wide, high)
    stretch = f"scale({scale * shot.plane.x_spacing_mm:.6g} {scale * shot.plane.y_spacing_mm:.6g})"
    drawn = [
        element("path", d=path, class_=f"outline {style}", stroke=shape.colour if layer else None)
        for style, mask in masks
        for shape in shapes
        for path in [outline_path(np.isin(shot.cut(mask), shape.values))]
        for layer in (0, 1)
        if path
    ]
    image = element("image", href=_png(seen), width=width, height=height, preserveAspectRatio="none")
    size = f"0 0 {wide * scale:.4g} {high * scale:.4g}"
    return element("svg", element("g", image, *drawn, transform=stretch), viewBox=size, role="img", aria_label=label, class_="picture")


def alone(drawn: Markup) -> Markup:
    """A picture as a file of its own."""
    return element("svg", element("style", STYLE), drawn, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 100 100")


def outline_path(inside: npt.NDArray[np.bool_]) -> str:
    """The outlines of a flat mask as the path of an SVG, holes included; "" for an empty mask.

    Args:
        inside: Shape (rows, columns).

    Returns:
        Closed lines half way between voxels inside and their neighbours outside; the voxel in row r and column c has its
        centre at (c + 0.5, r + 0.5).
    """
    if not inside.any():
        return ""
    from skimage.measure import find_contours

    lines = find_contours(np.pad(inside, 1).astype(np.float32), 0.5)  # type: ignore[no-untyped-call]  # scikit-image has no types here
    return "".join("M" + "L".join(f"{x - 0.5:.1f} {y - 0.5:.1f}" for y, x in line[:-1]) + "Z" for line in lines)


def _box(inside: npt.NDArray[np.generic], plane: Plane) -> Box:
    """A square in mm around what is inside, with a margin, moved into the slice; the whole slice where nothing is inside."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(None), slice(None)
    spacings = (plane.y_spacing_mm, plane.x_spacing_mm)
    extents = [(int(places[0]), int(places[-1]) + 1) for places in (rows, columns)]
    side = max(MARGIN * max((end - start) * mm for (start, end), mm in zip(extents, spacings, strict=True)), FEWEST_PIXELS * min(spacings))
    first, second = (_span(extent, round(side / mm), length) for extent, mm, length in zip(extents, spacings, inside.shape, strict=True))
    return first, second


def _span(extent: tuple[int, int], wanted: int, length: int) -> slice:
    """So many of a side's pixels around an extent; all of them where there are not so many."""
    start = min(max((sum(extent) - wanted) // 2, 0), max(length - wanted, 0))
    return slice(start, min(start + wanted, length))


def grey(values: npt.NDArray[np.generic], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Intensities as bytes, `low` and less black, `high` and more white; what is no number is black."""
    shares = (np.nan_to_num(values.astype(np.float64), nan=low) - low) / max(high - low, 1e-12)
    return np.asarray(np.rint(255.0 * np.clip(shares, 0.0, 1.0)), dtype=np.uint8)


def heat(shares: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Bytes 0..255 as colours from black over red and yellow to white, brighter throughout; shape (3, …)."""
    level = shares.astype(np.float64) / 255.0
    ramps = np.stack([np.clip(3.0 * level - n, 0.0, 1.0) for n in range(3)])
    return np.asarray(np.rint(255.0 * ramps), dtype=np.uint8)


def _png(seen: npt.NDArray[np.uint8]) -> str:
    """The address of a picture that is part of its page; shape (rows, columns, 1 or 3)."""
    from PIL import Image

    image = Image.fromarray(seen if seen.shape[2] == 3 else seen[..., 0])
    image.thumbnail((MOST_PIXELS, MOST_PIXELS))
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
