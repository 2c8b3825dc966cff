"""Every route of the interface against every role, no account, and the ids of another project; generated from openapi.json."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from medloop.core.records import Assignment, Case
from medloop.core.roles import RIGHTS, ROLES, Role
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.people.accounts import add_account
from medloop.loop.people.places import opened_accounts
from medloop.server import app as application
from medloop.server.app import PREFIX, ROUTERS
from medloop.server.web.permissions import PERMISSIONS, guarded_routes

from ..conftest import add_model
from .conftest import Browser, Town, serve_town

OPEN = {"GET /health", "GET /sign-in", "POST /sign-in", "POST /oidc/leave", "POST /oidc/return", "POST /links/{use}"}
"""What may be asked for without an account."""


def described() -> list[str]:
    """Every "METHOD /path" of the description."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return [f"{verb.upper()} {path}" for path, verbs in app.openapi()["paths"].items() for verb in verbs]


ROUTES = described()
IDS = {"use": "reset", "number": "0", "index": "1"}


def filled(path: str, **ids: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: {**IDS, **ids}.get(found[1], f"{found[1]}-0"), path)


@pytest.fixture(scope="module")
def town(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One server for all of these requests: none of them changes anything, because no body is right."""
    import shutil

    served = Path(shutil.copytree(templates, tmp_path_factory.mktemp("town") / "served"))
    store = opened_accounts(served, make=True)
    assert store is not None
    with closing(store):
        add_account(store, "Ada", role="administrator")
        yield from serve_town(served, store)


@pytest.fixture(scope="module")
def people(town: Town) -> dict[Role, Browser]:
    return {role: town.browser(town.add(f"Every {role}", role)) for role in ROLES}


def send(browser: Browser, route: str, **ids: str) -> int:
    """The status of a request whose body is wrong, so that it changes nothing where it is let in."""
    method, path = route.split(" ")
    return browser.send(method, filled(path, **ids), {"nonsense": 1}).status_code


def test_every_route_says_who_may_use_it_and_no_line_is_left_over() -> None:
    assert sorted(ROUTES) == sorted(PERMISSIONS)
    assert len(ROUTES) > 60
    assert {route for route, need in PERMISSIONS.items() if need == "open"} == OPEN


def test_a_route_that_nobody_listed_keeps_the_server_from_starting(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/unlisted")
    def unlisted() -> str:
        return "for whom?"

    monkeypatch.setattr(application, "ROUTERS", (*ROUTERS, router))
    with pytest.raises(LookupError, match="does not say who may use GET /unlisted"):
        application.create_app(served)


@pytest.mark.parametrize("route", ROUTES)
def test_without_an_account_nothing_but_the_open_routes_is_let_in(town: Town, route: str) -> None:
    status = send(town.nobody(), route, project=town.first.project.id)
    assert (status == 401) == (route not in OPEN)


@pytest.mark.parametrize("route", sorted(set(ROUTES) - OPEN))
@pytest.mark.parametrize("credential", ["Bearer medloop_wrong", "Bearer ", "Basic YTpi", "medloop_wrong"])
def test_a_wrong_token_is_nobody(town: Town, route: str, credential: str) -> None:
    browser = Browser(town.client, {"Authorization": credential})
    assert send(browser, route, project=town.first.project.id) == 401


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.endswith("/stream")])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_else(town: Town, people: dict[Role, Browser], role: Role, route: str) -> None:
    need = PERMISSIONS[route]
    status = send(people[role], route, project=town.first.project.id)
    allowed = need in ("open", "self") or need in RIGHTS[role]
    assert (status == 403) == (not allowed), status
    assert status != 401
    assert status < 500 or route.endswith(("explanation", "hypotheses"))


@pytest.mark.parametrize("route", [route for route in ROUTES if "{project}" in route])
def test_a_project_in_which_one_has_no_role_does_not_exist(town: Town, route: str) -> None:
    browser = _outsider(town)
    assert send(browser, route, project=town.second.project.id) == 404
    unknown = browser.get(filled("/projects/{project}", project="project-unknown"))
    hidden = browser.get(filled("/projects/{project}", project=town.second.project.id))
    assert hidden.json()["error"]["message"].replace(town.second.project.id, "X") == unknown.json()["error"]["message"].replace(
        "project-unknown", "X"
    )


_made: dict[str, Browser] = {}


def _outsider(town: Town) -> Browser:
    """Somebody who may do everything, but in the first project only."""
    if town.first.project.id not in _made:
        _made[town.first.project.id] = town.browser(town.add("Outsider", "administrator", town.first.project.id))
    return _made[town.first.project.id]


@pytest.fixture(scope="module")
def foreign(town: Town) -> dict[str, str]:
    """Ids of things of the second project."""
    opened = next_assignment(town.second, annotator_named(town.second, "Ada").id)
    assert opened is not None
    job = town.second.store.jobs.enqueue("train", {}, key="foreign")
    ids = {"case": opened.case.id, "assignment": opened.assignment.id, "job": job.id}
    return {**ids, "prediction": add_model(town.second, opened.case.id).id}


INNER = re.compile(r"{(case|assignment|job|prediction)}")


@pytest.mark.parametrize("route", [route for route in ROUTES if INNER.search(route)])
def test_the_ids_of_another_project_are_not_found(town: Town, foreign: dict[str, str], route: str) -> None:
    status = send(_outsider(town), route, project=town.first.project.id, **foreign)
    needs_body = not route.startswith("GET")
    assert status in ({404, 422} if needs_body else {404, 422 if route.endswith("explanation") else 404, 503})


def test_what_belongs_to_the_other_project_is_as_it_was(town: Town, foreign: dict[str, str]) -> None:
    with town.second.store.read() as tx:
        assert tx.get(Assignment, foreign["assignment"]).state == "open"
        assert tx.get(Case, foreign["case"]).id == foreign["case"]
    assert PREFIX == "/api/v1"
    assert len(guarded_routes(ROUTERS, PREFIX)) == len(ROUTES)
