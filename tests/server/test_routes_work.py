"""Jobs, logs, progress and predictions over the interface."""

import pytest

from medloop.core.records import Annotator
from medloop.loop.foundation.configuring import configure
from medloop.server.wire.progress_views import PoolQualityView
from tests.loop.test_live_models import trained

from .conftest import Site


def test_progress_of_a_new_project_is_empty(site) -> None:
    progress = site.client.get(f"{site.url}/progress").json()
    assert (progress["curve"], progress["models"], progress["rounds"]) == ([], [], [])
    assert (progress["annotated"], progress["total"], progress["labels_per_hour"]) == (0, 5, None)


@pytest.mark.usefixtures("an_hour_later")
def test_progress_counts_answers_and_rounds(site) -> None:
    url = f"{site.url}/assignments/{site.opened()['assignment']['id']}"
    site.client.post(f"{url}/submit", json={"revision": 0, "effort_seconds": 36})
    progress = site.client.get(f"{site.url}/progress").json()
    assert (progress["annotated"], progress["labels_per_hour"]) == (1, 100.0)
    assert progress["rounds"][0]["annotated"] == 1


@pytest.mark.usefixtures("an_hour_later")
def test_progress_says_whether_to_go_on_and_what_answers_took(site) -> None:
    url = f"{site.url}/assignments/{site.opened()['assignment']['id']}"
    site.client.post(f"{url}/submit", json={"revision": 0, "effort_seconds": 36})
    progress = site.client.get(f"{site.url}/progress").json()
    assert progress["stopping"]["stop"] is False
    assert progress["stopping"]["reasons"][0].startswith("No model was judged yet")
    assert (progress["stopping"]["expected_gain"], progress["stopping"]["interval"]) == (None, None)
    assert (progress["effort"][0]["timed"], progress["effort"][0]["median_seconds"]) == (1, 36.0)
    assert {line["queried"] for line in progress["queried"]} <= {0, 1}


def test_the_report_is_a_page_that_may_load_and_run_nothing(site) -> None:
    answer = site.client.get(f"{site.url}/report")
    policy = answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script-src" not in policy
    assert "Going on is advised." in answer.text


def test_a_training_can_be_asked_for_seen_and_cancelled(site) -> None:
    job_id = site.client.post(f"{site.url}/train", json={}).json()["job_id"]
    again = site.client.post(f"{site.url}/train", json={}).json()["job_id"]
    (job,) = site.client.get(f"{site.url}/jobs").json()
    assert again == job_id == job["id"]
    assert (job["kind"], job["state"]) == ("train", "queued")
    cancelled = site.client.post(f"{site.url}/jobs/{job_id}/cancel", json={})
    assert cancelled.json()["state"] == "cancelled"


def test_a_log_is_read_from_where_the_page_was(site) -> None:
    jobs = site.workspace.store.jobs
    job = jobs.enqueue("train", {})
    for line in ("one", "two", "three"):
        jobs.log(job.id, line)
    lines = site.client.get(f"{site.url}/jobs/{job.id}/log").json()["lines"]
    rest = site.client.get(f"{site.url}/jobs/{job.id}/log", params={"after": lines[1]["seq"]}).json()["lines"]
    assert [x["text"] for x in lines] == ["one", "two", "three"]
    assert [x["text"] for x in rest] == ["three"]


@pytest.mark.parametrize(("verb", "address"), [("GET", "jobs/job-0/log"), ("POST", "jobs/job-0/cancel")])
def test_an_unknown_job_is_not_found(site, verb: str, address: str) -> None:
    assert site.client.request(verb, f"{site.url}/{address}", json={}).status_code == 404


def test_a_running_job_counts_as_a_worker(site) -> None:
    site.workspace.store.jobs.enqueue("train", {})
    site.workspace.store.jobs.claim("worker-1")
    assert site.client.get(site.url).json()["workers"] == {"alive": True}


def test_a_prediction_is_shown_with_its_case(site, predicted) -> None:
    opened = site.client.post(f"{site.url}/cases/{predicted.case_id}/open", json={}).json()
    assert opened["prediction"]["id"] == predicted.id
    assert opened["prediction"]["model_index"] == 1
    assert opened["prediction"]["probabilities"] == [0.7, 0.2, 0.1]
    shown = site.client.get(f"{site.url}/predictions/{predicted.id}").json()
    assert shown == opened["prediction"]
    mask = site.client.get(f"{site.url}/predictions/{predicted.id}/mask").content
    draft = site.client.get(f"{site.url}/assignments/{opened['assignment']['id']}/draft").content
    assert mask == draft
    assert sum(mask) == 27


def test_a_prediction_without_doubt_has_no_map_of_it(site, predicted) -> None:
    answer = site.client.get(f"{site.url}/predictions/{predicted.id}/uncertainty")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_upcoming_names_the_case_after_the_open_one(site) -> None:
    first = site.opened()
    upcoming = site.client.get(f"{site.url}/upcoming").json()["case_id"]
    assert upcoming not in (None, first["case"]["id"])
    site.client.post(f"{site.url}/assignments/{first['assignment']['id']}/submit", json={"revision": 0})
    assert site.opened()["case"]["id"] == upcoming


def test_figures_that_are_not_finite_are_sent_as_null(site) -> None:
    view = PoolQualityView(mean=float("nan"), low_count=0, histogram=[])
    assert view.mean is None


def events_of(site: Site, noun: str, verb: str) -> list[str]:
    with site.workspace.store.read() as tx:
        return [event.actor for event in tx.events_about(noun, verbs=[verb])]


def test_who_asked_for_a_training_and_who_cancelled_it_is_told_by_a_checked_name(site: Site) -> None:
    ann, ben = {"X-Annotator": "Ann"}, {"X-Annotator": "Ben"}
    job = site.client.post(f"{site.url}/train", json={}, headers=ann).json()["job_id"]
    site.client.post(f"{site.url}/jobs/{job}/cancel", json={}, headers=ben)
    with site.workspace.store.read() as tx:
        people = {person.name: person.id for person in tx.find(Annotator)}
    assert events_of(site, "job", "enqueue") == [people["Ann"]]
    assert events_of(site, "job", "cancel") == [people["Ben"]]


@pytest.mark.parametrize("name", ["system", "Imported", "worker-7", "annotator-0123456789ab", "a%0Ab", "%00", "x" * 81, "%20", "%ff"])
def test_no_route_lets_anybody_pass_for_medloop_itself(site: Site, name: str) -> None:
    """Every route of the interface that takes a name and changes something."""
    with site.workspace.store.read() as tx:
        before = len(tx.events(limit=100_000))
    schema = site.client.get("/api/v1/openapi.json").json()
    named = [
        (path, verb)
        for path, verbs in schema["paths"].items()
        for verb, route in verbs.items()
        if verb != "get" and any(p["name"].lower() == "x-annotator" for p in route.get("parameters", []))
    ]
    assert len(named) >= 5
    for path, verb in named:
        address = path.replace("{project}", site.workspace.project.id).replace("{case}", site.workspace_case().id)
        address = address.replace("{index}", "1").replace("{job}", site.workspace.store.jobs.enqueue("noop", {}).id)
        body = {"label": 1, "method": "grad-cam", "regions": [], "reason": "r"} if "objections" in path else {}
        answer = site.client.request(verb, address, json=body, headers={"X-Annotator": name})
        assert answer.status_code == 422, (path, answer.text)
    with site.workspace.store.read() as tx:
        assert {event.actor for event in tx.events(limit=100_000)[before:]} == {"system"}
        assert tx.count(Annotator) == 0


def test_progress_tells_of_every_model_what_it_learned_and_which_is_in_use(site, predicted) -> None:
    progress = site.client.get(f"{site.url}/progress").json()
    (model,) = progress["models"]
    assert (model["index"], model["live"], model["pinned"], model["nothing_new"]) == (1, True, False, False)
    assert (model["learned"], model["score"], model["low"], model["high"], model["comparison"]) == (0, None, None, None, None)
    assert progress["unpredicted"] == 4
    assert progress["pool_note"] == "4 cases wait for the prediction of model 1."


def test_a_model_is_pinned_and_given_back_with_audit_events(site, predicted) -> None:
    pinned = site.client.post(f"{site.url}/models/1/use", json={}).json()
    assert [(m["index"], m["live"], m["pinned"]) for m in pinned] == [(1, True, True)]
    given_back = site.client.post(f"{site.url}/models/auto", json={}).json()
    assert [(m["live"], m["pinned"]) for m in given_back] == [(True, False)]
    with site.workspace.store.read() as tx:
        assert [e.verb for e in tx.events_about("choice")] == ["pin", "unpin"]
        (local,) = tx.find(Annotator, where={"name": "local"})
        assert {e.actor for e in tx.events_about("choice")} == {local.id}


def test_a_candidate_is_released_with_a_signature_and_rolled_back(site, predicted) -> None:
    configure(site.workspace, settings={"release": "gate"}, actor="test")
    trained(site.workspace, 2)
    before = {m["index"]: m for m in site.client.get(f"{site.url}/progress").json()["models"]}
    assert (before[1]["live"], before[2]["candidate"], before[2]["gate"]) == (True, True, [])
    refused = site.client.post(f"{site.url}/models/2/use", json={})
    assert (refused.status_code, refused.json()["error"]["message"]) == (409, "Model 2 is a candidate: the gate has not let it pass")
    assert site.client.post(f"{site.url}/models/2/release", json={"why": ""}).status_code == 422
    assert site.client.post(f"{site.url}/models/2/release", json={"why": "needed"}).status_code == 422
    released = site.client.post(f"{site.url}/models/2/release", json={"why": "needed", "signed_as": "Ada Byron"}).json()
    assert [(m["index"], m["live"], m["candidate"]) for m in released] == [(1, False, False), (2, True, False)]
    back = site.client.post(f"{site.url}/models/back", json={}).json()
    assert [(m["index"], m["live"], m["before"]) for m in back] == [(1, True, True), (2, False, True)]


def test_a_model_there_is_not_is_not_found(site, predicted) -> None:
    refused = site.client.post(f"{site.url}/models/9/use", json={})
    assert refused.status_code == 404
    assert refused.json()["error"]["message"] == "There is no model 9"
    assert site.client.post(f"{site.url}/models/0/use", json={}).status_code == 422


def test_training_again_without_anything_new_can_be_asked_for(site) -> None:
    plain = site.client.post(f"{site.url}/train", json={}).json()["job_id"]
    again = site.client.post(f"{site.url}/train", json={"again": True}).json()["job_id"]
    assert again != plain
    assert site.workspace.store.jobs.get(again).payload == {"again": True}


def test_a_job_says_why_it_did_nothing(site) -> None:
    jobs = site.workspace.store.jobs
    jobs.enqueue("train", {})
    job = jobs.claim("tester")
    assert job is not None
    jobs.finish(job, {"message": "nothing new since model 3", "nothing_new": 3})
    (shown,) = site.client.get(f"{site.url}/jobs").json()
    assert shown["result_message"] == "nothing new since model 3"


def test_cancelling_a_training_gives_its_round_a_true_state_at_once(site) -> None:
    for _ in range(2):
        url = f"{site.url}/assignments/{site.opened()['assignment']['id']}"
        site.client.post(f"{url}/submit", json={"revision": 0})
    (job,) = [j for j in site.client.get(f"{site.url}/jobs").json() if j["kind"] == "train"]
    site.client.post(f"{site.url}/jobs/{job['id']}/cancel", json={})
    (found,) = site.client.get(f"{site.url}/progress").json()["rounds"]
    assert found["state"] == "failed"
    assert found["message"].startswith("the training was cancelled")
