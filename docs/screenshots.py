"""Takes the pictures of the documentation from the page: `make screenshots`, or `docs/screenshots.py [annotating] [reviewing] [grid] …`.

Projects of phantoms are made in a temporary folder and served, and a real browser shows their views; no other image is ever in
these pictures. Every view is taken in light and in dark into build/screenshots, to be looked at; what a page of the documentation
links is kept in docs/images, in few colours, so that the repository stays small.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from scipy.ndimage import distance_transform_edt
from screenshot_projects import make_demo, make_film, make_pictures, make_readings, truth_of

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "docs" / "images"
TAKEN = REPOSITORY / "build" / "screenshots"
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
PATIENCE_MS = 120_000
WINDOW: ViewportSize = {"width": 1400, "height": 860}
LARGEST_BYTES = 150_000
WHITE = 250
"""Greys from here on are the page's own."""

GREY_STEPS = (1, 4, 8, 12, 16, 20)
"""How coarse the greys of medical images become, tried one after the other until a picture is small enough: noise takes the most room."""

SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", ""), ("dark", "-dark"))
"""Every view is taken in both; what the name of the second one ends in."""


def linked() -> set[str]:
    """The names of the pictures that pages of the documentation show."""
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    return {name for page in pages for name in re.findall(r"\]\((?:docs/)?images/([\w-]+\.png)\)", page.read_text())}


def keep_small(taken: Path, kept: Path) -> None:
    """Write a picture in 256 colours, its greys as fine as `LARGEST_BYTES` allow."""
    values = np.asarray(PIL.Image.open(taken).convert("RGB"))
    grey = (np.ptp(values, axis=-1) == 0) & (values[..., 0] < WHITE)
    for step in GREY_STEPS:
        coarse = values.copy()
        coarse[grey] = np.round(values[grey] / step) * step
        few = PIL.Image.fromarray(coarse).quantize(method=PIL.Image.Quantize.MAXCOVERAGE, kmeans=2, dither=PIL.Image.Dither.NONE)
        few.save(kept, optimize=True)
        if kept.stat().st_size <= LARGEST_BYTES:
            return
    raise SystemExit(f"{kept.name} has {kept.stat().st_size} bytes, at most {LARGEST_BYTES} are kept: show less of the view")


@contextmanager
def served(make: Callable[[Path], None], *options: str) -> Iterator[str]:
    """The address of a project that is made for it, without a slash at its end."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        make(project)
        medloop = str(Path(sys.executable).with_name("medloop"))
        server = subprocess.Popen([medloop, "serve", str(project), "--port", "0", *options], stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            yield next(word for line in server.stderr for word in line.split() if word.startswith("http")).rstrip("/")
        finally:
            server.terminate()
            server.wait(60)


def take(page: Page, name: str, *, height: int | None = None) -> None:
    """Keep one view as it is in light and in dark; `height` where a window shows too little of it."""
    if height is not None:
        page.set_viewport_size({"width": 1400, "height": height})
    page.mouse.move(700, 22)  # what the pointer rests on looks otherwise
    for scheme, ending in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)  # colours change gradually
        page.screenshot(path=TAKEN / f"{name}{ending}.png")
        print(f"{name}{ending}.png")
    page.emulate_media(color_scheme="light")
    if height is not None:
        page.set_viewport_size(WINDOW)


def project_at(address: str, page: Page) -> str:
    """The address of the only project there."""
    found = page.request.get(f"{address}/api/v1/projects").json()
    return f"{address}/#/p/{found[0]['id']}"


def voxel(page: Page, i: int, j: int, k: int, plane: str = "axial") -> tuple[float, float]:
    """Where a voxel's centre is on the screen."""
    at = page.evaluate(f"window.medloop.pointOf('{plane}', {i}, {j}, {k})")
    return at["x"], at["y"]


def settled(page: Page) -> None:
    """Wait until the case is on the screen, has been looked at, and nothing is on its way."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate("Boolean(window.medloop?.seen && window.medloop.saved === 'saved' && !window.medloop.refining)"):
        if time.monotonic() > deadline:
            raise SystemExit(f"the case is not on the screen within {PATIENCE_MS / 1000:g} s")
        page.wait_for_timeout(50)
    page.wait_for_timeout(1000)  # the uncertainty comes after the draft


def dragged(page: Page, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """One stroke of the pointer."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*stop, steps=8)
    page.mouse.up()


def annotating(address: str, page: Page) -> None:
    """The list, a case with its tools, and the progress."""
    project = project_at(address, page)
    page.goto(f"{project}/next")
    settled(page)
    take(page, "first-case")
    page.get_by_test_id("intro-skip").click()
    page.keyboard.press("u")
    settled(page)
    take(page, "annotate")
    page.keyboard.press("u")
    page.keyboard.press("Control+k")
    page.keyboard.type("slice")
    take(page, "palette")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    take(page, "keys")
    page.keyboard.press("Escape")
    prompting(page)
    measuring(page)
    page.goto(project)
    expect(page.get_by_test_id("worklist").locator("img").first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(2000)
    take(page, "worklist")
    page.goto(f"{project}/progress")
    for part in ("curve", "models", "change"):
        expect(page.get_by_test_id(part)).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(4000)  # pictures of both models
    take(page, "progress", height=1900)


def prompting(page: Page) -> None:
    """A preview of an operation, and what prompts made of the mask."""
    k = page.evaluate("window.medloop.crosshair[2]")
    page.keyboard.press("Shift+g")
    expect(page.get_by_test_id("accept")).to_be_enabled(timeout=PATIENCE_MS)
    take(page, "preview")
    page.keyboard.press("Escape")
    missing, wrong = mistakes(page, k)
    page.keyboard.press("c")
    for here, key in ((missing, ""), (wrong, "Control")):
        if here is None:
            continue
        if key:
            page.keyboard.down(key)
        page.mouse.click(*voxel(page, *here))
        if key:
            page.keyboard.up(key)
        settled(page)
    take(page, "refine")


def mistakes(page: Page, k: int) -> tuple[tuple[int, int, int] | None, tuple[int, int, int] | None]:
    """The voxels of an axial slice that lie deepest in what the first label lacks, and in what it has too much."""
    truth = truth_of(page.get_by_test_id("case-name").inner_text())
    columns, rows, _ = truth.shape
    script = f"Array.from({{ length: {columns * rows} }}, (_, n) => window.medloop.labelAt(n % {columns}, Math.floor(n / {columns}), {k}))"
    drawn = np.array(page.evaluate(script)).reshape(rows, columns).T == 1

    def deepest(region: NDArray[np.bool_]) -> tuple[int, int, int] | None:
        depths = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        i, j = np.unravel_index(depths.argmax(), depths.shape)
        return (int(i), int(j), k) if depths[i, j] > 1 else None

    inside = truth[:, :, k] == 1
    return deepest(inside & ~drawn), deepest(drawn & ~inside)


def measuring(page: Page) -> None:
    """A ruler, an angle and an ellipse; then the surfaces beside the planes."""
    i, j, k = page.evaluate("window.medloop.crosshair")
    page.get_by_test_id("tool-ruler").click()
    dragged(page, voxel(page, i - 10, j + 8, k), voxel(page, i + 8, j - 6, k))
    page.get_by_test_id("tool-ellipse").click()
    dragged(page, voxel(page, i - 5, j - 9, k), voxel(page, i + 3, j - 2, k))
    page.get_by_test_id("tool-angle").click()
    for di, dj in ((14, 12), (20, 4), (24, 14)):
        page.mouse.click(*voxel(page, i + di, j + dj, k))
    page.get_by_test_id("measure-volume").click()
    expect(page.get_by_test_id("measurement")).to_have_count(4)
    expect(page.get_by_test_id("measurements")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("v")
    page.get_by_test_id("measurements").scroll_into_view_if_needed()
    take(page, "measure")
    page.keyboard.press("Shift+z")
    expect(page.get_by_test_id("surface")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(3000)
    take(page, "surface")
    page.keyboard.press("Shift+z")


def reviewing(address: str, page: Page) -> None:
    """A case that waits for its reviewer, and the team."""
    project = project_at(address, page)
    page.goto(f"{project}/review")
    page.get_by_test_id("in-review").locator("tbody tr").first.click()
    expect(page.get_by_test_id("comparing")).to_have_attribute("data-ready", "true", timeout=PATIENCE_MS)
    page.wait_for_timeout(1000)
    take(page, "review-overlay")
    page.get_by_test_id("compare-side").click()
    page.get_by_test_id("rule-label-1").select_option(label="Bob")
    page.wait_for_timeout(1000)
    take(page, "review-side")
    page.get_by_test_id("discard-rulings").click()
    page.get_by_test_id("compare-map").click()
    page.wait_for_timeout(1000)
    take(page, "review-map")
    page.goto(f"{project}/team")
    expect(page.get_by_test_id("suspects")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(500)
    take(page, "team", height=1300)


def grid(address: str, page: Page) -> None:
    """Many pictures, some of them classed, some selected."""
    page.goto(project_at(address, page))
    page.get_by_test_id("to-grid").click()
    expect(page.get_by_test_id("grid").locator("img")).to_have_count(24, timeout=PATIENCE_MS)
    for key in ("1", "2", "1", "1", "2"):
        page.keyboard.press(key)
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(1000)
    take(page, "grid", height=570)


def films(address: str, page: Page) -> None:
    """A film with labels carried to its frames, shown before they are saved, and then the replay of how it came about."""
    page.goto(f"{project_at(address, page)}/next")
    settled(page)
    page.get_by_test_id("intro-skip").click()
    page.keyboard.press("Shift+C")
    expect(page.get_by_test_id("accept")).to_be_enabled(timeout=PATIENCE_MS)
    page.keyboard.press("Alt+n")
    page.wait_for_timeout(500)
    take(page, "film", height=700)
    page.keyboard.press("Enter")
    settled(page)
    page.keyboard.press("Alt+r")
    expect(page.get_by_test_id("replay-text")).to_contain_text("Before the first")
    page.keyboard.press("End")
    page.wait_for_timeout(500)
    take(page, "replay", height=700)


VIEWS: dict[str, tuple[Callable[[Path], None], Callable[[str, Page], None], tuple[str, ...]]] = {
    "annotating": (make_demo, annotating, ()),
    "reviewing": (make_readings, reviewing, ("--no-worker", "--no-assistant")),
    "grid": (make_pictures, grid, ("--no-worker", "--no-assistant")),
    "films": (make_film, films, ("--no-worker", "--no-assistant")),
}


def main(names: Sequence[str]) -> None:
    """Take the pictures of these views, and keep those that are linked."""
    TAKEN.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for name in names:
            make, show, options = VIEWS[name]
            with served(make, *options) as address:
                page = browser.new_page(viewport=WINDOW)
                show(address, page)
                page.close()
    for name in sorted(linked()):
        if (TAKEN / name).exists():
            keep_small(TAKEN / name, IMAGES / name)


if __name__ == "__main__":
    main(sys.argv[1:] or list(VIEWS))
