"""Gold cases over REST: shown to nobody beforehand, with feedback and a picture afterwards; tutorials; who reads what next."""

from .test_routes_assignments import VOXELS, put_mask


def annotate(site, name: str, *, value: int = 1) -> dict:
    """The next case of a person, annotated whole."""
    opened = site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": name}).json()
    url = f"{site.url}/assignments/{opened['assignment']['id']}"
    made = put_mask(site, url, bytes([value]) * VOXELS, **{"X-Annotator": name})
    assert made.status_code == 200, made.text
    return {**opened, "url": url, "made": made.json()}


def configure(site, **changes: object) -> None:
    assert site.client.patch(f"{site.url}/settings", json={"changes": changes}).status_code == 200


def test_a_gold_case_is_read_unannounced_and_its_feedback_follows(site) -> None:
    first = annotate(site, "Rita")
    assert first["made"]["gold"] is False
    made = site.client.post(f"{site.url}/cases/{first['case']['id']}/gold", json={}).json()
    assert [(line["case"], line["in_use"]) for line in made["cases"]] == [(first["case"]["name"], True)]
    configure(site, tutorial=1, tutorial_score=0.5)
    opened = site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": "Ann"}).json()
    assert opened["case"]["id"] == first["case"]["id"]
    assert (opened["previous"], opened["assignment"]["standing"]) == (None, None)
    assert "gold_id" not in opened["assignment"]
    standing = site.client.get(f"{site.url}/annotations/{first['made']['annotation_id']}/mask", headers={"X-Annotator": "Ann"})
    assert standing.status_code == 403, "the truth is hidden while it is open"
    url = f"{site.url}/assignments/{opened['assignment']['id']}"
    assert site.client.get(f"{url}/feedback").status_code == 404
    sent = put_mask(site, url, bytes([1]) * VOXELS, **{"X-Annotator": "Ann"}).json()
    assert sent["gold"] is True
    found = site.client.get(f"{url}/feedback").json()
    assert (found["case"], found["score"], found["by_label"]) == (first["case"]["name"], 1.0, {"large": 1.0})
    assert found["tutorial"]["passed"] is True
    picture = site.client.get(f"{url}/feedback/picture")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert site.client.post(f"{url}/undo", json={}).json()["error"]["code"] == "wrong_state"


def test_a_tutorial_that_is_not_passed_says_so_and_a_lead_lets_people_begin(site) -> None:
    first = annotate(site, "Rita")
    site.client.post(f"{site.url}/cases/{first['case']['id']}/gold", json={})
    configure(site, tutorial=1, tutorial_score=0.9)
    annotate(site, "Bob", value=2)
    told = site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": "Bob"}).json()
    assert told["assignment"] is None
    assert told["reason"].startswith("Tutorial: 1 of 1 gold cases read; the last 1 have a mean score of 0.00, 0.9 is needed")
    refused = site.client.post(f"{site.url}/cases/{first['case']['id']}/open", json={}, headers={"X-Annotator": "Bob"}).json()
    assert refused["error"]["message"].startswith("Bob has not passed the tutorial yet")
    people = site.client.post(f"{site.url}/gold/admit", json={"annotator": "Bob"}).json()["people"]
    assert [one["tutorial"] for one in people if one["annotator"] == "Bob"] == ["admitted without it"]
    assert site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": "Bob"}).json()["assignment"] is not None


def test_a_gold_case_is_withdrawn_once(site) -> None:
    first = annotate(site, "Rita")
    url = f"{site.url}/cases/{first['case']['id']}/gold"
    assert len(site.client.post(url, json={}).json()["cases"]) == 1
    assert site.client.post(f"{url}/withdraw", json={}).json()["cases"] == []
    assert site.client.post(f"{url}/withdraw", json={}).json()["error"]["code"] == "wrong_state"
    assert site.client.get(f"{site.url}/gold").json()["cases"] == []


def test_what_everybody_would_get_next_is_listed_with_the_reason(site) -> None:
    configure(site, routing="value", readings=3)
    terms = {"annotator": "Nia", "expertise": "novice", "cases_per_week": 1}
    line = site.client.patch(f"{site.url}/annotators", json=terms).json()[0]
    assert (line["annotator"], line["expertise"], line["expected"], line["cases_per_week"]) == ("Nia", "novice", 0.75, 1)
    opened = annotate(site, "Nia")
    assert "you read it because your reading (skill 0.75" in opened["assignment"]["reason"]
    (seen,) = site.client.get(f"{site.url}/outlook").json()
    assert (seen["annotator"], seen["case"]) == ("Nia", "")
    assert seen["reason"].startswith("Nia has 1 of 1 case within seven days")
    row = next(r for r in site.client.get(f"{site.url}/cases").json()["rows"] if r["id"] == opened["case"]["id"])
    assert (row["progress"]["words"], row["progress"]["quality"]) == ("read 1 of 3", 0.75)
