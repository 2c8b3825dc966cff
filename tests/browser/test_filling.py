"""Two slices drawn with the brush, the rest filled in by a key; undone by another."""

from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from medloop.loop.drafts import read_draft
from medloop.loop.workspace import Workspace
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
