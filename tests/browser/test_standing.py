"""An annotated case opens with its annotation; replacing and withdrawing say what they do; a submission is taken back."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from medloop.core.records import Annotation, Case
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.store.store import DATABASE_FILE
from tests.server.conftest import SHAPE, fill_project

from .conftest import Serve, wait_for
from .test_advice import doubt_a_little


@pytest.fixture
def annotated(tmp_path: Path) -> tuple[Workspace, Case, np.ndarray]:
    """One case of the test split with an annotation by Ольга, and a model that proposes something else."""
    fill_project(tmp_path / "project", "segmentation")
    workspace = Workspace.open(tmp_path / "project")
    with workspace.store.read() as tx:
        case = tx.find(Case)[0]
    person = annotator_named(workspace, "Ольга")
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:7, 3:7, 3:6] = 2
    submit(workspace, open_case(workspace, case.id, person.id).assignment.id, Submitted(mask=mask))
    doubt_a_little(workspace, (3, 4, 5))
    return workspace, case, mask


def open_it(page: Page, serve: Serve, workspace: Workspace, case: Case) -> None:
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/case/{case.id}")
    wait_for(page, "window.medloop?.seen")


@pytest.mark.browser
def test_an_annotated_case_opens_with_its_annotation_and_says_whose(annotated, page: Page, serve: Serve) -> None:
    workspace, case, mask = annotated
    open_it(page, serve, workspace, case)
    assert page.evaluate("window.medloop.labelCounts()") == {"2": int((mask == 2).sum())}
    expect(page.get_by_test_id("base")).to_contain_text("annotation by Ольга")
    expect(page.get_by_test_id("replaces")).to_contain_text("Submitting puts yours beside the annotation by Ольга")
    page.keyboard.press("g")
    expect(page.get_by_test_id("withdraws")).to_contain_text("leaves training, evaluation and export")
    with page.expect_response(lambda response: response.url.endswith("/flag")) as flagged:
        page.keyboard.press("Enter")
    assert flagged.value.ok
    page.goto(page.url.split("#")[0] + f"#/p/{workspace.project.id}")
    expect(page.get_by_test_id(f"reason-{case.id}")).to_contain_text("Second opinion needed (local)")
    page.get_by_test_id(f"case-{case.id}").click()
    expect(page.get_by_test_id("withdrawn")).to_contain_text("Flagged by local")


@pytest.mark.browser
def test_a_submission_is_taken_back_with_its_draft(annotated, page: Page, serve: Serve) -> None:
    workspace, case, _ = annotated
    open_it(page, serve, workspace, case)
    page.keyboard.press("b")
    point = page.evaluate("window.medloop.pointOf('axial', 9, 8, 4)")
    page.mouse.click(point["x"], point["y"])
    wait_for(page, "window.medloop.revision === 1 && window.medloop.saved === 'saved'")
    drawn = page.evaluate("window.medloop.labelCounts()")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("notices")).to_contain_text("Annotated")
    wait_for(page, f"window.medloop.caseId !== {case.id!r}")
    page.get_by_test_id("notice-action").click()
    wait_for(page, f"window.medloop.caseId === {case.id!r} && window.medloop.ready")
    assert page.evaluate("window.medloop.labelCounts()") == drawn
    with workspace.store.read() as tx:
        current = [a for a in tx.current_annotations() if a.case_id == case.id]
        assert len(tx.find(Annotation)) == 2
    assert len(current) == 1


@pytest.mark.browser
def test_an_evaluation_annotation_is_replaced_only_after_two_questions(annotated, chromium: Browser, serve: Serve) -> None:
    workspace, case, _ = annotated
    page = chromium.new_page()  # whose console may tell of the refusal that is expected
    with sqlite3.connect(workspace.folder / DATABASE_FILE) as sql:
        sql.execute("UPDATE cases SET split = 'test' WHERE id = ?", (case.id,))
    open_it(page, serve, workspace, case)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("replace-dialog")).to_contain_text("Ольга")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("replace-dialog")).to_have_count(0)
    with workspace.store.read() as tx:
        assert len(tx.find(Annotation)) == 1
    page.keyboard.press("Enter")
    page.get_by_test_id("replace").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("replace-again")).to_be_visible()
    page.keyboard.press("Enter")  # the same key again answers the second question with no
    expect(page.get_by_test_id("replace-dialog")).to_have_count(0)
    page.keyboard.press("Enter")
    page.get_by_test_id("replace").dblclick()
    expect(page.get_by_test_id("replace-again")).to_be_visible()
    page.get_by_test_id("replace-again").click(delay=20)
    expect(page.get_by_test_id("notices")).to_contain_text("in place of the annotation before")
    with workspace.store.read() as tx:
        assert len(tx.find(Annotation)) == 2
