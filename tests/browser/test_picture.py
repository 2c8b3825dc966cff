"""The right picture at once: real files open with their own window, values, places and letters, and hang as they did last time."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Case, ProjectSettings
from medloop.images.read import read_image
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace
from tests.images.test_dicom import slice_of

from .axe import findings
from .conftest import Serve, wait_for


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = ProjectSettings(audit_fraction=0.0, train_after=0)
    labels = [f"structure {n}" for n in range(1, 13)]
    with Workspace.create(tmp_path / "project", name="Pictures", kind="segmentation", labels=labels, settings=settings) as made:
        yield made


def add(workspace: Workspace, path: Path) -> Case:
    read = read_image(path)
    return add_case(workspace, read.image, NewCase(name=path.name, patient=path.name, split="train", source=read.source, notes=read.notes))


def open_case(page: Page, address: str, workspace: Workspace, case: Case) -> None:
    page.goto(f"{address}/#/p/{workspace.project.id}/case/{case.id}")
    wait_for(page, f"window.medloop?.seen && window.medloop.caseId === '{case.id}'")


def point_at(page: Page, plane: str, voxel: tuple[int, int, int]) -> None:
    at = page.evaluate(f"window.medloop.pointOf('{plane}', {', '.join(map(str, voxel))})")
    page.mouse.move(at["x"], at["y"])


def pressed_preset(page: Page) -> str:
    return page.locator("[data-testid^=preset-][aria-pressed=true]").inner_text()


def drawn(page: Page, plane: str, layer: str) -> np.ndarray:
    """The pixels of a canvas, shape (height, width, 4)."""
    address = page.evaluate(f"document.querySelector('[data-testid=pane-{plane}] canvas[data-layer={layer}]').toDataURL()")
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGBA"))


def has_letters(page: Page, plane: str) -> bool:
    """Whether anything is written in the middle of the left edge."""
    head = drawn(page, plane, "head")
    middle = len(head) // 2
    return bool(head[middle - 9 : middle + 9, 4:26, 3].any())


def stored(folder: Path, k: int) -> Any:
    """A slice of the chest CT as its file has it; the reader sorts along the normal, as the files are named or the other way round."""
    files = sorted(folder.glob("*.dcm"), key=lambda path: float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2]))
    return pydicom.dcmread(files[k])


@pytest.mark.data
@pytest.mark.browser
def test_a_real_ct_opens_with_the_window_of_its_file_and_says_hounsfield_units_and_places(
    workspace: Workspace, page: Page, serve: Serve, data_folder: Path
) -> None:
    case = add(workspace, data_folder / "dicom/ct_chest")
    address = serve(workspace.folder)
    open_case(page, address, workspace, case)
    assert pressed_preset(page) == "DICOM"
    assert page.evaluate("[window.medloop.window.low, window.medloop.window.high]") == [-115, 235]
    for name in ("Auto", "Full", "Abdomen", "Lung", "Bone", "Brain"):
        expect(page.get_by_role("toolbar", name="Window presets").get_by_text(name, exact=True)).to_be_visible()

    file = stored(data_folder / "dicom/ct_chest", 8)
    i, j = 300, 240
    hounsfield = int(file.pixel_array[j, i] * file.RescaleSlope + file.RescaleIntercept)
    k = 8 if case.grid.affine[2, 2] > 0 else case.grid.shape[2] - 9
    page.keyboard.press("x")
    while (now := page.evaluate("window.medloop.crosshair[2]")) != k:
        page.keyboard.press("PageUp" if (now < k) == (case.grid.affine[2, 2] > 0) else "PageDown")
    point_at(page, "axial", (i, j, k))
    x, y, z = np.array(file.ImagePositionPatient, dtype=float) + np.array([i, j, 0]) * [*map(float, file.PixelSpacing[::-1]), 0]
    place = f"{'L' if x > 0 else 'R'} {abs(x):.1f}  {'P' if y > 0 else 'A'} {abs(y):.1f}  {'S' if z >= 0 else 'I'} {abs(z):.1f} mm"  # LPS
    expect(page.get_by_test_id("under-pointer")).to_have_text(f"({i}, {j}, {k})   {hounsfield} HU   {place}")
    assert has_letters(page, "axial")

    page.keyboard.press("Home")
    first = page.evaluate("window.medloop.crosshair[2]")
    page.keyboard.press("End")
    assert sorted([first, page.evaluate("window.medloop.crosshair[2]")]) == [0, case.grid.shape[2] - 1]


@pytest.mark.data
@pytest.mark.browser
def test_windows_and_hanging_come_back_after_a_reload(workspace: Workspace, page: Page, serve: Serve, data_folder: Path) -> None:
    ct, mr = add(workspace, data_folder / "dicom/ct_chest"), add(workspace, data_folder / "dicom/mr_brain_flair")
    address = serve(workspace.folder)
    open_case(page, address, workspace, ct)
    page.get_by_text("Lung", exact=True).click()
    page.keyboard.press("+")
    page.keyboard.press("r")
    assert page.evaluate("window.medloop.window.low") == -1350, "fitting keeps the window"
    page.get_by_test_id("hanging-2×2").click()
    page.get_by_test_id("large-coronal").click()
    expect(page.get_by_test_id("crosshair-table")).to_contain_text("HU")
    large = page.get_by_test_id("pane-coronal").bounding_box()
    side = page.get_by_test_id("pane-axial").bounding_box()
    assert large
    assert side
    assert (large["x"], large["y"]) == (side["x"] - large["width"] - 2, side["y"]), "the large plane comes first"
    assert findings(page) == []

    open_case(page, address, workspace, mr)
    expect(page.get_by_test_id("hanging-2×2")).to_have_attribute("aria-pressed", "true")
    assert pressed_preset(page) == "DICOM", "another modality has its own window"
    page.mouse.move(300, 300)
    page.mouse.down(button="right")
    page.mouse.move(340, 320, steps=4)
    page.mouse.up(button="right")
    dragged = page.evaluate("window.medloop.window")
    page.reload()
    wait_for(page, "window.medloop?.seen")
    again = page.evaluate("window.medloop.window")
    assert again["low"] == pytest.approx(dragged["low"])
    assert again["high"] == pytest.approx(dragged["high"])
    page.keyboard.press("Shift+R")
    assert pressed_preset(page) == "DICOM"

    open_case(page, address, workspace, ct)
    assert pressed_preset(page) == "Lung"
    expect(page.get_by_test_id("large-coronal")).to_have_attribute("aria-pressed", "true")


@pytest.mark.data
@pytest.mark.browser
@pytest.mark.parametrize("kind", ["ultrasound", "png"])
def test_colours_are_on_the_screen_as_they_are_stored(
    workspace: Workspace, page: Page, serve: Serve, data_folder: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "png":
        path = tmp_path / "colours.png"
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(path)
    else:
        path = data_folder / "dicom/single_files/examples_rgb_color.dcm"
        pixels = pydicom.dcmread(path).pixel_array
    case = add(workspace, path)
    open_case(page, serve(workspace.folder), workspace, case)
    page.keyboard.press("i")
    rng = np.random.default_rng(1)
    wanted, seen = [], []
    box = page.get_by_test_id("pane-axial").bounding_box()
    assert box is not None
    wait_for(page, "!document.querySelector('[data-testid=smooth]').checked")
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    image = drawn(page, "axial", "image")
    for _ in range(200):
        i, j = int(rng.integers(0, pixels.shape[1])), int(rng.integers(0, pixels.shape[0]))
        at = page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, 0)")
        wanted.append(pixels[j, i].tolist())
        seen.append(image[int(at["y"] - box["y"]), int(at["x"] - box["x"]), :3].tolist())
    assert seen == wanted
    assert not has_letters(page, "axial")
    i, j = 20, 30
    point_at(page, "axial", (i, j, 0))
    expect(page.get_by_test_id("under-pointer")).to_have_text(f"({i}, {j})   {' '.join(map(str, pixels[j, i]))}")
    assert page.locator("[data-testid^=preset-]").all_inner_texts() == ["As stored"]


@pytest.mark.browser
def test_a_radiograph_without_orientation_has_its_window_and_no_letters(
    workspace: Workspace, page: Page, serve: Serve, tmp_path: Path
) -> None:
    tags = slice_of(0, Modality="CR", WindowCenter=[10, 16], WindowWidth=[12, 4], WindowCenterWidthExplanation=["NORMAL", "BONE"])
    tags.RescaleIntercept = 0
    del tags.ImagePositionPatient, tags.ImageOrientationPatient
    tags.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    case = add(workspace, tmp_path / "film.dcm")
    open_case(page, serve(workspace.folder), workspace, case)
    names = page.locator("[data-testid^=preset-]").all_inner_texts()
    assert names[:3] == ["DICOM", "DICOM BONE", "Auto"]
    assert "5–95 %" in names
    assert (page.get_by_test_id("preset-0").get_attribute("title") or "").startswith("NORMAL: ")
    assert not has_letters(page, "axial")
    point_at(page, "axial", (5, 3, 0))
    expect(page.get_by_test_id("under-pointer")).to_have_text("(5, 3)   23")
    before = drawn(page, "axial", "image")
    page.keyboard.press("Shift+I")
    wait_for(page, "document.querySelector('[data-testid=invert]').getAttribute('aria-pressed') === 'true'")
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    after = drawn(page, "axial", "image")
    shown = before[..., 3] == 255
    assert np.abs(255 - before[shown][:, 0].astype(int) - after[shown][:, 0]).max() <= 2, "what was dark is bright; smoothing rounds"
