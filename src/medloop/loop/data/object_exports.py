"""Which writer of DICOM objects an export takes, with the labels and codes of the project."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medloop.core.errors import SettingError
from medloop.core.records import Case
from medloop.datasets.dicom_objects.measurements import Measured, write_measurements
from medloop.datasets.dicom_objects.references import Originals, Referenced, require_highdicom
from medloop.datasets.dicom_objects.writing import OBJECT_EXPORTERS, Wanted, export_objects
from medloop.datasets.export import ALONE, Exporter, Regions
from medloop.datasets.export_tally import ExportCase, Exported
from medloop.datasets.staging import NOTHING
from medloop.loop.data.measured import MeasurementLine, measurement_files
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.pseudonyms import known_as
from medloop.loop.foundation.workspace import Workspace

OBJECT_FORMATS = tuple(OBJECT_EXPORTERS)
REPORTS = "dicom-sr"
"""The format of measurements as DICOM reports."""


def object_exporter(workspace: Workspace, fmt: str, source: Path | Originals | None) -> Exporter:
    """The writer of a format of `OBJECT_FORMATS`.

    Args:
        workspace: The project.
        fmt: One of `OBJECT_FORMATS`.
        source: Where the original files lie, or what they say, for patient and study; None for the project's pseudonyms.

    Raises:
        FormatError: highdicom is not installed.
        NotFoundError: The originals are not there.
    """
    require_highdicom()
    originals = Originals.below(source, known_as(workspace)) if isinstance(source, Path) else source

    def write(
        cases: Iterable[ExportCase],
        folder: Path,
        labels: Sequence[str],  # noqa: ARG001  # the task's labels say more
        *,
        regular_grid: bool = False,
        beside: Mapping[str, str] = NOTHING,
        regions: Regions = ALONE,  # noqa: ARG001  # likewise
    ) -> Exported:
        if regular_grid:
            raise SettingError("A DICOM object lies on the slices of its series, --regular-grid would move it", remedy="leave it out")
        return OBJECT_EXPORTERS[fmt](cases, folder, Wanted(workspace.task.labels, workspace.project.id, originals, beside))

    return write


def export_reports(workspace: Workspace, lines: Sequence[MeasurementLine], out: Path, source: Path | Originals | None) -> Exported:
    """What was measured, as one DICOM report for each case that came from DICOM.

    Args:
        workspace: The project.
        lines: Every measurement that stands.
        out: A new or empty folder.
        source: See `object_exporter`.

    Raises:
        FormatError: highdicom is not installed.
        InputError: No case can be written.
        NotFoundError: The originals are not there.
    """
    require_highdicom()
    measured: dict[str, list[Measured]] = {}
    for line in lines:
        one = Measured(line.id, line.kind, line.label, line.figures, line.points, line.axis, line.unit, line.annotator)
        measured.setdefault(line.case, []).append(one)
    originals = Originals.below(source, known_as(workspace)) if isinstance(source, Path) else source
    wanted = Wanted(workspace.task.labels, workspace.project.id, originals, measurement_files(lines))

    def write(case: ExportCase, referenced: Referenced, common: Wanted) -> Any:
        return write_measurements(case, referenced, common.labels, measured[case.name])

    gone = _without_image(workspace, measured)
    done = export_objects(_measured_cases(workspace, [name for name in measured if name not in gone]), out, wanted, write=write)
    return replace(done, notes=(*done.notes, *(f"{name} is left out: {reason}" for name, reason in gone.items())))


def _without_image(workspace: Workspace, names: Iterable[str]) -> dict[str, str]:
    """Cases whose image the retention rule removed, and the note that says so."""
    with workspace.store.read() as tx:
        found = tx.find(Case, where={"name": sorted(names)})
    return {case.name: case.notes[-1] if case.notes else "" for case in found if not case.voxels}


def _measured_cases(workspace: Workspace, names: Iterable[str]) -> Iterator[ExportCase]:
    for name in names:
        with workspace.store.read() as tx:
            (case,) = tx.find(Case, where={"name": name}, limit=1)
        image = load_image(workspace.store.blobs, case)
        yield ExportCase(name=case.name, patient=case.patient, split=case.split, image=image, mask=None, tag=None, source=case.source)
