"""What is drawn outlives the network, the tab and a second window of the same case."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import INTRODUCED, Serve, wait_for


def dab(page: Page, i: int, j: int) -> None:
    """One click of the brush."""
    page.keyboard.press("b")
    point = page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, 4)")
    page.mouse.click(point["x"], point["y"])


@pytest.mark.browser
def test_strokes_outlive_a_cut_network_a_crashed_tab_and_a_second_window(chromium: Browser, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    context = chromium.new_context(viewport={"width": 1400, "height": 900})  # its console reports the network that is cut here
    context.add_init_script(INTRODUCED)
    page = context.new_page()
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("[")
    case, assignment = page.evaluate("[window.medloop.caseId, window.medloop.assignmentId]")

    context.set_offline(True)
    dab(page, 3, 3)
    wait_for(page, "window.medloop.saved === 'offline'")
    dab(page, 7, 7)
    context.set_offline(False)
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.revision === 2")

    context.set_offline(True)
    dab(page, 3, 8)
    wait_for(page, "window.medloop.saved === 'offline'")
    drawn = page.evaluate("window.medloop.labelCounts()")["1"]
    address = page.url
    with pytest.raises(Error):
        page.goto("chrome://crash", timeout=5000)
    page.close()
    context.set_offline(False)
    page = context.new_page()
    page.goto(address)
    wait_for(page, "window.medloop?.seen && window.medloop.saved === 'saved' && window.medloop.revision === 3")
    assert page.evaluate("[window.medloop.caseId, window.medloop.labelCounts()['1']]") == [case, drawn]
    assert int(np.count_nonzero(read_draft(workspace, assignment).mask)) == drawn

    other = context.new_page()
    other.goto(address)
    wait_for(other, "window.medloop?.ready && window.medloop.revision === 3")
    dab(other, 8, 3)
    wait_for(other, "window.medloop.saved === 'saved' && window.medloop.revision === 4")
    page.bring_to_front()
    dab(page, 8, 8)
    expect(page.get_by_test_id("conflict-dialog")).to_be_visible()
    page.get_by_test_id("conflict-keep").click()
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.revision === 5")
    kept = read_draft(workspace, assignment).mask
    assert kept[8, 3, 4] == kept[8, 8, 4] == 1
    context.close()
