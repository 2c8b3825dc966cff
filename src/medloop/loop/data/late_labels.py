"""Labels that come later than their image: a mask beside a case already there, a corrected one, a cell filled in.

They are new annotations by whoever the source names, else by the importer. An imported annotation supersedes an older
imported one and is compared with the newest, so that the same import twice adds nothing, also after a withdrawal. What a
person has decided here, by an annotation of their own or by a flag, is never replaced by a file.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.drawing import united
from medloop.core.errors import IntegrityError, NotFoundError
from medloop.core.image import Mask
from medloop.core.records import Annotation, Annotator, Assignment, Case
from medloop.datasets.dataset import Refusal
from medloop.loop.data.cases import Incoming, imported_annotation, require_fit, store_mask
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels, every_as_none, without_others
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

Taken: TypeAlias = Literal["known", "annotated", "corrected"]


def take_later(workspace: Workspace, case: Case, incoming: Incoming, importer: Annotator, actor: str) -> Taken | Refusal:
    """Add the annotation unless it is known already, or say why it stays out.

    Raises:
        LabelError: Values that the task does not know.
        GeometryError: A mask off the case's grid.
    """
    require_fit(workspace, incoming, case.name, case.grid)
    with workspace.store.read() as reading:  # masks are unpacked outside the writing transaction
        _, before = _answers(reading, case, incoming, importer)
        annotated = annotated_labels(reading, workspace.task)
    completed = _completed(workspace, case, before[-1] if before else None, incoming, annotated)
    if isinstance(completed, Refusal):
        return completed
    incoming, blob = completed, store_mask(workspace, completed)
    alike = before[-1].id if before and _says(workspace, case, before[-1], incoming, blob, annotated) else None
    with workspace.store.write(actor) as tx:
        every, own = _answers(tx, case, incoming, importer)
        said = (blob, None if isinstance(incoming.label, Mask) else incoming.label, incoming.annotated)
        same = bool(own) and (own[-1].id == alike or (own[-1].blob, own[-1].tag, annotated.union([own[-1]])) == said)
        if refusal := _decided_here(tx, case, incoming, own, every, same=same):
            return refusal
        if same:
            return "known"
        made = imported_annotation(workspace, case, incoming, blob)
        tx.add(replace(made, supersedes=own[-1].id if own else None), verb="import")
    return "corrected" if own else "annotated"


def _answers(tx: Reader, case: Case, incoming: Incoming, importer: Annotator) -> tuple[list[Annotation], list[Annotation]]:
    """Every whole annotation of a case, and those that the incoming one follows: its author's, or nobody's if now an author is named."""
    every = [a for a in tx.find(Annotation, where={"case_id": case.id}) if a.is_whole]
    own = [a for a in every if a.annotator_id == incoming.by.id]
    return every, own or [a for a in every if a.annotator_id == importer.id and a.origin == "imported"]


def was_imported(workspace: Workspace, case: Case) -> bool:
    """Whether the newest whole annotation of a case came from a source."""
    with workspace.store.read() as tx:
        whole = [a for a in tx.find(Annotation, where={"case_id": case.id}) if a.is_whole]
    return bool(whole) and whole[-1].origin == "imported"


def _completed(
    workspace: Workspace, case: Case, before: Annotation | None, incoming: Incoming, scope: AnnotatedLabels
) -> Incoming | Refusal:
    """What a source says now, with the labels that it says nothing of as they were imported before."""
    if before is None or before.origin != "imported" or before.kind != "mask" or not isinstance(incoming.label, Mask):
        return incoming
    own = set(incoming.annotated or workspace.task.label_values)
    kept = [label for label in scope.of(before) if label.value not in own]
    if not kept:
        return incoming
    try:
        old = without_others(load_mask(workspace.store.blobs, before, case).array, [label.value for label in kept], workspace.task.labels)
    except (IntegrityError, NotFoundError):
        return incoming
    one, contradicts = united(workspace.task.labels, old, incoming.label.array)
    if both := int(np.count_nonzero(contradicts)):
        names = ", ".join(label.name for label in kept)
        return Refusal(
            case.name,
            f"a voxel has one label, {both} of this mask are {names} by an earlier import",
            "",
            "correct one of the two, or declare an overlap",
        )
    annotated = every_as_none(workspace.task, {*own, *(label.value for label in kept)})
    return replace(incoming, label=Mask(one, case.grid), annotated=annotated)


def _says(workspace: Workspace, case: Case, known: Annotation, incoming: Incoming, blob: str | None, scope: AnnotatedLabels) -> bool:
    """Whether an annotation says the same; masks are compared by their voxels, as packing may change between versions."""
    if not isinstance(incoming.label, Mask):
        return known.tag == incoming.label
    if scope.union([known]) != incoming.annotated:
        return False
    if known.blob == blob:
        return True
    try:
        return known.blob is not None and np.array_equal(load_mask(workspace.store.blobs, known, case).array, incoming.label.array)
    except (IntegrityError, NotFoundError):
        return False  # damaged: what the source says now takes its place


def _decided_here(
    tx: Reader, case: Case, incoming: Incoming, own: Sequence[Annotation], every: Sequence[Annotation], *, same: bool
) -> Refusal | None:
    """Why a file has no say: its author has annotated the case here since, or somebody has taken the case back.

    A flag keeps out a first label and one that was there when it was raised; another label than that one mends what was wrong.
    """
    if own and own[-1].origin != "imported" and not same:
        rule = f"{incoming.by.name} has annotated this case here on {own[-1].created_at[:10]}, a file does not replace that"
        return Refusal(case.name, rule, "", "correct it in the project")
    closed = [a for a in tx.find(Assignment, where={"case_id": case.id}) if a.state in ("submitted", "skipped", "flagged")]
    last = max(closed, key=lambda a: a.closed_at or "", default=None)
    if last is None or last.state == "submitted" or any(a.created_at > (last.closed_at or "") for a in every):
        return None
    if (own and not same) or (not own and last.state == "skipped"):
        return None
    who = tx.get(Annotator, last.annotator_id).name
    rule = f"{who} has {last.state} this case ({last.reason}), its label stays out"
    return Refusal(case.name, rule, "", "annotate it in the project, or bring a corrected label")
