"""What a hurried hand, a full disk or an odd mouse does to a case: nothing is drawn unseen, and nothing is said to be kept that is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import INTRODUCED, Serve, wait_for
from .test_interruptions import dab

NO_STORAGE = """Object.defineProperty(globalThis, "indexedDB", { value: undefined });"""
FULL_STORAGE = """IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };"""


@contextmanager
def opened(chromium: Browser, address: str, *scripts: str) -> Iterator[Page]:
    """A case in a browser whose console may report the network that is cut."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    for script in (INTRODUCED, *scripts):
        context.add_init_script(script)
    page = context.new_page()
    page.goto(address)
    wait_for(page, "window.medloop?.seen")
    yield page
    context.close()


@pytest.fixture
def address(serve: Serve, tmp_path: Path) -> str:
    """The next case of a small segmentation."""
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        return f"{serve(tmp_path / 'project').rstrip('/')}/#/p/{workspace.project.id}/next"


def pixel(page: Page, i: int, j: int) -> tuple[float, float]:
    at = page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, 4)")
    return at["x"], at["y"]


@pytest.mark.browser
def test_a_stroke_ends_with_its_own_button_also_where_another_is_held(page: Page, address: str) -> None:
    page.goto(address)
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("b")
    page.keyboard.press("[")
    page.mouse.move(*pixel(page, 2, 2))
    page.mouse.down()
    page.mouse.down(button="right")
    page.mouse.move(*pixel(page, 2, 4), steps=3)
    page.mouse.up()
    drawn = page.evaluate("window.medloop.labelCounts()")
    page.mouse.move(*pixel(page, 9, 9), steps=5)
    page.mouse.up(button="right")
    assert page.evaluate("window.medloop.labelCounts()") == drawn
    assert page.evaluate("window.medloop.labelAt(2, 2, 4)") == 1
    assert page.evaluate("window.medloop.labelAt(9, 9, 4)") == 0


@pytest.mark.browser
def test_a_window_that_changes_its_size_ends_the_stroke_where_it_was(page: Page, address: str) -> None:
    page.goto(address)
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("b")
    page.keyboard.press("[")
    page.mouse.move(*pixel(page, 2, 2))
    page.mouse.down()
    page.mouse.move(*pixel(page, 3, 2), steps=3)
    drawn = page.evaluate("window.medloop.labelCounts()")
    page.set_viewport_size({"width": 900, "height": 700})
    wait_for(page, "innerWidth === 900")
    page.mouse.move(*pixel(page, 9, 8), steps=3)
    page.mouse.up()
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.revision === 1")
    assert page.evaluate("window.medloop.labelCounts()") == drawn


@pytest.mark.browser
def test_a_double_click_on_undo_draws_nothing_on_the_case_below(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(address)
    wait_for(page, "window.medloop?.seen")
    dab(page, 3, 3)
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.revision === 1")
    here = page.evaluate("window.medloop.caseId")
    page.get_by_test_id("submit").dblclick()
    wait_for(page, f"window.medloop.caseId && window.medloop.caseId !== {here!r} && window.medloop.seen")
    below = page.evaluate("window.medloop.assignmentId")
    page.get_by_test_id("notice-action").dblclick()
    wait_for(page, f"window.medloop.caseId === {here!r} && window.medloop.seen")
    assert page.evaluate("window.medloop.labelAt(3, 3, 4)") == 1
    with Workspace.open(tmp_path / "project") as workspace:
        assert not read_draft(workspace, below).mask.any()


@pytest.mark.browser
def test_a_question_about_a_case_goes_with_it(page: Page, address: str) -> None:
    page.goto(address)
    wait_for(page, "window.medloop?.seen")
    first = page.evaluate("window.medloop.caseId")
    dab(page, 3, 3)
    page.keyboard.press("Enter")
    wait_for(page, f"window.medloop.caseId && window.medloop.caseId !== {first!r} && window.medloop.seen")
    page.keyboard.press("g")
    expect(page.get_by_test_id("flag-dialog")).to_be_visible()
    page.go_back()
    wait_for(page, f"window.medloop.caseId === {first!r} && window.medloop.seen")
    expect(page.get_by_test_id("flag-dialog")).to_have_count(0)


@pytest.mark.browser
def test_a_search_that_the_back_button_takes_back_leaves_its_field(page: Page, address: str) -> None:
    page.goto(address.replace("/next", ""))
    page.goto(address.replace("/next", "?search=0003"))
    expect(page.get_by_test_id("list-length")).to_have_text("1 case")
    page.get_by_test_id("search").fill("0002")
    page.go_back()
    expect(page.get_by_test_id("list-length")).to_have_text("5 cases")
    expect(page.get_by_test_id("search")).to_have_value("")


@pytest.mark.browser
def test_a_double_click_saves_the_task_once(page: Page, address: str) -> None:
    page.goto(address.replace("/next", "/settings"))
    page.get_by_test_id("instructions").fill("Outline both.")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.method == "PATCH" else None)
    page.get_by_test_id("save-task").dblclick()
    expect(page.get_by_text("Version 2.")).to_be_visible()
    assert sent == ["PATCH"]


@pytest.mark.browser
@pytest.mark.parametrize("script", [NO_STORAGE, FULL_STORAGE], ids=["forbidden", "full"])
def test_what_the_browser_does_not_keep_is_not_said_to_be_kept(chromium: Browser, address: str, script: str) -> None:
    with opened(chromium, address, script) as page:
        page.context.set_offline(True)
        dab(page, 3, 3)
        expect(page.get_by_test_id("saved")).to_have_text("Offline: 1 edit not kept by this browser, leave the page open")
        page.once("dialog", lambda dialog: dialog.dismiss())
        with page.expect_event("dialog") as asked:
            page.close(run_before_unload=True)
        assert asked.value.type == "beforeunload"
        page.keyboard.press("Escape")  # back to the list: what waits is not forgotten with the case
        page.context.set_offline(False)
        page.go_back()
        wait_for(page, "window.medloop?.seen && window.medloop.saved === 'saved' && window.medloop.revision === 1")
        assert page.evaluate("window.medloop.labelAt(3, 3, 4)") == 1
