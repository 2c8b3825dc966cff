"""Marks in place of a mask, drawn by mouse and by key: what the page sends is what the store keeps."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from medloop.core.records import Annotation, Case, ProjectSettings, Source
from medloop.images.phantoms import phantom_3d
from medloop.interaction.prompts import Box, ExtremePoints, Point, Scribble
from medloop.interaction.weak.marks import Tag
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.marked import load_marks
from medloop.loop.foundation.workspace import Workspace

from .conftest import INTRODUCED, Serve, wait_for
from .dragging import drag


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    settings = ProjectSettings(audit_fraction=0.0, train_after=0)
    made = Workspace.create(tmp_path / "project", name="Marks", kind="segmentation", labels=["liver", "kidneys"], settings=settings)
    phantom = phantom_3d(0, 5, (40, 36, 24))
    source = Source(format="phantom", names=(phantom.name,), sha256="0" * 64)
    add_case(made, phantom.image, NewCase(name="scan", patient="p", split="train", source=source))
    return made


def go(page: Page, serve: Serve, workspace: Workspace) -> Page:
    with workspace.store.read() as tx:
        (case,) = tx.find(Case)
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/case/{case.id}")
    wait_for(page, f"window.medloop?.seen && window.medloop.caseId === '{case.id}'")
    return page


@pytest.fixture
def opened(page: Page, serve: Serve, workspace: Workspace) -> Page:
    return go(page, serve, workspace)


@pytest.fixture
def refused(chromium: Browser, serve: Serve, workspace: Workspace) -> Iterator[Page]:
    """A page whose console may name what the server refuses."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.add_init_script(INTRODUCED)
    yield go(page, serve, workspace)
    page.close()


def stored(workspace: Workspace) -> tuple[Annotation, tuple[object, ...]]:
    with workspace.store.read() as tx:
        (made,) = tx.marked_annotations()
    return made, load_marks(workspace.store.blobs, made)


def picture(page: Page, name: str) -> None:
    """A picture to look at, where somebody wants one."""
    if folder := os.environ.get("MEDLOOP_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")


def current_slice(page: Page) -> int:
    return int(page.evaluate("window.medloop.crosshair[2]"))


def test_by_mouse(opened: Page, workspace: Workspace) -> None:
    page = opened
    page.get_by_test_id("marks-open").click()
    expect(page.get_by_test_id("marks")).to_be_visible()
    k = current_slice(page)
    page.get_by_test_id("mark-scribble").click()
    drag(page, (10, 12, k), (18, 12, k))
    page.get_by_test_id("mark-box").click()
    drag(page, (8, 8, k), (22, 20, k))
    page.get_by_test_id("mark-background").check()
    page.get_by_test_id("mark-point").click()
    drag(page, (2, 2, k), (2, 2, k))
    page.get_by_test_id("mark-box").click()
    drag(page, (1, 1, k), (6, 6, k))
    expect(page.get_by_text("Background is marked by points and strokes")).to_be_visible()
    page.get_by_test_id("tag-2").select_option("absent")
    expect(page.get_by_test_id("mark-list").locator("li")).to_have_count(4)
    picture(page, "marks-mouse")
    page.reload()
    wait_for(page, "window.medloop?.seen")
    page.get_by_test_id("marks-open").click()
    expect(page.get_by_test_id("mark-list").locator("li")).to_have_count(4)
    page.get_by_test_id("marks-submit").click()
    expect(page.get_by_text("Annotated scan")).to_be_visible()
    made, marks = stored(workspace)
    scribble, box, point, tag = marks
    assert made.kind == "marks"
    assert made.effort_seconds > 0
    assert isinstance(scribble, Scribble)
    assert (scribble.label, scribble.voxels[0], scribble.voxels[-1]) == (1, (10, 12, k), (18, 12, k))
    assert box == Box((8, 8, k), (23, 21, k + 1), 1)
    assert point == Point((2, 2, k), 0)
    assert tag == Tag(2, False)


def test_by_key_and_marks_that_contradict_each_other_are_refused(refused: Page, workspace: Workspace) -> None:
    page = refused
    page.get_by_test_id("pane-axial").focus()
    page.keyboard.press("Alt+k")
    expect(page.get_by_test_id("marks")).to_be_visible()
    page.keyboard.press("c")
    first = tuple(round(v) for v in page.evaluate("window.medloop.crosshair"))
    page.keyboard.press("Alt+Shift+K")
    page.keyboard.press("2")
    page.keyboard.press("Alt+Shift+K")
    page.keyboard.press("Enter")
    expect(page.get_by_text("A voxel has one label")).to_be_visible()
    page.get_by_role("button", name="Remove this point").last.click()
    page.keyboard.press("Shift+A")
    for steps, key in enumerate(("Control+ArrowLeft", "Control+ArrowUp", "Control+ArrowRight", "Control+ArrowDown"), start=3):
        for _ in range(steps):
            page.keyboard.press(key)
        page.keyboard.press("Alt+Shift+K")
    expect(page.get_by_test_id("mark-list").locator("li")).to_have_count(2)
    picture(page, "marks-key")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Annotated scan")).to_be_visible()
    _, (point, extremes) = stored(workspace)
    assert point == Point(first, 1)  # type: ignore[arg-type]
    assert isinstance(extremes, ExtremePoints)
    assert (len(extremes.voxels), extremes.label) == (4, 2)
    assert len(np.unique(extremes.voxels, axis=0)) == 4


def test_a_drawn_mask_is_not_lost_to_marks(refused: Page, workspace: Workspace) -> None:
    page = refused
    page.keyboard.press("b")
    k = current_slice(page)
    drag(page, (10, 12, k), (18, 12, k))
    wait_for(page, "window.medloop.revision > 0")
    page.get_by_test_id("marks-open").click()
    page.get_by_test_id("tag-1").select_option("present")
    page.get_by_test_id("marks-submit").click()
    expect(page.get_by_text("this draft holds one that was drawn")).to_be_visible()
    with workspace.store.read() as tx:
        assert not tx.marked_annotations()
