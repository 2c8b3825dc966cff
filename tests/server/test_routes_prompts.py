"""Gestures over the interface: answered, refused, kept apart, cancelled; every outcome in one shape."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from medloop.core.records import PromptRecord
from medloop.interaction.engine import StillWanted

SHAPE = (12, 10, 8)


@pytest.fixture
def open_url(refined_site) -> str:
    """Address of an assignment that is open."""
    return f"{refined_site.url}/assignments/{refined_site.opened()['assignment']['id']}"


def mask_of(site, url: str) -> np.ndarray:
    answer = site.client.get(f"{url}/draft")
    return np.frombuffer(answer.content, np.uint8).reshape(SHAPE, order="F")


def point(voxel: tuple[int, int, int], label: int = 1, *, positive: bool = True) -> dict[str, Any]:
    return {"kind": "point", "voxel": list(voxel), "label": label, "positive": positive}


def post(site, url: str, base: int, prompt: dict[str, Any], **more: Any):
    return site.client.post(f"{url}/prompts", json={"base_revision": base, "prompt": prompt, **more})


def delete(site, url: str, base: int, prompt_id: str):
    return site.client.request("DELETE", f"{url}/prompts/{prompt_id}", json={"base_revision": base})


def painted(mask: np.ndarray, runs: list) -> np.ndarray:
    flat = mask.ravel(order="F").copy()
    for start, length, value in runs:
        flat[start : start + length] = value
    return flat.reshape(mask.shape, order="F")


def test_a_gesture_answers_with_the_runs_that_the_draft_then_holds(refined_site, open_url: str) -> None:
    made = post(refined_site, open_url, 0, point((5, 5, 4))).json()
    assert (made["revision"], made["quality"], made["engine"]) == (1, 0.75, "balls")
    assert np.array_equal(painted(np.zeros(SHAPE, np.uint8), made["runs"]), mask_of(refined_site, open_url))
    listed = refined_site.client.get(f"{open_url}/prompts").json()
    assert listed["in_force"] == [made["prompt_id"]] == made["prompt_ids"]
    assert listed["prompts"][0]["prompt"] == point((5, 5, 4))


def test_a_gesture_can_be_changed_and_removed(refined_site, open_url: str) -> None:
    first = post(refined_site, open_url, 0, point((3, 3, 3))).json()["prompt_id"]
    post(refined_site, open_url, 1, {"kind": "scribble", "voxels": [[8, 8, 1], [8, 8, 2]], "label": 2})
    scribbled = mask_of(refined_site, open_url) == 2
    changed = refined_site.client.put(f"{open_url}/prompts/{first}", json={"base_revision": 2, "prompt": point((4, 3, 3))}).json()
    assert mask_of(refined_site, open_url)[6, 3, 3] == 1
    assert delete(refined_site, open_url, 3, first).json()["revision"] == 4, "any id of a gesture names it"
    assert np.array_equal(mask_of(refined_site, open_url), np.where(scribbled, 2, 0))
    gone = delete(refined_site, open_url, 4, changed["prompt_id"])
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


def test_what_a_person_should_know_of_an_answer_comes_with_it(refined_site, open_url: str, balls) -> None:
    assert post(refined_site, open_url, 0, point((3, 3, 3))).json()["note"] == ""
    balls.note = "The cut stopped early"
    assert post(refined_site, open_url, 1, point((8, 8, 4))).json()["note"] == "The cut stopped early"


def test_undo_and_redo_come_as_edits(refined_site, open_url: str) -> None:
    made = post(refined_site, open_url, 0, point((5, 5, 4))).json()
    inverse = [[start, length, 0] for start, length, _ in made["runs"]]
    ids = made["prompt_ids"]
    undone = refined_site.client.patch(f"{open_url}/draft", json={"base_revision": 1, "runs": inverse, "withdraws": ids})
    assert undone.json() == {"revision": 2}
    assert not mask_of(refined_site, open_url).any()
    assert refined_site.client.get(f"{open_url}/prompts").json()["in_force"] == []
    refined_site.client.patch(f"{open_url}/draft", json={"base_revision": 2, "runs": made["runs"], "restores": ids})
    assert len(refined_site.client.get(f"{open_url}/prompts").json()["in_force"]) == 1
    unknown = refined_site.client.patch(f"{open_url}/draft", json={"base_revision": 3, "runs": [], "withdraws": ["prompt-x"]})
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("prompt", "more", "code"),
    [
        (point((12, 0, 0)), {}, "invalid_input"),
        (point((-1, 0, 0)), {}, "invalid_input"),
        (point((0, 0, 0), 3), {}, "unknown_label"),
        ({"kind": "scribble", "voxels": []}, {}, "invalid_input"),
        ({"kind": "box", "start": [0, 0, 0], "stop": [13, 1, 1]}, {}, "invalid_input"),
        ({"kind": "lasso", "axis": 2, "index": 8, "corners": [[0, 0], [1, 0], [0, 1]]}, {}, "invalid_input"),
        (point((5, 5, 4), positive=False), {"earlier": [point((5, 5, 4))]}, "invalid_input"),
        (point((5, 5, 4)), {"locked": [1]}, "invalid_input"),
        (point((5, 5, 4)), {"locked": [3]}, "unknown_label"),
        ({"kind": "wish"}, {}, "invalid_request"),
        ({"kind": "point", "voxel": [0, 0]}, {}, "invalid_request"),
        ({"kind": "point", "voxel": [0, 0, 0.5]}, {}, "invalid_request"),
        (point((5, 5, 4)), {"engine": "other"}, "invalid_request"),
        (point((5, 5, 4)), {"extra": 1}, "invalid_request"),
    ],
)
def test_a_gesture_that_breaks_a_rule_is_refused_and_saves_nothing(refined_site, open_url: str, prompt, more, code: str) -> None:
    answer = post(refined_site, open_url, 0, prompt, **more)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert refined_site.count(PromptRecord) == 0
    assert refined_site.client.get(f"{open_url}/draft").headers["x-revision"] == "0"


def test_an_older_revision_is_told_the_current_one(refined_site, open_url: str) -> None:
    refined_site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[0, 1, 1]]})
    stale = post(refined_site, open_url, 0, point((5, 5, 4)))
    assert (stale.status_code, stale.json()["error"]["code"], stale.json()["error"]["revision"]) == (409, "stale_revision", 1)


def test_a_closed_assignment_and_an_unknown_one_take_no_gesture(refined_site, open_url: str) -> None:
    refined_site.client.post(f"{open_url}/submit", json={"revision": 0})
    closed = post(refined_site, open_url, 0, point((5, 5, 4)))
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "wrong_state")
    assert post(refined_site, f"{refined_site.url}/assignments/assignment-0", 0, point((5, 5, 4))).status_code == 404


def test_without_an_assistant_gestures_are_unavailable_with_a_remedy(site) -> None:
    url = f"{site.url}/assignments/{site.opened()['assignment']['id']}"
    answer = post(site, url, 0, point((5, 5, 4)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "MEDLOOP_ASSISTANT=1" in answer.json()["error"]["remedy"]
    assert site.client.get(f"{url}/prompts").json() == {"prompts": [], "in_force": []}


def test_a_newer_gesture_cancels_the_one_that_runs_and_carries_it_along(refined_site, open_url: str, balls) -> None:
    running, calls = threading.Event(), []

    def first_runs_until_nobody_wants_it(wanted: StillWanted) -> None:
        calls.append(wanted)
        running.set()
        while len(calls) == 1 and wanted():
            threading.Event().wait(0.005)

    balls.during = first_runs_until_nobody_wants_it
    with ThreadPoolExecutor(2) as threads:
        old = threads.submit(post, refined_site, open_url, 0, point((2, 2, 2)))
        assert running.wait(30)
        assert refined_site.client.get("/api/v1/projects").status_code == 200, "pages are served meanwhile"
        made = post(refined_site, open_url, 0, point((8, 7, 5)), earlier=[point((2, 2, 2))])
        cancelled = old.result()
    assert (cancelled.status_code, cancelled.json()["error"]["code"]) == (409, "cancelled")
    assert (made.status_code, made.json()["revision"], len(made.json()["prompt_ids"])) == (200, 1, 2)
    mask = mask_of(refined_site, open_url)
    assert mask[2, 2, 2] == mask[8, 7, 5] == 1


def test_one_persons_slow_gesture_keeps_nobody_else_waiting(refined_site, open_url: str, balls) -> None:
    other = refined_site.client.post(f"{refined_site.url}/next", json={}, headers={"X-Annotator": "Other"}).json()
    other_url = f"{refined_site.url}/assignments/{other['assignment']['id']}"
    running, release = threading.Event(), threading.Event()

    def only_the_first_waits(_wanted: StillWanted) -> None:
        if not running.is_set():
            running.set()
            assert release.wait(30)

    balls.during = only_the_first_waits
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(post, refined_site, open_url, 0, point((2, 2, 2)))
        assert running.wait(30)
        assert post(refined_site, other_url, 0, point((8, 7, 5), 2)).status_code == 200
        assert not slow.done()
        release.set()
        assert slow.result().status_code == 200
    assert set(np.unique(mask_of(refined_site, open_url))) == {0, 1}
    assert set(np.unique(mask_of(refined_site, other_url))) == {0, 2}


def test_a_case_is_looked_at_once_however_many_gestures(refined_site, open_url: str, balls) -> None:
    assert refined_site.client.post(f"{open_url}/prompts/ready", json={}).json() == {"engine": "balls"}
    for base, voxel in enumerate([(2, 2, 2), (8, 7, 5), (5, 5, 5)]):
        assert post(refined_site, open_url, base, point(voxel)).status_code == 200
    assert balls.embedded == 1


def test_an_answer_tells_its_provenance(refined_site, open_url: str) -> None:
    made = post(refined_site, open_url, 0, point((5, 5, 4))).json()
    refined_site.client.patch(f"{open_url}/draft", json={"base_revision": 1, "runs": [[0, 2, 2]]})
    annotation = refined_site.client.post(f"{open_url}/submit", json={"revision": 2}).json()["annotation_id"]
    told = refined_site.client.get(f"{refined_site.url}/annotations/{annotation}/provenance").json()
    assert told["prompt_ids"] == [made["prompt_id"]]
    assert {hand: part["voxels"] for hand, part in told["parts"].items()} == {"prompt": 33, "brush": 2}
    assert refined_site.client.get(f"{refined_site.url}/annotations/annotation-0/provenance").status_code == 404
