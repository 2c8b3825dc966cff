"""Takes the pictures of the documentation from the page as it is: `python docs/screenshots.py` (Chromium and a few minutes).

A demonstration project of phantoms is made in a temporary folder and served; once its first model has proposed, a real browser
shows the views. No other image is ever in these pictures.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from medloop.loop.data.demo import create_demo

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
PATIENCE_S = 1800.0
"""Longest wait for the demonstration's first model: a minute on two idle cores."""

STEPS = 320
"""Of its training: what a minute of two idle cores brings, also where the machine is busy."""


@contextmanager
def served() -> Iterator[str]:
    """The address of a demonstration, with its worker and assistant."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "demo"
        create_demo(project).close()
        medloop = str(Path(sys.executable).with_name("medloop"))
        subprocess.run([medloop, "configure", str(project), f"train_steps={STEPS}"], check=True, stdout=subprocess.DEVNULL)
        command = [medloop, "serve", str(project), "--port", "0"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            yield next(word for line in server.stderr for word in line.split() if word.startswith("http"))
        finally:
            server.terminate()
            server.wait(60)


def get(url: str) -> Any:
    """The JSON document at an address."""
    with urllib.request.urlopen(url) as response:
        return json.load(response)


def first_model(api: str) -> str:
    """The project's id, once its first model has predicted the pool and the next round is ready."""
    project: str = get(f"{api}/projects")[0]["id"]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        upcoming = get(f"{api}/projects/{project}/upcoming")
        if upcoming["prediction_id"]:
            return project
        time.sleep(2)
    raise SystemExit(f"no proposal within {PATIENCE_S:g} s")


def settled(page: Page) -> None:
    """Wait until the case is on the screen, and its proposal."""
    expect(page.get_by_test_id("submit")).to_be_enabled(timeout=60_000)
    page.wait_for_timeout(3000)


def take(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep one picture."""
    page.screenshot(path=IMAGES / name, full_page=whole)
    print(name)


def main() -> None:
    """Take them all."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with served() as address, sync_playwright() as playwright:
        project = first_model(f"{address.rstrip('/')}/api/v1")
        page = playwright.chromium.launch(executable_path=program, args=FLAGS).new_page(viewport={"width": 1400, "height": 860})
        page.goto(f"{address.rstrip('/')}/#/p/{project}/next")
        settled(page)
        page.keyboard.press("u")
        page.wait_for_timeout(1000)
        take(page, "annotate.png")
        page.get_by_test_id("theme").click()
        take(page, "annotate-dark.png")
        page.get_by_test_id("theme").click()
        page.keyboard.press("u")
        page.get_by_test_id("tool-point").click()
        box = page.locator("canvas").first.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(3000)
        take(page, "refine.png")
        page.goto(f"{address.rstrip('/')}/#/p/{project}/progress")
        page.wait_for_timeout(3000)
        take(page, "progress.png", whole=True)


if __name__ == "__main__":
    main()
