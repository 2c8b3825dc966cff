"""Every measurement of a project as lines: a table for spreadsheets and the same as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from medloop.core.names import natural_key
from medloop.core.records import Case, MeasurementKind, Point
from medloop.datasets.staging import csv_text
from medloop.loop.annotating.measuring import placed_measurements
from medloop.loop.foundation.workspace import Workspace

FIGURES = ("length_mm", "length_px", "angle_degrees", "voxels", "mean", "sd", "min", "max", "area_mm2", "area_px", "volume_ml")


@dataclass(frozen=True, kw_only=True)
class MeasurementLine:
    """One measurement, in words and numbers.

    Attributes:
        label: The label's name, "" where none was measured.
        unit: Of mean, sd, min and max, "" when unknown.
        figures: By name with unit, those of `FIGURES` that the kind has.
        points: Voxel coordinates (i, j, k) of the case as it was imported, whole numbers at voxel centres.
        points_mm: The same in the patient, RAS+ millimetres; () where directions or sizes are not known.
        revision: The state of the draft that a label was measured in.
    """

    id: str
    case: str
    patient: str
    annotator: str
    kind: MeasurementKind
    note: str
    axis: int | None
    index: int | None
    channel: int | None
    label: str
    unit: str
    figures: Mapping[str, float]
    points: tuple[Point, ...]
    points_mm: tuple[Point, ...]
    assignment_id: str | None
    revision: int | None
    created_at: str
    changed_at: str


def measurement_lines(workspace: Workspace, case_id: str | None = None) -> tuple[MeasurementLine, ...]:
    """What stands of everybody's measurements, of one case or all, by case name and in the order taken."""
    labels = {label.value: label.name for label in workspace.task.labels}
    with workspace.store.read() as tx:
        found = placed_measurements(tx, case_id=case_id)
        cases = {one.measurement.case_id: tx.get(Case, one.measurement.case_id) for one in found}
    of_record = {field.name for field in fields(MeasurementLine)} - {"case", "patient", "annotator", "label", "unit", "points_mm"}
    lines = [
        MeasurementLine(
            **{name: getattr(one.measurement, name) for name in of_record},
            case=one.case,
            patient=cases[one.measurement.case_id].patient,
            annotator=one.annotator,
            label=labels.get(one.measurement.label, str(one.measurement.label)) if one.measurement.label else "",
            unit=cases[one.measurement.case_id].display.unit,
            points_mm=one.points_mm,
        )
        for one in found
    ]
    return tuple(sorted(lines, key=lambda line: natural_key(line.case)))


def measurement_files(lines: Sequence[MeasurementLine]) -> dict[str, str]:
    """`measurements.csv` and `measurements.json`, with their text; points of the table are "i j k" parted by semicolons."""
    head = [name for field in fields(MeasurementLine) for name in (FIGURES if field.name == "figures" else (field.name,))]
    rows = [[_cell(line, name) for name in head] for line in lines]
    told = json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False)
    return {"measurements.csv": csv_text(head, rows), "measurements.json": f"{told}\n"}


def _cell(line: MeasurementLine, name: str) -> str:
    if name in ("points", "points_mm"):
        return "; ".join(" ".join(f"{number:g}" for number in point) for point in getattr(line, name))
    value = line.figures.get(name) if name in FIGURES else getattr(line, name)
    return "" if value is None else f"{value:.9g}" if isinstance(value, float) else str(value)
