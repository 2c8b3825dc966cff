"""Measurements that people take on a case's image: kept for each of them, changed by nobody else, withdrawn rather than lost.

Figures are computed here, from the stored voxels and the case's own affine, whoever asks: what the page draws meanwhile is a preview.
A label is measured in its annotator's own draft at a revision, so that the figure can be had again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import Affine, BoolArray, FloatArray, MaskArray
from medloop.core.errors import ConflictError, ForbiddenError, InputError, LabelError, StateError
from medloop.core.labels import mask_of
from medloop.core.records import Assignment, Case, Measurement, MeasurementKind, Point, new_id, now
from medloop.images.encode import stored_slices
from medloop.images.result import UNSIZED
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.removed_images import require_image
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.loop.judging.mask_figures import is_sized
from medloop.metrics.caliper import Figures, angle, length, pixel_area, plane_axes, region_area, region_pixels, value_figures
from medloop.store.reader import Reader

POINTS: dict[MeasurementKind, int] = {"length": 2, "angle": 3, "ellipse": 2, "rectangle": 2, "label": 0}
"""How many points each kind has."""

MOST_MEASUREMENTS = 1000
"""Of one person on one case."""

MAX_NOTE = 200

Inside = Callable[[int], BoolArray | None]
"""Which voxels of the slice across K of a number are measured, shape (I, J); None where none is."""


@dataclass(frozen=True, kw_only=True)
class MeasurementRequest:
    """What is to be measured; fields as in `medloop.core.records.Measurement`.

    Attributes:
        id: Of a client that may have to send the request again; None for a fresh one.
    """

    kind: MeasurementKind
    points: Sequence[Point] = ()
    axis: int | None = None
    index: int | None = None
    channel: int | None = 0
    label: int = 0
    assignment_id: str | None = None
    revision: int | None = None
    note: str = ""
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A measurement, on which case, by whom, and its points in the patient.

    Attributes:
        points_mm: RAS+ millimetres; () where directions or sizes are not known.
    """

    measurement: Measurement
    case: str
    annotator: str
    points_mm: tuple[Point, ...]


def take_measurement(workspace: Workspace, case_id: str, annotator_id: str, wanted: MeasurementRequest) -> Measurement:
    """Measure, and keep it; a request that came before is not measured again, and gives what became of its measurement since.

    Raises:
        NotFoundError: No such case or assignment.
        InputError: Points that are too few, too many, off the image or off their slice, or a region without width.
        LabelError: A label that the task does not have.
        ConflictError: The draft has not come to that revision.
        ForbiddenError: The draft, or a measurement of that id, is somebody else's.
    """
    with workspace.store.read() as tx:
        case = tx.get(Case, case_id)
        if (before := _taken_before(tx, case_id, annotator_id, wanted.id)) is not None:
            return before
        taken = tx.count(Measurement, where={"case_id": case_id, "annotator_id": annotator_id, "withdrawn_at": None})
    if taken >= MOST_MEASUREMENTS:
        raise InputError(f"One person keeps up to {MOST_MEASUREMENTS} measurements on a case", remedy="remove some")
    made = Measurement(
        id=wanted.id or new_id("measurement"),
        case_id=case_id,
        annotator_id=annotator_id,
        kind=wanted.kind,
        points=tuple(wanted.points),
        axis=wanted.axis,
        index=wanted.index,
        channel=wanted.channel,
        label=wanted.label,
        assignment_id=wanted.assignment_id,
        revision=wanted.revision,
        figures=_figures(workspace, case, annotator_id, wanted),
        note=_checked_note(wanted.note),
        created_at=(at := now()),
        changed_at=at,
    )
    with workspace.store.write(annotator_id) as tx:
        if (before := _taken_before(tx, case_id, annotator_id, wanted.id)) is not None:
            return before
        tx.add(made, verb="measure")
    return made


def _taken_before(tx: Reader, case_id: str, annotator_id: str, measurement_id: str | None) -> Measurement | None:
    found = tx.find(Measurement, where={"id": measurement_id}) if measurement_id is not None else []
    if found and (found[0].case_id, found[0].annotator_id) != (case_id, annotator_id):
        raise ForbiddenError("The id of this measurement is taken", remedy="choose another one, or none")
    return found[0] if found else None


def move_measurement(workspace: Workspace, measurement_id: str, annotator_id: str, points: Sequence[Point]) -> Measurement:
    """Put a measurement's points elsewhere, in the slice that they all lie in.

    Raises:
        NotFoundError: No such measurement.
        ForbiddenError: Somebody else's.
        StateError: It was withdrawn.
        InputError: As `take_measurement`; and a label, which has no points.
    """
    with workspace.store.read() as tx:
        old = _own(tx, measurement_id, annotator_id)
        case = tx.get(Case, old.case_id)
    if old.axis is None or not old.points:
        raise InputError("The measurement of a label has no ends to move", remedy="measure the label again")
    if tuple(map(tuple, points)) == old.points and old.withdrawn_at is None:
        return old
    index = round(points[0][old.axis]) if points else old.index
    wanted = MeasurementRequest(kind=old.kind, points=points, axis=old.axis, index=index, channel=old.channel)
    fields = {"points": tuple(points), "index": index, "figures": _figures(workspace, case, annotator_id, wanted), "changed_at": now()}
    with workspace.store.write(annotator_id) as tx:
        if _own(tx, measurement_id, annotator_id).withdrawn_at is not None:
            raise StateError("This measurement was removed", remedy="bring it back first")
        return tx.change(Measurement, measurement_id, verb="move", fields=fields)


def own_measurement(workspace: Workspace, measurement_id: str, annotator_id: str) -> Measurement:
    """A measurement, for who may change it.

    Raises:
        NotFoundError: No such measurement.
        ForbiddenError: Somebody else's.
    """
    with workspace.store.read() as tx:
        return _own(tx, measurement_id, annotator_id)


def name_measurement(workspace: Workspace, measurement_id: str, annotator_id: str, note: str) -> Measurement:
    """Call a measurement something.

    Raises:
        NotFoundError: No such measurement.
        ForbiddenError: Somebody else's.
        InputError: A name that is too long.
    """
    return _changed(workspace, measurement_id, annotator_id, "name", note=_checked_note(note))


def withdraw_measurement(workspace: Workspace, measurement_id: str, annotator_id: str, *, restore: bool = False) -> Measurement:
    """Take a measurement away, or bring it back; the audit keeps both.

    Raises:
        NotFoundError: No such measurement.
        ForbiddenError: Somebody else's.
    """
    return _changed(workspace, measurement_id, annotator_id, "restore" if restore else "withdraw", withdrawn_at=None if restore else now())


def placed_measurements(tx: Reader, *, case_id: str | None = None, annotator_id: str | None = None) -> list[Placed]:
    """The measurements that stand, in the order they were taken: of one case or all, of one person or everybody."""
    chosen = {"case_id": case_id, "annotator_id": annotator_id}
    found = tx.find(Measurement, where={"withdrawn_at": None, **{name: value for name, value in chosen.items() if value is not None}})
    people, cases = annotator_names(tx), {id_: tx.get(Case, id_) for id_ in {one.case_id for one in found}}
    return [placed(one, cases[one.case_id], people[one.annotator_id]) for one in found]


def placed(measurement: Measurement, case: Case, annotator: str) -> Placed:
    """A measurement with the words and places that a record does not hold."""
    known = case.display.oriented and is_sized(case)
    mm = case.grid.to_mm(measurement.points) if known and measurement.points else np.zeros((0, 3))
    points_mm = tuple((float(x), float(y), float(z)) for x, y, z in mm)
    return Placed(measurement=measurement, case=case.name, annotator=annotator, points_mm=points_mm)


def _changed(workspace: Workspace, measurement_id: str, annotator_id: str, verb: str, **fields: str | None) -> Measurement:
    with workspace.store.write(annotator_id) as tx:
        old = _own(tx, measurement_id, annotator_id)
        if all(getattr(old, name) == value for name, value in fields.items()):
            return old
        return tx.change(Measurement, measurement_id, verb=verb, fields=fields)


def _own(tx: Reader, measurement_id: str, annotator_id: str) -> Measurement:
    found = tx.get(Measurement, measurement_id)
    if found.annotator_id != annotator_id:
        raise ForbiddenError("A measurement is changed only by who took it", remedy="take one of your own")
    return found


def _checked_note(note: str) -> str:
    if len(note.strip()) > MAX_NOTE:
        raise InputError(f"The name of a measurement has at most {MAX_NOTE} characters, got {len(note.strip())}")
    return note.strip()


def _figures(workspace: Workspace, case: Case, annotator_id: str, wanted: MeasurementRequest) -> Figures:
    """Everything that is measured of a kind, by name with unit."""
    points = _checked_points(case, wanted)
    if wanted.channel is not None and not 0 <= wanted.channel < case.channels:
        raise InputError(f"{case.name} has {case.channels} channels, counted from 0, got {wanted.channel}")
    if wanted.kind == "label":
        return _label_figures(workspace, case, annotator_id, wanted)
    axis, index = _slice_of(case, wanted)
    affine, unit = _scale(case, axis)
    if wanted.kind == "length":
        return {f"length_{unit}": _kept(length(points, affine))}
    if wanted.kind == "angle":
        return {"angle_degrees": _kept(_checked_angle(angle(points, affine)))}
    first, second = plane_axes(axis)
    pixels = region_pixels(wanted.kind, points, axis, (case.grid.shape[first], case.grid.shape[second]))
    area = _kept(region_area(wanted.kind, points, axis, affine))
    return {**_values(workspace, case, wanted.channel, _in_slice(case, axis, index, pixels)), _area_name(unit): area}


def _label_figures(workspace: Workspace, case: Case, annotator_id: str, wanted: MeasurementRequest) -> Figures:
    inside: BoolArray = mask_of(workspace.task.labels, _draft(workspace, case, annotator_id, wanted), wanted.label)
    if wanted.axis is None:
        found = _values(workspace, case, wanted.channel, lambda k: inside[:, :, k])
        volume = abs(float(np.linalg.det(case.grid.affine[:3, :3]))) / 1000
        return found | ({"volume_ml": _kept(found["voxels"] * volume)} if is_sized(case) and not case.grid.is_2d else {})
    axis, index = _slice_of(case, wanted)
    affine, unit = _scale(case, axis)
    found = _values(workspace, case, wanted.channel, _in_slice(case, axis, index, np.take(inside, index, axis=axis)))
    return found | {_area_name(unit): _kept(found["voxels"] * pixel_area(axis, affine))}


def _draft(workspace: Workspace, case: Case, annotator_id: str, wanted: MeasurementRequest) -> MaskArray:
    require_masks(workspace, "Measuring a label")
    if wanted.label not in workspace.task.label_values:
        raise LabelError(f"The task has the labels {list(workspace.task.label_values)}, got {wanted.label}")
    if wanted.assignment_id is None or wanted.revision is None:
        raise InputError("A label is measured in a draft: name the assignment and its revision", remedy="open the case first")
    assignment = workspace.store.get(Assignment, wanted.assignment_id)
    if assignment.case_id != case.id:
        raise InputError(f"The assignment {assignment.id} is of another case than {case.name}", remedy="name the assignment of this case")
    if assignment.annotator_id != annotator_id:
        raise ForbiddenError("This draft is somebody else's", remedy="open the case under your own name")
    if wanted.revision > assignment.revision:
        rule = f"The draft is at revision {assignment.revision}, {wanted.revision} was to be measured"
        raise ConflictError(rule, remedy="wait until it is saved, and measure again")
    return read_draft(workspace, assignment.id, upto=wanted.revision).mask


def _checked_points(case: Case, wanted: MeasurementRequest) -> FloatArray:
    count = POINTS[wanted.kind]
    points = np.asarray(wanted.points, dtype=np.float64).reshape(-1, 3)
    if len(points) != count:
        raise InputError(f"A measurement of kind {wanted.kind} has {count} points, got {len(points)}")
    limits = np.asarray(case.grid.shape, dtype=np.float64) - 0.5
    if not (np.isfinite(points).all() and (points >= -0.5).all() and (points <= limits).all()):
        raise InputError(f"Points lie within the image's {case.grid.shape} voxels, got {points.tolist()}")
    return points


def _slice_of(case: Case, wanted: MeasurementRequest) -> tuple[int, int]:
    """The slice that everything lies in."""
    axis, index = wanted.axis, wanted.index
    if axis is None or index is None or axis not in (0, 1, 2) or not 0 <= index < case.grid.shape[axis]:
        raise InputError(f"A measurement lies in a slice of the image, got slice {index} across axis {axis}")
    if any(point[axis] != index for point in wanted.points):
        raise InputError(f"All points of a measurement lie in its slice {index} across axis {axis}", remedy="place them in one slice")
    shape = case.grid.shape
    if wanted.kind in ("ellipse", "rectangle") and any(wanted.points[0][a] == wanted.points[1][a] for a in plane_axes(axis)):
        raise InputError("A region needs a width and a height", remedy=f"place its corners apart; the image has {shape} voxels")
    return axis, index


def _scale(case: Case, axis: int) -> tuple[Affine, str]:
    """The affine and the unit of lengths in slices across an axis: those across K need no distance between slices."""
    known = UNSIZED not in case.notes if axis == 2 else is_sized(case)
    return (case.grid.affine, "mm") if known else (np.eye(4), "px")


def _area_name(unit: str) -> str:
    return "area_mm2" if unit == "mm" else "area_px"


def _checked_angle(degrees: float) -> float:
    if math.isnan(degrees):
        raise InputError("Both legs of an angle need a length", remedy="place its three points apart")
    return degrees


def _in_slice(case: Case, axis: int, index: int, pixels: BoolArray) -> Inside:
    """The pixels of one slice, as those of the slices across K."""
    if axis == 2:
        return lambda k: pixels if k == index else None

    def inside(k: int) -> BoolArray | None:
        if not pixels[:, k].any():
            return None
        found = np.zeros(case.grid.shape[:2], dtype=bool)
        found[(index, slice(None)) if axis == 0 else (slice(None), index)] = pixels[:, k]
        return found

    return inside


def _values(workspace: Workspace, case: Case, channel: int | None, inside: Inside) -> Figures:
    """The figures of the values of some voxels, read slice by slice."""
    wanted = range(case.channels) if channel is None else (channel,)
    taken: dict[int, list[FloatArray]] = {one: [] for one in wanted}
    require_image(case)
    packed = workspace.store.blobs.get(case.voxels)
    for at, k, values in stored_slices(packed, (case.channels, *case.grid.shape), case.dtype):
        if at > max(wanted):
            break
        if at in taken and (chosen := inside(k)) is not None:
            taken[at].append(values[chosen])
    each = [np.concatenate(parts) if parts else np.zeros(0) for parts in taken.values()]
    found = each[0] if len(each) == 1 else np.mean([values.astype(np.float64) for values in each], axis=0)
    return {name: _kept(value) for name, value in value_figures(found).items()}


def _kept(figure: float) -> float:
    """With the digits that mean something."""
    return float(f"{figure:.9g}")
