"""The loop as a person does it: open, look, draw, submit, next; and what the server then holds."""

import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture
from playwright.sync_api import Page

from medloop.core.geometry import PlaneName
from medloop.core.records import Annotation, Assignment, Case, ProjectSettings
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace

from .conftest import Serve, wait_for

SHAPE = (40, 36, 20)
COS, SIN = np.cos(0.2), np.sin(0.2)
ORIENTATIONS = {
    "RAS": np.array([[2, 0, 0, -40], [0, 2, 0, -36], [0, 0, 3, -30], [0, 0, 0, 1]], dtype=float),
    "LPS": np.array([[-2, 0, 0, 40], [0, -2, 0, 36], [0, 0, 3, -30], [0, 0, 0, 1]], dtype=float),
    "SRA": np.array([[0, 2, 0, -36], [0, 0, 3, -30], [2, 0, 0, -40], [0, 0, 0, 1]], dtype=float),
    "oblique": np.array([[2 * COS, -2 * SIN, 0, -33], [2 * SIN, 2 * COS, 0, -43], [0, 0, -3, 30], [0, 0, 0, 1]], dtype=float),
}
RIGHT, ANTERIOR = 0, 1


def volume_with_rod(affine: np.ndarray) -> np.ndarray:
    """Noise, and a bright rod of 5 mm radius along the patient's axis, to the right and front of the middle."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    world = grid @ affine[:3, :3].T + affine[:3, 3]
    centre = world.reshape(-1, 3).mean(axis=0)
    distance = np.hypot(world[..., RIGHT] - centre[RIGHT] - 14, world[..., ANTERIOR] - centre[ANTERIOR] - 12)
    noise = np.random.default_rng(0).integers(80, 140, SHAPE)
    return np.where(distance < 5, 1000, noise).astype(np.int16)


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Workspace:
    """Two cases in one orientation."""
    affine = ORIENTATIONS[request.param]
    (tmp_path / "in").mkdir()
    for name, offset in (("first", 0), ("second", 1)):
        nib.save(nib.Nifti1Image(volume_with_rod(affine) + np.int16(offset), affine), tmp_path / "in" / f"{name}.nii.gz")
    settings = ProjectSettings(audit_fraction=0.0, train_after=0)
    workspace = Workspace.create(tmp_path / "project", name="Rods", kind="segmentation", labels=["rod", "other"], settings=settings)
    report = import_dataset(workspace, tmp_path / "in")
    assert len(report.added) == 2
    return workspace


def wait_ready(page: Page) -> None:
    wait_for(page, "window.medloop?.seen")


def brightest_place(page: Page, plane: PlaneName) -> tuple[float, float]:
    """Client coordinates of the middle of the bright spot as it is seen on the screen."""
    pane = page.get_by_test_id(f"pane-{plane}")
    box = pane.bounding_box()
    assert box is not None
    picture = np.asarray(Picture.open(io.BytesIO(pane.screenshot())).convert("L"), dtype=float)
    rows, columns = np.nonzero(smooth(picture) > 0.9 * smooth(picture).max())
    scale = box["width"] / picture.shape[1]
    return box["x"] + scale * float(np.median(columns)), box["y"] + scale * float(np.median(rows))


def smooth(picture: np.ndarray) -> np.ndarray:
    """Mean over 9×9 pixels, so that thin bright lines and letters do not count."""
    kernel = np.ones(9) / 9
    rows = np.apply_along_axis(np.convolve, 0, picture, kernel, "same")
    return np.apply_along_axis(np.convolve, 1, rows, kernel, "same")


@pytest.mark.browser
@pytest.mark.parametrize("project", list(ORIENTATIONS), indirect=True, ids=list(ORIENTATIONS))
def test_what_is_drawn_where_it_is_seen_is_stored_there(project: Workspace, page: Page, serve: Serve, tmp_path: Path) -> None:
    page.goto(f"{serve(project.folder)}/#/p/{project.project.id}/next")
    wait_ready(page)
    case_id = page.evaluate("window.medloop.caseId")
    with project.store.read() as tx:
        case = tx.get(Case, case_id)
    source = volume_with_rod(case.grid.affine)

    pane = page.get_by_test_id("pane-axial").bounding_box()
    assert pane is not None
    x, y = brightest_place(page, "axial")
    assert x < pane["x"] + pane["width"] / 2, "the patient's right is on the left of the screen"
    assert y < pane["y"] + pane["height"] / 2, "anterior is on top"

    page.keyboard.press("b")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2, y + 1, steps=3)
    page.mouse.up()
    wait_for(page, "window.medloop.revision === 1 && window.medloop.saved === 'saved'")
    counts = page.evaluate("window.medloop.labelCounts()")
    page.keyboard.press("Enter")
    wait_for(page, f"window.medloop.caseId && window.medloop.caseId !== '{case_id}'")

    with project.store.read() as tx:
        (answer,) = tx.find(Annotation)
        assert tx.get(Assignment, answer.assignment_id or "").state == "submitted"
    mask = load_mask(project.store.blobs, answer, case).array
    assert int((mask == 1).sum()) == counts["1"] > 0
    middle = case.grid.to_mm(np.argwhere(mask == 1)).mean(axis=0)
    rod = case.grid.to_mm(np.argwhere(source >= 1000)).mean(axis=0)
    assert np.hypot(*(middle - rod)[[RIGHT, ANTERIOR]]) < 3, "the stroke lies on the rod, in mm"
    slices = {tuple(np.unique(index)) for index in np.nonzero(mask)}
    assert any(len(s) == 1 for s in slices), "one stroke stays in its slice"
    assert answer.effort_seconds > 0

    export_project(project, tmp_path / "out", "nifti")
    exported = nib.load(tmp_path / "out/labels" / f"{case.name}.nii.gz")
    assert exported.affine.tobytes() == nib.load(tmp_path / "in" / f"{case.name}.nii.gz").affine.tobytes()
    assert np.array_equal(np.asarray(exported.dataobj), mask)


@pytest.mark.browser
@pytest.mark.parametrize("project", ["RAS"], indirect=True)
def test_strokes_are_undone_and_survive_a_closed_page(project: Workspace, page: Page, serve: Serve) -> None:
    address = f"{serve(project.folder)}/#/p/{project.project.id}/next"
    page.goto(address)
    wait_ready(page)
    page.keyboard.press("b")
    x, y = brightest_place(page, "axial")
    for shift in (0, 40):
        page.mouse.click(x + shift, y + shift)
    wait_for(page, "window.medloop.revision === 2")
    both = page.evaluate("window.medloop.labelCounts()")["1"]
    page.keyboard.press("Control+z")
    wait_for(page, "window.medloop.revision === 3 && window.medloop.saved === 'saved'")
    one = page.evaluate("window.medloop.labelCounts()")["1"]
    assert 0 < one < both
    page.reload()
    wait_ready(page)
    assert page.evaluate("window.medloop.labelCounts()")["1"] == one


@pytest.mark.browser
@pytest.mark.parametrize("project", ["LPS"], indirect=True)
def test_a_case_is_skipped_with_a_reason(project: Workspace, page: Page, serve: Serve) -> None:
    page.goto(f"{serve(project.folder)}/#/p/{project.project.id}/next")
    wait_ready(page)
    case_id = page.evaluate("window.medloop.caseId")
    page.keyboard.press("s")
    page.get_by_test_id("reason").fill("motion")
    page.keyboard.press("Enter")
    wait_for(page, f"window.medloop.caseId && window.medloop.caseId !== '{case_id}'")
    with project.store.read() as tx:
        (closed,) = tx.find(Assignment, where={"state": "skipped"})
    assert closed.case_id == case_id
    assert closed.reason == "motion"
