"""The named frames of a project as lines, and the masks drawn on them: a table for spreadsheets, the same as JSON, NIfTI files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from medloop.core.arrays import UNKNOWN
from medloop.core.image import Mask
from medloop.core.names import natural_key
from medloop.core.records import EVALUATION_SPLITS, Annotator, Case, NamedFrame
from medloop.datasets.staging import FileNames, csv_text
from medloop.images.nifti import write_mask
from medloop.loop.foundation.consensus import by_case
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True, kw_only=True)
class FrameLine:
    """A name of the template and the frame or slice that somebody takes for it.

    Attributes:
        axis: The voxel axis that the slice is perpendicular to, 0 to 2.
        index: Which slice, from 0, in the file's own order.
        seconds: When the frame begins, from the first; None where that is not known.
        placed: The person put the name there; else it stood there by the template when they submitted.
        annotated: The slice is annotated.
    """

    case: str
    patient: str
    split: str
    name: str
    axis: int
    index: int
    seconds: float | None
    annotator: str
    placed: bool
    annotated: bool
    created_at: str


def frame_lines(workspace: Workspace, case_id: str | None = None) -> tuple[FrameLine, ...]:
    """The newest place of every name, of each case and person, by case and in the order of the axis."""
    with workspace.store.read() as tx:
        newest = {
            (one.case_id, one.annotator_id, one.name): one for one in tx.find(NamedFrame, where={"case_id": case_id} if case_id else {})
        }
        people = {one.id: one.name for one in tx.find(Annotator)}
        cases = {one.case_id: tx.get(Case, one.case_id) for one in newest.values()}
        known = {case.id: _annotated(workspace, tx, case) for case in cases.values()}
    lines = [_line(one, cases[one.case_id], people[one.annotator_id], known[one.case_id]) for one in newest.values()]
    return tuple(sorted(lines, key=lambda line: (natural_key(line.case), line.annotator, line.index)))


def frame_files(lines: Sequence[FrameLine]) -> dict[str, str]:
    """`frames.csv` and `frames.json`, with their text."""
    head = [field.name for field in fields(FrameLine)]
    rows = [[_cell(getattr(line, name)) for name in head] for line in lines]
    return {
        "frames.csv": csv_text(head, rows),
        "frames.json": f"{json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False)}\n",
    }


def write_frame_masks(workspace: Workspace, folder: Path, left_out: LeftOut) -> int:
    """Write what partial annotations say of each case as NIfTI, 255 where nothing is annotated; how many cases."""
    with workspace.store.read() as tx:
        found = by_case(tx.partial_annotations(splits=["train", *EVALUATION_SPLITS]))
        cases = {case_id: tx.get(Case, case_id) for case_id in found}
    written, names = 0, FileNames()
    for case_id, annotations in found.items():
        with left_out.case(cases[case_id]):
            mask = merged_annotation(workspace.store.blobs, annotations, cases[case_id])
            write_mask(folder / f"{names.of(cases[case_id].name)}.nii.gz", mask, cases[case_id].source)
            written += 1
    return written


def _annotated(workspace: Workspace, tx: Reader, case: Case) -> Mask | None:
    """What partial annotations say of a case; None where one of it is whole."""
    if tx.current_annotations(case_ids=[case.id]):
        return None
    return merged_annotation(workspace.store.blobs, tx.partial_annotations(case_ids=[case.id]), case)


def _line(one: NamedFrame, case: Case, annotator: str, known: Mask | None) -> FrameLine:
    seconds = case.display.frame_seconds
    return FrameLine(
        case=case.name,
        patient=case.patient,
        split=case.split,
        name=one.name,
        axis=one.axis,
        index=one.index,
        seconds=seconds[one.index] if len(seconds) == case.grid.shape[one.axis] and one.axis == 2 else None,
        annotator=annotator,
        placed=one.placed,
        annotated=known is None or bool((np.take(known.array, one.index, axis=one.axis) != UNKNOWN).all()),
        created_at=one.created_at,
    )


def _cell(value: object) -> str:
    return "" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
