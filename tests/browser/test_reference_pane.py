"""Another series of the patient beside the image: it follows the crosshair and leads it, and says what cannot be compared."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Display, Source
from medloop.images.result import ReadImage
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.keeping_references import NewReference, keep_reference
from medloop.loop.foundation.workspace import Workspace

from .conftest import Serve, wait_for

pytestmark = pytest.mark.browser

CASE = Grid((16, 14, 12), np.array([[-1.0, 0, 0, 8], [0, 1.0, 0, -7], [0, 0, 2.0, -12], [0, 0, 0, 1]]))
BESIDE = Grid((20, 20, 9), np.array([[0.8, 0, 0, -8], [0, -0.8, 0, 8], [0, 0, -3.0, 12], [0, 0, 0, 1]]))


def image(grid: Grid, seed: int) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 200, (1, *grid.shape)).astype(np.int16), grid)


def source(name: str, *, oriented: bool = True) -> Source:
    return Source(format="nifti", names=(f"{name}.nii",), sha256=name, display=Display(oriented=oriented))


@pytest.fixture
def study(tmp_path: Path) -> Iterator[tuple[Workspace, Case]]:
    """A case with a reference in its place and one that has no place."""
    with Workspace.create(tmp_path / "project", name="Study", kind="segmentation", labels=["liver"]) as made:
        case = add_case(made, image(CASE, 1), NewCase(name="a", patient="a", split="train", source=source("a")))
        keep_reference(made, case, ReadImage(image(BESIDE, 2), source("flair")), NewReference("FLAIR"))
        keep_reference(made, case, ReadImage(image(BESIDE, 3), source("old", oriented=False)), NewReference("OLD"))
        yield made, case


def crosshair(page: Page) -> list[int]:
    found: list[int] = page.evaluate("Array.from(window.medloop.crosshair)")
    return found


def expected_slice(voxel: list[int]) -> int:
    """The slice of the reference nearest to a voxel of the case, computed apart from the page."""
    return int(np.clip(np.round(BESIDE.to_voxels(CASE.to_mm(voxel))[2]), 0, BESIDE.shape[2] - 1))


def test_a_reference_follows_the_crosshair_and_leads_it_and_one_without_a_place_says_so(
    page: Page, serve: Serve, study: tuple[Workspace, Case]
) -> None:
    workspace, case = study
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/case/{case.id}")
    expect(page.get_by_test_id("workplace")).to_have_attribute("data-ready", "true")
    shown = page.get_by_test_id("reference-slice")
    expect(shown).to_have_attribute("data-ready", "true")
    expect(page.get_by_test_id("reference")).to_have_attribute("data-name", "FLAIR")
    expect(shown).to_have_attribute("data-slice", str(expected_slice(crosshair(page))))
    before = crosshair(page)
    page.get_by_test_id("pane-axial").focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    wait_for(page, f"Math.abs(window.medloop.crosshair[2] - {before[2]}) === 2")
    after = crosshair(page)
    assert expected_slice(after) != expected_slice(before)
    expect(shown).to_have_attribute("data-slice", str(expected_slice(after)))
    number = int(shown.get_attribute("data-slice") or "")
    shown.hover()
    page.mouse.wheel(0, 100)
    expect(shown).not_to_have_attribute("data-slice", str(number))
    turned = int(shown.get_attribute("data-slice") or "")
    mm = BESIDE.to_mm([0, 0, turned])[2]
    wait_for(page, f"window.medloop.crosshair[2] === {round(CASE.to_voxels([0, 0, mm])[2])}")
    assert (mm < BESIDE.to_mm([0, 0, number])[2]) == (CASE.to_mm(after)[2] < CASE.to_mm(before)[2])  # both go down the body

    page.keyboard.press("Alt+Shift+B")
    word = page.get_by_test_id("reference-unplaced")
    expect(word).to_contain_text("No position is stored: position not comparable.")
    expect(shown).to_have_attribute("data-slice", str(BESIDE.shape[2] // 2))
    expect(shown).to_have_attribute("data-voxel", "")
    page.get_by_test_id("pane-axial").focus()
    page.keyboard.press("Home")
    expect(shown).to_have_attribute("data-slice", str(BESIDE.shape[2] // 2))
    page.get_by_test_id("reference-by-share").click()
    expect(shown).not_to_have_attribute("data-slice", str(BESIDE.shape[2] // 2))
    page.keyboard.press("Alt+B")
    expect(page.get_by_test_id("reference")).to_have_count(0)
