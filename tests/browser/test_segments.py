"""The table of segments as a person uses it: a locked label outlives every tool, sizes follow, colours are everybody's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Case, ProjectSettings, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace

from .axe import emulate, findings_in_every_scheme
from .conftest import Serve, wait_for
from .test_refine import Hand

Voxel = tuple[int, int, int]


def project_of(folder: Path, labels: list[str]) -> Workspace:
    phantom = phantom_3d(0, 5, (40, 36, 24))
    settings = ProjectSettings(audit_fraction=0.0, train_after=0)
    workspace = Workspace.create(folder, name="Phantoms", kind="segmentation", labels=labels, settings=settings)
    source = Source(format="phantom", names=(phantom.name,), sha256="0" * 64)
    add_case(workspace, phantom.image, NewCase(name=phantom.name, patient=phantom.patient, split="train", source=source))
    return workspace


SEARCHED = """async () => {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true, cancelable: true }));
  for (let n = 0; n < 10; n++) await null;  // what is due before the next key, and no more
  return document.activeElement.dataset.testid;
}"""


@pytest.mark.browser
def test_a_locked_label_outlives_every_tool(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = project_of(tmp_path / "project", ["liver", "kidneys"])
    page.goto(f"{serve(workspace.folder, assistant=True)}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, workspace)
    i, j, k = page.evaluate("window.medloop.crosshair")

    def draw(start: Voxel, stop: Voxel) -> None:
        hand.drag("axial", start, stop)

    page.keyboard.press("1")
    page.keyboard.press("b")
    draw((i - 6, j, k), (i + 6, j, k))
    page.keyboard.press("2")
    draw((i, j - 3, k), (i, j + 3, k))
    before = hand.settled(2)
    kidneys = before == 2
    assert kidneys.any()
    expect(page.get_by_test_id("size-2")).to_have_text(size(int(kidneys.sum()), workspace))
    page.get_by_test_id("lock-2").click()
    expect(page.get_by_test_id("segments-said")).to_have_text("1 locked")

    def stays(act: Callable[[], None], said: str) -> None:
        page.evaluate("document.querySelectorAll('[aria-label=\"Close this message\"]').forEach((button) => button.click())")
        expect(page.get_by_test_id("notices")).not_to_contain_text(said)  # the one before is gone
        act()
        expect(page.get_by_test_id("notices")).to_contain_text(said)
        wait_for(page, "!window.medloop.refining && window.medloop.saved === 'saved' && window.medloop.pending === 0")
        mask = read_draft(workspace, hand.assignment_id).mask
        assert np.array_equal(mask == 2, kidneys)
        assert page.evaluate("window.medloop.labelCounts()")["2"] == int(kidneys.sum())

    locked = "“kidneys” is locked"
    stays(lambda: draw((i, j, k), (i + 3, j, k)), locked)  # with kidneys to draw
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("notices")).to_contain_text("nothing was changed")
    page.keyboard.press("1")
    stays(lambda: draw((i - 8, j - 2, k), (i + 8, j + 2, k)), locked)
    page.keyboard.press("e")
    stays(lambda: draw((i - 2, j - 2, k), (i + 2, j + 2, k)), locked)
    page.keyboard.press("Shift+E")
    stays(lambda: draw((i - 5, j, k), (i + 5, j, k)), locked)
    page.keyboard.press("f")
    stays(lambda: page.mouse.click(*hand.point("axial", (i, j, k))), locked)
    page.keyboard.press("c")
    page.keyboard.press("2")
    stays(lambda: page.mouse.click(*hand.point("axial", (i + 9, j, k))), locked)
    page.keyboard.press("1")
    revision = page.evaluate("window.medloop.revision")
    page.mouse.click(*hand.point("axial", (i - 5, j + 1, k)))
    wait_for(page, f"window.medloop.revision > {revision} && !window.medloop.refining", seconds=60)
    page.keyboard.press("b")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    down = page.evaluate("window.medloop.crosshair[2]")
    draw((i - 6, j, down), (i + 6, j, down))
    stays(lambda: page.keyboard.press("Shift+F"), locked)


def size(voxels: int, workspace: Workspace) -> str:
    """Millilitres, by numpy."""
    with workspace.store.read() as tx:
        (case,) = tx.find(Case)
    ml = voxels * abs(np.linalg.det(case.grid.affine[:3, :3])) / 1000
    return f"{ml:.1f} ml" if ml >= 1 else f"{float(f'{ml:.2g}'):g} ml"


@pytest.mark.browser
def test_twelve_labels_are_searched_picked_hidden_and_coloured_for_everybody(page: Page, serve: Serve, tmp_path: Path) -> None:
    workspace = project_of(tmp_path / "project", [f"structure {n}" for n in range(1, 13)])
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, workspace)
    i, j, k = page.evaluate("window.medloop.crosshair")
    assert page.evaluate(SEARCHED) == "label-search", "no key typed next may come before the focus"
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("label-12")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("b")
    hand.drag("axial", (i - 2, j, k), (i + 2, j, k))
    assert set(np.unique(hand.settled(1))) == {0, 12}

    page.keyboard.press("1")
    page.keyboard.down("Alt")
    page.mouse.click(*hand.point("axial", (i, j, k)))
    page.keyboard.up("Alt")
    expect(page.get_by_test_id("label-12")).to_have_attribute("aria-pressed", "true")

    page.mouse.move(5, 5)
    canvas = "document.querySelector('[data-testid=pane-axial] canvas[data-layer=labels]')"
    coloured = f"{canvas}.getContext('2d').getImageData(0, 0, {canvas}.width, {canvas}.height).data.some((value) => value > 0)"
    wait_for(page, coloured)
    page.keyboard.press("Shift+H")
    wait_for(page, f"!({coloured})")
    expect(page.get_by_test_id("segments-said")).to_have_text("1 hidden")
    page.get_by_test_id("hide-12").click()
    wait_for(page, coloured)

    before = workspace.reload().task
    with page.expect_response(lambda answer: answer.url.endswith("/task") and answer.ok):
        page.get_by_test_id("colour-12").fill("#00ff00")
    page.reload()
    wait_for(page, "window.medloop?.seen")
    expect(page.get_by_test_id("colour-12")).to_have_value("#00ff00")
    after = workspace.reload().task
    assert after.labels[11].colour == "#00ff00"
    assert after.labels[:11] == before.labels[:11]
    emulate(page, "light")
    assert findings_in_every_scheme(page) == []
