"""`/datastore/`: the images of a project, their files and what clients note about them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from starlette.responses import FileResponse

from medloop.core.errors import NotFoundError
from medloop.core.records import Case
from medloop.loop.annotating.annotations import choose_case, flag_case
from medloop.loop.annotating.client_notes import note, notes
from medloop.server.monailabel.files import image_name, mime_of
from medloop.server.monailabel.forms import Params, endings_of, object_of
from medloop.server.monailabel.info import stats_of
from medloop.server.monailabel.listing import Listed, labels_of, listed
from medloop.server.monailabel.scene import Name, Scene, SceneHere, series_of

router = APIRouter()
Output: TypeAlias = Literal["stats", "all", "train"]
REMOVED = "removed in a client of MONAI Label"


@router.get("/datastore/")
def get_datastore(scene: SceneHere, output: Output = "stats") -> Any:
    """How many images and labels there are; with `output=all` every one of them, with `train` those with a final label."""
    workspace = scene.workspace
    with workspace.store.read() as tx:
        if output == "stats":
            return stats_of(tx)
        found = listed(scene, tx)
    if output == "train":
        return [{"image": path_of(scene, one.case), "label": f"{path_of(scene, one.case)}.final.nii.gz"} for one in found if one.standing]
    return {
        "name": workspace.project.name,
        "description": workspace.task.instructions,
        "images_dir": f"/medloop/{workspace.project.id}",
        "labels_dir": f"/medloop/{workspace.project.id}",
        "objects": {one.case.name: _object(scene, one) for one in found},
    }


def _object(scene: Scene, one: Listed) -> dict[str, Any]:
    ending = endings_of(image_name(one.case))
    return {"image": {"ext": ending, "info": image_info(one.case, one.noted)}, "labels": labels_of(scene.workspace.task, one)}


def image_info(case: Case, noted: dict[str, Any]) -> dict[str, Any]:
    """What is known of an image, under what clients have said of it."""
    facts: dict[str, Any] = {"ts": unix_of(case.added_at), "name": image_name(case)}
    if case.source.dicom.get("series"):
        facts |= {"SeriesInstanceUID": series_of(case), "StudyInstanceUID": str(case.source.dicom.get("study", ""))}
        facts |= {"PatientID": case.patient, "Modality": case.display.modality}
    return {**noted, **facts}


def unix_of(at: str) -> int:
    """Unix seconds of a time as records hold it."""
    return int(datetime.fromisoformat(at).timestamp())


def path_of(scene: Scene, case: Case) -> str:
    """A place that no client finds on its own machine, so that it asks for the file."""
    return f"/medloop/{scene.workspace.project.id}/{image_name(case)}"


@router.put("/datastore/image")
@router.put("/datastore/")
def put_image(scene: SceneHere, file: Annotated[UploadFile, File()], image: Name = "", params: Params = "{}") -> dict[str, Any]:
    """Import an image, by the name of its file or another; one that is there already is not stored twice."""
    from medloop.loop.data.arriving import take_image  # whose readers a server that only serves does not load

    said, sent = object_of(params), Path(file.filename or "").name
    ending = endings_of(sent)
    name = f"{image}{ending}" if image else sent
    person = scene.person
    case = take_image(scene.workspace, name, file.file.read(), actor=person.id)
    note(scene.workspace, case.id, said, actor=person.id)
    return {"image": case.name}


@router.delete("/datastore/image")
@router.delete("/datastore/")
def delete_image(scene: SceneHere, id: Name) -> dict[str, Any]:  # noqa: A002  # the word of the address
    """Flag an image: it and its labels are listed, learned and exported no longer, and stay in the history."""
    case, person = scene.case(id), scene.person
    flag_case(scene.workspace, choose_case(scene.workspace, case.id, person.id, reviews=scene.reviews).assignment.id, reason=REMOVED)
    return {}


@router.head("/datastore/image")
def head_image(scene: SceneHere, image: Name, check_sum: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Whether an image is there, and its file has that SHA-256."""
    try:
        case = scene.case(image)
    except NotFoundError:
        return Response(status_code=404)
    wanted = check_sum.rpartition(":")[2].lower()
    sound = not wanted or scene.surface.files.of(scene.workspace, case).sha256 == wanted
    return Response(status_code=200 if sound else 404)


@router.get("/datastore/image")
def get_image(scene: SceneHere, image: Name) -> Response:
    """An image as a file: PNG for pictures, NIfTI for everything else."""
    file = scene.surface.files.of(scene.workspace, scene.case(image))
    return FileResponse(file.path, media_type=mime_of(file.name), filename=file.name)


@router.get("/datastore/image/info")
def get_image_info(scene: SceneHere, image: Name) -> dict[str, Any]:
    """What is known of an image; {} for one that is not there."""
    try:
        case = scene.case(image)
    except NotFoundError:
        return {}
    with scene.workspace.store.read() as tx:
        noted = notes(tx, [case.id]).get((case.id, ""), {})
    return {**image_info(case, noted), "path": path_of(scene, case)}


@router.put("/datastore/image/info")
def put_image_info(scene: SceneHere, image: Name, info: Annotated[str, Form()] = "{}") -> None:
    """Note something about an image; fields that are named take the place of earlier ones."""
    note(scene.workspace, scene.case(image).id, object_of(info, "info"), actor=scene.person.id)
