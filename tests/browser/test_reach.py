"""Rows of buttons by keys, keys of one's own, and measurements without a network."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from medloop.core.records import Measurement
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for
from .dragging import drag

OWN = json.dumps({"keys": {"brush": ["Shift+B"]}, "introduced": True})
"""Kept before the table gave Shift + B to the lasso."""

FOCUS = "document.activeElement?.dataset.testid ?? ''"
STOPS = "[...document.querySelectorAll('.toolbar button')].filter((button) => button.tabIndex === 0).length"


@pytest.mark.browser
def test_rows_are_one_stop_each_and_an_own_key_does_one_thing(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    page.add_init_script(f"localStorage['medloop.preferences'] = JSON.stringify({OWN!r})")
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    slice_before = page.evaluate("window.medloop.crosshair[2]")
    assert page.evaluate(STOPS) == 1
    page.get_by_test_id("tool-navigate").focus()
    for key, there in (
        ("ArrowRight", "tool-window"),
        ("ArrowDown", "tool-eraser"),
        ("ArrowUp", "tool-window"),
        ("End", "hold-to-hide"),
        ("Home", "tool-navigate"),
    ):
        page.keyboard.press(key)
        assert page.evaluate(FOCUS) == there
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS) == "tool-window", "one comes back to where one was"
    assert page.evaluate("window.medloop.crosshair[2]") == slice_before

    page.keyboard.press("Shift+B")
    wait_for(page, "window.medloop.tool === 'brush'")
    page.keyboard.press("Shift+Enter")
    wait_for(page, "window.medloop.revision === 1 && window.medloop.saved === 'saved'")
    page.get_by_test_id("undo").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("undo")).to_be_disabled()
    assert page.evaluate(FOCUS) == "undo", "a button that can do nothing more keeps the focus"
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("notices")).to_contain_text("nothing to undo")
    page.keyboard.press("?")
    expect(page.get_by_test_id("lost-freehand")).to_contain_text("“Shift + B” is yours for “Brush")
    assert page.get_by_test_id("help-dialog").locator("h2").is_visible(), "it begins at its beginning"


@pytest.mark.browser
def test_a_measurement_outlives_a_cut_network_and_is_one(chromium: Browser, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    context = chromium.new_context(viewport={"width": 1400, "height": 900})  # its console reports the network that is cut here
    page = context.new_page()
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    page.get_by_test_id("tool-ruler").click()
    context.set_offline(True)
    drag(page, (2, 2, 4), (8, 6, 4))
    expect(page.get_by_test_id("measurements-offline")).to_be_visible()
    row = page.get_by_test_id("measurement")
    expect(row).to_contain_text("mm")
    name = row.get_by_role("textbox")
    name.fill("width")
    name.press("Enter")
    context.set_offline(False)
    expect(page.get_by_test_id("measurements-offline")).to_be_hidden()
    expect(page.get_by_test_id("measurements")).to_have_attribute("aria-busy", "false")
    with workspace.store.read() as tx:
        assert [one.note for one in tx.find(Measurement)] == ["width"]
    context.close()
