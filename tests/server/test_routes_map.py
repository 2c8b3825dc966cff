import numpy as np

from medloop.core.records import BY_HAND, Query
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.worker import drain
from medloop.server.wire.map_views import MOST_NAMED

from .conftest import SHAPE


def made_map(site) -> dict:
    configure(site.workspace, settings={"cold_start": "descriptors"})
    assert site.client.get(f"{site.url}/map").json() is None
    job = site.client.post(f"{site.url}/map", json={"described": "images"}).json()["job_id"]
    drain(site.workspace.reload())
    assert site.workspace.store.jobs.get(job).state == "done"
    return site.client.get(f"{site.url}/map").json()


def test_the_worker_makes_the_map_and_its_points_come_in_columns(site) -> None:
    found = made_map(site)
    columns = ("ids", "names", "x", "y", "splits", "states", "uncertainties", "qualities", "rounds", "labels", "groups")
    assert {len(found[name]) for name in columns} == {5}
    assert (found["cases"], found["outdated"], found["sampled"], set(found["states"])) == (5, "", "", {"unlabelled"})
    assert "from the images by a fixed rule; the axes explain" in found["words"][0]
    wrong = site.client.get(f"{site.url}/map?by=scanner")
    assert (wrong.status_code, wrong.json()["error"]["message"]) == (422, "No case on the map has 'scanner' in its table")
    assert site.client.post(f"{site.url}/map", json={"layout": "umap"}).status_code == 422


def test_a_map_that_is_laid_out_otherwise_than_the_one_being_made_is_refused_not_swallowed(site) -> None:
    asked = [{"layout": "pca"}, {"layout": "pca"}, {"layout": "tsne"}]
    first, again, other = [site.client.post(f"{site.url}/map", json=body) for body in asked]
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["message"]) == (409, "Another map is being made (auto pca), so this one was not begun")


def test_chosen_cases_become_a_round_in_the_name_of_who_chose_them(site) -> None:
    first, second, third, *_ = made_map(site)["ids"]
    opened = open_case(site.workspace, third, annotator_named(site.workspace, "Bo").id)
    submit(site.workspace, opened.assignment.id, Submitted(mask=np.ones(SHAPE, np.uint8)))
    made = site.client.post(f"{site.url}/query", json={"case_ids": [first, second, third]}, headers={"X-Annotator": "Ann"}).json()
    assert (made["round"], sorted(made["case_ids"])) == (1, sorted([first, second]))
    assert [one["why"] for one in made["left"]] == ["it is annotated"]
    with site.workspace.store.read() as tx:
        (query,) = tx.find(Query)
    assert query.strategy == BY_HAND
    assert query.choices[0].reason.startswith("chosen by Ann; random: ")
    states = dict(zip(*(site.client.get(f"{site.url}/map").json()[name] for name in ("ids", "states")), strict=True))
    assert [states[one] for one in (first, second, third)] == ["queried", "queried", "annotated"]


def test_what_cannot_be_queried_is_refused_in_words(site) -> None:
    case = site.workspace_case().id
    sent = [
        {"case_ids": []},
        {"case_ids": [case], "count": 0},
        {"case_ids": [case], "count": True},
        {"case_ids": [case] * (MOST_NAMED + 1)},
    ]
    assert [site.client.post(f"{site.url}/query", json=body).status_code for body in sent] == [422] * 4
    assert site.client.post(f"{site.url}/query", json={"case_ids": ["case-nowhere"]}).status_code == 404
    assert site.client.post(f"{site.url}/query", json={"case_ids": [case]}).status_code == 200
    again = site.client.post(f"{site.url}/query", json={"case_ids": [case]})
    assert (again.status_code, again.json()["error"]["message"].endswith("it is queried already")) == (409, True)
