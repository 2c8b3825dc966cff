"""Prompts shown before they are saved, a proposal hidden until the first stroke, and the strip above Submit; by mouse and by key."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import ProjectSettings, Source
from medloop.images.phantoms import phantom_3d
from medloop.interaction.prompts import Lasso, Point
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.anchoring import first_sights
from medloop.loop.foundation.workspace import Workspace
from tests.loop.made_up import add_model, add_prediction, every_case

from .conftest import Serve, wait_for
from .test_refine import Hand, deepest

PHANTOM = phantom_3d(0, 5, (40, 36, 24))
SETTINGS = ProjectSettings(strategy="random", batch_size=2, audit_fraction=0.0, train_after=0)


def project_of(folder: Path, settings: ProjectSettings, cases: int = 1) -> Workspace:
    workspace = Workspace.create(folder, name="Phantoms", kind="segmentation", labels=["liver", "kidneys"], settings=settings)
    for n in range(cases):
        source = Source(format="phantom", names=(f"phantom{n}",), sha256=f"{n:064d}")
        add_case(workspace, PHANTOM.image, NewCase(name=f"case{n}", patient=f"patient{n}", split="train", source=source))
    return workspace


@pytest.mark.browser
def test_prompts_are_shown_refined_accepted_and_dropped_by_mouse_and_by_key(tmp_path: Path, page: Page, serve: Serve) -> None:
    project = project_of(tmp_path / "project", SETTINGS)
    page.goto(f"{serve(project.folder, assistant=True)}/#/p/{project.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, project)
    centre = page.evaluate("window.medloop.crosshair")
    liver, kidney, outside = (deepest(PHANTOM.mask.array == label, 2, centre[2]) for label in (1, 2, 0))

    def shown(prompts: int) -> None:
        wait_for(page, f"window.medloop.previewed === {prompts} && !window.medloop.refining")

    page.keyboard.press("c")
    wait_for(page, "window.medloop.engine", seconds=60)
    page.keyboard.press("Alt+a")
    page.mouse.click(*hand.point("axial", liver))
    shown(1)
    expect(page.get_by_test_id("preview-change")).to_contain_text("liver")
    assert read_draft(project, hand.assignment_id).revision == 0
    page.keyboard.press("Escape")
    shown(0)
    assert not hand.settled(0).any()

    page.mouse.click(*hand.point("axial", liver))
    shown(1)
    page.keyboard.down("Control")
    page.mouse.click(*hand.point("axial", outside))
    page.keyboard.up("Control")
    shown(2)
    page.get_by_test_id("submit").click()
    expect(page.get_by_text("A preview is open, so nothing was submitted")).to_be_visible()
    page.screenshot(path=str(tmp_path / "preview.png"))
    page.keyboard.press("Enter")
    accepted = hand.settled(2)
    assert accepted[liver] == 1
    assert accepted[outside] == 0
    assert hand.gestures() == [Point(liver, 1), Point(outside, 1, positive=False)]
    page.keyboard.press("Control+z")
    assert not hand.settled(3).any(), "one step takes both back"
    page.keyboard.press("Control+Shift+z")
    assert np.array_equal(hand.settled(4), accepted)

    page.keyboard.press("2")
    page.get_by_test_id("tool-lasso").click()
    around = [(kidney[0] + dx, kidney[1] + dy, kidney[2]) for dx, dy in ((-2, -2), (2, -2), (2, 2), (-2, 2), (-2, -2))]
    page.mouse.move(*hand.point("axial", around[0]))
    page.mouse.down()
    for voxel in around[1:]:
        page.mouse.move(*hand.point("axial", voxel), steps=4)
    page.mouse.up()
    shown(1)
    page.get_by_test_id("preview-accept").click()
    outlined = hand.settled(5)
    assert outlined[kidney] == 2
    assert np.array_equal(outlined == 1, accepted == 1) or (outlined == 2).any()
    assert isinstance(hand.gestures()[2], Lasso)

    page.keyboard.press("c")
    page.mouse.click(*hand.point("axial", (kidney[0] + 8, kidney[1], kidney[2])))
    shown(1)
    page.reload()
    wait_for(page, "window.medloop?.seen")
    expect(page.get_by_text("was open when this case was left; it was not accepted and is gone")).to_be_visible()
    assert np.array_equal(hand.settled(5), outlined)


@pytest.mark.browser
def test_a_hidden_proposal_comes_with_the_first_stroke_and_is_taken_rejected_and_compared(tmp_path: Path, page: Page, serve: Serve) -> None:
    project = project_of(tmp_path / "project", replace(SETTINGS, proposals="after-first-stroke"), cases=2)
    model = add_model(project, 1)
    for case in every_case(project):
        add_prediction(project, model, case, foreground=0.1, quality=0.8, uncertain=True)
    page.goto(f"{serve(project.folder)}/#/p/{project.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, project)
    expect(page.get_by_test_id("proposal-hidden")).to_be_visible()
    expect(page.get_by_test_id("case-strip")).to_have_text(
        "Case 1 of 2 · 1 left in this round · The proposal is hidden until your first stroke"
    )
    assert not hand.settled(0).any()

    page.keyboard.press("b")
    page.mouse.click(*hand.point("axial", (30, 30, page.evaluate("window.medloop.crosshair")[2])))
    drawn = hand.settled(1)
    expect(page.get_by_test_id("proposal-distance")).to_contain_text("Against the proposal")
    expect(page.get_by_test_id("case-strip")).to_have_text(
        "Case 1 of 2 · 1 left in this round · cannot be judged yet: 9 more evaluated patients"
    )
    page.screenshot(path=str(tmp_path / "proposal.png"))
    page.get_by_test_id("proposal-take").click()
    taken = hand.settled(2)
    assert int((taken == 1).sum()) == round(0.1 * taken.size)
    expect(page.get_by_test_id("proposal-distance")).to_have_text("The draft is the proposal, unchanged")
    page.keyboard.press("Alt+x")
    assert not hand.settled(3).any()
    for revision, before in ((4, taken), (5, drawn)):
        page.keyboard.press("Control+z")
        assert np.array_equal(hand.settled(revision), before)
    page.keyboard.press("Alt+p")
    expect(page.get_by_test_id("proposal-compare")).to_contain_text("Fill again")
    page.keyboard.press("Enter")
    wait_for(page, f"window.medloop.assignmentId !== '{hand.assignment_id}'")
    with project.store.read() as tx:
        assert first_sights(tx)[hand.assignment_id] == "hidden"
