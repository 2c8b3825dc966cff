"""`/session/`: begin, look at and end a session."""

import shutil
from typing import Annotated, Any

from fastapi import APIRouter, File, HTTPException, Query, UploadFile
from starlette.responses import FileResponse

from medloop.core.errors import InputError
from medloop.server.monailabel.files import mime_of
from medloop.server.monailabel.forms import saved
from medloop.server.monailabel.scene import SceneHere

router = APIRouter()


@router.put("/session/")
def put_session(
    scene: SceneHere,
    files: Annotated[list[UploadFile], File()],
    uncompress: bool = False,
    expiry: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Keep an image, or the files of one series, for some inferences; it becomes no case of the project."""
    if uncompress:
        raise InputError("A session is made of the image's own files", remedy="send them unpacked")
    sessions = scene.surface.sessions
    place = sessions.place()
    try:
        kept = [saved(one, place) for one in files]
        session_id, made = sessions.add(scene.caller.name, scene.workspace.project.id, kept, expiry)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return {"session_id": session_id, "session_info": made.to_json(session_id)}


@router.get("/session/{session}", response_model=None)
def get_session(scene: SceneHere, session: str, update_ts: bool = False, image: bool = False) -> dict[str, Any] | FileResponse:
    """What is known of a session of one's own, or its image."""
    found = scene.surface.sessions.get(session, scene.caller.name, scene.workspace.project.id, use=update_ts)
    if not image:
        return found.to_json(session)
    if found.image.is_dir():
        raise HTTPException(404, "A series of several files is not given back")
    return FileResponse(found.image, media_type=mime_of(found.image.name), filename=found.image.name)


@router.delete("/session/{session}")
def delete_session(scene: SceneHere, session: str) -> dict[str, Any]:
    """End a session of one's own."""
    found = scene.surface.sessions.get(session, scene.caller.name, scene.workspace.project.id, use=False)
    scene.surface.sessions.remove(session)
    return found.to_json(session)
