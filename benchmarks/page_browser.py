"""A real Chromium on a real `medloop serve`: how the page's figures are read from outside.

The clock is the page's own: an input event carries the time at which the browser got it, and a message posted in an animation frame
arrives after that frame was drawn and handed to the compositor.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from page_figures import PageError

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
    "--enable-precise-memory-info",
]
WIDTH, HEIGHT = 1400, 900
PATIENCE_S = 180.0

INTRODUCED = """if (location.protocol.startsWith("http"))
  localStorage["medloop.preferences"] ??= JSON.stringify(JSON.stringify({ keys: {}, introduced: true }));"""
"""Somebody who has seen the introduction before."""

WATCH = """
window.watch = { at: 0, seen: 0 };
for (const kind of ["keydown", "pointerdown", "pointermove", "pointerup", "wheel"])
  addEventListener(kind, (event) => { window.watch.at = event.timeStamp; }, { capture: true, passive: true });
const after = new MessageChannel();
after.port1.onmessage = () => { window.watch.seen = performance.now(); };
window.watch.drawn = () => after.port2.postMessage(0);
"""
"""Notes when the latest input came, and when a frame was on the screen."""


@dataclass(frozen=True)
class Served:
    """A running server: its address and process."""

    url: str
    process: int


@contextmanager
def served(folder: Path, *options: str, source: Path | None = None) -> Iterator[Served]:
    """`medloop serve` on a free port.

    Args:
        folder: Project, or folder of projects.
        options: Further options of the command.
        source: A checkout whose medloop serves, instead of the installed one.
    """
    environment = dict(os.environ) | ({"PYTHONPATH": str(source / "src")} if source else {})
    code = "from medloop.cli.main import run; run()"
    command = [sys.executable, "-c", code, "serve", str(folder), "--port", "0", "--no-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    try:
        words = (word for line in process.stdout for word in line.split())
        url = next((word for word in words if word.startswith("http://")), None)
        if url is None:
            raise PageError("The server ended before it said its address", remedy="run `medloop serve` on such a project by hand")
        yield Served(url.rstrip("/."), process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window, drawing in software."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise PageError("There is no chromium", remedy="install the package 'chromium'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def new_context(browser: Browser) -> BrowserContext:
    """Somebody's browser: nothing kept but that the introduction was seen."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.add_init_script(INTRODUCED)
    context.add_init_script(WATCH)
    return context


def wait_until(page: Page, condition: str, *, seconds: float = PATIENCE_S) -> None:
    """Poll a JavaScript expression until it is true."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({condition})"):
        if time.monotonic() > end:
            raise PageError(f"The page did not get there within {seconds:g} s: {condition}")
        page.wait_for_timeout(10)


def watch_for(page: Page, condition: str) -> None:
    """Begin to look, in every frame, for something that the next input brings onto the screen."""
    page.evaluate(
        f"""() => {{
          window.watch.seen = 0;
          const look = () => ({condition}) ? window.watch.drawn() : requestAnimationFrame(look);
          requestAnimationFrame(look);
        }}"""
    )


def time_to_sight(page: Page) -> float:
    """Milliseconds from the latest input to the frame that showed what was watched for."""
    wait_until(page, "window.watch.seen > 0")
    return float(page.evaluate("window.watch.seen - window.watch.at"))


def time_to_paint(page: Page) -> float:
    """Milliseconds from the latest input to its pixels, as the page itself notes."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
    return float(page.evaluate("window.medloop.lastPaintMs"))


def open_case(browser: Browser, url: str, project: str, case: str) -> Page:
    """A fresh browser with a case on the screen, ready for tools."""
    page = new_context(browser).new_page()
    page.goto(f"{url}/#/p/{project}/case/{case}")
    wait_until(page, "window.medloop?.ready")
    return page


def middle_of(page: Page, pane: str) -> tuple[float, float]:
    """The middle of a pane, on the screen."""
    box = page.get_by_test_id(f"pane-{pane}").bounding_box()
    if box is None:
        raise PageError(f"The {pane} plane is not on the screen")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def memory_of(process: int) -> float:
    """Megabytes that a process and its children hold for themselves alone and share in part (PSS)."""
    return sum(_pss(one) for one in [process, *children_of(process)]) / 1e6


def children_of(process: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
        parents.setdefault(parent, []).append(int(folder.name))
    found, waiting = list[int](), [process]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _pss(process: int) -> int:
    try:
        lines = (Path("/proc") / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    values: Mapping[str, str] = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
    return int(values["Pss"].split()[0]) * 1024
