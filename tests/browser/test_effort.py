"""What a case takes, measured by the page under a clock that the test turns: pauses, hidden pages, reloads, two windows, a day offline.

Headless Chromium hides no page, so being hidden is said to the page as Chromium says it: by `document.hidden` and its event.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from medloop.core.records import Annotation, Effort
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for

HOUR = 3600
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""

OFFLINE = """() => {
  const online = window.fetch;
  window.fetch = (address, how) => (String(address).endsWith("/effort") ? Promise.reject(new TypeError("offline")) : online(address, how));
}"""
"""This load of the page reaches nobody with its work, also not while it is left: a request that outlives it could arrive later."""


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    fill_project(tmp_path / "project", "segmentation")
    return Workspace.open(tmp_path / "project")


@pytest.fixture
def address(project: Workspace, serve: Serve) -> str:
    return f"{serve(project.folder)}/#/p/{project.project.id}/next"


def opened(page: Page, address: str) -> None:
    """The next case is on the screen, seen, and its clock turns only when it is told."""
    page.clock.install()
    page.goto(address)
    wait_for(page, "window.medloop?.seen")


def seconds(page: Page) -> float:
    return float(page.evaluate("window.medloop.effortSeconds"))


def move(page: Page, x: int = 300) -> None:
    page.mouse.move(x, 300)
    page.mouse.move(x + 20, 310)


def worked(page: Page, act: Callable[[], None]) -> float:
    """Active seconds that an act adds."""
    move(page)
    before = seconds(page)
    act()
    return seconds(page) - before


def efforts(project: Workspace) -> list[Effort]:
    with project.store.read() as tx:
        return tx.find(Effort)


def submitted(page: Page) -> dict[str, Any]:
    """The work as it is sent with the submission."""
    with page.expect_request(lambda request: request.url.endswith("/submit")) as sent:
        page.keyboard.press("Control+Enter")
        page.keyboard.press("Control+Enter")  # an empty mask is confirmed
    return dict(sent.value.post_data_json["effort"])


@pytest.mark.browser
def test_of_a_pause_half_a_minute_counts_and_of_a_laptop_that_sleeps_no_more(page: Page, address: str) -> None:
    opened(page, address)

    def pause() -> None:
        page.clock.fast_forward(10 * 60 * 1000)
        move(page, 400)
        page.clock.fast_forward(8 * HOUR * 1000)
        move(page, 300)

    assert worked(page, pause) == pytest.approx(60, abs=5)


@pytest.mark.browser
def test_a_page_hidden_over_lunch_is_not_paid_and_what_was_done_is_saved_first(page: Page, address: str, project: Workspace) -> None:
    opened(page, address)

    def lunch() -> None:
        with page.expect_response(lambda response: response.url.endswith("/effort")):
            page.evaluate(HIDE, True)
        page.clock.fast_forward(HOUR * 1000)
        page.evaluate(HIDE, False)

    assert worked(page, lunch) < 5
    assert [one.slices_viewed for one in efforts(project)] == [3]
    report = submitted(page)
    assert report["active_seconds"] < 60
    assert report["idle_seconds"] == pytest.approx(HOUR, abs=60)


@pytest.mark.browser
def test_a_wall_clock_that_is_set_back_changes_nothing(page: Page, address: str) -> None:
    opened(page, address)

    def back() -> None:
        page.clock.set_system_time(0)
        page.clock.fast_forward(10_000)
        move(page, 400)

    assert worked(page, back) == pytest.approx(10, abs=5)


@pytest.mark.browser
def test_strokes_steps_back_and_slices_are_counted(page: Page, address: str) -> None:
    opened(page, address)
    for x in (500, 530):
        page.keyboard.press("b")
        page.mouse.move(x, 300)
        page.mouse.down()
        page.mouse.move(x + 8, 304, steps=2)
        page.mouse.up()
    page.keyboard.press("Control+z")
    page.mouse.wheel(0, 120)
    page.mouse.wheel(0, 120)
    wait_for(page, "window.medloop.saved === 'saved'")
    report = submitted(page)
    assert (report["strokes"], report["undos"], report["prompts"]) == (2, 1, 0)
    assert report["slices_viewed"] >= 4
    assert 0 < report["first_stroke_seconds"] <= report["active_seconds"] + report["idle_seconds"]


@pytest.mark.browser
def test_a_reload_loses_no_second_and_counts_none_twice(page: Page, address: str, project: Workspace) -> None:
    opened(page, address)
    first = page.evaluate("window.medloop.caseId")
    page.clock.fast_forward(20_000)
    move(page)
    before = seconds(page)
    with page.expect_response(lambda response: response.request.method == "PUT" and response.url.endswith("/effort")):
        page.reload()
    wait_for(page, "window.medloop?.seen")
    assert page.evaluate("window.medloop.caseId") == first
    assert seconds(page) == pytest.approx(before, abs=15)
    page.clock.fast_forward(10_000)
    move(page)
    with page.expect_response(lambda response: response.url.endswith("/submit")):
        submitted(page)
    with project.store.read() as tx:
        (made,) = tx.find(Annotation)
    sessions = efforts(project)
    assert len(sessions) == 2
    assert made.effort_seconds == pytest.approx(sum(one.active_seconds or 0 for one in sessions), abs=0.2)


@pytest.mark.browser
def test_of_two_windows_only_the_one_that_is_worked_in_counts(page: Page, address: str) -> None:
    opened(page, address)
    other = page.context.new_page()
    opened(other, address)
    move(other)
    before = seconds(page)
    for window in (page, other):
        window.clock.fast_forward(20_000)
    move(other, 400)
    assert seconds(page) - before < 5
    assert seconds(other) > 19
    move(page, 420)
    page.clock.fast_forward(7000)
    assert seconds(page) - before == pytest.approx(7, abs=5)
    other.close()


@pytest.mark.browser
def test_work_of_a_day_offline_arrives_with_the_next_visit(page: Page, address: str, project: Workspace) -> None:
    opened(page, address)
    page.evaluate(OFFLINE)
    page.clock.fast_forward(20_000)
    move(page)
    page.clock.run_for(6000)
    page.goto("about:blank")
    assert efforts(project) == []
    with page.expect_response(lambda response: response.url.endswith("/effort")) as sent:
        page.goto(address)
    assert sent.value.request.post_data_json["active_seconds"] >= 20
    assert sent.value.status == 200
    (kept,) = efforts(project)
    assert kept.session == sent.value.request.post_data_json["session"]
