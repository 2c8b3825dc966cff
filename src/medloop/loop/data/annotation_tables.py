"""Annotations and what they measure, one row for each case and label, for spreadsheets and data frames.

People are named by a pseudonym that stays the same within a project, and by their kind and roles.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.image import Mask
from medloop.core.labels import mask_of
from medloop.core.records import Annotation, Annotator, Case, Label, Task
from medloop.datasets.tabled import Columns, Row, write_parquet, write_table
from medloop.loop.data.cases import IMPORTER
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.mask_figures import is_sized, mask_figures
from medloop.metrics.measures import UNITS, MeasureName

_PLAIN_UNIT = {"mm²": "mm2"}


def _columns_of(name: MeasureName) -> tuple[str, str]:
    """The column of a measure where the voxels' size is known, and where it is not."""
    sized, unsized = UNITS[name]
    return f"{name}_{_PLAIN_UNIT.get(sized, sized)}", f"{name}_{unsized}"


COLUMNS: Columns = {
    "case": "text",
    "patient": "text",
    "split": "text",
    "stratum": "text",
    "label": "text",
    "label_value": "whole",
    "annotated": "yes/no",
    "present": "yes/no",
    "voxels": "whole",
    **{column: "number" for name in UNITS for column in _columns_of(name)},
    "annotation": "text",
    "revision": "whole",
    "origin": "text",
    "task_version": "whole",
    "annotator": "text",
    "annotator_kind": "text",
    "annotator_roles": "text",
    "annotated_at_utc": "time",
    "effort_seconds": "number",
    "untouched_proposal": "number",
}
"""In this order, always."""


@dataclass(frozen=True)
class _Known:
    """What rows are made of, looked up once."""

    people: Mapping[str, Annotator]
    scope: AnnotatedLabels
    revisions: Mapping[str, int]
    versions: Mapping[str, int]


def write_annotation_table(workspace: Workspace, answers: Sequence[tuple[Annotation, Case]], folder: Path, fmt: str) -> int:
    """Write `annotations.csv`, or `annotations.parquet` for the format parquet; how many cases.

    Args:
        workspace: The project.
        answers: The annotation that stands for each case, by name of the case.
        folder: That exists.
        fmt: "table" or "parquet".
    """
    rows = list(_rows(workspace, answers))
    if fmt == "parquet":
        write_parquet(folder / "annotations.parquet", COLUMNS, rows)
    else:
        write_table(folder / "annotations.csv", COLUMNS, rows)
    return len(answers)


def _rows(workspace: Workspace, answers: Sequence[tuple[Annotation, Case]]) -> Iterator[Row]:
    with workspace.store.read() as tx:
        every = tx.find(Annotation)
        known = _Known(
            {one.id: one for one in tx.find(Annotator)},
            annotated_labels(tx, workspace.task),
            _revisions(every),
            {one.id: one.version for one in tx.find(Task)},
        )
    for annotation, case in answers:
        label = load_annotation(workspace.store.blobs, annotation, case)
        said = (
            {one.value for one in known.scope.of(annotation)} if isinstance(label, Mask) else {one.value for one in workspace.task.labels}
        )
        for one in workspace.task.labels:
            found = _found(workspace.task.labels, label, one, case) if one.value in said else {}
            yield {**dict.fromkeys(COLUMNS), **_about(workspace, annotation, case, known), **_named(one, one.value in said), **found}


def _named(label: Label, annotated: bool) -> Row:
    return {"label": label.name, "label_value": label.value, "annotated": annotated}


def _revisions(every: Sequence[Annotation]) -> dict[str, int]:
    """Id of each annotation → the how many-th of its chain it is, from 1."""
    found: dict[str, int] = {}
    for one in every:  # in the order they were given
        found[one.id] = found.get(one.supersedes or "", 0) + 1
    return found


def _found(labels: Sequence[Label], answer: Mask | int, label: Label, case: Case) -> Row:
    if not isinstance(answer, Mask):
        return {"present": answer == label.value}
    inside = mask_of(labels, answer.array, label.value)
    sized = is_sized(case)
    measured = mask_figures(inside, case)
    figures = {_columns_of(name)[0 if sized else 1]: measured.get(name) for name in UNITS}
    return {"present": bool(inside.any()), "voxels": int(np.count_nonzero(inside)), **figures}


def _about(workspace: Workspace, annotation: Annotation, case: Case, known: _Known) -> Row:
    person = known.people[annotation.annotator_id]
    return {
        "case": case.name,
        "patient": case.patient,
        "split": case.split,
        "stratum": case.stratum or None,
        "annotation": annotation.id,
        "revision": known.revisions[annotation.id],
        "origin": annotation.origin,
        "task_version": known.versions.get(annotation.task_id),
        **(_person(workspace, person) if person.name != IMPORTER else {}),  # the importer is nobody in particular
        "annotated_at_utc": annotation.created_at,
        "effort_seconds": annotation.effort_seconds or None,
        "untouched_proposal": annotation.untouched,
    }


def _person(workspace: Workspace, person: Annotator) -> Row:
    return {"annotator": pseudonym(workspace, person), "annotator_kind": person.kind, "annotator_roles": "; ".join(person.roles)}


def pseudonym(workspace: Workspace, person: Annotator) -> str:
    """A name that stays the same in a project and says nothing of the person: of their random ids."""
    return f"annotator-{hashlib.sha256(f'{workspace.project.id} {person.id}'.encode()).hexdigest()[:8]}"
