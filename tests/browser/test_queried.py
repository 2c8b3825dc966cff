"""A project that queries slices: the page opens at the queried slice, says so, and submitting keeps that slice only."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation, Case, Prediction, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.partial_annotations import BoxPart, SlicePart, load_partial
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE, fill_project

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


def _accepted_in_seconds(workspace: Workspace) -> None:
    """Proposals of one case were accepted in two seconds each, most often; where not, they took five minutes."""
    with workspace.store.read() as tx:
        shown = tx.find(Prediction)[-1]
    who, blob = annotator_named(workspace, "earlier").id, workspace.store.blobs.put(encode_mask(np.zeros(SHAPE, dtype=np.uint8)))
    with workspace.store.write("test") as tx:
        for n in range(50):
            as_it_was = n < 30
            made = Annotation(
                id=new_id("annotation"),
                case_id=shown.case_id,
                task_id=workspace.task.id,
                annotator_id=who,
                kind="mask",
                blob=blob,
                proposal_id=shown.id,
                untouched=1.0 if as_it_was else 0.5,
                effort_seconds=2.0 if as_it_was else 300.0,
                created_at=now(),
            )
            tx.add(made, verb="submit")


@pytest.mark.browser
def test_a_queried_look_opens_without_a_drawing_tool_and_submits_the_proposal_as_it_is(tmp_path: Path, page: Page, serve: Serve) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    configure(workspace, settings={"query_unit": "best"})
    doubt_a_little(workspace, (EVERYWHERE, EVERYWHERE, 6))
    _accepted_in_seconds(workspace)
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    expect(page.get_by_test_id("reason-queried")).to_contain_text("Check the proposal (about ")
    expect(page.get_by_test_id("queried-look")).to_contain_text("Submit the proposal if it is right as it is")
    expect(page.get_by_test_id("queried-parts")).to_have_count(0)
    expect(page.get_by_test_id("tool-navigate")).to_have_attribute("aria-pressed", "true")
