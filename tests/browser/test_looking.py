"""A project on a disk that is really mounted for reading only: its cases are looked at in the page, and nothing is sent."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from playwright.sync_api import Page, Request, expect

from medloop.core.records import Case
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE, add_model, fill_project, small_disk

from .conftest import Serve, wait_for

CHANGING = ["Enter", "Control+Enter", "s", "g", "b", "e", "f", "Shift+F", "c", "a", "j", "q", "Delete", "Control+z", "Shift+Backspace"]


@dataclass(frozen=True)
class Looked:
    """A served project that can only be read, and what was sent to it that is no reading."""

    address: str
    cases: list[str]
    sent: list[str]

    def of(self, case: int) -> str:
        return f"{self.address}/case/{self.cases[case]}"


@pytest.fixture
def looked(page: Page, serve: Serve, tmp_path: Path) -> Iterator[Looked]:
    """The first case is annotated by Ada, the second one proposed by a model that is unsure of its outline."""
    fill_project(tmp_path / "project", "segmentation", cases=3)
    box, unsure = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    box[2:9, 2:8, 2:7], unsure[1:6, 1:6, 1:6] = 2, 200
    with Workspace.open(tmp_path / "project") as workspace:
        with workspace.store.read() as tx:
            cases = [case.id for case in tx.find(Case, order=("name",))]
        ada = annotator_named(workspace, "Ada").id
        submit(workspace, open_case(workspace, cases[0], ada).assignment.id, Submitted(mask=box))
        add_model(workspace, cases[1], uncertainty=unsure)
        project = workspace.project.id
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method != "GET":
            sent.append(f"{request.method} {request.url}")

    page.on("request", note)
    with small_disk(tmp_path / "project", tmp_path / "disk", "ro") as folder:
        yield Looked(f"{serve(folder)}#/p/{project}", cases, sent)


def pixels(page: Page) -> np.ndarray:
    page.wait_for_timeout(100)  # the frame that draws what was just changed
    shot = page.get_by_test_id("pane-axial").screenshot()
    return np.asarray(Picture.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def opened(page: Page, case: str) -> None:
    wait_for(page, f"window.medloop?.caseId === {case!r} && window.medloop.seen")


@pytest.mark.browser
def test_a_case_that_may_only_be_read_shows_its_image_and_whose_annotation_it_has(page: Page, looked: Looked) -> None:
    page.goto(looked.of(0))
    opened(page, looked.cases[0])
    expect(page.get_by_test_id("read-only")).to_contain_text("lies on a read-only disk")
    expect(page.get_by_test_id("base")).to_contain_text("annotation by Ada")
    assert page.evaluate("window.medloop.labelCounts()") == {"2": 7 * 6 * 5}
    drawn = pixels(page)
    page.keyboard.press("h")
    bare = pixels(page)
    assert np.ptp(bare.sum(axis=2)) > 300, "the image is seen"
    assert (drawn != bare).any(axis=2).mean() > 0.01, "the annotation is seen on it"


@pytest.mark.browser
def test_no_key_or_stroke_sends_anything_and_each_is_refused_in_words(page: Page, looked: Looked) -> None:
    page.goto(looked.of(0))
    opened(page, looked.cases[0])
    before = page.evaluate("window.medloop.labelCounts()")
    for key in CHANGING:
        page.keyboard.press(key)
        expect(page.get_by_test_id("notices"), key).to_contain_text("can be looked at only")
        page.get_by_label("Close this message").evaluate("button => button.click()")  # two clicks of a mouse so soon are a double click
        expect(page.get_by_test_id("notices")).to_be_empty()
    for name in ("submit", "skip", "flag", "tool-brush", "tool-eraser", "tool-fill", "tool-point", "undo"):
        expect(page.get_by_test_id(name)).to_be_disabled()
    page.get_by_test_id("pane-axial").hover()
    page.mouse.down()
    page.mouse.move(600, 400)
    page.mouse.up()
    page.keyboard.press("n")
    assert page.evaluate("window.medloop.labelCounts()") == before
    assert page.evaluate("window.medloop.tool") == "navigate"
    page.goto(looked.address)
    expect(page.get_by_test_id("worklist")).to_be_visible()
    assert looked.sent == []


@pytest.mark.browser
def test_the_arrows_walk_through_the_worklist(page: Page, looked: Looked) -> None:
    page.goto(f"{looked.address}/next")
    opened(page, looked.cases[0])
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_test_id("notices")).to_contain_text("first case of the worklist")
    for case in looked.cases[1:]:
        page.keyboard.press("ArrowRight")
        opened(page, case)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("notices")).to_contain_text("last case of the worklist")
    page.keyboard.press("ArrowLeft")
    opened(page, looked.cases[1])
    assert looked.sent == []


@pytest.mark.browser
def test_where_the_model_is_unsure_is_drawn_only_when_wanted(page: Page, looked: Looked) -> None:
    page.goto(looked.of(1))
    opened(page, looked.cases[1])
    expect(page.get_by_test_id("base")).to_contain_text("proposal of model 1")
    expect(page.get_by_test_id("uncertainty-shown")).not_to_be_checked()
    plain = pixels(page)
    page.keyboard.press("u")
    expect(page.get_by_test_id("uncertainty-shown")).to_be_checked()
    assert (pixels(page) != plain).any(axis=2).mean() > 0.01


@pytest.mark.browser
def test_every_view_says_that_the_project_may_only_be_read(page: Page, looked: Looked) -> None:
    for view in ("", "/progress", "/settings", "/next"):
        page.goto(f"{looked.address}{view}")
        expect(page.get_by_test_id("read-only")).to_contain_text("lies on a read-only disk")
