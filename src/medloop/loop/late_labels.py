"""Labels that come later than their image: a mask beside a case already there, a corrected one, a cell filled in.

They are new annotations by whoever the source names, else by the importer. An imported annotation supersedes an older
imported one and is compared with the newest, so that the same import twice adds nothing, also after a withdrawal. What a
person has decided here, by an annotation of their own or by a flag, is never replaced by a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.errors import IntegrityError, NotFoundError
from medloop.core.image import Mask
from medloop.core.records import Annotation, Annotator, Assignment, Case
from medloop.datasets.dataset import Refusal
from medloop.images.encode import encode_mask
from medloop.loop.arrays import load_mask
from medloop.loop.cases import imported_annotation
from medloop.loop.workspace import Workspace
from medloop.store.reader import Reader

Taken: TypeAlias = Literal["known", "annotated", "corrected"]


@dataclass(frozen=True)
class Incoming:
    """An annotation as a source gives it.

    Attributes:
        answer: In the task's values, on the case's grid.
        by: Whose it is.
        at: When it was made, as `now` writes times; None when the source does not say.
        effort_seconds: What it took.
    """

    answer: Mask | int
    by: Annotator
    at: str | None = None
    effort_seconds: float = 0.0


def take_later(workspace: Workspace, case: Case, incoming: Incoming, actor: str) -> Taken | Refusal:
    """Add the annotation unless it is known already, or say why it stays out.

    Args:
        workspace: The project.
        case: Already there.
        incoming: What the source says now.
        actor: Who imports, for the audit.

    Raises:
        LabelError: Values that the task does not know.
        GeometryError: A mask off the case's grid.
    """
    blob = None
    if isinstance(incoming.answer, Mask):
        incoming.answer.grid.require_same(case.grid, f"{case.name}: the mask")
        incoming.answer.require_labels(workspace.task.label_values, f"{case.name}: the mask")
        blob = workspace.store.blobs.put(encode_mask(incoming.answer.array))
    with workspace.store.write(actor) as tx:
        every = [a for a in tx.find(Annotation, where={"case_id": case.id}) if a.kind != "partial"]
        own = [a for a in every if a.annotator_id == incoming.by.id]
        if own and _says(workspace, case, own[-1], incoming, blob):
            return "known"
        if refusal := _decided_here(tx, case, incoming, own, every):
            return refusal
        made = imported_annotation(workspace, case, incoming.by, blob, incoming.answer, at=incoming.at, effort=incoming.effort_seconds)
        tx.add(replace(made, supersedes=own[-1].id if own else None), verb="import")
    return "corrected" if own else "annotated"


def _says(workspace: Workspace, case: Case, known: Annotation, incoming: Incoming, blob: str | None) -> bool:
    """Whether an annotation says the same; masks are compared by their voxels, as packing may change between versions."""
    if not isinstance(incoming.answer, Mask):
        return known.tag == incoming.answer
    if known.blob == blob:
        return True
    try:
        return known.blob is not None and np.array_equal(load_mask(workspace.store.blobs, known, case).array, incoming.answer.array)
    except (IntegrityError, NotFoundError):
        return False  # damaged: what the source says now takes its place


def _decided_here(tx: Reader, case: Case, incoming: Incoming, own: Sequence[Annotation], every: Sequence[Annotation]) -> Refusal | None:
    """Why a file has no say: its author has annotated the case here since, or somebody has flagged it."""
    if own and own[-1].origin != "imported":
        rule = f"{incoming.by.name} has annotated this case here on {own[-1].created_at[:10]}, a file does not replace that"
        return Refusal(case.name, rule, "", "correct it in the project")
    closed = [a for a in tx.find(Assignment, where={"case_id": case.id}) if a.state != "released"]
    flag = closed[-1] if closed and closed[-1].state == "flagged" else None
    if flag is None or any(a.created_at > (flag.closed_at or "") for a in every):
        return None
    who = tx.get(Annotator, flag.annotator_id).name
    return Refusal(case.name, f"{who} has flagged this case ({flag.reason}), its label is not taken", "", "annotate it there")
