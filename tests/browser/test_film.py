"""A film on the page: its frames in time, labels carried to them, by mouse and by keys."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.settings import ProjectSettings
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.overlap import dice
from tests.loop.films import FRAMES, add_film, film

from .conftest import Serve, wait_for
from .dragging import drag
from .test_advice import open_next, until

pytestmark = pytest.mark.browser


@pytest.fixture
def films(tmp_path: Path) -> Iterator[Workspace]:
    """A project of two films."""
    settings = ProjectSettings(train_after=0, first_strategy="random", audit_fraction=0.0, batch_size=2)
    with Workspace.create(tmp_path / "project", name="Films", kind="segmentation", labels=["ventricle"], settings=settings) as made:
        for name in ("loop1", "loop2"):
            add_film(made, name)
        yield made


def paint_disc(page: Page, frame: int) -> None:
    """The disc of a frame, with the brush, in the frame on the screen."""
    _, inside = film()
    columns = np.flatnonzero(inside[..., frame].any(axis=1))
    for i in columns[::2]:
        rows = np.flatnonzero(inside[i, :, frame])
        drag(page, (int(i), int(rows[0]) + 1, frame), (int(i), int(rows[-1]) - 1, frame))


def shown_frame(page: Page) -> int:
    return int(page.evaluate("window.medloop.crosshair[2]"))


def test_a_film_is_gone_through_played_and_labels_are_carried_to_all_its_frames(page: Page, serve: Serve, films: Workspace) -> None:
    _, assignment = open_next(page, serve(films.folder), films)
    text = page.get_by_test_id("frame-text")
    page.keyboard.press("Home")
    expect(text).to_have_text(f"Frame 1 of {FRAMES} · 0.00 s")
    page.keyboard.press("ArrowDown")
    page.get_by_test_id("frame-next").click()
    expect(text).to_have_text(f"Frame 3 of {FRAMES} · 0.08 s")
    page.keyboard.press("End")
    expect(text).to_have_text(f"Frame {FRAMES} of {FRAMES} · 0.28 s")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("frame-play")).to_have_attribute("aria-pressed", "true")
    wait_for(page, f"window.medloop.crosshair[2] < {FRAMES - 2}")
    page.get_by_test_id("frame-play").click()
    stands = shown_frame(page)
    page.wait_for_timeout(200)
    assert shown_frame(page) == stands
    for gone in ("pane-coronal", "pane-sagittal", "fill-between", "operation-carry", "ball-brush", "maximise-axial"):
        expect(page.get_by_test_id(gone)).to_have_count(0)
    page.get_by_test_id("frame-slider").fill("2")
    expect(text).to_contain_text("Frame 3")
    page.keyboard.press("b")
    paint_disc(page, 2)
    page.keyboard.press("Shift+C")
    expect(page.get_by_test_id("preview")).to_contain_text("frames 1–2, 4–8 from frame 3")
    assert np.flatnonzero(read_draft(films, assignment).mask.any(axis=(0, 1))).tolist() == [2]
    page.screenshot(path="/tmp/wbv_film.png")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("preview")).to_have_text("")
    page.get_by_test_id("operation-propagate").click()
    page.get_by_test_id("accept").click()
    until(page, lambda: bool(read_draft(films, assignment).mask.any(axis=(0, 1)).all()))
    mask = read_draft(films, assignment).mask
    drawn = mask[..., 2]
    for n in range(FRAMES):
        assert dice(mask[..., n], np.roll(drawn, n - 2, axis=0), [1])[1] > 0.9
    page.keyboard.press("Control+z")
    until(page, lambda: np.flatnonzero(read_draft(films, assignment).mask.any(axis=(0, 1))).tolist() == [2])
