"""A film on the page: its frames in time, labels carried to them, by mouse and by keys."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.arrays import UNKNOWN
from medloop.core.records import Annotation, Assignment, Case
from medloop.core.settings import ProjectSettings
from medloop.interaction.traces import read_trace
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.provenance import provenance
from medloop.loop.data.framed import frame_lines
from medloop.loop.foundation.partial_annotations import SlicePart, load_partial
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
    template = "end-diastole@first, end-systole@5"
    settings = ProjectSettings(train_after=0, first_strategy="random", audit_fraction=0.0, batch_size=2, template=template)
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
    assert drawn_on(films, assignment) == [2]
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
    until(page, lambda: drawn_on(films, assignment) == [2])


def test_two_named_frames_are_found_drawn_and_submitted_and_nothing_else(page: Page, serve: Serve, films: Workspace) -> None:
    case_id, assignment = open_next(page, serve(films.folder), films)
    first, second = page.get_by_test_id("name-0"), page.get_by_test_id("name-1")
    expect(first).to_have_attribute("aria-current", "true")
    expect(second).to_have_attribute("aria-label", "end-systole: frame 5, open")
    page.keyboard.press("b")
    paint_disc(page, 0)
    expect(first).to_have_attribute("data-done", "true")
    page.keyboard.press("Alt+n")
    expect(second).to_have_attribute("aria-current", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Alt+f")
    expect(second).to_have_attribute("aria-label", "end-systole: frame 6, open, moved")
    page.keyboard.press("ArrowDown")
    page.get_by_test_id("name-here").click()
    expect(second).to_have_attribute("aria-label", "end-systole: frame 7, open, moved")
    page.keyboard.press("Shift+C")
    expect(page.get_by_test_id("preview")).to_contain_text("frames 2–8 from frame 1")
    page.keyboard.press("Enter")
    expect(second).to_have_attribute("data-done", "true")
    until(page, lambda: len(drawn_on(films, assignment)) == FRAMES)
    draft = read_draft(films, assignment).mask
    page.keyboard.press("Enter")
    until(page, lambda: films.store.get(Assignment, assignment).state == "submitted")
    with films.store.read() as tx:
        (annotation,) = tx.find(Annotation, where={"case_id": case_id})
        parts, mask = load_partial(films.store.blobs, annotation, tx.get(Case, case_id))
        made = provenance(tx, annotation)
    assert parts == (SlicePart(2, 0), SlicePart(2, 6))
    assert (mask[..., 1:6] == UNKNOWN).all()
    assert (mask[..., [0, 6]] == draft[..., [0, 6]]).all()
    assert made is not None
    assert (made.parts["brush"]["frames"], made.parts["propagated"]["frames"]) == ([0], [1, 2, 3, 4, 5, 6, 7])
    assert [(line.name, line.index, line.placed) for line in frame_lines(films)] == [("end-diastole", 0, False), ("end-systole", 6, True)]


def test_the_bar_of_frames_is_one_stop_of_tab_beside_its_slider(page: Page, serve: Serve, films: Workspace) -> None:
    open_next(page, serve(films.folder), films)
    bar = page.get_by_role("toolbar", name="Frames over time")
    stops = bar.locator("button[tabindex='0'], input")
    expect(stops).to_have_count(2)
    page.get_by_test_id("frame-back").focus()
    for following in ("frame-play", "frame-next", "name-0", "name-1"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_test_id(following)).to_be_focused()
        expect(stops).to_have_count(2)
    frame = shown_frame(page)
    page.keyboard.press("Enter")
    assert shown_frame(page) == 4 != frame
    page.keyboard.press("ArrowDown")  # one line: what goes up and down is the film
    assert shown_frame(page) == 5
    page.keyboard.press("Home")
    expect(page.get_by_test_id("frame-back")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("frame-slider")).to_be_focused()
    page.keyboard.press("ArrowRight")
    assert shown_frame(page) == 6


def test_a_trace_of_where_somebody_looked_becomes_a_preview(page: Page, serve: Serve, films: Workspace, tmp_path: Path) -> None:
    _, assignment = open_next(page, serve(films.folder), films)
    trace = tmp_path / "gaze.csv"
    samples = [f"{n * 0.05:.2f},{i},{j},2" for n, (i, j) in enumerate(np.argwhere(film()[1][..., 2]))]
    trace.write_text("\n".join(["time,x,y,frame", *samples]))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Alt+Shift+T")
    chooser.value.set_files(trace)
    expect(page.get_by_test_id("preview")).to_contain_text(f"frames 3 from {len(samples)} samples")
    assert drawn_on(films, assignment) == []
    page.keyboard.press("Enter")
    until(page, lambda: drawn_on(films, assignment) == [2])
    assert dice(read_draft(films, assignment).mask[..., 2], film()[1][..., 2].astype(np.uint8), [1])[1] > 0.85


def test_where_the_pointer_goes_is_recorded_shown_saved_and_accepted(page: Page, serve: Serve, films: Workspace) -> None:
    _, assignment = open_next(page, serve(films.folder), films)
    page.keyboard.press("Home")
    page.keyboard.press("b")
    page.get_by_test_id("operation-record").click()
    expect(page.get_by_test_id("preview")).to_have_text("Recording…")
    for i, j in np.argwhere(film()[1][..., 0])[::3].tolist():
        at = page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, 0)")
        page.mouse.move(at["x"], at["y"])
        page.wait_for_timeout(50)
    assert drawn_on(films, assignment) == []
    page.keyboard.press("Enter")  # ends the recording, submits nothing
    expect(page.get_by_test_id("preview")).to_contain_text("frames 1 from")
    assert films.store.get(Assignment, assignment).state == "open"
    with page.expect_download() as saved:
        page.get_by_test_id("trace-save").click()
    text = Path(saved.value.path()).read_text()
    page.keyboard.press("Enter")
    until(page, lambda: drawn_on(films, assignment) == [0])
    mask = read_draft(films, assignment).mask
    assert dice(mask[..., 0], film()[1][..., 0].astype(np.uint8), [1])[1] > 0.6  # how long the pointer rested is the machine's
    assert page.evaluate("window.medloop.tool") == "brush"
    content = json.loads(text)
    assert content["shape"] == list(mask.shape)
    assert {sample["k"] for sample in content["samples"]} == {0}
    trace = read_trace(text, films.store.get(Case, films.store.get(Assignment, assignment).case_id).grid)
    assert 1 < trace.seconds.sum() < 60


def test_a_trace_is_recorded_by_keys_and_dropped_by_escape(page: Page, serve: Serve, films: Workspace) -> None:
    _, assignment = open_next(page, serve(films.folder), films)
    page.keyboard.press("Home")
    page.keyboard.press("Alt+g")
    expect(page.get_by_test_id("preview")).to_have_text("Recording…")
    page.keyboard.press("Alt+g")
    expect(page.get_by_test_id("notices")).to_contain_text("Nothing is recorded yet")
    for key in ("Control+ArrowLeft", "Control+ArrowUp") * 4:
        page.keyboard.press(key)
        page.wait_for_timeout(80)
    page.keyboard.press("Alt+g")
    expect(page.get_by_test_id("preview")).to_contain_text("frames 1 from")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("preview")).to_have_text("")
    page.keyboard.press("Alt+g")
    expect(page.get_by_test_id("preview")).to_have_text("Recording…")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("preview")).to_have_text("")
    assert (drawn_on(films, assignment), read_draft(films, assignment).revision) == ([], 0)


def drawn_on(workspace: Workspace, assignment: str) -> list[int]:
    """Frames that hold something in the stored draft."""
    found: list[int] = np.flatnonzero(read_draft(workspace, assignment).mask.any(axis=(0, 1))).tolist()
    return found
