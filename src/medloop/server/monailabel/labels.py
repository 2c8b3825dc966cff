"""`/datastore/label`: labels in and out. Tag `final` is the annotation in force; other tags are files beside it, which never count."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, File, Response, UploadFile

from medloop.core.arrays import MaskArray
from medloop.core.errors import ForbiddenError, NotFoundError, StateError
from medloop.core.records import Annotation, Case
from medloop.images.encode import decode_mask
from medloop.loop.annotating.client_notes import (
    FINAL,
    ORIGINAL,
    TaggedLabel,
    drop_tagged,
    keep_tagged,
    note,
    notes,
    require_short,
    tagged_labels,
)
from medloop.loop.annotating.sent_labels import SentMask, read_sent
from medloop.loop.annotating.sent_saving import ReturnToldError, save_sent
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.in_force import standing_annotation
from medloop.server.monailabel.files import Wanted, attachment, label_file, safe_name
from medloop.server.monailabel.forms import Params, label_info_of, object_of, sent_file
from medloop.server.monailabel.listing import LABEL_ENDING, final_info, tagged_info
from medloop.server.monailabel.scene import Name, Scene, SceneHere

router = APIRouter()


@router.put("/datastore/label")
def put_label(
    scene: SceneHere, image: Name, label: Annotated[UploadFile, File()], tag: Name = FINAL, params: Params = "{}"
) -> dict[str, Any]:
    """Save a label: with tag `final` as the annotation of who sends it, with another one as a file beside it."""
    said, case = object_of(params), scene.case(image)
    require_short(said)  # before anything is saved
    if scene.workspace.task.kind != "segmentation":
        raise StateError("This project is a classification, whose annotations are classes", remedy="annotate it on the page")
    with sent_file(label) as path:
        sent = read_sent(scene.workspace.task, case, path, label_info_of(said))
    tag = tag or FINAL
    if tag == ORIGINAL:
        raise StateError("The tag original is of labels that came with the images", remedy="save as final, or with another tag")
    if tag != FINAL:
        _require_own(scene, case, tag, replaces=said.get("replace") is True)
        keep_tagged(scene.workspace, case.id, tag, sent, said, actor=scene.person.id)
        return {"image": case.name, "label": case.name, "tag": tag}
    saved = _submitted(scene, case, sent, said)
    note(scene.workspace, saved.id, {name: value for name, value in said.items() if name != "replace"}, actor=scene.person.id, tag=FINAL)
    return {"image": case.name, "label": case.name, "tag": tag, "annotation": saved.id}


def _submitted(scene: Scene, case: Case, sent: SentMask, said: dict[str, Any]) -> Annotation:
    person, taken = scene.person, scene.surface.taken
    known = replace(taken.of(person.id, case.id), replace=said.get("replace") is True)
    try:
        saved = save_sent(scene.workspace, case, person.id, sent, known, reviews=scene.reviews)
    except ReturnToldError as error:
        taken.keep(person.id, case.id, returned=error.review)
        raise
    taken.keep(person.id, case.id, annotation=saved.id)
    return saved


@router.delete("/datastore/label")
def delete_label(scene: SceneHere, id: Name, tag: Name = FINAL) -> dict[str, Any]:  # noqa: A002  # the word of the address
    """Take a label back: one's own submission is undone, a file under another tag is listed no longer; nothing is erased."""
    case, person = scene.case(id), scene.person
    if tag not in (FINAL, ORIGINAL):
        _require_own(scene, case, tag, replaces=scene.reviews)
        _tagged(scene, case, tag)
        drop_tagged(scene.workspace, case.id, tag, actor=person.id)
        return {}
    standing = _standing(scene, case)
    if standing.annotator_id != person.id or standing.assignment_id is None or standing.origin == "imported":
        raise ForbiddenError("Only who gave an annotation takes it back", remedy="return the case on the page, or flag it")
    undo_submit(scene.workspace, standing.assignment_id)
    return {}


@router.head("/datastore/label")
def head_label(scene: SceneHere, image: Name, tag: Name = FINAL) -> Response:
    """Whether an image has a label of that tag."""
    try:
        _found(scene, scene.case(image), tag)
    except NotFoundError:
        return Response(status_code=404)
    return Response(status_code=200)


@router.get("/datastore/label")
def get_label(scene: SceneHere, label: Name, tag: Name = FINAL) -> Response:
    """A label map as NIfTI, in values of the project's labels."""
    case = scene.case(label)
    found = _found(scene, case, tag)
    if isinstance(found, Annotation):
        mask: MaskArray = load_mask(scene.workspace.store.blobs, found, case).array
        _remember(scene, case, found)
    else:
        mask = decode_mask(scene.workspace.store.blobs.get(found.blob), case.grid.shape)
    content = label_file(case, mask, scene.workspace.task.labels, Wanted(LABEL_ENDING))
    return attachment(content, f"{safe_name(case.name)}{LABEL_ENDING}")


@router.get("/datastore/label/info")
def get_label_info(scene: SceneHere, label: Name, tag: Name = FINAL) -> dict[str, Any]:
    """What is known of a label; {} where there is none."""
    try:
        case = scene.case(label)
        found = _found(scene, case, tag)
    except NotFoundError:
        return {}
    if isinstance(found, TaggedLabel):
        return tagged_info(scene.workspace.task, replace(found, info={**found.info, **_noted(scene, case.id, found.note_key)}))
    with scene.workspace.store.read() as tx:
        by = annotator_names(tx).get(found.annotator_id, "")
    return final_info(scene.workspace.task, found, by, _noted(scene, found.id, FINAL))


@router.put("/datastore/label/info")
def put_label_info(scene: SceneHere, label: Name, tag: Name = FINAL, info: Params = "{}") -> None:
    """Note something about a label; fields that are named take the place of earlier ones."""
    _note(scene, label, tag, object_of(info, "info"))


@router.put("/datastore/updatelabelinfo")
def put_updated_info(scene: SceneHere, label: Name, tag: Name = FINAL, params: Params = "{}") -> None:
    """The same, as the Reviewer of 3D Slicer sends it."""
    _note(scene, label, tag, object_of(params))


def _note(scene: Scene, label: str, tag: str, said: dict[str, Any]) -> None:
    case = scene.case(label)
    found = _found(scene, case, tag)
    if isinstance(found, Annotation):
        note(scene.workspace, found.id, said, actor=scene.person.id, tag=FINAL)
    else:
        note(scene.workspace, case.id, said, actor=scene.person.id, tag=found.note_key)


def _noted(scene: Scene, about: str, tag: str) -> dict[str, Any]:
    with scene.workspace.store.read() as tx:
        return notes(tx, [about]).get((about, tag), {})


def _found(scene: Scene, case: Case, tag: str) -> Annotation | TaggedLabel:
    return _standing(scene, case, tag) if tag in (FINAL, ORIGINAL, "") else _tagged(scene, case, tag)


def _standing(scene: Scene, case: Case, tag: str = FINAL) -> Annotation:
    with scene.workspace.store.read() as tx:
        found = standing_annotation(tx, case.id) if scene.viewer(tx).sees(tx, case.id) else None
    if found is None or found.kind != "mask" or (tag == ORIGINAL and found.origin != "imported"):
        raise NotFoundError(f"{case.name} has no label {tag or FINAL!r} that you may see")
    return found


def _require_own(scene: Scene, case: Case, tag: str, *, replaces: bool) -> None:
    """Refuse to put a file in the place of somebody else's, or to take theirs away.

    Raises:
        ForbiddenError: Somebody else keeps a file under that tag, and the caller does not say that it shall go.
    """
    with scene.workspace.store.read() as tx:
        kept = tagged_labels(tx, [case.id]).get(case.id, {}).get(tag)
    if kept is not None and kept.actor != scene.person.id and not replaces:
        rule = f"Somebody else has saved a label of {case.name} under the tag {tag!r}"
        raise ForbiddenError(rule, remedy='save under another tag, or with "replace": true in params')


def _tagged(scene: Scene, case: Case, tag: str) -> TaggedLabel:
    with scene.workspace.store.read() as tx:
        found = tagged_labels(tx, [case.id]).get(case.id, {}).get(tag)
        viewer = scene.viewer(tx)
        seen = viewer.sees(tx, case.id) or (found is not None and found.actor == viewer.annotator_id)
    if found is None or not seen:
        raise NotFoundError(f"{case.name} has no label {tag[:40]!r} that you may see")
    return found


def _remember(scene: Scene, case: Case, found: Annotation) -> None:
    """Keep that who may annotate has been shown an annotation; nobody joins by looking."""
    if scene.caller.may(scene.workspace.project.id, "annotate"):
        with scene.workspace.store.read() as tx:
            annotator_id = scene.viewer(tx).annotator_id
        scene.surface.taken.keep(annotator_id or scene.person.id, case.id, annotation=found.id)
