"""What routes of the surface are given: the project, who calls, and the image that an address names."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Annotated, TypeAlias

from anyio import CapacityLimiter
from fastapi import Depends, Query
from starlette.requests import Request

from medloop.core.errors import InputError, NotFoundError
from medloop.core.names import first_named
from medloop.core.records import Annotator, Case
from medloop.loop.annotating.sent_saving import Known
from medloop.loop.foundation.annotators import annotator_named, known_annotator
from medloop.loop.foundation.pseudonyms import known_as
from medloop.loop.foundation.workspace import Workspace
from medloop.server.monailabel.basic import Basic
from medloop.server.monailabel.files import ImageFiles
from medloop.server.monailabel.links import ImageLinks, plain_name
from medloop.server.monailabel.sessions import Sessions
from medloop.server.web.callers import SCOPE_KEY, Caller, unknown_project
from medloop.server.web.site import Site, Viewer
from medloop.store.reader import Reader

MOST_KNOWN = 10_000


class Taken:
    """What each person's clients have been shown of each case; forgotten with the server, so that a client shows it once more."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()

    def of(self, annotator_id: str, case_id: str) -> Known:
        """What is known."""
        with self._guard:
            return self._known.get((annotator_id, case_id), Known())

    def keep(self, annotator_id: str, case_id: str, *, annotation: str = "", returned: str = "") -> None:
        """Keep that a client took an annotation, or was told of a return."""
        with self._guard:
            before = self._known.pop((annotator_id, case_id), Known())
            now = replace(before, annotation=annotation or before.annotation, returned=returned or before.returned)
            self._known[annotator_id, case_id] = now
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)


@dataclass(frozen=True)
class Surface:
    """One running surface."""

    site: Site
    basic: Basic
    files: ImageFiles
    sessions: Sessions
    links: ImageLinks = field(default_factory=ImageLinks)
    taken: Taken = field(default_factory=Taken)
    packing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    """Files of inferences are read and written few at a time, so that they take no thread from short requests."""


@dataclass(frozen=True)
class Scene:
    """One request: the surface, the project and who calls."""

    surface: Surface
    workspace: Workspace
    caller: Caller

    @property
    def person(self) -> Annotator:
        """Who annotates; joined at first use."""
        return annotator_named(self.workspace, self.caller.name)

    @property
    def actor(self) -> str:
        """Who takes data out, for the audit; nobody joins by that."""
        with self.workspace.store.read() as tx:
            found = known_annotator(tx, self.caller.name)
        return found.id if found else self.caller.name

    @property
    def reviews(self) -> bool:
        """Whether they review with an account."""
        return self.caller.person is not None and self.caller.may(self.workspace.project.id, "review")

    def viewer(self, tx: Reader) -> Viewer:
        """What they may see; nobody joins by looking."""
        found = known_annotator(tx, self.caller.name)
        return Viewer(found.id if found else "", self.reviews)

    def case(self, image: str) -> Case:
        """The case that a client calls so: by name, id, or the SeriesInstanceUID of its DICOM series.

        Raises:
            NotFoundError: There is none.
            InputError: Several cases are of that series.
        """
        with self.workspace.store.read() as tx:
            found = tx.find(Case, where={"name": image}, limit=1) or tx.find(Case, where={"id": image}, limit=1)
            if not found and (plain := plain_name(image)) != image:
                found = tx.find(Case, where={"name": plain}, limit=1)
            uids = () if found or not image else {image, known_as(self.workspace)(image)}
            found = found or [case for case in tx.find(Case, order=("name",)) if series_of(case) in uids]
        if not image or not found:
            raise NotFoundError(f"The project has no image {image[:100]!r}", remedy="see GET /datastore/?output=all")
        if len(found) > 1:
            rule = f"{len(found)} images of the project are of the series {image[:70]}"
            raise InputError(rule, remedy=f"name one of them: {first_named([case.name for case in found])}")
        return found[0]


def series_of(case: Case) -> str:
    """The SeriesInstanceUID of a case; "" without one."""
    return str(case.source.dicom.get("series", ""))


async def _surface(request: Request) -> Surface:
    surface = request.app.state.surface
    if not isinstance(surface, Surface):
        raise TypeError("The surface has not been started")
    return surface


SurfaceHere: TypeAlias = Annotated[Surface, Depends(_surface)]


def _scene(request: Request, surface: SurfaceHere) -> Scene:
    caller = request.scope.get(SCOPE_KEY)
    project = request.path_params["project"]
    if not isinstance(caller, Caller) or not caller.sees(project):
        raise unknown_project(project)
    return Scene(surface, surface.site.projects.get(project), caller)


SceneHere: TypeAlias = Annotated[Scene, Depends(_scene)]

Name: TypeAlias = Annotated[str, Query(max_length=500, pattern=r"^[^\x00]*$")]
"""An id or a tag as clients send it."""
