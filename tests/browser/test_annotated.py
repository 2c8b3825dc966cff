"""Which labels a case is annotated for, by mouse and by key: remembered in the draft, said before Submit, and held to."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Annotation, Assignment

from .conftest import Serve, wait_for
from .test_refine import Hand
from .test_segments import project_of


@pytest.mark.browser
def test_a_person_says_which_labels_a_case_annotates(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = project_of(tmp_path / "project", ["liver", "spleen", "kidney"])
    address = f"{serve(workspace.folder)}/#/p/{workspace.project.id}/next"
    page.goto(address)
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, workspace)
    i, j, k = page.evaluate("window.medloop.crosshair")
    said = page.get_by_test_id("annotated-said")
    expect(said).to_have_count(0)
    page.get_by_test_id("annotated-3").click()
    expect(said).to_have_text("Annotates liver, spleen; kidney is not annotated")
    page.keyboard.press("2")
    page.keyboard.press("Alt+i")
    expect(said).to_have_text("Annotates liver; spleen, kidney are not annotated")
    page.keyboard.press("1")
    page.keyboard.press("b")
    hand.drag("axial", (i - 6, j, k), (i + 6, j, k))
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.pending === 0 && window.medloop.revision > 0")
    page.reload()
    wait_for(page, "window.medloop?.seen")
    expect(said).to_have_text("Annotates liver; spleen, kidney are not annotated")
    expect(page.get_by_test_id("annotated-3")).to_have_attribute("aria-pressed", "true")

    page.keyboard.press("2")  # whoever draws a label annotates it
    page.keyboard.press("b")
    hand.drag("axial", (i - 6, j + 5, k), (i + 6, j + 5, k))
    expect(said).to_have_text("Annotates liver, spleen; kidney is not annotated")
    page.keyboard.press("Alt+i")  # and a label that was drawn and is switched off is refused, with nothing lost
    expect(said).to_have_text("Annotates liver; spleen, kidney are not annotated")
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("notices")).to_contain_text("“spleen” was drawn and is called not annotated, so nothing was submitted")
    with workspace.store.read() as tx:
        assert [one.state for one in tx.find(Assignment)] == ["open"]
    page.keyboard.press("Alt+i")
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("nothing-left")).to_be_visible()
    with workspace.store.read() as tx:
        (made,) = tx.find(Annotation)
    assert made.annotated == (1, 2)
