"""Which objects of a draft were drawn one by one: numbers beside its mask, kept as entries of the audit, no rows.

A mask knows labels and no objects. Where a project keeps objects apart (its setting `objects`), a front end that draws them one after the
other leaves their numbers here; exports read them (`medloop.datasets.objects`). What was drawn by hand beside them, and what was erased,
is told from the mask alone, so that no edit of a draft makes them wrong.
"""

from medloop.core.records import Annotation, Assignment, Case
from medloop.datasets.objects import DrawnObjects
from medloop.images.encode import decode_voxels, encode_voxels
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

NOUN, VERB = "drawn-objects", "number"
"""Of these entries; the id is the case's."""


def keep_objects(workspace: Workspace, assignment: Assignment, drawn: DrawnObjects) -> None:
    """Keep the objects of an open draft as they are now; earlier ones stay in the audit."""
    blob = workspace.store.blobs.put(encode_voxels(drawn.numbers[None]))
    body = {"assignment": assignment.id, "blob": blob, "labels": list(drawn.labels)}
    with workspace.store.write(assignment.annotator_id) as tx:
        tx.record(VERB, NOUN, assignment.case_id, body)


def objects_of_annotation(tx: Reader, blobs: Blobs, case: Case, annotation: Annotation) -> DrawnObjects | None:
    """The objects that an annotation was drawn as, or those of the one it began with; None where nobody drew any.

    Raises:
        BlobError: Their numbers are damaged or gone.
    """
    return objects_of_assignment(tx, blobs, case, annotation.assignment_id)


def objects_of_assignment(tx: Reader, blobs: Blobs, case: Case, assignment_id: str | None) -> DrawnObjects | None:
    """The same of a draft.

    Raises:
        BlobError: Their numbers are damaged or gone.
    """
    kept = {event.body["assignment"]: event.body for event in tx.events_about(NOUN, [case.id], verbs=[VERB])}
    while kept and assignment_id:
        if (body := kept.get(assignment_id)) is not None:
            shape = (1, *case.grid.shape)
            return DrawnObjects(decode_voxels(blobs.get(body["blob"]), shape, "uint16")[0], tuple(body["labels"]))
        base = tx.get(Assignment, assignment_id).base_id
        assignment_id = tx.get(Annotation, base).assignment_id if base else None
    return None
