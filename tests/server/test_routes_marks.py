"""Marks in place of a mask over REST."""

import numpy as np
import pytest

from medloop.core.records import Annotation, Case
from medloop.interaction.weak.marks import mark_to_json
from medloop.interaction.weak.superpixels import superpixel_mark, superpixels_of
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.marked import load_marks

TAG = {"kind": "tag", "label": 1, "present": True}
STROKE = {"kind": "scribble", "label": 0, "voxels": [[0, 0, 0], [1, 0, 0]]}


@pytest.fixture
def open_url(site) -> str:
    """Address of an assignment that is open."""
    return f"{site.url}/assignments/{site.opened()['assignment']['id']}"


def test_marks_finish_a_case_and_are_there_when_it_is_opened_again(site, open_url: str) -> None:
    assert site.client.get(f"{open_url}/marks").json() == {"annotation_id": None, "marks": []}
    made = site.client.post(f"{open_url}/marks", json={"marks": [TAG, STROKE], "effort_seconds": 5, "annotated": [1]}).json()
    found = site.workspace.store.get(Annotation, made["annotation_id"])
    assert (found.kind, found.annotated) == ("marks", (1,))
    assert found.effort_seconds > 0
    assert len(load_marks(site.workspace.store.blobs, found)) == 2
    again = site.client.post(f"{site.url}/cases/{found.case_id}/open", json={}).json()["assignment"]["id"]
    given = site.client.get(f"{site.url}/assignments/{again}/marks").json()
    assert given["annotation_id"] == found.id
    assert [mark["kind"] for mark in given["marks"]] == ["tag", "scribble"]
    assert "1 case known by marks alone" in site.client.get(site.url).json()["label_gaps"][-1]


@pytest.mark.parametrize(
    ("marks", "status", "code"),
    [
        ([], 422, "invalid_request"),
        ([{"kind": "circle"}], 422, "invalid_input"),
        ([{"kind": "box", "label": 1, "start": [0, 0, 0], "stop": [99, 1, 1]}], 422, "invalid_input"),
        ([{**TAG, "label": 9}], 422, "unknown_label"),
        ([TAG, {**TAG, "present": False}], 422, "invalid_input"),
        ([{"kind": "point", "label": 1, "voxel": "abc"}], 422, "invalid_input"),
        ([{"kind": "scribble", "label": [1], "voxels": [[0, 0, 0]]}], 422, "unknown_label"),
        ([{"kind": "superpixel", "label": 1, "runs": [["a", 2]]}], 422, "invalid_input"),
    ],
)
def test_wrong_marks_are_refused_and_the_case_stays_open(site, open_url: str, marks: list[object], status: int, code: str) -> None:
    answer = site.client.post(f"{open_url}/marks", json={"marks": marks})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert site.client.post(f"{open_url}/marks", json={"marks": [TAG]}).status_code == 200


def test_marks_of_a_submitted_assignment_come_too_late(site, open_url: str) -> None:
    site.client.post(f"{open_url}/marks", json={"marks": [TAG]})
    assert site.client.post(f"{open_url}/marks", json={"marks": [TAG]}).json()["error"]["code"] == "wrong_state"


def test_superpixels_are_those_of_studies_and_one_of_them_is_taken_as_a_mark(site, open_url: str) -> None:
    case = site.workspace.store.get(Case, site.opened()["case"]["id"])
    image = load_image(site.workspace.store.blobs, case)
    answer = site.client.get(f"{site.url}/cases/{case.id}/superpixels", params={"axis": 2, "index": 3}).json()
    numbers = np.concatenate([np.full(length, number) for number, length in answer["runs"]]).reshape(image.grid.shape[:2], order="F")
    np.testing.assert_array_equal(numbers, superpixels_of(image.array, image.grid, axis=2, index=3))
    mark = superpixel_mark(numbers, int(numbers.max()), 1, shape=image.grid.shape, axis=2, index=3)
    assert site.client.post(f"{open_url}/marks", json={"marks": [mark_to_json(mark)]}).status_code == 200
    beyond = site.client.get(f"{site.url}/cases/{case.id}/superpixels", params={"axis": 2, "index": 99})
    assert (beyond.status_code, beyond.json()["error"]["code"]) == (422, "invalid_input")
