"""The worklist and the grid of classes, by mouse and by keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from medloop.core.records import Annotation, Case, Effort
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE, fill_project
from tests.store.test_reader import many_cases

from .conftest import Serve, wait_for


@pytest.fixture
def listed(page: Page, serve: Serve, tmp_path: Path) -> Iterator[Workspace]:
    """A project of five cases, one of them annotated by Bea, in front of a page."""
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        bea = annotator_named(workspace, "Bea")
        opened = next_assignment(workspace, bea.id)
        assert opened is not None
        mask = np.zeros(SHAPE, np.uint8)
        mask[2:8, 2:8, 1:4] = 1
        submit(workspace, opened.assignment.id, Submitted(mask=mask))
        page.goto(f"{serve(tmp_path / 'project')}#/p/{workspace.project.id}")
        expect(page.locator("[data-row]")).to_have_count(5)
        yield workspace


def names(page: Page) -> list[str]:
    return page.locator("[data-row] .strong").all_inner_texts()


def test_a_list_is_sorted_grouped_and_given_to_somebody_and_back_undoes_each_look(page: Page, listed: Workspace) -> None:
    expect(page.locator("[data-row] img.thumbnail")).to_have_count(5)
    by_name = names(page)
    page.get_by_test_id("sort-updated").click()
    expect(page.locator("[data-row='0']")).to_contain_text("annotated")
    page.get_by_test_id("sort-name").click()
    page.get_by_test_id("sort-name").click()
    expect(page.locator("[data-row='0'] .strong")).to_have_text(by_name[-1])
    assert "descending=true" in page.url
    page.get_by_test_id("by-round").click()
    expect(page.get_by_test_id("round-1")).to_contain_text("Round 1")
    page.go_back()
    expect(page.get_by_test_id("round-1")).to_have_count(0)
    page.go_back()
    expect(page.locator("[data-row='0'] .strong")).to_have_text(by_name[0])
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.get_by_test_id("bulk-count")).to_have_text("1 selected")
    for _ in range(2):
        page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.get_by_test_id("bulk-count")).to_have_text("3 selected")
    page.get_by_test_id("select-all").click()
    expect(page.get_by_test_id("bulk-count")).to_have_text("5 selected")
    page.get_by_test_id("bulk-who").select_option("Bea")
    page.get_by_test_id("bulk-assign").click()
    expect(page.get_by_test_id("notices")).to_contain_text("they have read it")
    expect(page.locator("[data-row]").get_by_text("Bea")).to_have_count(4)
    page.get_by_test_id("filter-annotated").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.locator("[data-row]").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/case/"))
    page.go_back()
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.get_by_test_id("filter-annotated")).to_have_attribute("aria-pressed", "true")


def test_of_thousands_of_cases_only_those_in_view_are_drawn(page: Page, listed: Workspace) -> None:
    with listed.store.read() as tx:
        name = tx.find(Case, limit=1)[0].name
    with listed.store.database.writing() as connection:
        for statement in many_cases(5000, of=name):
            connection.execute(text(statement))
    page.reload()
    expect(page.get_by_test_id("list-length")).to_have_text("5005 cases")
    page.keyboard.press("End")
    expect(page.locator("[data-row='5004'] .strong")).not_to_be_empty()
    assert page.locator("[data-row]").count() < 80
    page.locator("[data-row='5004']").focus()
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.row") == "5003"


def test_pictures_are_classed_by_key_together_and_taken_back(page: Page, serve: Serve, tmp_path: Path) -> None:
    fill_project(tmp_path / "tags", "classification")
    with Workspace.open(tmp_path / "tags") as workspace:
        page.goto(f"{serve(tmp_path / 'tags')}#/p/{workspace.project.id}")
        page.get_by_test_id("to-grid").click()
        expect(page.locator("[data-tile] img")).to_have_count(5)
        wait_for(page, "document.activeElement.dataset.tile === '0'")
        page.keyboard.press("1")
        expect(page.get_by_test_id("grid-state")).to_have_text("1 of 5 classed")
        page.keyboard.press("Shift+ArrowRight")
        expect(page.get_by_test_id("grid-state")).to_contain_text("2 selected")
        page.keyboard.press("2")
        expect(page.get_by_test_id("grid-state")).to_have_text("3 of 5 classed")
        page.keyboard.press("Control+z")
        expect(page.get_by_test_id("grid-state")).to_have_text("1 of 5 classed")
        page.locator("[data-tile='4']").click()
        page.get_by_test_id("give-1").click()
        expect(page.get_by_test_id("grid-state")).to_have_text("2 of 5 classed")
        with workspace.store.read() as tx:
            made = tx.current_annotations()
            assert sorted(a.tag for a in made if a.tag is not None) == [workspace.task.label_values[0], workspace.task.label_values[1]]
            assert tx.count(Annotation) == 4
            assert all(one.active_seconds is not None and one.active_seconds > 0 for one in tx.find(Effort))
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("worklist")).to_be_visible()
