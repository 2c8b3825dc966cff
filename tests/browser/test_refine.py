"""Gestures as a person makes them: click, stroke and box, each answered, undone to the bit, and told in the answer."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page
from scipy import ndimage

from medloop.core.records import Annotation, Assignment, Case, ProjectSettings, Source
from medloop.images.phantoms import Phantom, phantom_2d, phantom_3d
from medloop.interaction.prompts import Box, Point, Scribble
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.prompt_log import gesture_of, in_force, prompt_log
from medloop.loop.annotating.provenance import provenance
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.workspace import Workspace

from .conftest import Serve, wait_for

PHANTOMS = {"volume": phantom_3d(0, 5, (40, 36, 24)), "picture": phantom_2d(0, 5, (96, 80))}
Voxel = tuple[int, int, int]


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Workspace:
    """One phantom without an answer."""
    phantom = PHANTOMS[request.param]
    settings = ProjectSettings(audit_fraction=0.0, train_after=0)
    labels = ["liver", "kidneys"]
    workspace = Workspace.create(tmp_path / "project", name="Phantoms", kind="segmentation", labels=labels, settings=settings)
    source = Source(format="phantom", names=(phantom.name,), sha256="0" * 64)
    add_case(workspace, phantom.image, NewCase(name=phantom.name, patient=phantom.patient, split="train", source=source))
    return workspace


def deepest(where: np.ndarray, axis: int, index: int) -> Voxel:
    """The voxel of a slice farthest from the border of a structure."""
    slab = np.zeros_like(where)
    place = tuple(index if a == axis else slice(None) for a in range(3))
    slab[place] = ndimage.distance_transform_edt(np.pad(where[place], 1))[1:-1, 1:-1] > 0
    depth = np.zeros(where.shape)
    depth[place] = ndimage.distance_transform_edt(np.pad(slab[place], 1))[1:-1, 1:-1]
    i, j, k = np.unravel_index(int(depth.argmax()), where.shape)
    return int(i), int(j), int(k)


def box_around(where: np.ndarray, inside: Voxel) -> Box:
    """One voxel of room around the structure at a voxel, in its axial slice."""
    k = inside[2]
    parts, _ = ndimage.label(where[..., k])
    rows, columns = np.nonzero(parts == parts[inside[:2]])
    low = (int(rows.min()) - 1, int(columns.min()) - 1, k)
    return Box(low, (int(rows.max()) + 2, int(columns.max()) + 2, k + 1), 2)


class Hand:
    """A person at one page, and the store behind it."""

    def __init__(self, page: Page, workspace: Workspace) -> None:
        self.page, self.workspace = page, workspace
        self.assignment_id: str = page.evaluate("window.medloop.assignmentId")

    def point(self, plane: str, voxel: Voxel) -> tuple[float, float]:
        found = self.page.evaluate(f"window.medloop.pointOf('{plane}', {voxel[0]}, {voxel[1]}, {voxel[2]})")
        return found["x"], found["y"]

    def drag(self, plane: str, start: Voxel, stop: Voxel) -> None:
        self.page.mouse.move(*self.point(plane, start))
        self.page.mouse.down()
        self.page.mouse.move(*self.point(plane, stop), steps=4)
        self.page.mouse.up()

    def settled(self, revision: int) -> np.ndarray:
        """The stored mask once a revision is saved; the page shows the same."""
        wait_for(self.page, f"window.medloop.revision === {revision} && !window.medloop.refining && window.medloop.saved === 'saved'")
        draft = read_draft(self.workspace, self.assignment_id)
        assert draft.revision == revision
        shown = self.page.evaluate("window.medloop.labelCounts()")
        values, counts = np.unique(draft.mask[draft.mask > 0], return_counts=True)
        assert shown == {str(v): n for v, n in zip(values.tolist(), counts.tolist(), strict=True)}
        return draft.mask

    def gestures(self) -> list:
        with self.workspace.store.read() as tx:
            stored = [gesture_of(record) for record in in_force(prompt_log(tx, self.assignment_id))]
        assert len(self.page.evaluate("window.medloop.prompts")) == len(stored)
        return stored


@pytest.mark.browser
@pytest.mark.parametrize("project", ["volume", "picture"], indirect=True)
def test_gestures_change_the_stored_mask_and_are_undone_to_the_bit(project: Workspace, page: Page, serve: Serve) -> None:
    page.goto(f"{serve(project.folder, assistant=True)}/#/p/{project.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, project)
    phantom, case = stored_phantom(project, hand)
    centre = page.evaluate("window.medloop.crosshair")
    truth = phantom.mask.array
    liver, kidney, outside = (deepest(truth == label, 2, centre[2]) for label in (1, 2, 0))

    page.keyboard.press("c")
    wait_for(page, "window.medloop.engine", seconds=60)
    assert page.evaluate("window.medloop.engine").startswith("classical")
    states = [hand.settled(0)]
    page.mouse.click(*hand.point("axial", liver))
    states.append(hand.settled(1))
    assert hand.gestures() == [Point(liver, 1)]
    assert states[1][liver] == 1
    assert int((states[1] == 1).sum()) > 10, "more than the voxel is answered"

    page.keyboard.down("Control")
    page.mouse.click(*hand.point("axial", outside))
    page.keyboard.up("Control")
    states.append(hand.settled(2))
    assert hand.gestures()[1] == Point(outside, 1, positive=False)
    assert states[2][outside] != 1

    page.keyboard.press("l")
    plane, axis = ("coronal", 1) if case.grid.shape[2] > 1 else ("axial", 2)
    middle = deepest(truth == 1, axis, centre[axis])
    hand.drag(plane, middle, tuple(v + (3 if a == 0 else 0) for a, v in enumerate(middle)))
    states.append(hand.settled(3))
    stroke = hand.gestures()[2]
    assert isinstance(stroke, Scribble)
    assert {voxel[axis] for voxel in stroke.voxels} == {centre[axis]}
    assert [v[0] for v in stroke.voxels] == list(range(middle[0], middle[0] + 4))
    assert all(states[3][voxel] == 1 for voxel in stroke.voxels)

    page.keyboard.press("2")
    page.keyboard.press("a")
    box = box_around(truth == 2, kidney)
    hand.drag("axial", box.start, (box.stop[0] - 1, box.stop[1] - 1, centre[2]))
    states.append(hand.settled(4))
    assert hand.gestures()[3] == box
    page.keyboard.press("c")
    page.mouse.click(*hand.point("axial", kidney))
    states.append(hand.settled(5))
    assert states[5][kidney] == 2

    for revision, earlier in enumerate(reversed(states[:-1]), start=6):
        page.keyboard.press("Control+z")
        assert np.array_equal(hand.settled(revision), earlier)
    assert hand.gestures() == []
    for _ in range(5):
        page.keyboard.press("Control+Shift+z")
    assert np.array_equal(hand.settled(15), states[5])
    assert len(hand.gestures()) == 5


def stored_phantom(project: Workspace, hand: Hand) -> tuple[Phantom, Case]:
    with project.store.read() as tx:
        case = tx.get(Case, tx.get(Assignment, hand.assignment_id).case_id)
    return next(p for p in PHANTOMS.values() if p.mask.array.shape == case.grid.shape), case


@pytest.mark.browser
@pytest.mark.parametrize("project", ["picture"], indirect=True)
def test_a_gesture_is_removed_others_are_kept_and_the_answer_tells_how_it_came_about(project: Workspace, page: Page, serve: Serve) -> None:
    page.goto(f"{serve(project.folder, assistant=True)}/#/p/{project.project.id}/next")
    wait_for(page, "window.medloop?.seen")
    hand = Hand(page, project)
    phantom, case = stored_phantom(project, hand)
    liver, kidney = (deepest(phantom.mask.array == label, 2, 0) for label in (1, 2))
    page.keyboard.press("c")
    page.mouse.click(*hand.point("axial", kidney))
    hand.settled(1)
    page.mouse.click(*hand.point("axial", liver))
    both = hand.settled(2)
    page.get_by_test_id(f"remove-{page.evaluate('window.medloop.prompts[0].id')}").click()
    hand.settled(3)
    assert hand.gestures() == [Point(liver, 1)]
    page.keyboard.press("Control+z")
    assert np.array_equal(hand.settled(4), both)
    page.keyboard.press("Control+Shift+z")
    hand.settled(5)

    page.keyboard.press("2")
    page.mouse.click(*hand.point("axial", kidney))
    held = hand.settled(6) == 2
    page.get_by_test_id("keep-others").check()
    page.keyboard.press("1")
    page.mouse.click(*hand.point("axial", kidney))
    assert len(page.evaluate("window.medloop.prompts")) == 2, "a click on a sign chooses it"
    beside = (liver[0] + 3, liver[1], liver[2])
    page.mouse.click(*hand.point("axial", beside))
    assert np.array_equal(hand.settled(7) == 2, held)
    page.keyboard.press("b")
    page.mouse.click(*hand.point("axial", (1, 1, 0)))
    final = hand.settled(8)
    page.keyboard.press("Enter")
    wait_for(page, "!window.medloop.caseId")
    with project.store.read() as tx:
        (answer,) = tx.find(Annotation)
        told = provenance(tx, answer)
        log = prompt_log(tx, hand.assignment_id)
    assert np.array_equal(load_mask(project.store.blobs, answer, case).array, final)
    assert told is not None
    assert [gesture_of(r) for r in log if r.id in told.prompt_ids] == [Point(liver, 1), Point(kidney, 2), Point(beside, 1)]
    assert log[-1].locked == (2,)
    assert told.withdrawn_prompts == 2
    assert told.parts["prompt"]["voxels"] + told.parts["brush"]["voxels"] == int((final != 0).sum())
