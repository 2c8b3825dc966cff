"""Outlines that a client sends for a flat picture (ASAP's XML, as QuPath's extension writes it), filled into a mask.

Corners are in pixels from the upper left corner of the picture; a pixel belongs to an outline that holds its centre.

Source: ASAP (Automated Slide Analysis Platform), annotation files; QuPath's MONAI Label extension, `SubmitLabel`.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.drawing import combined
from medloop.core.errors import FormatError, LabelError
from medloop.core.names import folded
from medloop.core.records import Case, Task
from medloop.images.polygons import toggle

MOST_BYTES = 64_000_000
FEWEST_CORNERS = 3


def read_outlines(task: Task, case: Case, path: Path) -> tuple[MaskArray, frozenset[int]]:
    """The mask of a file's outlines, shape (I, J, 1), and the values of the labels that it names.

    Raises:
        FormatError: No such file, or a picture that is not flat.
        LabelError: A class that is no label, or pixels in two classes that share none.
    """
    if case.grid.shape[2] != 1:
        raise FormatError(f"Outlines are for flat pictures, {case.name} has {case.grid.shape[2]} slices", remedy="send a label map")
    known = {folded(label.name): label.value for label in task.labels}
    planes: dict[int, BoolArray] = {}
    for name, corners in _outlines(path):
        if folded(name) not in known:
            names = ", ".join(label.name for label in task.labels)
            raise LabelError(f"The project has the labels {names}, got an outline of {name[:80]!r}", remedy="change its class")
        value = known[folded(name)]
        planes[value] = planes.get(value, np.zeros(case.grid.shape[:2], dtype=np.bool_)) | _filled(corners, case.grid.shape[:2])
    mask, clash = combined(task.labels, case.grid.shape, ((value, plane[:, :, None]) for value, plane in planes.items()))
    if clash is not None:
        count = int(np.count_nonzero(clash.voxels))
        raise LabelError(f"{count} pixels lie in outlines of two classes, and a pixel has one label", remedy="take them apart")
    return mask, frozenset(planes)


def _outlines(path: Path) -> list[tuple[str, npt.NDArray[np.float64]]]:
    """Class and corners, shape (points, 2) as column and row, of every outline."""
    data = path.read_bytes()
    if len(data) > MOST_BYTES or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise FormatError(f"A file of outlines has at most {MOST_BYTES} bytes and declares nothing", remedy="save it again")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - no declarations: nothing expands
        found = [(one.get("PartOfGroup") or one.get("Name") or "", _corners(one)) for one in root.iter("Annotation")]
    except (ElementTree.ParseError, ValueError, TypeError) as error:
        raise FormatError(f"A file of outlines is ASAP's XML, got: {error}", remedy="save it again") from error
    if not found:
        raise FormatError("A file of outlines has at least one outline, got none", remedy="draw one, with a class")
    return found


def _corners(annotation: ElementTree.Element) -> npt.NDArray[np.float64]:
    points = [(float(one.get("X", "nan")), float(one.get("Y", "nan"))) for one in annotation.iter("Coordinate")]
    if len(points) < FEWEST_CORNERS or not np.isfinite(points).all() or np.abs(points).max() > 2**31:
        raise ValueError(f"an outline has {FEWEST_CORNERS} corners or more, all of them numbers")
    return np.array(points, dtype=np.float64)


def _filled(corners: npt.NDArray[np.float64], shape: tuple[int, int]) -> BoolArray:
    plane = np.zeros(shape, dtype=np.bool_)
    toggle(plane, corners - 0.5)  # from the corner of the first pixel to its centre
    filled: BoolArray = np.logical_xor.accumulate(plane, axis=0)
    return filled
