"""Quick ways to a mask: slices filled in between drawn ones, outlines pushed, outermost points clicked; each undone by a key."""

from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from medloop.interaction.prompts import ExtremePoints
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.prompt_log import gesture_of, in_force, prompt_log
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE, fill_project

from .conftest import Serve
from .test_advice import drag, open_next, until


def test_slices_between_two_drawn_ones_are_filled_and_undone(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        _, assignment = open_next(page, serve(workspace.folder), workspace)
        page.keyboard.press("b")
        for k in (1, 5):
            turn_to(page, k)
            drag(page, (4, 5, k), (8, 5, k))
        page.keyboard.press("Shift+F")
        expect(page.get_by_text("3 slices filled between 2 drawn ones")).to_be_visible()
        counts = np.count_nonzero(read_draft(workspace, assignment).mask, axis=(0, 1))
        assert (counts[1:6] > 0).all()
        assert not counts[[0, 6, 7]].any()
        page.keyboard.press("Control+z")
        until(page, lambda: np.count_nonzero(read_draft(workspace, assignment).mask[..., 2:5]) == 0)
        assert np.count_nonzero(read_draft(workspace, assignment).mask) == counts[1] + counts[5]


def turn_to(page: Page, k: int) -> None:
    """Page through the axial plane to a slice."""
    at = page.evaluate("window.medloop.pointOf('axial', 6, 5, window.medloop.crosshair[2])")
    page.mouse.move(at["x"], at["y"])
    for _ in range(2 * SHAPE[2]):
        now = page.evaluate("window.medloop.crosshair[2]")
        if now == k:
            return
        page.keyboard.press("ArrowDown")
        if abs(page.evaluate("window.medloop.crosshair[2]") - k) > abs(now - k):
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowUp")
    raise AssertionError(f"slice {k} was not reached")


def test_an_outline_is_pushed_out_from_inside_and_in_from_outside(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        _, assignment = open_next(page, serve(workspace.folder), workspace)

        def count() -> int:
            return int(np.count_nonzero(read_draft(workspace, assignment).mask))

        page.keyboard.press("b")
        turn_to(page, 3)
        drag(page, (4, 5, 3), (8, 5, 3))
        until(page, lambda: count() > 0)
        drawn = count()
        page.keyboard.press("Shift+E")
        assert page.get_by_test_id("tool-push").get_attribute("aria-pressed") == "true"
        drag(page, (6, 5, 3), (6, 9, 3))
        until(page, lambda: count() > drawn)
        pushed = read_draft(workspace, assignment).mask
        assert not np.count_nonzero(pushed[..., [2, 4]])
        drag(page, (0, 5, 3), (5, 5, 3))
        until(page, lambda: count() < np.count_nonzero(pushed))
        page.keyboard.press("Control+z")
        until(page, lambda: count() == np.count_nonzero(pushed))
        page.keyboard.press("Control+z")
        until(page, lambda: count() == drawn)


def test_four_outermost_points_are_one_gesture(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        _, assignment = open_next(page, serve(workspace.folder, assistant=True), workspace)
        turn_to(page, 3)
        page.keyboard.press("Shift+A")
        points = [(3, 5, 3), (9, 5, 3), (6, 2, 3), (6, 8, 3)]
        for n, (i, j, k) in enumerate(points):
            at = page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, {k})")
            page.mouse.click(at["x"], at["y"])
            if n == 0:
                page.keyboard.press("Escape")  # puts the first point away
                page.mouse.click(at["x"], at["y"])
        expect(page.locator(".prompt-row").get_by_text("outermost points")).to_be_visible(timeout=60_000)
        until(page, lambda: np.count_nonzero(read_draft(workspace, assignment).mask) > 0)
        with workspace.store.read() as tx:
            (record,) = in_force(prompt_log(tx, assignment))
        assert gesture_of(record) == ExtremePoints(tuple(points), 1)
        mask = read_draft(workspace, assignment).mask
        assert all(mask[point] == 1 for point in points)
        page.keyboard.press("Control+z")
        until(page, lambda: not read_draft(workspace, assignment).mask.any())
