"""Takes the pictures of the documentation from the page: `make screenshots`, or `docs/screenshots.py [annotating] [reviewing]`.

A demonstration project of phantoms is made in a temporary folder and served; once its first model has proposed, a real browser
shows the views. A second project, which three made-up readers have read, shows review and the team. No other image is ever in
these pictures.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright
from scipy.ndimage import binary_dilation, binary_erosion

from medloop.core.arrays import MaskArray
from medloop.core.records import ProjectSettings, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.demo import create_demo
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
PATIENCE_S = 1800.0
"""Longest wait for the demonstration's first model: a minute on two idle cores."""

SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", ""), ("dark", "-dark"))
"""Every view is taken in both; what the name of the second one ends in."""

STEPS = 320
"""Of its training: what a minute of two idle cores brings, also where the machine is busy."""


def make_demo(project: Path) -> None:
    """The demonstration, whose first model comes soon."""
    create_demo(project).close()
    medloop = str(Path(sys.executable).with_name("medloop"))
    subprocess.run([medloop, "configure", str(project), f"train_steps={STEPS}"], check=True, stdout=subprocess.DEVNULL)


def grown(mask: MaskArray) -> MaskArray:
    """Every label two voxels too large."""
    made = mask.copy()
    for label in (1, 2):
        made[binary_dilation(mask == label, iterations=2) & (mask == 0)] = label
    return made


def shrunk(mask: MaskArray) -> MaskArray:
    """Every label a voxel too small, and one kidney is missed."""
    made = np.zeros_like(mask)
    for label in (1, 2):
        made[binary_erosion(mask == label)] = label
    made[: mask.shape[0] // 2][made[: mask.shape[0] // 2] == 2] = 0
    return made


def make_readings(project: Path) -> None:
    """Phantoms that three people have read, with their consensus: one close to the truth, one too generous, one careless."""
    rules = ProjectSettings(readings=3, consensus="staple", review="disagreement", minimum_agreement=0.8, train_after=0, audit_fraction=0.0)
    readers = (("Ann", 140.0, lambda mask: mask), ("Bob", 95.0, grown), ("Eva", 40.0, shrunk))
    with Workspace.create(project, name="Abdomen", kind="segmentation", labels=["liver", "kidneys"], settings=rules) as workspace:
        for index in range(4):
            phantom = phantom_3d(index)
            source = Source(format="phantom", names=(phantom.name,), sha256=f"{index:064d}")
            case = add_case(workspace, phantom.image, NewCase(name=phantom.name, patient=phantom.patient, split="train", source=source))
            assert case is not None
            for name, seconds, changed in readers:
                opened = open_case(workspace, case.id, annotator_named(workspace, name).id)
                submit(workspace, opened.assignment.id, Submitted(mask=changed(phantom.mask.array), effort_seconds=seconds))
        for name, cost in (("Ann", 2.5), ("Bob", 1.2), ("Eva", 0.8)):
            set_cost(workspace, name, cost, actor=annotator_named(workspace, "Rita").id)
        drain(workspace)


@contextmanager
def served(make: Callable[[Path], None], *options: str) -> Iterator[str]:
    """The address of a project that is made for it."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "demo"
        make(project)
        medloop = str(Path(sys.executable).with_name("medloop"))
        command = [medloop, "serve", str(project), "--port", "0", *options]
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
    """Keep one view as it is in light and in dark."""
    for scheme, ending in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / f"{name}{ending}.png", full_page=whole)
        print(f"{name}{ending}.png")
    page.emulate_media(color_scheme="light")


def annotating(address: str, page: Page) -> None:
    """The annotation view and progress."""
    project = first_model(f"{address}/api/v1")
    page.goto(f"{address}/#/p/{project}/next")
    settled(page)
    take(page, "first-case")
    page.get_by_test_id("intro-skip").click()
    page.keyboard.press("u")
    page.wait_for_timeout(1000)
    take(page, "annotate")
    page.keyboard.press("u")
    page.keyboard.press("Control+k")
    page.keyboard.type("slice")
    take(page, "palette")
    page.keyboard.press("Escape")
    page.get_by_test_id("tool-point").click()
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(3000)
    take(page, "refine")
    page.goto(f"{address}/#/p/{project}/progress")
    page.wait_for_timeout(3000)
    take(page, "progress", whole=True)


def reviewing(address: str, page: Page) -> None:
    """A case that waits for its reviewer, and the team."""
    project = get(f"{address}/api/v1/projects")[0]["id"]
    page.goto(f"{address}/#/p/{project}/review")
    page.get_by_test_id("in-review").locator("tbody tr").first.click()
    expect(page.get_by_test_id("comparing")).to_have_attribute("data-ready", "true", timeout=60_000)
    page.wait_for_timeout(1000)
    take(page, "review-overlay")
    page.get_by_test_id("compare-side").click()
    page.get_by_test_id("rule-label-1").select_option(label="Ann")
    page.wait_for_timeout(1000)
    take(page, "review-side")
    page.get_by_test_id("discard-rulings").click()
    page.get_by_test_id("compare-map").click()
    page.wait_for_timeout(1000)
    take(page, "review-map")
    page.goto(f"{address}/#/p/{project}/team")
    expect(page.get_by_test_id("suspects")).to_be_visible(timeout=60_000)
    page.wait_for_timeout(500)
    take(page, "team", whole=True)


VIEWS: dict[str, tuple[Callable[[Path], None], Callable[[str, Page], None], tuple[str, ...]]] = {
    "annotating": (make_demo, annotating, ()),
    "reviewing": (make_readings, reviewing, ("--no-worker", "--no-assistant")),
}


def main(names: Sequence[str]) -> None:
    """Take the pictures of these views."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for name in names:
            make, show, options = VIEWS[name]
            with served(make, *options) as address:
                page = browser.new_page(viewport={"width": 1400, "height": 860})
                show(address.rstrip("/"), page)
                page.close()


if __name__ == "__main__":
    main(sys.argv[1:] or list(VIEWS))
