"""Somebody's first case: introduced, found by words, with keys of one's own, by fingers and pen, and without any mouse at all."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for
from .teams import PASSWORD, Team

NEW_HERE = """if (location.protocol.startsWith("http") && !localStorage["medloop.new"]) {
  localStorage["medloop.new"] = 1;
  localStorage.removeItem("medloop.preferences");
}"""
"""Nobody has been here before."""


def picture() -> bytes:
    made = io.BytesIO()
    PIL.Image.fromarray(np.full((8, 8, 3), 120, np.uint8)).save(made, "PNG")
    return made.getvalue()


@pytest.mark.browser
def test_a_first_case_is_introduced_once_and_every_action_is_found_by_words(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    configure(workspace, task=TaskChange(instructions="# Edge\n- ![the edge](picture-1)", pictures=[picture()]))
    page.context.add_init_script(NEW_HERE)
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    introduction = page.get_by_test_id("introduction")
    expect(introduction).to_contain_text("1 of 4")
    for _ in range(3):
        page.get_by_test_id("intro-next").click()
    expect(introduction).to_contain_text("Submit")
    expect(page.get_by_test_id("submit")).to_have_class("primary submit introduced")
    page.get_by_test_id("intro-next").click()
    expect(introduction).to_be_hidden()

    page.get_by_text("Instructions", exact=True).click()
    wait_for(page, "document.querySelector('.instructions img').naturalWidth === 8")

    page.keyboard.press("Control+k")
    page.keyboard.type("undo")
    offer = page.get_by_test_id("offer-undo")
    expect(offer).to_contain_text("There is nothing to undo")
    expect(offer).to_contain_text("Ctrl + Z")
    page.get_by_test_id("palette-words").fill("brush ctrl")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("palette")).to_be_hidden()
    wait_for(page, "window.medloop.tool === 'brush'")

    page.keyboard.press("?")
    page.get_by_test_id("change-keys").click()
    page.get_by_test_id("key-brush").click()
    page.keyboard.press("e")
    expect(page.get_by_role("alert")).to_contain_text("“E” is the key of “Eraser”")
    page.get_by_test_id("key-brush").click()
    page.keyboard.press("Alt+z")
    expect(page.get_by_test_id("key-brush")).to_have_text("Alt + Z")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.press("b")
    wait_for(page, "window.medloop.tool === 'eraser'")
    page.keyboard.press("Alt+z")
    wait_for(page, "window.medloop.tool === 'brush'")
    page.get_by_test_id("tool-brush").hover()
    expect(page.get_by_role("tooltip")).to_have_text("Brush (Alt + Z)")
    page.reload()
    wait_for(page, "window.medloop?.ready")
    expect(page.get_by_test_id("tool-brush")).to_have_attribute("title", "Brush (Alt + Z)")
    expect(introduction).to_be_hidden()


def tab_to(page: Page, testid: str) -> None:
    """Go there by the key alone."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset.testid ?? ''") == testid:
            return
    pytest.fail(f"Tab never reaches {testid}")


@pytest.mark.browser
def test_from_sign_in_to_submission_by_keys_alone_and_own_keys_come_with_the_account(team: Team) -> None:
    team.add("Mia", "annotator")
    page = team.open_browser()
    page.goto(f"{team.address}/")
    expect(page.get_by_test_id("sign-in-name")).to_be_focused()
    page.keyboard.type("Mia")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("sign-in-dialog")).to_be_hidden()
    tab_to(page, f"annotate-{team.project}")
    page.keyboard.press("Enter")
    wait_for(page, "window.medloop?.seen")
    tab_to(page, "pane-axial")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("slice-said")).to_contain_text("Axial slice")
    before = page.evaluate("window.medloop.crosshair")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+ArrowDown")
    after = page.evaluate("window.medloop.crosshair")
    assert [abs(a - b) for a, b in zip(after, before, strict=True)] == [1, 1, 0]
    page.keyboard.press("b")
    page.keyboard.press("Shift+Enter")
    wait_for(page, "window.medloop.revision === 1 && window.medloop.saved === 'saved'")
    assert page.evaluate(f"window.medloop.labelAt({after[0]}, {after[1]}, {after[2]})") == 1
    page.keyboard.press("?")
    for testid in ("change-keys", "key-submit"):
        tab_to(page, testid)
        page.keyboard.press("Enter")
    page.keyboard.press("F2")
    expect(page.get_by_test_id("key-submit")).to_have_text("F2")
    page.keyboard.press("Escape")
    first = page.evaluate("window.medloop.caseId")
    page.keyboard.press("F2")
    wait_for(page, f"window.medloop.caseId !== {first!r}")
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        (made,) = tx.find(Annotation)
        assert made.case_id == first
    elsewhere = team.enter("Mia", f"p/{team.project}/next")
    wait_for(elsewhere, "window.medloop?.ready")
    expect(elsewhere.get_by_test_id("submit")).to_contain_text("F2")


@pytest.mark.browser
def test_two_fingers_zoom_and_a_pen_draws_while_a_palm_rests(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    page.goto(f"{serve(tmp_path / 'project')}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("b")
    middle = page.evaluate("window.medloop.pointOf('axial', 5, 5, 4)")
    cdp = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": middle["x"] + x, "y": middle["y"] + y, "id": n} for n, (x, y) in enumerate(points)]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def apart() -> float:
        one, other = (page.evaluate(f"window.medloop.pointOf('axial', {i}, 5, 4)") for i in (2, 8))
        return abs(other["x"] - one["x"])

    before, counts = apart(), page.evaluate("window.medloop.labelCounts()")
    touch("touchStart", (-30, 0))
    touch("touchStart", (-30, 0), (30, 0))
    touch("touchMove", (-60, 0), (60, 0))
    touch("touchEnd")
    assert apart() == pytest.approx(2 * before, rel=0.05)
    assert page.evaluate("window.medloop.labelCounts()") == counts  # what the first finger began is taken back
    page.keyboard.press("r")

    def pen(kind: str, x: float) -> None:
        cdp.send(
            "Input.dispatchMouseEvent",
            {"type": kind, "x": middle["x"] + x, "y": middle["y"], "button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"},
        )

    pen("mousePressed", 0)
    touch("touchStart", (40, 60))
    pen("mouseMoved", 10)
    touch("touchMove", (60, 60))
    pen("mouseReleased", 10)
    touch("touchEnd")
    wait_for(page, "window.medloop.revision === 1 && window.medloop.saved === 'saved'")
    drawn = page.evaluate("window.medloop.labelCounts()")
    touch("touchStart", (-50, 40))
    touch("touchEnd")
    assert page.evaluate("window.medloop.labelCounts()") == drawn != counts
