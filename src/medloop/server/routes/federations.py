"""The federations that a project took part in."""

from fastapi import APIRouter

from medloop.loop.overview.federation_history import federations_of
from medloop.server.web.site import WorkspaceHere
from medloop.server.wire.federation_views import FederationsView

router = APIRouter(prefix="/projects/{project}", tags=["projects"])


@router.get("/federations")
def get_federations(workspace: WorkspaceHere) -> FederationsView:
    """Federations whose result is a model of the project: terms, sites, rounds, result, and the ε of all of them together."""
    return FederationsView.model_validate(federations_of(workspace))
