"""What the interface says about whose annotation stands, what a draft began with, and how a submission is taken back."""

import numpy as np
import pytest

from medloop.core.records import Annotation
from medloop.images.encode import encode_mask
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.leases import release_stale

from .conftest import SHAPE, add_model


def opened(site, case_id: str, by: str = "local") -> dict:
    answer = site.client.post(f"{site.url}/cases/{case_id}/open", json={}, headers={"X-Annotator": by})
    assert answer.status_code == 200
    return answer.json()


def submit(site, shown: dict, **body):
    url = f"{site.url}/assignments/{shown['assignment']['id']}"
    return site.client.post(f"{url}/submit", json={"revision": shown["assignment"]["revision"], **body})


@pytest.fixture
def case_id(site) -> str:
    return site.client.get(f"{site.url}/cases").json()["rows"][0]["id"]


def import_label(site, case_id: str) -> Annotation:
    """An expert's label, as an import leaves it."""
    with site.workspace.store.read() as tx:
        project_task = site.workspace.task.id
        assert tx.count(Annotation) == 0
    label = Annotation(
        id="annotation-label",
        case_id=case_id,
        task_id=project_task,
        annotator_id=annotator_named(site.workspace, "import", program=True).id,
        kind="mask",
        blob=site.workspace.store.blobs.put(encode_mask(np.ones(SHAPE, dtype=np.uint8))),
        origin="imported",
        created_at="2026-01-01T09:30:00.000000Z",
    )
    with site.workspace.store.write("import") as tx:
        tx.add(label)
    return label


def test_an_assignment_says_what_its_draft_began_with(site, case_id: str) -> None:
    blank = opened(site, case_id)["assignment"]
    assert blank["base"]["kind"] == "blank"
    assert (blank["standing"], blank["evaluation"], blank["withdrawn"]) == (None, False, None)
    add_model(site.workspace, case_id, index=1)
    proposal = opened(site, case_id, "Bob")["assignment"]
    assert (proposal["base"]["kind"], proposal["base"]["model_index"]) == ("prediction", 1)


def test_somebody_elses_annotation_is_shown_with_name_and_time(site, case_id: str) -> None:
    add_model(site.workspace, case_id)
    first = submit(site, opened(site, case_id, "Ann")).json()["annotation_id"]
    shown = opened(site, case_id, "Bob")
    standing = shown["assignment"]["standing"]
    assert (standing["annotation_id"], standing["annotator"], standing["origin"]) == (first, "Ann", "human")
    assert shown["assignment"]["base"] == {"kind": "annotation", **standing, "model_index": None, "model_name": ""}
    assert shown["previous"]["id"] == first


def test_an_unseen_imported_annotation_is_replaced_only_when_that_is_said(site, case_id: str) -> None:
    shown = opened(site, case_id)
    site.client.patch(f"{site.url}/assignments/{shown['assignment']['id']}/draft", json={"base_revision": 0, "runs": [[0, 4, 1]]})
    shown = opened(site, case_id)
    label = import_label(site, case_id)
    refused = submit(site, shown)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "replaces_annotation")
    assert "imported on 2026-01-01" in refused.json()["error"]["message"]
    url = f"{site.url}/assignments/{shown['assignment']['id']}/mask"
    headers = {"Content-Type": "application/octet-stream", "X-Shape": "12,10,8"}
    assert site.client.put(url, content=bytes(960), headers=headers).json()["error"]["code"] == "replaces_annotation"
    stored = site.client.put(url, content=bytes(960), headers={**headers, "X-Replace": "true", "X-Independent": "true"}).json()
    with site.workspace.store.read() as tx:
        kept = tx.get(Annotation, stored["annotation_id"])
        assert (kept.supersedes, kept.began_with) == (label.id, "blank")


def test_a_flagged_imported_case_says_why_and_leaves_the_counts(site, case_id: str) -> None:
    import_label(site, case_id)
    assert site.client.get(site.url).json()["counts"]["annotated"] == 1
    shown = opened(site, case_id, "Ann")
    site.client.post(f"{site.url}/assignments/{shown['assignment']['id']}/flag", json={"reason": "wrong patient"})
    (row,) = site.client.get(f"{site.url}/cases", params={"state": "flagged"}).json()["rows"]
    assert (row["id"], row["reason"], row["reason_by"], row["annotations"]) == (case_id, "wrong patient", "Ann", 0)
    assert site.client.get(site.url).json()["counts"]["annotated"] == 0
    withdrawn = opened(site, case_id, "Bob")["assignment"]["withdrawn"]
    assert (withdrawn["verb"], withdrawn["reason"], withdrawn["by"]) == ("flagged", "wrong patient", "Ann")
    others = site.client.get(f"{site.url}/cases", params={"state": "unlabelled"}).json()["rows"]
    assert all((line["reason"], line["reason_by"]) == ("", None) for line in others)
    assert site.client.get(f"{site.url}/cases", params={"state": "unanswered"}).json()["rows"] == others, "programs may send the older word"


def test_a_submission_is_undone_over_the_interface(site, case_id: str) -> None:
    shown = opened(site, case_id)
    url = f"{site.url}/assignments/{shown['assignment']['id']}"
    assert site.client.post(f"{url}/undo", json={}).status_code == 409
    site.client.patch(f"{url}/draft", json={"base_revision": 0, "runs": [[0, 4, 1]]})
    assert site.client.post(f"{url}/submit", json={"revision": 1}).status_code == 200
    again = site.client.post(f"{url}/undo", json={}).json()
    assert (again["id"], again["revision"], again["base"]["kind"]) == (shown["assignment"]["id"], 1, "blank")
    assert np.frombuffer(site.client.get(f"{url}/draft").content, np.uint8).sum() == 4
    assert site.client.get(site.url).json()["counts"]["annotated"] == 0
    assert site.client.post(f"{url}/submit", json={"revision": 1}).status_code == 200
    assert site.client.post(f"{url.rsplit('/', 1)[0]}/nobody/undo", json={}).status_code == 404


def test_a_draft_whose_lease_ran_out_comes_back_when_its_owner_opens_the_case(site, case_id: str) -> None:
    shown = opened(site, case_id, "Ann")
    url = f"{site.url}/assignments/{shown['assignment']['id']}"
    site.client.patch(f"{url}/draft", json={"base_revision": 0, "runs": [[0, 4, 1]]})
    release_stale(site.workspace, hours=0)
    refused = site.client.patch(f"{url}/draft", json={"base_revision": 1, "runs": [[4, 4, 1]]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "wrong_state")
    assert "your draft is kept" in refused.json()["error"]["remedy"]
    again = opened(site, case_id, "Ann")["assignment"]
    assert (again["id"], again["revision"]) == (shown["assignment"]["id"], 1)
    assert site.client.patch(f"{url}/draft", json={"base_revision": 1, "runs": [[4, 4, 1]]}).json() == {"revision": 2}


def test_a_confirmed_class_leans_on_the_model_and_another_does_not(tag_site) -> None:
    for tag, share in ((0, 1.0), (1, 0.0)):
        line = tag_site.client.get(f"{tag_site.url}/cases").json()["rows"][tag]
        add_model(tag_site.workspace, line["id"], index=tag + 1)
        shown = opened(tag_site, line["id"])
        url = f"{tag_site.url}/assignments/{shown['assignment']['id']}"
        stored = tag_site.client.post(f"{url}/submit", json={"tag": tag}).json()["annotation_id"]
        with tag_site.workspace.store.read() as tx:
            kept = tx.get(Annotation, stored)
        assert (kept.began_with, kept.untouched) == ("prediction", share)


def test_a_class_that_a_later_model_proposes_leans_when_it_replaces_a_tag_and_a_kept_tag_does_not(tag_site) -> None:
    line = tag_site.client.get(f"{tag_site.url}/cases").json()["rows"][0]

    def tagged(by: str, tag: int) -> Annotation:
        shown = opened(tag_site, line["id"], by)
        url = f"{tag_site.url}/assignments/{shown['assignment']['id']}"
        stored = tag_site.client.post(f"{url}/submit", json={"tag": tag}).json()["annotation_id"]
        with tag_site.workspace.store.read() as tx:
            return tx.get(Annotation, stored)

    assert tagged("Ann", 1).untouched is None
    add_model(tag_site.workspace, line["id"])  # proposes 0
    assert tagged("Bob", 1).untouched is None, "the tag that was there, given without a model, is kept"
    changed = tagged("Eva", 0)
    assert (changed.began_with, changed.untouched) == ("annotation", 1.0)
