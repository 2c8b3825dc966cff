"""Measurements over REST: taken, listed, moved, taken away and brought back; nobody else's while one reads blind; exported."""

import io
import zipfile

import pytest

RULER = {"kind": "length", "points": [[0, 0, 2], [3, 4, 2]], "axis": 2, "index": 2}


def named(name: str) -> dict[str, str]:
    return {"X-Annotator": name}


def test_a_measurement_is_taken_moved_named_removed_and_brought_back(site) -> None:
    case = site.workspace_case()
    url = f"{site.url}/cases/{case.id}/measurements"
    made = site.client.post(url, json=RULER, headers=named("Ann")).json()
    spacing = case.grid.spacing_mm
    assert made["figures"] == {"length_mm": pytest.approx(((3 * spacing[0]) ** 2 + (4 * spacing[1]) ** 2) ** 0.5)}
    assert made["points_mm"][1] == pytest.approx(case.grid.to_mm((3, 4, 2)).tolist())
    assert (made["annotator"], made["own"], made["withdrawn_at"]) == ("Ann", True, None)
    one = f"{site.url}/measurements/{made['id']}"
    moved = site.client.patch(one, json={"points": [[0, 0, 3], [1, 0, 3]], "note": "width"}, headers=named("Ann")).json()
    assert (moved["index"], moved["note"], moved["figures"]["length_mm"]) == (3, "width", pytest.approx(spacing[0]))
    assert site.client.get(url, headers=named("Ann")).json() == [moved]
    assert [line["own"] for line in site.client.get(url, headers=named("Bob")).json()] == [False]
    assert site.client.patch(one, json={"withdrawn": True}, headers=named("Ann")).json()["withdrawn_at"]
    assert site.client.get(url, headers=named("Ann")).json() == []
    assert site.client.patch(one, json={"withdrawn": False}, headers=named("Ann")).json() == moved
    for body in ({}, {"note": "mine"}, {"withdrawn": True}):
        assert site.client.patch(one, json=body, headers=named("Bob")).status_code == 403


def test_a_label_is_measured_in_the_draft_that_is_saved(site) -> None:
    opened = site.client.post(f"{site.url}/next", json={}).json()
    url = f"{site.url}/cases/{opened['case']['id']}/measurements"
    draft = f"{site.url}/assignments/{opened['assignment']['id']}/draft"
    body = {"kind": "label", "label": 1, "assignment_id": opened["assignment"]["id"], "revision": 1}
    assert site.client.post(url, json=body).status_code == 409
    assert site.client.patch(draft, json={"base_revision": 0, "runs": [[0, 5, 1]]}).status_code == 200
    made = site.client.post(url, json=body).json()
    assert (made["figures"]["voxels"], made["axis"], made["points"]) == (5, None, [])


@pytest.mark.parametrize(
    "change", [{"kind": "volume"}, {"points": [[0, 0]]}, {"axis": 3}, {"index": -1}, {"channel": 1}, {"note": "a" * 201}, {"points": []}]
)
def test_a_measurement_outside_the_rules_is_refused(site, change: dict) -> None:
    url = f"{site.url}/cases/{site.workspace_case().id}/measurements"
    assert site.client.post(url, json={**RULER, **change}).status_code in (400, 422)
    assert site.client.get(url).json() == []


def test_a_request_that_is_sent_again_keeps_one_measurement(site) -> None:
    case = site.workspace_case()
    url = f"{site.url}/cases/{case.id}/measurements"
    body = {**RULER, "id": "measurement-0123456789ab"}
    made = site.client.post(url, json=body, headers=named("Ann")).json()
    assert made["id"] == body["id"]
    change = {"points": [[0, 0, 3], [1, 0, 3]]}
    one = f"{site.url}/measurements/{made['id']}"
    moved = [site.client.patch(one, json=change, headers=named("Ann")).json() for _ in range(2)]
    assert moved[0] == moved[1]
    assert site.client.post(url, json=body, headers=named("Ann")).json() == moved[0]
    assert site.client.get(url, headers=named("Ann")).json() == [moved[0]]
    with site.workspace.store.read() as tx:
        assert [event.verb for event in tx.events_about("measurement")] == ["measure", "move"]
    assert site.client.post(url, json=body, headers=named("Bob")).status_code == 403
    for other in ("measurement-1", "case-0123456789ab", 7):
        assert site.client.post(url, json={**RULER, "id": other}).status_code == 422


def test_others_measurements_show_once_one_has_read_the_case(site) -> None:
    assert site.client.patch(f"{site.url}/settings", json={"changes": {"readings": 2, "blind": True}}).status_code == 200
    opened = site.client.post(f"{site.url}/next", json={}, headers=named("Ann")).json()
    url = f"{site.url}/cases/{opened['case']['id']}/measurements"
    for name in ("Ann", "Bob"):
        assert site.client.post(url, json=RULER, headers=named(name)).status_code == 200
    seen = {name: [line["annotator"] for line in site.client.get(url, headers=named(name)).json()] for name in ("Ann", "Bob", "Eve")}
    assert seen == {"Ann": ["Ann"], "Bob": ["Bob"], "Eve": []}
    runs = {"revision": 0, "whole": True}
    site.client.post(f"{site.url}/assignments/{opened['assignment']['id']}/submit", json=runs, headers=named("Ann"))
    assert [line["annotator"] for line in site.client.get(url, headers=named("Ann")).json()] == ["Ann", "Bob"]
    assert [line["annotator"] for line in site.client.get(url, headers=named("Bob")).json()] == ["Bob"]


def test_measurements_are_downloaded_as_they_are_exported(site) -> None:
    assert site.client.get(f"{site.url}/export?format=measurements").status_code == 404
    site.client.post(f"{site.url}/cases/{site.workspace_case().id}/measurements", json=RULER)
    with zipfile.ZipFile(io.BytesIO(site.client.get(f"{site.url}/export?format=measurements").content)) as archive:
        assert archive.namelist() == ["measurements/measurements.csv", "measurements/measurements.json"]
