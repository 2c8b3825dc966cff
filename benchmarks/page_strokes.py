"""Ten thousand strokes in one case: what the page and the server keep of them in memory."""

import os
import random
from pathlib import Path

from playwright.sync_api import Browser

from page_browser import Served, children_of, memory_of, middle_of, open_case, wait_until
from page_projects import Made

FIRST_STROKES = 200
"""Drawn before the first look at memory: the page's own code is compiled and its tables are made by then."""


def measure_memory(browser: Browser, server: Served, made: Made, strokes: int) -> dict[str, list[float]]:
    """Growth from after the first strokes to after all of them, garbage collected and everything saved."""
    page = open_case(browser, server.url, made.project, made.cases[0])
    wait_until(page, "window.medloop.seen")
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable")
    page.keyboard.press("b")
    x, y = middle_of(page, "axial")
    place = random.Random(0)

    def draw(count: int) -> None:
        for n in range(count):
            if n % 25 == 0:
                page.keyboard.press(str(1 + n // 25 % 2))
                page.mouse.wheel(0, place.choice((-100, 100)))
            left, top = x + place.uniform(-150, 120), y + place.uniform(-150, 150)
            page.mouse.move(left, top)
            page.mouse.down()
            page.mouse.move(left + place.uniform(10, 40), top + place.uniform(-20, 20))
            page.mouse.up()

    def look() -> tuple[float, float, float]:
        wait_until(page, "window.medloop.saved === 'saved' && window.medloop.pending === 0", seconds=600)
        for _ in range(3):
            client.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
        return metrics["JSHeapUsedSize"] / 1e6, _largest_renderer(), memory_of(server.process)

    draw(FIRST_STROKES)
    before = look()
    draw(strokes)
    after = look()
    revision = float(page.evaluate("window.medloop.revision"))
    page.context.close()
    names = [f"growth of the {what} by 10,000 strokes (MB)" for what in ("page's heap", "page's process", "server")]
    grown = {name: [10_000 / strokes * (last - first)] for name, first, last in zip(names, before, after, strict=True)}
    return grown | {"edits saved": [revision]}


def _largest_renderer() -> float:
    """Memory of the process that draws the page."""
    renderers = [one for one in children_of(os.getpid()) if "--type=renderer" in _command(one)]
    return max(memory_of(one) for one in renderers)


def _command(process: int) -> str:
    try:
        return (Path("/proc") / str(process) / "cmdline").read_text()
    except OSError:
        return ""  # it ended meanwhile
