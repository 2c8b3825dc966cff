"""A real Chromium on a real server: nothing is simulated between the mouse and the database."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]

SERVE = """
import os
import sys
from pathlib import Path
from medloop.server.web.settings import read_settings
from medloop.server.processes.supervise import serve
mode = sys.argv[2]
settings = read_settings(os.environ, {"port": 0, "worker": mode == "background", "assistant": mode != "alone", "poll_seconds": 0.1})
serve(Path(sys.argv[1]), settings, ready=lambda url: print(url, flush=True))
"""

Serve = Callable[..., str]

expect.set_options(timeout=30_000)  # a busy machine is no failure; what is expected at once is asserted without waiting


def wait_for(page: Page, condition: str, *, seconds: float = 30.0) -> None:
    """Poll a JavaScript expression until it is true; the page's own policy forbids evaluating it inside the page."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({condition})"):
        if time.monotonic() > deadline:
            pytest.fail(f"not true within {seconds:g} s: {condition}")
        page.wait_for_timeout(20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file; its event loop must be gone before tests elsewhere start their own."""
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
    running: list[subprocess.Popen[str]] = []

    def start(folder: Path, *, background: bool = False, assistant: bool = False) -> str:
        log = (tmp_path / "server.log").open("w")
        mode = "background" if background else "assistant" if assistant else "alone"
        server = subprocess.Popen([sys.executable, "-c", SERVE, str(folder), mode], stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        running.append(server)
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http"), (tmp_path / "server.log").read_text()
        return address

    yield start
    for server in running:
        server.terminate()
        server.wait(30)
        assert server.stdout is not None
        server.stdout.close()


@pytest.fixture
def page(chromium: Browser, serve: Serve) -> Iterator[Page]:  # for the order of their ends
    """A fresh page, closed before its server ends; any error in its console fails the test."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert errors == []
