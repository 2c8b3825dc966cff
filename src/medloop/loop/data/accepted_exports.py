"""Export of what a stream accepted: proposals that nobody has looked at, apart from every annotation."""

from pathlib import Path

import numpy as np

from medloop.core.errors import NotFoundError
from medloop.core.image import Mask
from medloop.core.names import brief_lines, counted
from medloop.core.records import Case, Prediction, now
from medloop.datasets.staging import FileNames, csv_text, staged_folder
from medloop.images.nifti import write_mask
from medloop.loop.data.export_report import ExportReport, note_export
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.disposed import Disposition, standing_dispositions
from medloop.loop.foundation.readings import awaiting_readings
from medloop.loop.foundation.workspace import Workspace

COLUMNS = ("case", "patient", "decision", "label", "model", "score", "threshold", "reason", "at", "annotated_since", "prediction")


def export_accepted(workspace: Workspace, out: Path, actor: str) -> ExportReport:
    """Write the accepted cases as a table and, for a segmentation, their proposed masks; none that people left out since.

    Nor any of the audit sample that people are still to read blind.

    Raises:
        NotFoundError: Nothing stands as accepted.
    """
    with workspace.store.read() as tx:
        standing = {i: one for i, one in standing_dispositions(tx).items() if one.decision == "accepted"}
        refused = tx.left_out_cases(["train", "audit"])
        found = tx.find(Case, where={"id": sorted(standing)}, order=("name",)) if standing else []
        cases = [case for case in found if case.id not in refused or not case.voxels]  # an image that was not to be kept is no refusal
        annotated = {a.case_id for a in tx.current_annotations(case_ids=[case.id for case in cases])}
        blind = awaiting_readings(tx, [case.id for case in cases if case.split == "audit"])
        unread = [case for case in cases if case.id in blind]
        cases = [case for case in cases if case.id not in blind]
        if not cases:
            raise NotFoundError("Nothing stands as accepted", remedy="set stream_risk above 0, and let cases arrive: docs/stream.md")
        seen = {p.id: p for p in tx.find(Prediction, where={"id": [standing[case.id].prediction_id for case in cases]})}
    left_out = LeftOut(workspace)
    count = counted(len(unread), "accepted case")
    still_read = [f"{count} of the audit sample left out, which people are still to read blind"] if unread else []
    rows = [_row(workspace, case, standing[case.id], seen.get(standing[case.id].prediction_id), case.id in annotated) for case in cases]
    with staged_folder(out, {"accepted.csv": csv_text(COLUMNS, rows)}) as staging:
        if workspace.task.kind == "segmentation":
            (staging / "proposals").mkdir()
            _write_masks(workspace, staging / "proposals", [(case, seen.get(standing[case.id].prediction_id)) for case in cases], left_out)
    note_export(workspace, actor, "project", workspace.project.id, {"format": "accepted", "cases": len(cases), "at": now()})
    return ExportReport(out, "accepted", len(cases), (*brief_lines({"damaged": left_out.cases}), *still_read))


def _write_masks(workspace: Workspace, folder: Path, found: list[tuple[Case, Prediction | None]], left_out: LeftOut) -> None:
    names = FileNames()
    for case, prediction in found:
        with left_out.case(case):
            if prediction is not None:
                mask = Mask(load_proposal(workspace.store.blobs, prediction, case), case.grid)
                write_mask(folder / f"{names.of(case.name)}.nii.gz", mask, case.source)


def _row(workspace: Workspace, case: Case, one: Disposition, prediction: Prediction | None, annotated: bool) -> list[str]:
    numbers = ["" if value is None else f"{value:.6g}" for value in (one.score, one.above)]
    about = [case.name, case.patient, one.decision, _label(workspace, prediction), str(one.model_index)]
    return [*about, *numbers, one.reason, one.at, "yes" if annotated else "no", one.prediction_id]


def _label(workspace: Workspace, prediction: Prediction | None) -> str:
    """The accepted class; "" for masks."""
    if workspace.task.kind == "segmentation" or prediction is None:
        return ""
    return workspace.task.labels[int(np.argmax(prediction.probabilities))].name
