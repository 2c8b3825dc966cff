"""Work on an open case: patches, conflicts, answers, refusals, and what never becomes an annotation."""

import gzip

import numpy as np
import pytest

from medloop.core.records import Annotation, Assignment, Task
from medloop.images.encode import decode_mask
from medloop.loop.foundation.configuring import configure
from tests.browser.test_advice import doubt_a_little

SHAPE = (12, 10, 8)
VOXELS = 960


@pytest.fixture
def open_url(site) -> str:
    """Address of an assignment that is open."""
    return f"{site.url}/assignments/{site.opened()['assignment']['id']}"


def read_draft(site, url: str) -> tuple[int, np.ndarray]:
    answer = site.client.get(f"{url}/draft")
    assert answer.headers["content-encoding"] == "gzip"
    return int(answer.headers["x-revision"]), np.frombuffer(answer.content, np.uint8).reshape(SHAPE, order="F")


def put_mask(site, url: str, body: bytes, shape: str = "12,10,8", **headers: str):
    kind = {"Content-Type": "application/octet-stream", "X-Shape": shape, "X-Effort-Seconds": "12.5"}
    return site.client.put(f"{url}/mask", content=body, headers={**kind, **headers})


def test_next_opens_a_case_with_its_header(site) -> None:
    opened = site.opened()
    assert opened["case"]["id"] == opened["assignment"]["case_id"]
    assert opened["assignment"]["revision"] == 0
    assert opened["prediction"] is None
    assert opened["previous"] is None


def test_what_was_left_open_comes_back_first(site) -> None:
    assert site.opened()["assignment"]["id"] == site.opened()["assignment"]["id"]


def test_another_annotator_gets_another_case(site) -> None:
    mine = site.opened()["case"]["id"]
    other = site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": "Ren%C3%A9e"}).json()
    assert other["case"]["id"] != mine


@pytest.mark.parametrize("name", ["%00", "a%0ab", "x" * 81, "%20"])
def test_a_name_that_is_no_name_is_refused(site, name: str) -> None:
    answer = site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": name})
    assert answer.status_code == 422


def test_patches_are_numbered_and_applied_in_file_order(site, open_url: str) -> None:
    first = site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[0, 3, 1], [12, 1, 2]]})
    second = site.client.patch(f"{open_url}/draft", json={"base_revision": 1, "runs": [[1, 1, 0]]})
    revision, mask = read_draft(site, open_url)
    assert (first.json(), second.json(), revision) == ({"revision": 1}, {"revision": 2}, 2)
    assert (mask[0, 0, 0], mask[1, 0, 0], mask[2, 0, 0], mask[0, 1, 0]) == (1, 0, 1, 2)


def test_a_stale_patch_is_told_the_current_revision_and_changes_nothing(site, open_url: str) -> None:
    site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[0, 3, 1]]})
    stale = site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[0, 3, 2]]})
    assert stale.status_code == 409
    assert stale.json()["error"]["code"] == "stale_revision"
    assert stale.json()["error"]["revision"] == 1
    assert read_draft(site, open_url)[1][0, 0, 0] == 1


@pytest.mark.parametrize(
    "runs",
    [
        [[0, 0, 1]],
        [[-1, 2, 1]],
        [[959, 2, 1]],
        [[0, 1, 3]],
        [[0, 1, 256]],
        [[0, 1]],
        [[0, 1, 1, 1]],
        [[0.5, 1, 1]],
        [["0", 1, 1]],
        [[True, 1, 1]],
        [[2**70, 1, 1]],
        "0,1,1",
        [None],
        {},
    ],
)
def test_bad_runs_are_refused_and_leave_the_draft(site, open_url: str, runs: object) -> None:
    answer = site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": runs})
    assert answer.status_code == 422
    assert read_draft(site, open_url)[0] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"base_revision": NaN, "runs": []}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(site, open_url: str, body: bytes) -> None:
    answer = site.client.patch(f"{open_url}/draft", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


def test_a_draft_becomes_the_answer(site, open_url: str) -> None:
    site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[5, 7, 2]]})
    answer = site.client.post(f"{open_url}/submit", json={"revision": 1, "effort_seconds": 3.5})
    assert answer.json()["next"] is True
    mask = site.client.get(f"{site.url}/annotations/{answer.json()['annotation_id']}/mask").content
    assert np.flatnonzero(np.frombuffer(mask, np.uint8)).tolist() == list(range(5, 12))


def test_submitting_an_old_revision_is_a_conflict_and_stores_nothing(site, open_url: str) -> None:
    site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[5, 7, 2]]})
    answer = site.client.post(f"{open_url}/submit", json={"revision": 0, "effort_seconds": 1})
    assert (answer.status_code, answer.json()["error"]["revision"]) == (409, 1)
    assert site.count(Annotation) == 0


@pytest.mark.parametrize(
    "body",
    [{}, {"revision": 0, "tag": 1}, {"tag": 1, "effort_seconds": -1}, {"revision": 0, "effort_seconds": 1e9}, {"revision": 0, "extra": 1}],
)
def test_an_answer_that_is_none_or_two_is_refused(site, open_url: str, body: dict) -> None:
    assert site.client.post(f"{open_url}/submit", json=body).status_code == 422
    assert site.count(Annotation) == 0


def test_an_endless_effort_is_refused(site, open_url: str) -> None:
    answer = site.client.post(
        f"{open_url}/submit", content=b'{"revision": 0, "effort_seconds": 1e400}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422


def test_an_answered_assignment_takes_nothing_more(site, open_url: str) -> None:
    site.client.post(f"{open_url}/submit", json={"revision": 0})
    for verb, address, body in [
        ("POST", "submit", {"revision": 0}),
        ("PATCH", "draft", {"base_revision": 0, "runs": []}),
        ("POST", "skip", {"reason": "x"}),
        ("POST", "flag", {"reason": "x"}),
    ]:
        answer = site.client.request(verb, f"{open_url}/{address}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "wrong_state")
    assert site.count(Annotation) == 1


@pytest.mark.usefixtures("an_hour_later")
@pytest.mark.parametrize("encoding", ["gzip", ""])
def test_a_whole_mask_made_elsewhere_is_stored_voxel_for_voxel(site, open_url: str, encoding: str) -> None:
    mask = np.random.default_rng(1).integers(0, 3, SHAPE, dtype=np.uint8)
    body = mask.tobytes(order="F")
    answer = put_mask(site, open_url, gzip.compress(body) if encoding else body, **({"Content-Encoding": encoding} if encoding else {}))
    assert answer.status_code == 200
    with site.workspace.store.read() as tx:
        stored = tx.get(Annotation, answer.json()["annotation_id"])
    assert np.array_equal(decode_mask(site.workspace.store.blobs.get(stored.blob), SHAPE), mask)
    assert stored.effort_seconds == 12.5


@pytest.mark.parametrize(
    ("body", "shape", "encoding"),
    [
        (b"\0" * VOXELS, "12,10,9", ""),
        (b"\0" * VOXELS, "10,12,8", ""),
        (b"\0" * (VOXELS - 1), "12,10,8", ""),
        (b"\0" * (VOXELS + 1), "12,10,8", ""),
        (b"\3" * VOXELS, "12,10,8", ""),
        (b"\xff" * VOXELS, "12,10,8", ""),
        (b"", "12,10,8", ""),
        (b"\0" * VOXELS, "12,10", ""),
        (b"\0" * VOXELS, "-12,10,8", ""),
        (b"\0" * VOXELS, "a,b,c", ""),
        (b"\0" * VOXELS, "99999999,1,1", ""),
        (b"\0" * VOXELS, "12,10,8", "gzip"),
        (gzip.compress(b"\0" * VOXELS, mtime=0)[:-3], "12,10,8", "gzip"),
        (gzip.compress(b"\0" * (VOXELS - 1), mtime=0), "12,10,8", "gzip"),
        (gzip.compress(b"\0" * 50_000_000, mtime=0), "12,10,8", "gzip"),
        (b"\x93NUMPY" + b"\0" * 954, "12,10,8", ""),
    ],
)
def test_a_mask_of_the_wrong_shape_or_labels_never_becomes_an_annotation(
    site, open_url: str, body: bytes, shape: str, encoding: str
) -> None:
    answer = put_mask(site, open_url, body, shape, **({"Content-Encoding": encoding} if encoding else {}))
    assert answer.status_code == 422
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}
    assert site.count(Annotation) == 0
    with site.workspace.store.read() as tx:
        assert [a.state for a in tx.find(Assignment)] == ["open"]


@pytest.mark.parametrize(("verb", "state"), [("skip", "skipped"), ("flag", "flagged")])
def test_a_case_closed_without_an_answer_is_not_asked_again(site, open_url: str, verb: str, state: str) -> None:
    case = site.opened()["case"]["id"]
    assert site.client.post(f"{open_url}/{verb}", json={"reason": "blurred"}).json()["state"] == state
    rows = site.client.get(f"{site.url}/cases", params={"state": state}).json()["rows"]
    assert [row["id"] for row in rows] == [case]
    assert site.opened()["case"]["id"] != case


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "a\0b"}, {"reason": 3}])
def test_a_reason_must_be_a_reason(site, open_url: str, body: dict) -> None:
    assert site.client.post(f"{open_url}/skip", json=body).status_code == 422


def test_half_a_character_is_no_text(site, open_url: str) -> None:
    answer = site.client.post(f"{open_url}/skip", content=b'{"reason": "\\ud800"}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_when_everything_is_answered_next_says_so(site) -> None:
    for _ in range(5):
        assignment = site.opened()["assignment"]["id"]
        site.client.post(f"{site.url}/assignments/{assignment}/submit", json={"revision": 0})
    done = site.opened()
    assert done["assignment"] is None
    assert done["reason"]


def test_an_answered_case_can_be_opened_again_and_superseded(site) -> None:
    opened = site.opened()
    url = f"{site.url}/assignments/{opened['assignment']['id']}"
    site.client.patch(f"{url}/draft", json={"base_revision": 0, "runs": [[0, 4, 1]]})
    first = site.client.post(f"{url}/submit", json={"revision": 1}).json()["annotation_id"]
    again = site.client.post(f"{site.url}/cases/{opened['case']['id']}/open", json={}).json()
    assert again["previous"] == {"id": first, "tag": None}
    assert read_draft(site, f"{site.url}/assignments/{again['assignment']['id']}")[1].sum() == 4
    second = site.client.post(f"{site.url}/assignments/{again['assignment']['id']}/submit", json={"revision": 0}).json()
    with site.workspace.store.read() as tx:
        assert tx.get(Annotation, second["annotation_id"]).supersedes == first


def test_a_tag_answers_a_classification_and_an_unknown_one_does_not(tag_site) -> None:
    url = f"{tag_site.url}/assignments/{tag_site.opened()['assignment']['id']}"
    refused = tag_site.client.post(f"{url}/submit", json={"tag": 2, "effort_seconds": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_label")
    assert tag_site.count(Annotation) == 0
    stored = tag_site.client.post(f"{url}/submit", json={"tag": 0, "effort_seconds": 1}).json()
    assert tag_site.client.get(f"{tag_site.url}/annotations/{stored['annotation_id']}/mask").status_code == 404


def test_a_mask_does_not_answer_a_classification(tag_site) -> None:
    url = f"{tag_site.url}/assignments/{tag_site.opened()['assignment']['id']}"
    assert put_mask(tag_site, url, b"\0" * VOXELS).status_code == 409
    assert tag_site.client.post(f"{url}/submit", json={"revision": 0}).status_code == 409
    assert tag_site.count(Annotation) == 0


def test_what_is_queried_of_a_case_is_told_and_is_all_that_a_submission_keeps(site) -> None:
    configure(site.workspace, settings={"query_unit": "slice"})
    doubt_a_little(site.workspace, (slice(None), slice(None), 6))
    opened = site.opened()["assignment"]
    assert opened["parts"] == [{"axis": 2, "index": 6}]
    answer = site.client.post(f"{site.url}/assignments/{opened['id']}/submit", json={"revision": 0})
    mask = np.frombuffer(site.client.get(f"{site.url}/annotations/{answer.json()['annotation_id']}/mask").content, np.uint8)
    assert (mask.reshape(SHAPE, order="F") != 255).nonzero()[2].tolist() == [6] * 120
    other = site.opened()["assignment"]
    whole = site.client.post(f"{site.url}/assignments/{other['id']}/submit", json={"revision": 0, "whole": True})
    assert other["parts"]
    mask = np.frombuffer(site.client.get(f"{site.url}/annotations/{whole.json()['annotation_id']}/mask").content, np.uint8)
    assert not (mask == 255).any()


def test_a_whole_mask_made_elsewhere_counts_whole_though_a_slice_was_queried(site) -> None:
    configure(site.workspace, settings={"query_unit": "slice"})
    doubt_a_little(site.workspace, (slice(None), slice(None), 6))
    opened = site.opened()["assignment"]
    assert opened["parts"]
    answer = put_mask(site, f"{site.url}/assignments/{opened['id']}", b"\1" * VOXELS)
    stored = site.client.get(f"{site.url}/annotations/{answer.json()['annotation_id']}/mask").content
    assert set(stored) == {1}


def test_a_draft_can_be_submitted_in_parts_and_the_rest_stays_unknown(site, open_url: str) -> None:
    site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": [[0, 3, 1]]})
    parts = [{"axis": 2, "index": 0}, {"start": [1, 1, 3], "stop": [2, 3, 5]}]
    answer = site.client.post(f"{open_url}/submit", json={"revision": 1, "parts": parts})
    assert answer.status_code == 200
    mask = site.client.get(f"{site.url}/annotations/{answer.json()['annotation_id']}/mask")
    assert mask.headers["content-encoding"] == "gzip"
    found = np.frombuffer(mask.content, np.uint8).reshape(SHAPE, order="F")
    assert (found[:3, 0, 0] == 1).all()
    assert not found[3:, :, 0].any()
    assert not found[1, 1:3, 3:5].any()
    assert (found == 255).sum() == VOXELS - 120 - 4


@pytest.mark.parametrize(
    "parts", [[], [{"axis": 3, "index": 0}], [{"axis": 0, "index": 12}], [{"start": [0, 0, 0], "stop": [0, 1, 1]}], [{"axis": 0}]]
)
def test_parts_outside_the_image_are_refused(site, open_url: str, parts: list) -> None:
    assert site.client.post(f"{open_url}/submit", json={"revision": 0, "parts": parts}).status_code == 422
    assert site.client.get(f"{open_url}/draft").status_code == 200


def test_slices_between_drawn_ones_are_filled_as_one_edit(site, open_url: str) -> None:
    first, fifth = ([(k * 120 + j * 12 + 3, 4, 1) for j in range(3, 7)] for k in (1, 5))
    assert site.client.patch(f"{open_url}/draft", json={"base_revision": 0, "runs": first + fifth}).json() == {"revision": 1}
    filled = site.client.post(f"{open_url}/fill", json={"base_revision": 1, "axis": 2}).json()
    assert (filled["revision"], filled["drawn"], filled["filled"]) == (2, [1, 5], 3)
    revision, mask = read_draft(site, open_url)
    assert revision == 2
    assert (np.count_nonzero(mask, axis=(0, 1)) == [0, 16, 16, 16, 16, 16, 0, 0]).all()
    assert sum(length for _, length, _ in filled["runs"]) == 48


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"base_revision": 0, "axis": 2}, 422, "draw on every third slice"),
        ({"base_revision": 7, "axis": 2}, 409, ""),
        ({"base_revision": 0, "axis": 3}, 422, ""),
        ({"base_revision": 0, "axis": 2, "locked": [0]}, 422, ""),
    ],
)
def test_a_filling_that_cannot_be_is_refused_and_changes_nothing(site, open_url: str, body: dict, status: int, says: str) -> None:
    answer = site.client.post(f"{open_url}/fill", json=body)
    assert answer.status_code == status
    assert says in str(answer.json())
    assert read_draft(site, open_url)[0] == 0


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e400"])
def test_an_effort_that_is_not_finite_is_called_so(site, open_url: str, seconds: str) -> None:
    message = put_mask(site, open_url, b"\0" * VOXELS, **{"X-Effort-Seconds": seconds}).json()["error"]["message"]
    assert message == "header.x-effort-seconds: A number must be finite and below 1.8e308"


def test_a_mask_made_elsewhere_says_which_labels_its_maker_knew(site, open_url: str) -> None:
    known = site.client.get(site.url).json()["task_version"]
    site.client.patch(f"{site.url}/task", json={"version": known, "instructions": "anew"})
    for version in ("0", "many", str(known + 7)):
        assert put_mask(site, open_url, b"\0" * VOXELS, **{"X-Task-Version": version}).status_code in (409, 422)
    stored = put_mask(site, open_url, b"\0" * VOXELS, **{"X-Task-Version": str(known)}).json()["annotation_id"]
    with site.workspace.store.read() as tx:
        assert tx.get(Task, tx.get(Annotation, stored).task_id).version == known


def test_the_steps_of_a_submission_are_read_as_its_mask_is_and_not_while_one_reads_blind(site) -> None:
    configure(site.workspace, settings={"blind": True, "readings": 2}, actor="Ann")
    opened = site.opened()
    url = f"{site.url}/assignments/{opened['assignment']['id']}"
    assert site.client.patch(f"{url}/draft", json={"base_revision": 0, "runs": [[5, 3, 1]]}).status_code == 200
    made = site.client.post(f"{url}/submit", json={"revision": 1, "effort_seconds": 3}).json()["annotation_id"]
    steps = site.client.get(f"{site.url}/annotations/{made}/steps").json()
    assert (steps["began"], [(step["what"], step["runs"], step["prompts"]) for step in steps["steps"]]) == (
        [],
        [("stroke", [[5, 3, 1]], [])],
    )
    assert steps == site.client.get(f"{url}/steps").json()
    lines = site.client.get(f"{site.url}/cases/{opened['case']['id']}/history").json()
    assert [line["replayable"] for line in lines] == [True]
    other = site.client.get(f"{site.url}/annotations/{made}/steps", headers={"X-Annotator": "Bea"})
    assert (other.status_code, "read blind" in other.text) == (403, True)
