"""What people measured, as a DICOM structured report that follows TID 1500, one for each case.

Every measurement is a group of its own (TID 1501) with a code, a unit and, where its slice has a place in the patient, its points there.

Source: DICOM PS3.16 TID 1500 (Measurement Report), TID 1501, TID 300; PS3.3 A.35.13 (Comprehensive 3D SR).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medloop.core.codes import PRIVATE, Code, coded
from medloop.core.records import Label, Point
from medloop.datasets.dicom_objects.references import Referenced
from medloop.datasets.dicom_objects.segmentation import MAKER, concept, identity, person_name, refusing
from medloop.datasets.export_tally import ExportCase

_SERIES_NUMBER = 9002


@dataclass(frozen=True)
class Measured:
    """One measurement as a report holds it.

    Attributes:
        id: Of the record.
        kind: length, angle, ellipse, rectangle or label.
        label: Name of the label that was measured, "" for none.
        figures: By name with unit, as `Measurement` has them.
        points: Voxel coordinates (i, j, k); two corners of an ellipse or rectangle, none of a label.
        axis: The voxel axis across its slice.
        unit: Of mean, sd, min and max, "" when unknown.
        annotator: Who measured.
    """

    id: str
    kind: str
    label: str
    figures: Mapping[str, float]
    points: tuple[Point, ...]
    axis: int | None
    unit: str
    annotator: str


_MM, _PIXEL = Code("UCUM", "mm", "millimeter"), Code("UCUM", "{pixels}", "pixels")
_LENGTH, _ANGLE = Code("SCT", "410668003", "Length"), Code("SCT", "1483009", "Angle")
_AREA, _VOLUME = Code("SCT", "42798000", "Area"), Code("SCT", "118565006", "Volume")
_FIGURES: Mapping[str, tuple[Code, Code]] = {
    "length_mm": (_LENGTH, _MM),
    "length_px": (_LENGTH, _PIXEL),
    "angle_degrees": (_ANGLE, Code("UCUM", "deg", "degree")),
    "area_mm2": (_AREA, Code("UCUM", "mm2", "square millimeter")),
    "area_px": (_AREA, _PIXEL),
    "volume_ml": (_VOLUME, Code("UCUM", "ml", "milliliter")),
}
_STATISTICS: Mapping[str, Code] = {
    "mean": Code("SCT", "373098007", "Mean"),
    "sd": Code("SCT", "386136009", "Standard Deviation"),
    "min": Code("SCT", "255605001", "Minimum"),
    "max": Code("SCT", "56851009", "Maximum"),
}
_UNITS = {"HU": Code("UCUM", "[hnsf'U]", "Hounsfield unit"), "Bq/ml": Code("UCUM", "Bq/ml", "Becquerels/milliliter")}
_NO_UNIT = Code("UCUM", "1", "no units")


def write_measurements(case: ExportCase, source: Referenced, labels: Sequence[Label], measured: Sequence[Measured]) -> Any:
    """The report of one case.

    Args:
        case: Whose image was measured.
        source: The images that it points at.
        labels: Of the task, for their codes.
        measured: What stands.

    Raises:
        InputError: highdicom refuses what the source's headers say.
    """
    import highdicom as hd

    groups = [_group(one, case, source, labels) for one in measured]
    people = sorted({name for one in measured if (name := person_name(one.annotator))})
    with refusing(case, "report", "export its measurements"):
        content = hd.sr.MeasurementReport(
            observation_context=hd.sr.ObservationContext(
                observer_person_context=_person(people[0]) if people else None, observer_device_context=_device()
            ),
            procedure_reported=concept(Code("SCT", "363679005", "Imaging procedure")),
            imaging_measurements=[group for group in groups if group is not None],
            referenced_images=source.images,
        )
        return hd.sr.Comprehensive3DSR(
            evidence=source.images,
            content=content[0],
            **identity(_SERIES_NUMBER),
            series_description="medloop measurements",
        )


def _person(name: str) -> Any:
    import highdicom as hd

    person = concept(Code("DCM", "121006", "Person"))
    return hd.sr.ObserverContext(person, hd.sr.PersonObserverIdentifyingAttributes(name=name))


def _device() -> Any:
    import highdicom as hd

    device = concept(Code("DCM", "121007", "Device"))
    return hd.sr.ObserverContext(device, hd.sr.DeviceObserverIdentifyingAttributes(uid=hd.UID(), name=MAKER, manufacturer_name=MAKER))


def _group(one: Measured, case: ExportCase, source: Referenced, labels: Sequence[Label]) -> Any:
    """The group of one measurement; None where it has no figure that a report knows."""
    import highdicom as hd

    label = next((each for each in labels if each.name == one.label), None)
    places = _coordinates(one, case, source)
    measurements = [
        _figure(name, value, one.unit, places) for name, value in one.figures.items() if name in _FIGURES or name in _STATISTICS
    ]
    if not measurements:
        return None
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=f"{one.kind} {one.id}"),
        finding_type=None if label is None else concept(coded(label).kind),
        measurements=measurements,
    )


def _figure(name: str, value: float, unit: str, places: Any) -> Any:
    import highdicom as hd

    if name in _FIGURES:
        what, of = _FIGURES[name]
        return hd.sr.Measurement(name=concept(what), value=float(value), unit=concept(of), referenced_coordinates=places)
    what = Code("DCM", "112031", "Attenuation Coefficient") if unit == "HU" else Code(PRIVATE, "INTENSITY", "Intensity of the image")
    return hd.sr.Measurement(
        name=concept(what),
        value=float(value),
        unit=concept(_UNITS.get(unit, _NO_UNIT)),
        derivation=concept(_STATISTICS[name]),
        referenced_coordinates=places,
    )


def _coordinates(one: Measured, case: ExportCase, source: Referenced) -> Any:
    """Where it was measured, in the patient; None for a label, and where the slices have no place."""
    import highdicom as hd

    if not one.points or source.positions is None:
        return None
    points = _outline(one)
    rounded = np.clip(np.round(points[:, 2]).astype(int), 0, len(source.positions) - 1)
    axes = case.image.grid.affine[:3] * np.array([[-1.0], [-1.0], [1.0]])
    # Points across slices lie between places; a tilted or uneven stack has one for each slice, so the nearest gives the rest.
    places = source.positions[rounded] + points[:, :2] @ axes[:, :2].T + np.outer(points[:, 2] - rounded, axes[:, 2])
    kind = {"ellipse": "POLYGON", "rectangle": "POLYGON"}.get(one.kind, "POLYLINE")
    return [hd.sr.CoordinatesForMeasurement3D(kind, places, str(source.images[0].FrameOfReferenceUID))]


def _outline(one: Measured) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """The points of a line or an angle; of two opposite corners the closed rectangle or an ellipse of 32 points within it."""
    points = np.array(one.points, dtype=np.float64)
    if one.kind not in ("ellipse", "rectangle") or len(points) != 2:
        return points
    first, second = (axis for axis in range(3) if axis != (2 if one.axis is None else one.axis))
    middle, half = points.mean(axis=0), np.abs(points[1] - points[0]) / 2
    angles = np.linspace(0, 2 * np.pi, 33) if one.kind == "ellipse" else np.pi / 4 + np.arange(5) * np.pi / 2
    stretch = 1.0 if one.kind == "ellipse" else np.sqrt(2)
    found = np.repeat(middle[None], len(angles), axis=0)
    found[:, first] += half[first] * np.cos(angles) * stretch
    found[:, second] += half[second] * np.sin(angles) * stretch
    found[-1] = found[0]
    return found
