"""A project that queries slices: the page opens at the queried slice, says so, and submitting keeps that slice only."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation, Case
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.partial_annotations import BoxPart, SlicePart, load_partial
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for
from .test_advice import doubt_a_little

EVERYWHERE = slice(None)

MARKED = """() => {
  const head = document.querySelector('[data-testid=pane-axial] [data-layer=head]');
  const { data } = head.getContext("2d").getImageData(0, 0, head.width, head.height);
  let count = 0;
  for (let n = 0; n < data.length; n += 4) count += data[n] === 205 && data[n + 1] === 180 && data[n + 2] === 255 && data[n + 3] === 255;
  return count;
}"""
"""How many pixels of the axial pane have the colour of what is queried."""


@pytest.mark.browser
def test_a_queried_slice_is_shown_and_is_all_that_is_submitted(tmp_path: Path, page: Page, serve: Serve) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    configure(workspace, settings={"query_unit": "slice"})
    doubt_a_little(workspace, (EVERYWHERE, EVERYWHERE, 6))
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    expect(page.get_by_test_id("reason-queried")).to_contain_text("axial slice 7 of 8: about ", ignore_case=True)
    expect(page.get_by_test_id("queried-parts")).to_contain_text("keeps what is queried only")
    assert page.evaluate("window.medloop.crosshair")[2] == 6
    expect(page.get_by_test_id("queried")).to_have_text("Queried: Axial slice 7 of 8")
    expect(page.get_by_test_id("pane-axial")).to_have_attribute("aria-label", "Axial slice 7 of 8, queried")
    assert page.evaluate(MARKED) > 100
    page.keyboard.press("ArrowUp")
    expect(page.get_by_test_id("pane-axial")).not_to_have_attribute("aria-label", "Axial slice 7 of 8, queried")
    wait_for(page, f"({MARKED})() === 0")
    page.get_by_test_id("queried-0").click()
    assert page.evaluate("window.medloop.crosshair")[2] == 6
    page.get_by_test_id("submit").click()
    expect(page.get_by_text("empty").first).to_be_visible()
    with page.expect_response(lambda response: response.url.endswith("/submit")) as submitted:
        page.get_by_test_id("submit").click()
    assert submitted.value.ok
    with workspace.store.read() as tx:
        (annotation,) = tx.find(Annotation)
        case = tx.get(Case, annotation.case_id)
    parts, _ = load_partial(workspace.store.blobs, annotation, case)
    assert parts == (SlicePart(2, 6),)


@pytest.mark.browser
def test_a_queried_superpixel_is_framed_and_named_and_is_all_that_is_submitted(tmp_path: Path, page: Page, serve: Serve) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    doubt_a_little(workspace, (slice(1, 6), slice(1, 6), 6))
    address = serve(workspace.folder)
    page.goto(f"{address}/#/p/{workspace.project.id}/settings")
    page.get_by_test_id("setting-query_unit").select_option("superpixel")
    page.get_by_test_id("save-settings").click()
    expect(page.get_by_test_id("notices")).to_contain_text("query_unit: case → superpixel")
    page.goto(f"{address}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    expect(page.get_by_test_id("reason-queried")).to_contain_text("superpixel ")
    expect(page.get_by_test_id("queried")).to_have_text("Queried: Region 1 (Axial slice 7 of 8)")
    assert page.evaluate(MARKED) > 50
    with page.expect_response(lambda response: response.url.endswith("/submit")) as submitted:
        page.get_by_test_id("submit").click(click_count=2)
    assert submitted.value.ok
    with workspace.store.read() as tx:
        (annotation,) = tx.find(Annotation)
        case = tx.get(Case, annotation.case_id)
    ((part,), _) = load_partial(workspace.store.blobs, annotation, case)
    assert isinstance(part, BoxPart)
    assert (part.start[2], part.stop[2]) == (6, 7)
    assert part.stop[0] - part.start[0] < case.grid.shape[0]
