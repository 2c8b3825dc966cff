"""`/activelearning/`: the next image for a person, handed out and leased by the loop's own rules."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from medloop.core.errors import NotFoundError
from medloop.core.records import now
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.annotating.client_notes import note, notes
from medloop.server.monailabel.forms import plain_text
from medloop.server.monailabel.images import image_info, path_of, unix_of
from medloop.server.monailabel.info import STRATEGY
from medloop.server.monailabel.scene import SceneHere

router = APIRouter()


@router.post("/activelearning/{strategy}")
def post_next(scene: SceneHere, strategy: str, asked: Annotated[dict[str, Any] | None, Body()] = None) -> dict[str, Any]:
    """The image that is worth most of the caller's time now, opened in their name; {} when nothing is left."""
    if strategy != STRATEGY:
        raise NotFoundError(
            f"The strategy is {STRATEGY!r}, got {strategy[:40]!r}", remedy="medloop configure DIR --strategy … changes how it chooses"
        )
    person = scene.person
    opened = next_assignment(scene.workspace, person.id)
    if opened is None:
        return {}
    served = {"ts": unix_of(now()), "client_id": plain_text((asked or {}).get("client_id"))[:200]}
    note(scene.workspace, opened.case.id, {"strategy": {strategy: served}}, actor=person.id)
    with scene.workspace.store.read() as tx:
        noted = notes(tx, [opened.case.id]).get((opened.case.id, ""), {})
    file = scene.surface.files.of(scene.workspace, opened.case)
    info = image_info(opened.case, noted)
    name, caller = opened.case.name, scene.caller
    image = name if caller.person is None else scene.surface.links.give(scene.workspace.project.id, name, caller)
    return {**info, "id": image, "path": path_of(scene, opened.case), "checksum": f"SHA256:{file.sha256}", "weight": 1.0}
