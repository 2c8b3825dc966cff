"""Images that come with a request or a session: they are found again among the project's cases by their voxels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from fastapi import Depends, HTTPException, UploadFile

from medloop.core.errors import NotFoundError
from medloop.core.records import Case
from medloop.loop.annotating.elsewhere import case_of_image
from medloop.server.monailabel.forms import sent_file
from medloop.server.monailabel.scene import Name, Scene


@dataclass(frozen=True)
class Named:
    """How an address names its image: by an id, or by a session."""

    image: str
    session: str


def _named(image: Name = "", session_id: Name = "") -> Named:
    return Named(image, session_id)


NamedHere: TypeAlias = Annotated[Named, Depends(_named)]


def case_of(scene: Scene, named: Named, file: UploadFile | None) -> Case:
    """The case that a request is about: by its file, its session, or the name of its image.

    Raises:
        NotFoundError: No such case or session, or an image that is none of the project's.
        HTTPException: Nothing is named (500, as clients know it).
    """
    if file is not None:
        with sent_file(file) as path:
            return _known(scene, path)
    if named.session:
        return _known(scene, scene.surface.sessions.get(named.session, scene.caller.name, scene.workspace.project.id).image)
    if not named.image:
        raise HTTPException(500, "Neither Image nor File nor Session ID is given")
    return scene.case(named.image)


def _known(scene: Scene, path: Path) -> Case:
    from medloop.images.read import read_image  # whose readers a server that only serves does not load

    found = case_of_image(scene.workspace, read_image(path).image)
    if found is None:
        rule = "Inference is for images of the project: this one is none of them, or several"
        raise NotFoundError(rule, remedy="send it with PUT /datastore/image first")
    return found
