"""Measuring, slabs and the 3D view, by mouse and by key: what the page shows is what the server keeps and what the voxels say."""

import io
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Locator, Page, expect

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Measurement, ProjectSettings, Source
from medloop.loop.annotating.annotations import open_case
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.measuring import placed_measurements
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace

from .conftest import Serve, wait_for
from .dragging import drag

SHAPE = (60, 50, 24)
GRID = Grid(SHAPE, np.array([[-0.8, 0, 0, 20.0], [0, 0.9, 0.5, -10.0], [0, 0, 2.5, 5.0], [0, 0, 0, 1.0]]))
"""Anisotropic, and slices that lean over."""
X, Y, Z = np.indices(SHAPE)
VALUES = (100 + 3 * X - 2 * Y + 10 * (Z % 3) + 500 * ((X == 30) & (Y == 12) & (Z == 9))).astype(np.int16)
BALL = np.hypot(np.hypot((X - 22) * 0.8, (Y - 25) * 0.9), (Z - 12) * 2.5) <= 12


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = ProjectSettings(audit_fraction=0.0, train_after=0, validation_fraction=0.0, test_fraction=0.0)
    with Workspace.create(tmp_path / "project", name="Rulers", kind="segmentation", labels=["ball", "bar"], settings=settings) as made:
        yield made


@pytest.fixture
def case(workspace: Workspace) -> Case:
    """A case whose draft holds a ball, and a bar at the patient's left of it."""
    source = Source(format="nifti", names=("scan",), sha256="5" * 64)
    case = add_case(workspace, Image(VALUES[None], GRID), NewCase(name="scan", patient="p", split="train", source=source))
    assert case is not None
    opened = open_case(workspace, case.id, annotator_named(workspace, "local").id)
    bar = (X >= 46) & (X < 54) & (Y >= 18) & (Y < 32) & (Z >= 4) & (Z < 20)
    flat = (BALL + 2 * bar).astype(np.uint8).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=0, append=0))
    runs = [(int(a), int(b - a), int(flat[a])) for a, b in pairwise(edges) if flat[a]]
    save_patch(workspace, opened.assignment.id, Edit(base_revision=0, runs=runs))
    return case


@pytest.fixture
def opened(page: Page, serve: Serve, workspace: Workspace, case: Case) -> Page:
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/case/{case.id}")
    wait_for(page, f"window.medloop?.seen && window.medloop.caseId === '{case.id}'")
    return page


def kept(page: Page, workspace: Workspace) -> list[Measurement]:
    """What the store holds once nothing is under way."""
    expect(page.get_by_test_id("measurements")).to_have_attribute("aria-busy", "false")
    with workspace.store.read() as tx:
        return [one.measurement for one in placed_measurements(tx)]


def look_at(page: Page, i: int, j: int, k: int) -> None:
    """Move the crosshair in the axial plane, whatever the tool."""
    page.get_by_test_id("pane-axial").hover()
    now = page.evaluate("window.medloop.crosshair[2]")
    for _ in range(abs(k - now)):
        page.keyboard.press("PageUp" if k > now else "PageDown")
    at = page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, {k})")
    page.keyboard.down("Shift")
    page.mouse.click(at["x"], at["y"])
    page.keyboard.up("Shift")
    assert page.evaluate("window.medloop.crosshair") == [i, j, k]


def mm(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    return float(np.linalg.norm(np.diff(GRID.to_mm([first, second]), axis=0)))


@pytest.mark.browser
def test_lengths_angles_and_regions_are_measured_by_mouse_and_by_key_and_kept(opened: Page, workspace: Workspace) -> None:
    page, rows = opened, opened.get_by_test_id("measurement")
    look_at(page, 20, 25, 12)
    page.get_by_test_id("tool-ruler").click()
    drag(page, (10, 10, 12), (40, 35, 12))
    expect(rows).to_have_count(1)
    (ruler,) = kept(page, workspace)
    assert np.allclose(ruler.points, [(10, 10, 12), (40, 35, 12)], atol=0.2), "the ends lie where the pointer was"
    assert ruler.figures["length_mm"] == pytest.approx(mm(*ruler.points))
    expect(rows).to_contain_text(f"{ruler.figures['length_mm']:.1f} mm")

    drag(page, (40, 35, 12), (40, 20, 12))  # an end is taken along
    expect(rows).not_to_contain_text(f"{ruler.figures['length_mm']:.1f} mm")
    expect(rows).to_contain_text(f"{mm(*kept(page, workspace)[0].points):.1f} mm")
    assert np.allclose(kept(page, workspace)[0].points[1], (40, 20, 12), atol=0.2)

    page.keyboard.press("'")  # from the ruler to the angle, by keys alone but for the crosshair
    expect(page.get_by_test_id("tool-angle")).to_have_attribute("aria-pressed", "true")
    for place in ((15, 30), (25, 30), (25, 40)):
        look_at(page, *place, 12)
        page.keyboard.press(";")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("90.0°")
    assert kept(page, workspace)[1].points == ((15, 30, 12), (25, 30, 12), (25, 40, 12))

    page.get_by_test_id("tool-ellipse").click()
    drag(page, (12, 15, 12), (33, 37, 12))
    expect(rows).to_have_count(3)
    ellipse = kept(page, workspace)[2]
    middle, half = np.mean(ellipse.points, axis=0), np.abs(np.diff(ellipse.points, axis=0)[0]) / 2
    inside = ((X - middle[0]) / half[0]) ** 2 + ((Y - middle[1]) / half[1]) ** 2 <= 1
    values = VALUES[inside & (Z == 12)]
    assert ellipse.figures["mean"] == pytest.approx(values.mean())
    assert ellipse.figures["sd"] == pytest.approx(values.std())
    expect(rows.nth(2)).to_contain_text(f"mean {values.mean():.0f} ± {values.std():.1f}")

    page.keyboard.press("Alt+M")
    expect(rows.nth(3)).to_contain_text("ball")
    assert kept(page, workspace)[3].figures["mean"] == pytest.approx(VALUES[BALL & (Z == 12)].mean())
    page.get_by_test_id("measure-volume").click()
    expect(rows.nth(4)).to_contain_text("whole volume")
    assert kept(page, workspace)[4].figures["volume_ml"] == pytest.approx(BALL.sum() * 0.8 * 0.9 * 2.5 / 1000)

    name = page.get_by_test_id(f"name-{ruler.id}")
    name.fill("width <b>")
    name.press("Enter")
    page.get_by_test_id(f"show-{ellipse.id}").click()
    page.keyboard.press("Delete")
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Bring it back").click()
    expect(rows).to_have_count(5)
    page.reload()
    expect(rows).to_have_count(5)
    assert kept(page, workspace)[0].note == "width <b>"


def pixels(where: Locator) -> np.ndarray:
    """What is on the screen, shape (height, width, 3)."""
    return np.asarray(PIL.Image.open(io.BytesIO(where.screenshot())).convert("RGB")).astype(int)


def coloured(where: Locator, colour: str) -> int:
    """How many pixels have about the hue of a colour, in whatever light."""
    found = pixels(where)
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    light = found.max(axis=2, keepdims=True) / wanted.max()
    return int(((np.abs(found - wanted * light).max(axis=2) < 14) & (light[..., 0] > 0.2)).sum())


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    """Look again until something is drawn."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


@pytest.mark.browser
def test_a_slab_shows_several_slices_and_nothing_is_drawn_on_it(opened: Page) -> None:
    page = opened
    look_at(page, 40, 40, 11)
    axial = page.get_by_test_id("pane-axial")
    box, at = axial.bounding_box(), page.evaluate("window.medloop.pointOf('axial', 30, 12, 11)")
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)

    def brightness() -> int:
        return int(pixels(axial)[round(at["y"] - box["y"]), round(at["x"] - box["x"])].min())

    assert brightness() < 200
    page.get_by_test_id("slab-thickness").fill("10")
    page.keyboard.press("\\")
    expect(page.get_by_test_id("slab-MIP")).to_have_attribute("aria-pressed", "true")
    wait_until(page, lambda: brightness() > 225)  # the bright voxel lies two slices below, 5 mm
    page.get_by_test_id("slab-thickness").fill("9")
    wait_until(page, lambda: brightness() < 200)
    page.keyboard.press("b")
    drag(page, (5, 5, 11), (12, 9, 11))
    expect(page.get_by_text("A slab of several slices is shown: nothing is drawn or measured on it")).to_be_visible()
    expect(page.get_by_test_id("undo")).to_be_disabled()
    for _ in range(3):
        page.keyboard.press("\\")
    expect(page.get_by_test_id("slab-off")).to_have_attribute("aria-pressed", "true")
    drag(page, (5, 5, 11), (12, 9, 11))
    expect(page.get_by_test_id("undo")).to_be_enabled()


@pytest.mark.browser
def test_the_segments_are_seen_in_3d_turned_picked_hidden_and_followed(opened: Page) -> None:
    page = opened
    page.get_by_test_id("pane-axial").hover()
    page.keyboard.press("Shift+Z")
    canvas = page.get_by_test_id("surface-canvas")
    expect(canvas).to_have_attribute("data-state", "ready")
    expect(page.get_by_test_id("surface-line")).to_have_text("2 labels")
    both = [page.locator(f"[data-testid=colour-{value}]").input_value() for value in (1, 2)]
    wait_until(page, lambda: all(coloured(canvas, colour) > 500 for colour in both))

    box = canvas.bounding_box()
    assert box
    page.get_by_test_id("from-R").click()
    expect(canvas).to_have_attribute("data-from", "R")
    page.get_by_test_id("hide-2").click()
    wait_until(page, lambda: coloured(canvas, both[1]) == 0)  # what the table hides is not drawn
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_for(page, "window.medloop.crosshair[0] < 16")
    i, j, k = page.evaluate("window.medloop.crosshair")
    assert BALL[i : i + 3, j, k].any(), "a click goes to the surface that is seen: the ball's right side"

    canvas.press("p")
    expect(canvas).to_have_attribute("data-from", "P")
    canvas.press("ArrowLeft")
    expect(canvas).to_have_attribute("data-from", "")
    before = int(canvas.get_attribute("data-triangles") or 0)
    page.keyboard.press("b")
    look_at(page, 5, 5, 12)
    drag(page, (4, 4, 12), (50, 6, 12))
    wait_for(page, f"document.querySelector('[data-testid=surface-canvas]').dataset.triangles !== '{before}'")
    page.get_by_test_id("surface-close").click()
    expect(canvas).to_have_count(0)


@pytest.mark.browser
def test_without_webgl_the_3d_view_says_so_and_the_planes_stay(page: Page, serve: Serve, workspace: Workspace, case: Case) -> None:
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more)"
        "{ return kind === 'webgl2' ? null : get.call(this, kind, ...more); };"
    )
    page.goto(f"{serve(workspace.folder)}/#/p/{workspace.project.id}/case/{case.id}")
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("Shift+Z")
    expect(page.get_by_test_id("surface-line")).to_contain_text("3D needs WebGL 2")
    expect(page.get_by_test_id("pane-axial")).to_be_visible()
