"""A tumour is drawn in its organ: the organ keeps it, and an eraser gives the organ its voxels back."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop import Project, read_mask
from medloop.core.arrays import MaskArray
from medloop.core.records import Case
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace

from .conftest import Serve, wait_for
from .test_refine import Hand
from .test_segments import project_of


@pytest.mark.browser
def test_a_label_inside_another_is_drawn_and_erased(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = project_of(tmp_path / "project", ["liver", "tumour"])
    configure(workspace, task=TaskChange(inside={"tumour": "liver"}), actor="test")
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, workspace)
    i, j, k = page.evaluate("window.medloop.crosshair")
    page.keyboard.press("1")
    page.keyboard.press("b")
    hand.drag("axial", (i - 6, j, k), (i + 6, j, k))
    organ = hand.settled(1) > 0
    size = page.get_by_test_id("size-1").text_content()
    page.keyboard.press("2")
    hand.drag("axial", (i - 1, j, k), (i + 1, j, k))
    drawn = hand.settled(2)
    assert (drawn[organ] == 2).any()
    if np.array_equal(drawn > 0, organ):
        expect(page.get_by_test_id("size-1")).to_have_text(size or "")  # the liver holds its tumour
    page.keyboard.press("1")
    hand.drag("axial", (i - 6, j, k), (i + 6, j, k))  # drawing the liver again takes nothing of it
    page.keyboard.press("2")
    page.keyboard.press("e")
    hand.drag("axial", (i - 8, j, k), (i + 8, j, k))
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.pending === 0")
    mask = hand.settled(3)
    assert set(np.unique(mask).tolist()) == {0, 1}
    assert np.array_equal(mask == 1, drawn > 0)
    page.keyboard.press("b")
    hand.drag("axial", (i - 1, j, k), (i + 1, j, k))
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.pending === 0")
    kept = hand.settled(4)
    page.keyboard.press("Enter")
    wait_for(page, "location.hash.endsWith('/next') || document.body.innerText.includes('Undo')")
    _stored_and_exported(workspace, kept, tmp_path / "out")


def _stored_and_exported(workspace: Workspace, drawn: MaskArray, out: Path) -> None:
    """What was drawn is what is stored, and the exported liver has its tumour."""
    with workspace.store.read() as tx:
        (made,) = tx.current_annotations()
        case = tx.get(Case, made.case_id)
    assert np.array_equal(load_mask(workspace.store.blobs, made, case).array, drawn)
    with Project.open(workspace.folder) as project:
        export_project(project.workspace, out, "nifti")
    found = {name: read_mask(next((out / "regions" / name).iterdir())).array for name in ("liver", "tumour")}
    assert np.array_equal(found["liver"] == 1, drawn > 0)
    assert np.array_equal(found["tumour"] == 1, drawn == 2)
    assert (drawn == 2).any()
