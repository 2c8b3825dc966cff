"""A real Chromium on a real server: nothing is simulated between the mouse and the database."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from medloop.loop.people.accounts import add_account
from medloop.loop.people.handing_out import set_password
from medloop.loop.people.places import opened_accounts
from medloop.loop.people.preferences import Preferences, keep_preferences
from tests.server.conftest import fill_project

from .serving import Serving, start_server
from .teams import HASHED, Team

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]

Serve = Callable[..., str]

expect.set_options(timeout=30_000)  # a busy machine is no failure; what is expected at once is asserted without waiting


DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What has changed is on the screen."""


def wait_for(page: Page, condition: str, *, seconds: float = 30.0) -> None:
    """Poll a JavaScript expression until it is true; the page's own policy forbids evaluating it inside the page."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({condition})"):
        if time.monotonic() > deadline:
            pytest.fail(f"not true within {seconds:g} s: {condition}")
        page.wait_for_timeout(20)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of this folder; its event loop must be gone before tests elsewhere start their own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium: install the package 'chromium'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start `medloop serve` on a free port; gives the address."""
    running: list[Serving] = []

    def start(folder: Path, *, background: bool = False, assistant: bool = False) -> str:
        running.append(start_server(folder, tmp_path / "server.log", worker=background, assistant=background or assistant))
        return running[-1].address

    yield start
    for server in running:
        server.stop()


INTRODUCED = """if (location.protocol.startsWith("http"))
  localStorage["medloop.preferences"] ??= JSON.stringify(JSON.stringify({ keys: {}, introduced: true }));"""
"""Somebody who has seen the introduction before."""


def watched(context: BrowserContext, errors: list[str]) -> BrowserContext:
    """Collect what no page may do: throw, or send a request to another machine."""

    def check(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in ("127.0.0.1", "localhost"):
            errors.append(f"a request to another host: {request.url}")

    context.on("request", check)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    return context


BUSY = "status of 503"
"""A server that is busy or has no assistant yet replies so, which the browser logs; the page says it in words or tries again."""


@pytest.fixture
def page(chromium: Browser, serve: Serve) -> Iterator[Page]:  # for the order of their ends
    """A fresh page, closed before its server ends; an error in its console or a request to another host fails the test."""
    errors: list[str] = []
    context = watched(chromium.new_context(viewport={"width": 1400, "height": 900}), errors)
    context.add_init_script(INTRODUCED)
    opened = context.new_page()
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" and BUSY not in message.text else None)
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def team(chromium: Browser, serve: Serve, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Team]:
    """A served project with accounts and an administrator called Ada; of the kind that the test names, else a segmentation."""
    folder = tmp_path / "project"
    fill_project(folder, getattr(request, "param", "segmentation"))
    store = opened_accounts(folder, make=True)
    assert store is not None
    contexts = []
    errors: list[str] = []

    def open_browser() -> Page:
        contexts.append(watched(chromium.new_context(viewport={"width": 1400, "height": 900}), errors))
        return contexts[-1].new_page()

    with closing(store):
        keep_preferences(
            store, set_password(store, add_account(store, "Ada", role="administrator").id, HASHED), Preferences(introduced=True)
        )
        yield Team(serve(folder).rstrip("/"), folder, store, open_browser)
        for context in contexts:
            context.close()
    assert errors == []
