"""Every drawing tool and operation, by mouse and by key: what is saved lies where it was drawn, in several orientations and planes."""

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page, expect
from scipy import ndimage

from medloop.core.records import Annotation, Case, ProjectSettings
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.data.exporting import export_project
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace

from .conftest import Serve, wait_for
from .test_advice import until
from .test_annotate import ORIENTATIONS, SHAPE, volume_with_rod

Mask = npt.NDArray[np.uint8]
PLANES = ("axial", "coronal", "sagittal")
SLICE_AXIS = {"RAS": (2, 1, 0), "LPS": (2, 1, 0), "SRA": (0, 2, 1), "oblique": (2, 1, 0)}
"""Which voxel axis each plane cuts across, by orientation."""


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    """One case in each orientation."""
    (tmp_path / "in").mkdir()
    for name, affine in ORIENTATIONS.items():
        nib.save(nib.Nifti1Image(volume_with_rod(affine), affine), tmp_path / "in" / f"{name}.nii.gz")
    settings = ProjectSettings(audit_fraction=0.0, train_after=0)
    workspace = Workspace.create(tmp_path / "project", name="Rods", kind="segmentation", labels=["rod", "other"], settings=settings)
    import_dataset(workspace, tmp_path / "in")
    return workspace


@dataclass
class Desk:
    """The case on the screen, and what its mask should be."""

    page: Page
    workspace: Workspace
    case: Case
    assignment: str
    wanted: Mask = field(default_factory=lambda: np.zeros(SHAPE, np.uint8))

    @property
    def axes(self) -> tuple[int, int, int]:
        return SLICE_AXIS[self.case.name]

    def point(self, plane: str, voxel: npt.ArrayLike) -> tuple[float, float]:
        i, j, k = np.asarray(voxel, dtype=float)
        at = self.page.evaluate(f"window.medloop.pointOf('{plane}', {i}, {j}, {k})")
        return at["x"], at["y"]

    def look_at(self, plane: str, voxel: npt.ArrayLike) -> None:
        self.page.keyboard.down("Shift")
        self.page.mouse.click(*self.point(plane, voxel))
        self.page.keyboard.up("Shift")

    def corners(self, plane: str, low: list[int], high: list[int]) -> list[tuple[float, float]]:
        """Around the voxels from `low` to `high`, in the plane through the crosshair."""
        across = self.axes[PLANES.index(plane)]
        x, y = (axis for axis in range(3) if axis != across)
        found = []
        for a, b in (
            (low[x] - 0.5, low[y] - 0.5),
            (high[x] + 0.5, low[y] - 0.5),
            (high[x] + 0.5, high[y] + 0.5),
            (low[x] - 0.5, high[y] + 0.5),
        ):
            voxel = np.array(self.page.evaluate("window.medloop.crosshair"), float)
            voxel[x], voxel[y] = a, b
            found.append(self.point(plane, voxel))
        return found

    def fill(self, plane: str, low: list[int], high: list[int], label: int = 1) -> None:
        """What an outline around these voxels should have made of the mask."""
        box = [slice(a, b + 1) for a, b in zip(low, high, strict=True)]
        across = self.axes[PLANES.index(plane)]
        here = self.page.evaluate("window.medloop.crosshair")[across]
        box[across] = slice(here, here + 1)
        self.wanted[tuple(box)] = label

    def is_saved(self) -> None:
        until(self.page, lambda: np.array_equal(read_draft(self.workspace, self.assignment).mask, self.wanted))

    def preview(self) -> None:
        expect(self.page.get_by_test_id("preview")).to_contain_text("voxels")


def open_next(page: Page, workspace: Workspace) -> Desk:
    wait_for(page, "window.medloop?.seen")
    with workspace.store.read() as tx:
        case = tx.get(Case, page.evaluate("window.medloop.caseId"))
    return Desk(page, workspace, case, page.evaluate("window.medloop.assignmentId"))


def outline_each_plane(desk: Desk) -> None:
    """A polygon in two planes, by mouse and with keys, a lasso in the third."""
    page = desk.page
    page.get_by_test_id("tool-polygon").click()
    for x, y in (path := desk.corners("axial", [6, 6, 4], [12, 11, 9])):
        page.mouse.click(x, y)
    page.mouse.click(*path[0])
    desk.preview()
    page.get_by_test_id("accept").click()
    desk.fill("axial", [6, 6, 4], [12, 11, 9])
    desk.is_saved()

    page.keyboard.press("Shift+D")
    for x, y in desk.corners("coronal", [20, 20, 4], [27, 27, 9]):
        page.mouse.click(x, y)
    page.mouse.click(*desk.corners("coronal", [1, 1, 1], [30, 30, 15])[0])
    for key in ("Backspace", "Enter"):
        page.keyboard.press(key)
    desk.preview()
    page.keyboard.press("Enter")
    desk.fill("coronal", [20, 20, 4], [27, 27, 9])
    desk.is_saved()

    page.keyboard.press("Shift+B")
    page.keyboard.press("2")
    (x, y), *others = desk.corners("sagittal", [8, 22, 12], [14, 29, 16])
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y)
    page.mouse.up()
    desk.preview()
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    desk.fill("sagittal", [8, 22, 12], [14, 29, 16], label=2)
    desk.is_saved()


def grow_and_smooth(desk: Desk) -> None:
    page, before, spacing = desk.page, desk.wanted.copy(), np.array(desk.case.grid.spacing_mm)
    page.keyboard.press("Shift+G")
    page.get_by_test_id("amount").fill("4.5")
    page.keyboard.press("Enter")
    desk.preview()
    page.keyboard.press("Enter")
    near = ndimage.distance_transform_edt(before != 1, sampling=spacing) <= 4.5
    desk.wanted[near] = 1
    desk.is_saved()
    page.keyboard.press("Control+z")
    desk.wanted = before
    desk.is_saved()
    page.get_by_test_id("operation-smooth").click()
    page.get_by_test_id("variant").select_option("open-close")
    page.get_by_test_id("amount").fill("2.5")
    page.keyboard.press("Enter")
    desk.preview()
    page.get_by_test_id("accept").click()
    reach = [np.arange(-int(2.5 / step), int(2.5 / step) + 1) * step for step in spacing]
    ball = np.sqrt(sum(axis**2 for axis in np.meshgrid(*reach, indexing="ij"))) <= 2.5 + 1e-6
    opened = ndimage.binary_dilation(ndimage.binary_erosion(before == 1, ball, border_value=1), ball)
    closed = ndimage.binary_erosion(ndimage.binary_dilation(opened, ball), ball, border_value=1)
    desk.wanted = np.where(closed, 1, np.where(before == 1, 0, before)).astype(np.uint8)
    desk.is_saved()


def islands_and_clear(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("Shift+O")
    desk.preview()
    page.keyboard.press("Enter")
    pieces, _ = ndimage.label(desk.wanted == 1)
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    desk.wanted[(pieces > 0) & (pieces != largest)] = 0
    desk.is_saved()
    page.mouse.move(*desk.point("sagittal", page.evaluate("window.medloop.crosshair")))
    page.get_by_test_id("operation-clear").click()
    page.get_by_test_id("variant").select_option("slice")
    desk.preview()
    page.get_by_test_id("accept").click()
    cut: list[slice | int] = [slice(None)] * 3
    cut[desk.axes[2]] = page.evaluate("window.medloop.crosshair")[desk.axes[2]]
    desk.wanted[tuple(cut)] = 0
    desk.is_saved()
    page.keyboard.press("Shift+Delete")
    for _ in range(3):  # from all labels of this slice on to the label of it, which is gone already
        page.keyboard.press("Shift+Delete")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+O")
    expect(page.get_by_test_id("preview")).to_contain_text("No change")
    page.keyboard.press("Escape")


def flood_and_range(desk: Desk) -> None:
    """The rod is flooded from a seed on it; then erased where the range lets it."""
    page, values = desk.page, volume_with_rod(desk.case.grid.affine)
    rod, _ = ndimage.label(values >= 1000)
    seed = np.argwhere(rod)[len(np.argwhere(rod)) // 2]
    desk.look_at("coronal", seed)
    desk.look_at("axial", seed)
    assert page.evaluate("window.medloop.crosshair") == seed.tolist()
    page.keyboard.press("Shift+W")
    page.get_by_test_id("range-low").fill("1000")
    page.keyboard.press("Enter")
    page.get_by_test_id("range-high").fill("1000")
    page.keyboard.press("Enter")
    if not page.get_by_test_id("ball-brush").is_checked():
        page.keyboard.press("d")
    page.keyboard.press("Shift+Enter")
    desk.preview()
    page.keyboard.press("Enter")
    away = np.linalg.norm((np.moveaxis(np.indices(SHAPE), 0, -1) - seed) * desk.case.grid.spacing_mm, axis=-1)
    pieces, _ = ndimage.label((values == 1000) & (away <= 50))
    desk.wanted[pieces == pieces[tuple(seed)]] = 1
    desk.is_saved()
    page.keyboard.press("d")
    box = page.get_by_test_id("range-histogram").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 1, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 8)
    page.mouse.up()
    assert float(page.get_by_test_id("range-high").input_value()) < 1000
    page.get_by_test_id("tool-eraser").click()
    page.mouse.click(*desk.point("axial", seed))
    expect(page.get_by_text("No change: no value here lies in the range")).to_be_visible()
    page.keyboard.press("Shift+T")
    assert not page.get_by_test_id("range-used").is_checked()
    desk.is_saved()


def copy_and_carry(desk: Desk) -> None:
    page, axis = desk.page, desk.axes[0]
    here = page.evaluate("window.medloop.crosshair")[axis]
    page.mouse.move(*desk.point("axial", page.evaluate("window.medloop.crosshair")))
    page.keyboard.press("ArrowDown")
    there = page.evaluate("window.medloop.crosshair")[axis]
    page.keyboard.press("Shift+Y")
    desk.preview()
    page.keyboard.press("Enter")
    slices = np.moveaxis(desk.wanted, axis, 0)
    slices[there] = np.where(slices[here] == 1, 1, np.where(slices[there] == 1, 0, slices[there]))
    desk.is_saved()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.get_by_test_id("operation-carry").click()
    page.get_by_test_id("amount").fill("1")
    page.keyboard.press("Enter")
    wait_for(page, "document.querySelector('[data-testid=preview]').textContent.length > 10")
    page.get_by_test_id("cancel").click()
    desk.is_saved()
    page.get_by_test_id("hold-to-hide").hover()
    page.mouse.down()
    assert not page.get_by_test_id("mask-shown").is_checked()
    page.mouse.up()
    assert page.get_by_test_id("mask-shown").is_checked()


WORK = {"RAS": grow_and_smooth, "LPS": islands_and_clear, "SRA": flood_and_range, "oblique": copy_and_carry}


@pytest.mark.browser
def test_every_tool_by_mouse_and_by_key_is_saved_where_it_was_drawn(project: Workspace, page: Page, serve: Serve, tmp_path: Path) -> None:
    page.goto(f"{serve(project.folder)}/#/p/{project.project.id}/next")
    wanted = {}
    for _ in ORIENTATIONS:
        desk = open_next(page, project)
        outline_each_plane(desk)
        WORK[desk.case.name](desk)
        page.keyboard.press("Enter")
        wait_for(page, f"window.medloop.caseId !== '{desk.case.id}'")
        wanted[desk.case.name] = desk.wanted
    with project.store.read() as tx:
        made = [(tx.get(Case, one.case_id), one) for one in tx.find(Annotation)]
    export_project(project, tmp_path / "out", "nifti")
    assert len(made) == len(ORIENTATIONS)
    for case, annotation in made:
        exported = nib.load(tmp_path / "out/labels" / f"{case.name}.nii.gz")
        assert np.array_equal(load_mask(project.store.blobs, annotation, case).array, wanted[case.name])
        assert np.array_equal(np.asarray(exported.dataobj), wanted[case.name])
        assert exported.affine.tobytes() == nib.load(tmp_path / "in" / f"{case.name}.nii.gz").affine.tobytes()
