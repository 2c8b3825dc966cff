"""A project that queries slices: the page opens at the queried slice, says so, and submitting keeps that slice only."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation, Case
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.partial_annotations import SlicePart, load_partial
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for
from .test_advice import doubt_a_little

EVERYWHERE = slice(None)


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
    page.keyboard.press("ArrowUp")
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
