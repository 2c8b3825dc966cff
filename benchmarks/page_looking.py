"""First image, next case and slice changes, as somebody at the screen has them."""

from collections import defaultdict

from playwright.sync_api import Browser, Page

from page_browser import middle_of, new_context, open_case, time_to_paint, time_to_sight, wait_until, watch_for
from page_figures import PageError
from page_projects import Made

PLANES = ("axial", "coronal", "sagittal")
SHAPE_TEXT = "256×256×150"
NOTCH_MS = 150
"""Between two notches of a wheel that a hand turns."""


def measure_first_images(browser: Browser, url: str, made: Made, repetitions: int) -> dict[str, list[float]]:
    """A case opened in a browser that has nothing: from the address to the first slice, and from the page's own start of opening."""
    found = defaultdict[str, list[float]](list)
    for n in range(repetitions):
        context = new_context(browser)
        page = context.new_page()
        page.goto(f"{url}/#/p/{made.project}/case/{made.cases[n % len(made.cases)]}")
        watch_for(page, "window.medloop?.firstImageMs > 0")
        wait_until(page, "window.watch.seen > 0")
        found[f"address to first image, {SHAPE_TEXT} (ms)"].append(float(page.evaluate("window.watch.seen")))
        found[f"first image, {SHAPE_TEXT} (ms)"].append(float(page.evaluate("window.medloop.firstImageMs")))
        wait_until(page, "window.medloop.ready")
        found[f"whole case, {SHAPE_TEXT} (ms)"].append(float(page.evaluate("window.medloop.completeMs")))
        context.close()
    return found


def measure_next_cases(browser: Browser, url: str, made: Made, repetitions: int) -> dict[str, list[float]]:
    """Enter on a case with a stroke in it: until the next one, fetched meanwhile, is on the screen."""
    page = new_context(browser).new_page()
    fetched: list[str] = []
    page.on("requestfinished", lambda request: fetched.append(request.url))
    page.goto(f"{url}/#/p/{made.project}/next")
    found = defaultdict[str, list[float]](list)
    for _ in range(repetitions):
        wait_until(page, "window.medloop?.seen")
        page.keyboard.press("b")
        page.mouse.click(*middle_of(page, "axial"))
        wait_until(page, "window.medloop.saved === 'saved' && window.medloop.revision === 1")
        here = page.evaluate("window.medloop.caseId")
        _wait_for_another(page, fetched, here)
        before = page.evaluate("window.medloop.firstImageMs")
        watch_for(page, f"window.medloop.caseId && window.medloop.caseId !== '{here}' && window.medloop.firstImageMs !== {before}")
        page.keyboard.press("Enter")
        found[f"next prefetched case, {SHAPE_TEXT} (ms)"].append(time_to_sight(page))
        found[f"next prefetched case, the page's part, {SHAPE_TEXT} (ms)"].append(float(page.evaluate("window.medloop.firstImageMs")))
    page.context.close()
    return found


def _wait_for_another(page: Page, fetched: list[str], here: str) -> None:
    """Until the voxels of a case other than this one have come."""
    for _ in range(2000):
        if any("/voxels" in url and here not in url for url in fetched):
            fetched.clear()
            page.wait_for_timeout(100)
            return
        page.wait_for_timeout(10)
    raise PageError("The next case was never fetched ahead")


def measure_slices(page: Page, repetitions: int) -> dict[str, list[float]]:
    """A notch of the wheel over each plane, turned as a hand does: until the slice is on the screen.

    "At once" turns the next notch as soon as the last one is on the screen; a wheel's event then waits in the browser until the frame
    before it is put away, which here takes longer than the page's own part.
    """
    found = defaultdict[str, list[float]](list)
    for plane in PLANES:
        for pause, name in ((NOTCH_MS, f"slice change, {plane} (ms)"), (0, f"slices at once, {plane} (ms)")):
            found[name] = [_notch(page, plane, down=n < repetitions // 2, pause=pause) for n in range(repetitions)]
    return found


def _notch(page: Page, plane: str, *, down: bool, pause: int) -> float:
    page.mouse.move(*middle_of(page, plane))
    page.wait_for_timeout(pause)
    before = page.evaluate("window.medloop.crosshair")
    page.mouse.wheel(0, 100 if down else -100)
    wait_until(page, f"String(window.medloop.crosshair) !== '{','.join(map(str, before))}'")
    return time_to_paint(page)


def opened_large(browser: Browser, url: str, made: Made) -> tuple[Page, dict[str, list[float]]]:
    """The large case on the screen, and what opening it took."""
    page = open_case(browser, url, made.project, made.cases[0])
    wait_until(page, "window.medloop.seen")
    took = {
        "first image, 512×512×400 (ms)": [float(page.evaluate("window.medloop.firstImageMs"))],
        "whole case, 512×512×400 (ms)": [float(page.evaluate("window.medloop.completeMs"))],
    }
    return page, took
