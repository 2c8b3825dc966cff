"""Exports without images: tables of annotations, measurements, DICOM reports, marks and named frames."""

from collections.abc import Callable, Sequence
from pathlib import Path

from medloop.core.errors import NotFoundError
from medloop.core.names import brief_lines
from medloop.core.records import Annotation, Case, now
from medloop.datasets.staging import staged_folder
from medloop.loop.data.accepted_exports import export_accepted
from medloop.loop.data.annotation_tables import write_annotation_table
from medloop.loop.data.export_report import ExportReport, note_export
from medloop.loop.data.framed import frame_files, frame_lines, write_frame_masks
from medloop.loop.data.marks_files import MARKS_FILE, marked_cases, marks_files
from medloop.loop.data.measured import measurement_files, measurement_lines
from medloop.loop.data.object_exports import REPORTS, export_reports
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.workspace import Workspace


def export_table(
    workspace: Workspace, answers: Sequence[tuple[Annotation, Case]], out: Path, fmt: str, by: tuple[str, LeftOut]
) -> ExportReport:
    """Write annotations as rows, for a format of `TABLES`; `by` is who takes it, and what was left out so far."""
    actor, left_out = by
    with staged_folder(out) as staging:
        written = write_annotation_table(workspace, answers, staging, fmt)
    note_export(workspace, actor, "project", workspace.project.id, {"format": fmt, "cases": written, "at": now()})
    return ExportReport(out, fmt, written, tuple(brief_lines({"damaged": left_out.cases})))


def _export_measurements(workspace: Workspace, out: Path, actor: str) -> ExportReport:
    measured = measurement_lines(workspace)
    if not measured:
        raise NotFoundError("Nothing is measured yet", remedy="measure on the page, or with Project.measure")
    with staged_folder(out, measurement_files(measured)):
        pass
    note_export(workspace, actor, "project", workspace.project.id, {"format": "measurements", "measurements": len(measured), "at": now()})
    return ExportReport(out, "measurements", len({one.case for one in measured}))


def export_measured_reports(workspace: Workspace, out: Path, source: Path | None, actor: str) -> ExportReport:
    """Write what was measured as DICOM reports; see `export_reports`.

    Raises:
        NotFoundError: Nothing is measured.
    """
    measured = measurement_lines(workspace)
    if not measured:
        raise NotFoundError("Nothing is measured yet", remedy="measure on the page, or with Project.measure")
    done = export_reports(workspace, measured, out, source)
    note_export(workspace, actor, "project", workspace.project.id, {"format": REPORTS, "measurements": len(measured), "at": now()})
    return ExportReport(out, REPORTS, done.cases, done.notes)


def _export_marks(workspace: Workspace, out: Path, actor: str) -> ExportReport:
    lines = marked_cases(workspace)
    if not lines:
        raise NotFoundError("No case has marks yet", remedy="give some on the page, with medloop marks, or with Project.submit_marks")
    with staged_folder(out, marks_files(workspace)):
        pass
    note_export(workspace, actor, "project", workspace.project.id, {"format": "marks", "annotations": len(lines), "at": now()})
    return ExportReport(out / MARKS_FILE, "marks", len({line.case for line in lines}))


def _export_frames(workspace: Workspace, out: Path, actor: str) -> ExportReport:
    lines, left_out = frame_lines(workspace), LeftOut(workspace)
    with staged_folder(out, frame_files(lines)) as staging:
        (staging / "masks").mkdir()
        written = write_frame_masks(workspace, staging / "masks", left_out)
        if not written and not lines:
            raise NotFoundError("No frame or slice is named or annotated yet", remedy="set a template, and annotate a case on the page")
    note_export(workspace, actor, "project", workspace.project.id, {"format": "frames", "cases": written, "at": now()})
    return ExportReport(out, "frames", written, tuple(brief_lines({"damaged": left_out.cases})))


WITHOUT_IMAGES: dict[str, Callable[[Workspace, Path, str], ExportReport]] = {
    "accepted": export_accepted,
    "frames": _export_frames,
    "measurements": _export_measurements,
    "marks": _export_marks,
}
