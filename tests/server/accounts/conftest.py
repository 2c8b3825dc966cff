"""A folder of two projects with accounts, and browsers and programs of its people."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from medloop.core.accounts import EVERY_PROJECT, Account
from medloop.core.roles import Role
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import add_account
from medloop.loop.people.handing_out import make_token, set_password
from medloop.loop.people.passwords import hash_password
from medloop.loop.people.places import opened_accounts
from medloop.loop.people.secret_values import csrf_token_of
from medloop.loop.people.signing_in import begin_session
from medloop.loop.people.throttle import Throttle
from medloop.server.app import create_app
from medloop.server.web.settings import ServerSettings
from medloop.store.store import Store
from tests.conftest import REPOSITORY
from tests.server.conftest import ADDRESS, API, QUICK, TestClient

PASSWORD = "correct horse battery"


@cache
def hashed() -> str:
    """Its hash, made as the product makes it, and once: each takes a quarter of a second."""
    return hash_password(PASSWORD, name="nobody")


@dataclass
class Browser:
    """What one person sends: the cookie of a session and its CSRF token, or a token."""

    client: TestClient
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer to a request below /api/v1."""
        kinds = {"json": body if body is not None else {}} if method != "GET" else {}
        self.client.cookies.clear()
        return self.client.request(method, API + path, headers={**self.headers, **headers}, **kinds)

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)


@dataclass
class Town:
    """A served folder with accounts."""

    client: TestClient
    store: Store
    first: Workspace
    second: Workspace

    def add(self, name: str, role: Role, project_id: str = EVERY_PROJECT) -> Account:
        return add_account(self.store, name, role=role, project_id=project_id)

    def browser(self, account: Account) -> Browser:
        """A browser that somebody has signed in with."""
        with self.store.read() as tx:
            secret = begin_session(self.store, tx.get(Account, account.id))
        return Browser(self.client, {"Cookie": f"medloop={secret}", "X-CSRF-Token": csrf_token_of(secret)})

    def program(self, account: Account, scope: Any = "all") -> Browser:
        """A program with a token of somebody."""
        made = make_token(self.store, account.id, "program", scope=scope, days=1)
        return Browser(self.client, {"Authorization": f"Bearer {made.secret}"})

    def nobody(self) -> Browser:
        return Browser(self.client)

    def with_password(self, account: Account) -> Account:
        return set_password(self.store, account.id, hashed())


@pytest.fixture
def served(templates: Path, tmp_path: Path) -> Path:
    """A folder of two projects without accounts."""
    return Path(shutil.copytree(templates, tmp_path / "served"))


Serve = Callable[..., Any]


@pytest.fixture
def town(served: Path) -> Iterator[Town]:
    """A served folder of two projects, with an administrator called Ada."""
    store = opened_accounts(served, make=True)
    assert store is not None
    with closing(store):
        add_account(store, "Ada", role="administrator")
        yield from serve_town(served, store)


def serve_town(served: Path, store: Store, settings: ServerSettings = QUICK) -> Iterator[Town]:
    with (
        TestClient(_with_still_clock(create_app(served, settings)), base_url=ADDRESS) as client,
        Workspace.open(served / "segmentation") as first,
        Workspace.open(served / "classification") as second,
    ):
        yield Town(client, store, first, second)


@dataclass(frozen=True)
class Provider:
    """The process of a provider of OpenID Connect."""

    issuer: str

    def behave(self, **how: Any) -> None:
        """Let it misbehave; without anything it is a good one."""
        httpx.post(f"{self.issuer}/behave", json={name.replace("_", " "): value for name, value in how.items()}, timeout=20)

    def seen(self) -> list[str]:
        return [f"{one['method']} {one['path']}" for one in httpx.get(f"{self.issuer}/seen", timeout=20).json()]

    def sign_in(self, address: str, user: str) -> dict[str, str]:
        """Fill in the provider's form as a person does; what it sends the browser back with."""
        reply = httpx.post(address, data={"user": user}, timeout=20)
        assert reply.status_code == 302, reply.text
        parts = urlsplit(reply.headers["location"])
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ADDRESS}/oidc"
        return dict(parse_qsl(parts.query))


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider in a process of its own, on a free port of this machine."""
    command = [sys.executable, "-m", "tests.server.accounts.provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield Provider(running.stdout.readline().strip())
        running.stdin.close()
        running.wait(20)


@pytest.fixture
def ada(town: Town) -> Account:
    with town.store.read() as tx:
        return tx.find(Account, where={"name": "Ada"})[0]


def _with_still_clock(app: FastAPI) -> FastAPI:
    """The application with a throttle whose clock stands still: how fast this machine hashes must not matter."""
    app.state.site.people._throttle = Throttle(lambda: 1000.0)
    return app
