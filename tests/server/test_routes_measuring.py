"""Sizes over REST."""

from medloop.core.records import Case

from .conftest import add_model


def test_a_prediction_is_measured(site) -> None:
    case: Case = site.workspace_case()
    add_model(site.workspace, case.id)
    found = site.client.get(f"{site.url}/cases/{case.id}/measures").json()
    (volume,) = [m for m in found["measures"] if (m["label"], m["name"]) == ("large", "volume")]
    i, j, k = case.grid.spacing_mm
    assert (found["source"], volume["unit"], volume["value"]) == ("prediction", "ml", round(27 * i * j * k / 1000, 6))
    assert volume["accepted"] is None


def test_nothing_to_measure_is_not_found(site) -> None:
    case = site.workspace_case()
    answer = site.client.get(f"{site.url}/cases/{case.id}/measures", params={"of": "annotation"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert site.client.get(f"{site.url}/cases/{case.id}/measures", params={"of": "nobody"}).status_code == 422


def test_the_older_word_for_an_annotation_is_understood(site) -> None:
    case = site.workspace_case()
    older, today = (site.client.get(f"{site.url}/cases/{case.id}/measures", params={"of": of}) for of in ("answer", "annotation"))
    assert older.json()["error"] == today.json()["error"]
    assert older.status_code == 404
