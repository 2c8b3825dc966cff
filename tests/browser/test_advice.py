"""What the model says when it is asked: places worth a look, other hypotheses, reasons; what a person does with it is stored."""

import base64
import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.records import Case, Model, Prediction, Snapshot, new_id, now
from medloop.images.encode import decode_mask, encode_mask
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.reviewing import Visit, review_places, visits_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.objections import Objection, objections, standing_objections
from tests.server.conftest import SHAPE, fill_project, train_project

from .conftest import Serve, wait_for
from .dragging import drag

NO_MODEL = "There is no model yet: annotate some cases first"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small phantoms with a real, barely trained model, which therefore has much to doubt."""
    folder = tmp_path_factory.mktemp("advice") / "project"
    fill_project(folder, "segmentation")
    train_project(folder)
    return folder


@pytest.fixture
def trained(template: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A fresh copy of it, opened beside the server."""
    with Workspace.open(Path(shutil.copytree(template, tmp_path / "trained"))) as workspace:
        yield workspace


@pytest.fixture
def untrained(tmp_path: Path) -> Iterator[Workspace]:
    """The same phantoms without any model."""
    fill_project(tmp_path / "project", "segmentation")
    with Workspace.open(tmp_path / "project") as workspace:
        yield workspace


def open_next(page: Page, address: str, workspace: Workspace) -> tuple[str, str]:
    """Case and assignment on the screen, once they are there."""
    page.goto(f"{address}/#/p/{workspace.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    return page.evaluate("window.medloop.caseId"), page.evaluate("window.medloop.assignmentId")


def told(page: Page, text: str) -> None:
    """The line below the image begins so, now or soon."""
    wait_for(page, f"document.querySelector('[data-testid=status-line]').textContent.startsWith({text!r})", seconds=90)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Look at the store until something holds."""
    for _ in range(1500):
        if holds():
            return
        page.wait_for_timeout(20)
    pytest.fail("the store never held it")


def visits(workspace: Workspace, assignment_id: str) -> list[Visit]:
    with workspace.store.read() as tx:
        return list(visits_of(tx, assignment_id))


@pytest.mark.browser
def test_n_leads_to_the_worst_place_first_and_the_log_tells_what_was_changed(trained: Workspace, page: Page, serve: Serve) -> None:
    case_id, assignment_id = open_next(page, serve(trained.folder), trained)
    places = review_places(trained, assignment_id).places
    page.keyboard.press("n")
    told(page, f"Place 1 of {len(places)}: expected about {round(places[0].gain)} wrong voxels")
    assert page.evaluate("window.medloop.crosshair") == list(places[0].voxel)
    page.keyboard.press("b")
    drag(page, places[0].voxel, places[0].voxel)
    page.keyboard.press("n")
    told(page, "Place 2")
    assert page.evaluate("window.medloop.crosshair") == list(places[1].voxel)
    until(page, lambda: len(visits(trained, assignment_id)) == 1)
    page.keyboard.press("Enter")
    wait_for(page, f"window.medloop.caseId !== {case_id!r}")
    made = [(v.number, v.suggested, v.changed, v.revision) for v in visits(trained, assignment_id)]
    assert made == [(0, 0, True, 1), (1, 1, False, 1)]


@pytest.mark.browser
def test_where_the_server_ranks_nothing_n_goes_where_the_model_is_least_sure(untrained: Workspace, page: Page, serve: Serve) -> None:
    doubt_a_little(untrained, (3, 4, 5))
    _, assignment_id = open_next(page, serve(untrained.folder), untrained)
    assert review_places(untrained, assignment_id).places == ()
    page.keyboard.press("n")
    told(page, "Place 1 of 1: the model is uncertain here")
    assert page.evaluate("window.medloop.crosshair") == [3, 4, 5]
    page.keyboard.press("n")
    assert visits(untrained, assignment_id) == []


def doubt_a_little(workspace: Workspace, voxel: tuple[int | slice, int | slice, int | slice]) -> None:
    """A model that saw every case and is slightly unsure of one voxel, or of a slice."""
    blobs = workspace.store.blobs
    doubt = np.zeros(SHAPE, np.uint8)
    doubt[voxel] = 120
    empty, doubt_blob = blobs.put(encode_mask(np.zeros(SHAPE, np.uint8))), blobs.put(encode_mask(doubt))
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    model = Model(id=new_id("model"), index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("test") as tx:
        tx.add(snapshot)
        tx.add(model)
        for case in tx.find(Case):
            tx.add(
                Prediction(
                    id=new_id("prediction"),
                    case_id=case.id,
                    model_id=model.id,
                    mask=empty,
                    uncertainty=doubt_blob,
                    probabilities=(1.0, 0.0, 0.0),
                    features=None,
                    scores={},
                    created_at=now(),
                )
            )


@pytest.mark.browser
def test_without_a_model_each_control_says_so_in_one_line_and_drawing_goes_on(untrained: Workspace, page: Page, serve: Serve) -> None:
    open_next(page, serve(untrained.folder), untrained)
    page.keyboard.press("n")
    expect(page.get_by_test_id("notices")).to_contain_text("No model has looked at this case yet")
    page.keyboard.press("k")
    expect(page.get_by_test_id("hypotheses-refused")).to_have_text(NO_MODEL)
    page.keyboard.press("y")
    expect(page.get_by_test_id("reasons-refused")).to_have_text(NO_MODEL)
    page.keyboard.press("b")
    drag(page, (4, 4, 4), (5, 5, 4))
    wait_for(page, "window.medloop.revision === 1")
    for panel in ("hypotheses", "reasons"):
        page.keyboard.press("Escape")
        expect(page.get_by_test_id(panel)).to_have_count(0)


@pytest.mark.browser
def test_hypotheses_are_stepped_through_taken_whole_or_in_part_and_undone(trained: Workspace, page: Page, serve: Serve) -> None:
    address = serve(trained.folder, assistant=True)
    case_id, assignment_id = open_next(page, address, trained)
    before = read_draft(trained, assignment_id).mask
    pane = page.get_by_test_id("pane-axial")
    plain = pane.screenshot()
    page.keyboard.press("k")
    told(page, "Hypothesis 1 of ")
    given = page.request.get(f"{address.rstrip('/')}/api/v1/projects/{trained.project.id}/cases/{case_id}/hypotheses").json()
    masks = [unpacked(hypothesis["mask"]) for hypothesis in given["hypotheses"]]
    page.keyboard.press("k")
    told(page, f"Hypothesis 2 of {len(masks)}, {round(100 * given['hypotheses'][1]['weight'])} % of the model’s samples: differs")
    assert pane.screenshot() != plain, "its outline is on the image"
    k = page.evaluate("window.medloop.crosshair")[2]

    def stored(revision: int) -> np.ndarray:
        wait_for(page, f"window.medloop.revision === {revision} && window.medloop.saved === 'saved'")
        return read_draft(trained, assignment_id).mask

    page.keyboard.press("Shift+J")
    part = before.copy()
    part[..., k] = masks[1][..., k]
    assert np.array_equal(stored(1), part), "this slice only"
    page.keyboard.press("Control+z")
    assert np.array_equal(stored(2), before), "one step of undo"
    page.keyboard.press("z")
    i, j = np.argwhere(masks[1][..., k] != before[..., k])[0]
    box = (slice(max(i - 2, 0), i + 2), slice(max(j - 2, 0), j + 2), k)
    drag(page, (box[0].start, box[1].start, k), (min(i + 1, SHAPE[0] - 1), min(j + 1, SHAPE[1] - 1), k))
    page.keyboard.press("Shift+J")
    boxed = before.copy()
    boxed[box] = masks[1][box]
    assert np.array_equal(stored(3), boxed), "the box only"
    page.keyboard.press("Shift+K")
    told(page, "Hypothesis 1 of ")
    page.keyboard.press("j")
    assert np.array_equal(stored(4), masks[0]), "the whole"
    page.get_by_test_id("suggested-0").click()
    assert page.evaluate("window.medloop.crosshair") == given["suggested_prompts"][0]["voxel"]
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("hypotheses")).to_have_count(0)


def unpacked(mask: str) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(mask)), np.uint8).reshape(SHAPE, order="F")


@pytest.mark.browser
def test_a_reason_is_drawn_and_called_wrong_in_a_box(trained: Workspace, page: Page, serve: Serve) -> None:
    case_id, _ = open_next(page, serve(trained.folder, assistant=True), trained)
    k = page.evaluate("window.medloop.crosshair")[2]
    pane = page.get_by_test_id("pane-axial")
    plain = pane.screenshot()
    page.keyboard.press("y")
    told(page, "Green: evidence for large")
    assert pane.screenshot() != plain, "the map is on the image"
    expect(page.get_by_test_id("reason-legend")).to_contain_text("for")
    alike = page.get_by_test_id("alike").get_by_role("link")
    expect(alike.first).to_have_attribute("href", f"#/p/{trained.project.id}/case/{first_alike(trained, case_id)}")

    page.get_by_test_id("method-integrated-gradients").click()
    told(page, "Green: evidence for large, magenta: against it")
    page.keyboard.press("q")
    told(page, "Draw a box first")
    assert stored_objections(trained) == []
    drag(page, (3, 3, k), (6, 5, k))
    page.get_by_test_id("objection-words").fill("a ruler")
    page.keyboard.press("Enter")
    told(page, "Recorded: 12 voxels in the box")
    (made,) = stored_objections(trained)
    region = np.zeros(SHAPE, np.uint8)
    region[3:7, 3:6, k] = 1
    assert (made.case_id, made.label, made.method, made.reason) == (case_id, 1, "integrated-gradients", "a ruler")
    assert np.array_equal(decode_mask(trained.store.blobs.get(made.regions), SHAPE), region)
    drag(page, (8, 6, k), (9, 8, k))
    page.keyboard.press("q")
    told(page, "Recorded: 18 voxels in 2 boxes")
    page.keyboard.press("Shift+Q")
    told(page, "Taken back")
    with trained.store.read() as tx:
        assert standing_objections(tx) == []


def stored_objections(workspace: Workspace) -> list[Objection]:
    with workspace.store.read() as tx:
        return objections(tx)


def first_alike(workspace: Workspace, case_id: str) -> str:
    from medloop.loop.overview.explanations import similar_cases

    return similar_cases(workspace, case_id).cases[0].case_id
