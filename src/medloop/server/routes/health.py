"""Signs of life."""

from fastapi import APIRouter

from medloop import __version__
from medloop.server.wire.views import Health

router = APIRouter(tags=["server"])


@router.get("/health")
async def health() -> Health:
    """Whether the server answers, and which version it is."""
    return Health(status="ok", version=__version__)
