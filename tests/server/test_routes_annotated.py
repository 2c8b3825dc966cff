"""Over REST a mask says which labels it annotates, the draft remembers it, and nothing drawn is lost without a word."""

import pytest

from medloop.core.records import Annotation, Assignment
from medloop.images.encode import decode_mask
from tests.server.conftest import SHAPE, add_model

from .test_routes_standing import opened


@pytest.fixture
def case_id(site) -> str:
    return site.client.get(f"{site.url}/cases").json()["rows"][0]["id"]


def declare(site, shown: dict, *values: int):
    return site.client.put(f"{site.url}/assignments/{shown['assignment']['id']}/annotated", json={"annotated": list(values)})


def draw(site, shown: dict, *runs: tuple[int, int, int], base: int = 0) -> None:
    url = f"{site.url}/assignments/{shown['assignment']['id']}/draft"
    assert site.client.patch(url, json={"base_revision": base, "runs": list(runs)}).status_code == 200


def submit(site, shown: dict, revision: int, **body):
    return site.client.post(f"{site.url}/assignments/{shown['assignment']['id']}/submit", json={"revision": revision, **body})


def annotation(site, answer) -> Annotation:
    assert answer.status_code == 200, answer.text
    return site.workspace.store.get(Annotation, answer.json()["annotation_id"])


def test_a_draft_is_for_every_label_until_somebody_says_otherwise_and_remembers_it(site, case_id: str) -> None:
    shown = opened(site, case_id)
    assert shown["assignment"]["annotated"] == [1, 2]
    assert declare(site, shown, 2).json() == {"annotated": [2]}
    draw(site, shown, (0, 3, 2))
    assert opened(site, case_id)["assignment"]["annotated"] == [2]
    assert annotation(site, submit(site, shown, 1)).annotated == (2,)


def test_a_submission_names_its_labels(site, case_id: str) -> None:
    shown = opened(site, case_id)
    draw(site, shown, (0, 3, 1))
    assert annotation(site, submit(site, shown, 1, annotated=[1])).annotated == (1,)
    again = opened(site, case_id)
    assert (again["assignment"]["annotated"], again["assignment"]["standing"]["lacking"]) == ([1], ["small"])
    assert again["assignment"]["base"]["lacking"] == ["small"]
    line = site.client.get(f"{site.url}/cases/{case_id}/history").json()[-1]
    assert line["lacking"] == ["small"]


def test_what_was_drawn_of_a_label_that_is_said_not_to_be_annotated_is_refused_and_nothing_is_lost(site, case_id: str) -> None:
    shown = opened(site, case_id)
    draw(site, shown, (0, 3, 1), (20, 4, 2))
    refused = submit(site, shown, 1, annotated=[1])
    assert refused.status_code == 422
    assert refused.json()["error"]["message"] == "The draft of phantom-0000 is annotated for large only, and holds small (4 voxels) too"
    assert site.workspace.store.get(Assignment, shown["assignment"]["id"]).state == "open"
    assert annotation(site, submit(site, shown, 1, annotated=[1, 2])).annotated == ()


def test_what_a_model_proposed_of_a_label_that_is_not_annotated_stays_the_models(site, case_id: str) -> None:
    add_model(site.workspace, case_id)
    shown = opened(site, case_id)
    assert shown["assignment"]["base"]["kind"] == "prediction"
    made = annotation(site, submit(site, shown, 0, annotated=[2]))
    assert made.annotated == (2,)
    assert decode_mask(site.workspace.store.blobs.get(made.blob), SHAPE).max() == 0


@pytest.mark.parametrize(("values", "code", "said"), [((), 422, "at least 1"), ((7,), 422, "Unknown labels [7]"), ((1, 1), 200, "[1]")])
def test_declarations_are_of_labels_that_there_are(site, case_id: str, values, code: int, said: str) -> None:
    answer = declare(site, opened(site, case_id), *values)
    assert (answer.status_code, said.replace(" ", "") in answer.text.replace(" ", "")) == (code, True), answer.text


def test_a_closed_draft_cannot_be_declared_anew(site, case_id: str) -> None:
    shown = opened(site, case_id)
    submit(site, shown, 0)
    assert declare(site, shown, 1).status_code == 409


def test_a_mask_made_elsewhere_says_which_labels_it_annotates(site, case_id: str) -> None:
    url = f"{site.url}/assignments/{opened(site, case_id)['assignment']['id']}/mask"
    raw = bytes([1]) + bytes(SHAPE[0] * SHAPE[1] * SHAPE[2] - 1)
    headers = {"Content-Type": "application/octet-stream", "X-Annotated": "2", "X-Shape": ",".join(map(str, SHAPE))}
    refused = site.client.put(url, content=raw, headers=headers)
    assert (refused.status_code, "annotated for small only" in refused.text) == (422, True)
    assert site.client.put(url, content=raw, headers=headers | {"X-Annotated": "one"}).status_code == 422
    assert annotation(site, site.client.put(url, content=raw, headers=headers | {"X-Annotated": "1"})).annotated == (1,)


def names(site, **query) -> list[str]:
    answer = site.client.get(f"{site.url}/cases", params=query)
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["rows"]]


def test_the_list_finds_and_flags_cases_that_lack_a_label(site) -> None:
    rows = site.client.get(f"{site.url}/cases").json()["rows"]
    for row, values in zip(rows, ([1], [2], [1, 2]), strict=False):
        submit(site, opened(site, row["id"]), 0, annotated=values)
    first, second = rows[0]["name"], rows[1]["name"]
    assert (names(site, lacks=2), names(site, lacks=1), names(site, lacks=0)) == ([first], [second], [first, second])
    assert names(site, lacks=2, state="unlabelled") == []
    listed = {row["name"]: row["lacking"] for row in site.client.get(f"{site.url}/cases").json()["rows"]}
    assert (listed.pop(first), listed.pop(second), set(map(tuple, listed.values()))) == (["small"], ["large"], {()})
    assert site.client.get(f"{site.url}/cases/csv", params={"lacks": 2}).text.splitlines()[1].endswith("small,,")
    counted = site.client.get(f"{site.url}/progress").json()["queried"]
    assert [(one["label"], one["known"], one["cases"]) for one in counted] == [("large", 2, 3), ("small", 2, 3)]
    assert site.client.get(f"{site.url}/cases", params={"lacks": 255}).status_code == 422
