"""Brush, outlines, operations, prompts and the 3D view on a large volume: from the hand to the pixels."""

import math
from collections import defaultdict

from playwright.sync_api import Page

from page_browser import middle_of, time_to_paint, time_to_sight, wait_until, watch_for
from page_projects import Made, draw_organ

PREVIEWED = "document.querySelector('[data-testid=preview]')?.textContent.includes('voxel')"
PUT_AWAY = "!document.querySelector('[data-testid=preview]')?.textContent"
OPERATIONS = {"smooth": "Shift+S", "islands": "Shift+O", "grow": "Shift+G"}
MOVES = 40


def measure_strokes(page: Page, repetitions: int) -> dict[str, list[float]]:
    """Moves of the brush in the axial plane, on all values and on a range of them; what was drawn is taken back."""
    found = {"brush move to pixels (ms)": _moves(page, repetitions)}
    page.keyboard.press("Shift+T")
    found["threshold brush move to pixels (ms)"] = _moves(page, repetitions)
    page.keyboard.press("Shift+T")
    return found


def _moves(page: Page, repetitions: int) -> list[float]:
    page.keyboard.press("b")
    x, y = middle_of(page, "axial")
    times: list[float] = []
    while len(times) < repetitions:
        page.mouse.move(x - 60, y)
        page.mouse.down()
        for n in range(MOVES):
            page.mouse.move(x - 60 + 3 * n, y + 40 * math.sin(n / 6))
            times.append(time_to_paint(page))
        page.mouse.up()
        page.keyboard.press("Control+z")
        wait_until(page, "window.medloop.saved === 'saved'")
    return times


def measure_lasso(page: Page, repetitions: int) -> dict[str, list[float]]:
    """A free outline round the organ: its moves, and from letting go to the preview of what it would do."""
    page.keyboard.press("Shift+B")
    x, y = middle_of(page, "axial")
    found = defaultdict[str, list[float]](list)
    for _ in range(repetitions):
        page.mouse.move(x + 90, y)
        page.mouse.down()
        for n in range(1, MOVES + 1):
            turn = 2 * math.pi * n / MOVES
            page.mouse.move(x + 90 * math.cos(turn), y + 70 * math.sin(turn))
            found["lasso move to pixels (ms)"].append(time_to_paint(page))
        watch_for(page, PREVIEWED)
        page.mouse.up()
        found["lasso closed to its preview (ms)"].append(time_to_sight(page))
        page.keyboard.press("Escape")
        wait_until(page, PUT_AWAY)
    return found


def measure_operations(page: Page, url: str, made: Made, shape: tuple[int, int, int], repetitions: int) -> dict[str, list[float]]:
    """From the key to the preview of an operation on the whole organ; a flood from a click in it; and its surface in 3D."""
    draw_organ(url, made.project, made.cases[0], shape)
    page.reload()
    wait_until(page, "window.medloop?.seen")
    found = defaultdict[str, list[float]](list)
    for name, key in OPERATIONS.items():
        for _ in range(repetitions):
            watch_for(page, PREVIEWED)
            page.keyboard.press(key)
            found[f"{name}, 512×512×400 (ms)"].append(time_to_sight(page))
            page.keyboard.press("Escape")
            wait_until(page, PUT_AWAY)
    found["flood, 512×512×400 (ms)"] = _floods(page, repetitions)
    found["3D surface, 512×512×400 (ms)"] = _surfaces(page, repetitions)
    return found


def _floods(page: Page, repetitions: int) -> list[float]:
    """Through the slices, over the values under the brush."""
    page.keyboard.press("Shift+W")
    page.keyboard.press("d")
    x, y = middle_of(page, "axial")
    page.mouse.move(x + 30, y + 20)
    page.keyboard.press("Shift+U")
    times = []
    for _ in range(repetitions):
        watch_for(page, PREVIEWED)
        page.mouse.click(x + 30, y + 20)
        times.append(time_to_sight(page))
        page.keyboard.press("Escape")
        wait_until(page, PUT_AWAY)
    page.keyboard.press("d")
    page.keyboard.press("Shift+T")
    return times


def _surfaces(page: Page, repetitions: int) -> list[float]:
    times = []
    for _ in range(repetitions):
        watch_for(page, "document.querySelector('[data-testid=surface-canvas][data-state=ready]')")
        page.keyboard.press("Shift+Z")
        times.append(time_to_sight(page))
        page.keyboard.press("Shift+Z")
        wait_until(page, "!document.querySelector('[data-testid=surface-canvas]')")
    return times


def measure_prompts(page: Page, repetitions: int) -> dict[str, list[float]]:
    """A click on the organ until its preview is seen, with the engine's own time apart."""
    page.keyboard.press("c")
    wait_until(page, "window.medloop.engine")
    page.keyboard.press("Alt+a")
    x, y = middle_of(page, "axial")
    found = defaultdict[str, list[float]](list)
    for n in range(repetitions):
        watch_for(page, "window.medloop.previewed === 1 && !window.medloop.refining")
        with page.expect_response(lambda reply: reply.url.endswith("/prompts/preview")) as reply:
            page.mouse.click(x + 4 * (n % 9) - 16, y + 3 * (n % 7) - 9)
        whole, engine = time_to_sight(page), 1000 * float(reply.value.json()["seconds"])
        found["a prompt to its preview, 256×256×150 (ms)"].append(whole)
        found["of this the engine (ms)"].append(engine)
        found["preview after the engine (ms)"].append(whole - engine)
        page.keyboard.press("Escape")
        wait_until(page, "window.medloop.previewed === 0")
    return found
