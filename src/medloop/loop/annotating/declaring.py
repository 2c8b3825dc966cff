"""Say of annotations that are there which labels they annotate: after an import that could not tell, or where a label was forgotten.

Nothing is edited: each annotation gets a successor with the same author, the voxels of the labels that it annotates, and the new labels;
a label that is added is annotated as absent where the mask has none of it. A consensus is made anew of what was declared.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from medloop.core.errors import InputError
from medloop.core.names import in_natural_order
from medloop.core.records import Annotation, Assignment, Case, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.open_edit import require_open
from medloop.loop.foundation.annotated_labels import annotated_labels, checked_labels, lacking_cases, without_others
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.partial_annotations import encode_partial, load_partial
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.store.states import FUSED

DECLARE = "declare"
"""What the audit calls an annotation whose labels were declared."""


@dataclass(frozen=True)
class Declared:
    """What a declaration did: names of the cases with a new annotation, and of those that had them already."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


@dataclass(frozen=True)
class AnnotatedCases:
    """In how many annotated cases a label is annotated, and the names of the others."""

    label: str
    cases: int
    lacking: tuple[str, ...]


def declare_annotated(workspace: Workspace, case_ids: Collection[str], labels: Collection[int], *, actor: str) -> Declared:
    """Say which labels the annotations of some cases annotate, all readings and parts of each.

    Args:
        workspace: The project.
        case_ids: Annotated cases.
        labels: Values; any other label is not annotated.
        actor: Who says so.

    Raises:
        StateError: The project is a classification.
        InputError: No label, or a case without an annotation.
        LabelError: A label that the task does not have.
    """
    require_masks(workspace, "Declaring labels")
    wanted = checked_labels(workspace.task, labels)
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
        given = [*tx.current_annotations(case_ids=case_ids), *tx.partial_annotations(case_ids=case_ids)]
        cases = {case.id: case for case in tx.find(Case, where={"id": sorted(case_ids)})}
    bare = sorted({case.name for case in cases.values()} - {cases[a.case_id].name for a in given})
    if bare:
        raise InputError(f"{bare[0]} has no annotation whose labels could be declared", remedy="annotate it, or leave it out")
    due = [a for a in given if a.origin != FUSED and scope.union([a]) != wanted]
    made = [_declared(workspace, cases[a.case_id], a, wanted) for a in due]
    with workspace.store.write(actor) as tx:
        for annotation in made:
            tx.add(annotation, verb=DECLARE)
    if made:
        after_annotation(workspace)
    changed = {a.case_id for a in made}
    names = {part: in_natural_order(cases[i].name for i in cases if (i in changed) == part) for part in (True, False)}
    return Declared(tuple(names[True]), tuple(names[False]))


def declare_draft(workspace: Workspace, assignment_id: str, labels: Collection[int]) -> Assignment:
    """Say which labels an open draft is going to annotate; it is remembered in the draft, and drawing another label adds it.

    Args:
        workspace: The project.
        assignment_id: The open assignment.
        labels: Values; any other label is not going to be annotated.

    Raises:
        StateError: The assignment is closed, or the project is a classification.
        InputError: No label.
        LabelError: A label that the task does not have.
    """
    wanted = checked_labels(workspace.task, labels)
    with workspace.store.write(workspace.store.get(Assignment, assignment_id).annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        if assignment.annotated == wanted:
            return assignment
        return tx.change(Assignment, assignment_id, verb=DECLARE, fields={"annotated": wanted})


def annotated_cases(workspace: Workspace) -> tuple[AnnotatedCases, ...]:
    """Of every label: how many annotated cases annotate it, and which do not."""
    with workspace.store.read() as tx:
        lacking = lacking_cases(tx, workspace.task)
        annotated = {a.case_id for a in tx.current_annotations()}
        names = {case.id: case.name for case in tx.find(Case, where={"id": sorted(lacking)})} if lacking else {}
    found = {
        label: tuple(in_natural_order(names[i] for i, missing in lacking.items() if label in missing)) for label in workspace.task.labels
    }
    return tuple(AnnotatedCases(label.name, len(annotated) - len(names), names) for label, names in found.items())


def _declared(workspace: Workspace, case: Case, annotation: Annotation, wanted: tuple[int, ...]) -> Annotation:
    """The successor of an annotation that annotates other labels."""
    blobs = workspace.store.blobs
    if annotation.kind == "partial":
        parts, mask = load_partial(blobs, annotation, case)
        data = encode_partial(without_others(mask, wanted, workspace.task.labels), parts)
    else:
        data = encode_mask(without_others(load_mask(blobs, annotation, case).array, wanted, workspace.task.labels))
    return replace(
        annotation,
        id=new_id("annotation"),
        task_id=workspace.task.id,
        blob=blobs.put(data),
        supersedes=annotation.id,
        effort_seconds=0.0,
        created_at=now(),
        annotated=wanted,
    )
