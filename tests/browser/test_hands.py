"""Keys answer once, and only what was seen; a stroke is never lost with its case."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation, Assignment
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for


def open_project(page: Page, serve: Serve, folder: Path, kind: str) -> Workspace:
    """Its next case is on the screen, seen or not."""
    fill_project(folder, kind)  # type: ignore[arg-type]
    workspace = Workspace.open(folder)
    page.goto(f"{serve(folder)}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.ready")
    return workspace


CLICK_AT_ONCE = """new Promise((done) => {
  const timer = setInterval(() => {
    if (!window.medloop.caseId || window.medloop.caseId === "%s") return;
    clearInterval(timer);
    document.querySelector("[data-testid=class-1]").click();
    done();
  }, 5);
})"""
"""A click meant for one case that meets the next one as soon as it is there."""


def annotations(workspace: Workspace) -> list[Annotation]:
    with workspace.store.read() as tx:
        return tx.find(Annotation)


@pytest.mark.browser
def test_a_held_class_key_answers_one_case_that_was_seen(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = open_project(page, serve, tmp_path / "project", "classification")
    page.get_by_test_id("one-key").check()
    page.evaluate("document.activeElement.blur()")
    wait_for(page, "window.medloop.seen")
    first = page.evaluate("window.medloop.caseId")
    page.keyboard.down("1")
    for _ in range(30):
        page.wait_for_timeout(50)
        page.keyboard.down("1")
    page.keyboard.up("1")
    assert [a.case_id for a in annotations(workspace)] == [first]
    expect(page.get_by_test_id("notices")).to_contain_text("Annotated")
    second = page.evaluate("window.medloop.caseId")
    wait_for(page, "window.medloop.seen")
    page.get_by_test_id("class-1").dblclick()
    page.evaluate(CLICK_AT_ONCE % second)
    expect(page.get_by_test_id("notices")).to_contain_text("nothing was submitted")
    assert [a.case_id for a in annotations(workspace)] == [first, second]


@pytest.mark.browser
def test_a_held_enter_submits_one_case(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = open_project(page, serve, tmp_path / "project", "segmentation")
    draw(page, 3)
    page.keyboard.down("Enter")
    for _ in range(30):
        page.wait_for_timeout(50)
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    assert len(annotations(workspace)) == 1
    page.get_by_test_id("submit").focus()
    wait_for(page, "window.medloop.seen")
    draw(page, 3)
    page.get_by_test_id("submit").focus()
    for _ in range(20):
        page.wait_for_timeout(50)
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    assert len(annotations(workspace)) == 2


def draw(page: Page, i: int) -> None:
    """One dot of the brush, saved."""
    wait_for(page, "window.medloop.seen")
    revision = page.evaluate("window.medloop.revision")
    page.keyboard.press("b")
    point = page.evaluate(f"window.medloop.pointOf('axial', {i}, 4, 4)")
    page.mouse.click(point["x"], point["y"])
    wait_for(page, f"window.medloop.revision === {revision + 1} && window.medloop.saved === 'saved'")


@pytest.mark.browser
def test_enter_in_a_stroke_keeps_it_and_escape_takes_it_back_on_the_spot(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = open_project(page, serve, tmp_path / "project", "segmentation")
    draw(page, 3)
    case_id, assignment_id = page.evaluate("[window.medloop.caseId, window.medloop.assignmentId]")
    before = page.evaluate("window.medloop.labelCounts()")
    start, stop = (page.evaluate(f"window.medloop.pointOf('axial', {i}, 7, 4)") for i in (2, 8))
    page.mouse.move(start["x"], start["y"])
    page.mouse.down()
    page.mouse.move(stop["x"], stop["y"], steps=5)
    assert page.evaluate("window.medloop.labelCounts()") != before
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.evaluate("window.medloop.labelCounts()") == before
    assert page.evaluate("window.medloop.caseId") == case_id

    page.mouse.move(start["x"], start["y"])
    page.mouse.down()
    page.mouse.move(stop["x"], stop["y"], steps=5)
    drawn = page.evaluate("window.medloop.labelCounts()")["1"]
    page.keyboard.press("Enter")
    wait_for(page, f"window.medloop.caseId !== {case_id!r}")
    page.mouse.up()
    (made,) = annotations(workspace)
    assert made.assignment_id == assignment_id
    with workspace.store.read() as tx:
        assert tx.get(Assignment, assignment_id).revision == 2
    assert int((read_draft(workspace, assignment_id).mask == 1).sum()) == drawn > before["1"]


@pytest.mark.browser
def test_a_window_that_goes_away_finishes_the_stroke_and_leaving_at_once_saves_it(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = open_project(page, serve, tmp_path / "project", "segmentation")
    draw(page, 3)
    case_id, assignment_id = page.evaluate("[window.medloop.caseId, window.medloop.assignmentId]")
    for end in ("window.dispatchEvent(new Event('blur'))", "location.hash = location.hash.split('/case')[0]"):
        start, stop = (page.evaluate(f"window.medloop.pointOf('axial', {i}, {5 if 'blur' in end else 8}, 4)") for i in (2, 8))
        page.mouse.move(start["x"], start["y"])
        page.mouse.down()
        page.mouse.move(stop["x"], stop["y"], steps=5)
        drawn = page.evaluate("window.medloop.labelCounts()")["1"]
        page.evaluate(end)
        page.mouse.move(start["x"], start["y"] + 40)
        page.mouse.up()
    expect(page.get_by_test_id("worklist")).to_be_visible()
    page.get_by_test_id(f"case-{case_id}").click()
    wait_for(page, "window.medloop.ready")
    assert page.evaluate("window.medloop.labelCounts()")["1"] == drawn
    wait_for(page, "window.medloop.saved === 'saved'")
    assert np.count_nonzero(read_draft(workspace, assignment_id).mask) == drawn
