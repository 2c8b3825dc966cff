"""What holds for a project as a whole is said on the page: labels that came later."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import fill_project

from .conftest import Serve, wait_for
from .test_hands import draw


@pytest.mark.browser
def test_a_page_opened_before_a_label_was_added_learns_of_it_with_the_next_case(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    address = serve(tmp_path / "project").rstrip("/")
    page.goto(f"{address}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    labels = [*({"value": one.value, "name": one.name} for one in workspace.task.labels), {"value": None, "name": "cyst"}]
    change = {"version": 1, "labels": labels}
    sent = page.request.patch(f"{address}/api/v1/projects/{workspace.project.id}/task", data=change)
    assert sent.ok, sent.text()
    for known in (False, True):  # the first case was open before the label was there, and says nothing of it
        assert page.get_by_test_id("label-3").count() == int(known)
        draw(page, 3)
        here = page.evaluate("window.medloop.caseId")
        page.keyboard.press("Enter")
        wait_for(page, f"window.medloop.caseId && window.medloop.caseId !== {here!r} && window.medloop.seen")
        if not known:
            expect(page.get_by_text("this is version 2 of the task")).to_be_visible()
    with Workspace.open(tmp_path / "project") as newer, newer.store.read() as tx:
        said = annotated_labels(tx, newer.task)
        unknown = [[label.name for label in said.lacking(annotation)] for annotation in tx.find(Annotation)]
    assert unknown == [["cyst"], []]
    page.goto(f"{address}/#/p/{workspace.project.id}/progress")
    expect(page.get_by_test_id("label-gap")).to_contain_text("cyst")
    page.goto(f"{address}/#/p/{workspace.project.id}")
    expect(page.get_by_test_id("label-gap")).to_contain_text("cyst")
