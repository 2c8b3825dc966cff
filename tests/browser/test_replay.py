"""What was drawn is gone through again on the page, step by step, and the open edit stays as it was."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.arrays import MaskArray
from medloop.core.records import Annotation, Assignment
from medloop.core.settings import ProjectSettings
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.workspace import Workspace
from tests.loop.films import add_film, film

from .conftest import Serve, wait_for
from .dragging import drag
from .test_advice import open_next, until

pytestmark = pytest.mark.browser


@pytest.fixture
def films(tmp_path: Path) -> Iterator[Workspace]:
    """A project of two films."""
    settings = ProjectSettings(train_after=0, first_strategy="random", audit_fraction=0.0, batch_size=2)
    with Workspace.create(tmp_path / "project", name="Films", kind="segmentation", labels=["ventricle"], settings=settings) as made:
        for name in ("loop1", "loop2"):
            add_film(made, name)
        yield made


def replayed(page: Page, shape: tuple[int, ...]) -> MaskArray:
    """The mask on the screen of the replay."""
    return np.array(page.evaluate("window.medloopReplay.mask()"), dtype=np.uint8).reshape(shape, order="F")


def test_a_replay_ends_at_the_draft_and_leaves_the_open_edit_alone(page: Page, serve: Serve, films: Workspace) -> None:
    _, assignment = open_next(page, serve(films.folder), films)
    shape = film()[1].shape
    page.keyboard.press("Home")
    page.keyboard.press("b")
    for j in (14, 17):
        drag(page, (10, j, 0), (20, j, 0))
    page.keyboard.press("ArrowDown")
    drag(page, (10, 20, 1), (20, 20, 1))
    page.keyboard.press("Control+z")
    page.keyboard.press("Alt+r")
    text = page.get_by_test_id("replay-text")
    expect(text).to_contain_text("Before the first of 4 steps")
    assert not replayed(page, shape).any()
    page.keyboard.press("ArrowRight")
    expect(text).to_contain_text("Step 1 of 4: Stroke")
    np.testing.assert_array_equal(replayed(page, shape), read_draft(films, assignment, upto=1).mask)
    page.keyboard.press("ArrowRight")
    page.get_by_test_id("replay-next").click()
    expect(text).to_have_attribute("data-position", "3")
    assert page.evaluate("window.medloopReplay.crosshair()[2]") == 1  # it follows to the frame that was drawn on
    page.get_by_test_id("replay-back").click()
    np.testing.assert_array_equal(replayed(page, shape), read_draft(films, assignment, upto=2).mask)
    page.keyboard.press("Home")
    page.keyboard.press("+")
    page.get_by_test_id("replay").get_by_test_id("pane-axial").click()  # the keys work from the image as well
    page.keyboard.press("Space")
    expect(text).to_have_attribute("data-position", "4")
    expect(text).to_contain_text("Taken back")
    np.testing.assert_array_equal(replayed(page, shape), read_draft(films, assignment).mask)
    before = (
        page.evaluate("window.medloop.labelCounts()"),
        read_draft(films, assignment).revision,
        page.evaluate("window.medloop.crosshair"),
    )
    for key in ("e", "1", "Delete", "Control+z", "Enter"):
        page.keyboard.press(key)
    box = page.get_by_test_id("replay").get_by_test_id("pane-axial").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3, steps=4)
    page.mouse.up()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("replay")).to_have_count(0)
    after = page.evaluate("window.medloop.labelCounts()"), read_draft(films, assignment).revision, page.evaluate("window.medloop.crosshair")
    assert after == before
    assert films.store.get(Assignment, assignment).state == "open"
    page.keyboard.press("Control+Shift+z")
    until(page, lambda: read_draft(films, assignment).mask[..., 1].any())


def test_what_somebody_submitted_is_replayed_beside_the_draft(page: Page, serve: Serve, films: Workspace) -> None:
    case_id, assignment = open_next(page, serve(films.folder), films)
    drag_disc(page, films, assignment)
    page.keyboard.press("Enter")
    until(page, lambda: films.store.get(Assignment, assignment).state == "submitted")
    with films.store.read() as tx:
        (annotation,) = tx.find(Annotation, where={"case_id": case_id})
    submitted = read_draft(films, assignment).mask
    wait_for(page, f"window.medloop.ready && window.medloop.caseId !== '{case_id}'")  # the page has gone on by itself
    page.goto(page.url.split("#")[0] + f"#/p/{films.project.id}/case/{case_id}")
    wait_for(page, f"window.medloop.ready && window.medloop.caseId === '{case_id}' && window.medloop.assignmentId !== '{assignment}'")
    page.get_by_test_id("replay-open").click()
    expect(page.get_by_test_id("replay-text")).to_contain_text("Nothing was drawn")
    np.testing.assert_array_equal(replayed(page, submitted.shape), submitted)
    page.get_by_test_id("replay-of").select_option(annotation.id)
    expect(page.get_by_test_id("replay-text")).to_contain_text("Before the first of 2 steps")
    assert not replayed(page, submitted.shape).any()
    page.get_by_test_id("replay-play").click()
    expect(page.get_by_test_id("replay-text")).to_have_attribute("data-position", "2")
    np.testing.assert_array_equal(replayed(page, submitted.shape), submitted)
    page.get_by_test_id("replay-close").click()
    page.goto(page.url.split("#")[0] + f"#/p/{films.project.id}/review/{case_id}")
    wait_for(page, "document.querySelector('[data-testid=comparing][data-ready=true]')")
    page.keyboard.press("y")
    page.get_by_test_id("replay-0").click()
    expect(page.get_by_test_id("replay-of").locator("option")).to_have_count(1)
    expect(page.get_by_test_id("replay-text")).to_contain_text("Before the first of 2 steps")
    page.keyboard.press("End")
    expect(page.get_by_test_id("replay-text")).to_contain_text("Step 2 of 2")
    np.testing.assert_array_equal(replayed(page, submitted.shape), submitted)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("history-dialog")).to_be_visible()


def drag_disc(page: Page, films: Workspace, assignment: str) -> None:
    page.keyboard.press("b")
    for j in (14, 17):
        drag(page, (10, j, 0), (20, j, 0))
    until(page, lambda: read_draft(films, assignment).revision == 2)
