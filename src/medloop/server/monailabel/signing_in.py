"""`/auth/`: whether one signs in, a token for a name and a password, and whose a token is. Without accounts there are no such routes."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from medloop.core.errors import InputError
from medloop.server.monailabel.basic import new_token
from medloop.server.monailabel.scene import SceneHere, Surface, SurfaceHere

router = APIRouter()


@router.get("/auth/")
def get_auth(surface: SurfaceHere, request: Request) -> dict[str, Any]:
    """That one signs in here; 404 where there are no accounts."""
    _require_on(surface)
    return {"enabled": True, "client_id": "medloop", "realm": str(request.url).rstrip("/")}


@router.post("/auth/token")
async def post_token(
    surface: SurfaceHere,
    request: Request,
    username: Annotated[str, Form(max_length=400)],
    password: Annotated[str, Form(max_length=4000)],
    grant_type: Annotated[str, Form(max_length=40)] = "password",
) -> dict[str, str]:
    """A token for a day in exchange for a name and a password; it is listed and revoked with the account's other tokens."""
    await run_in_threadpool(_require_on, surface)
    if grant_type != "password":
        raise InputError(f"The grant_type is password, got {grant_type!r}")
    account = await surface.basic.account(username, password, surface.site.people.address_of(request))
    made = await run_in_threadpool(new_token, surface.site.people.store(), account)
    return {"access_token": made.secret, "token_type": "bearer"}


@router.get("/auth/token/valid")
def get_valid(scene: SceneHere) -> dict[str, Any]:
    """Who is signed in, and what they are in this project."""
    _require_on(scene.surface)
    person = scene.caller.person
    if person is None:
        raise HTTPException(404, "Not Found")
    project, everywhere = person.roles.get(scene.workspace.project.id), person.roles.get("")
    return {
        "username": person.account.name,
        "email": "",
        "name": person.account.name,
        "roles": [one for one in (everywhere, project) if one],
    }


def _require_on(surface: Surface) -> None:
    if not surface.site.people.are_on():
        raise HTTPException(404, "Not Found")
