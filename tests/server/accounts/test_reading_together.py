"""Three people on one project over the network: read blind, disagree, a reviewer decides, the consensus trains the next model."""

import numpy as np

from medloop.core.records import Annotation, Annotator, Snapshot
from medloop.loop.worker import drain
from medloop.store.audit import verify
from tests.server.conftest import SHAPE

from .conftest import Browser, Town

RULES = {"readings": 2, "blind": True, "consensus": "majority", "review": "disagreement", "minimum_agreement": 0.6}


def cube(start: int) -> bytes:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[start : start + 4, 2:8, 2:6] = 1
    return mask.tobytes(order="F")


def read_next(browser: Browser, url: str, start: int) -> str:
    """Annotate the next case with a cube; the case's id."""
    opened = browser.post(f"{url}/next").json()
    assert (opened["previous"], opened["assignment"]["standing"], opened["assignment"]["base"]["kind"]) == (None, None, "blank")
    address = f"/api/v1{url}/assignments/{opened['assignment']['id']}/mask"
    headers = {**browser.headers, "Content-Type": "application/octet-stream", "X-Shape": ",".join(map(str, SHAPE))}
    browser.client.cookies.clear()
    assert browser.client.put(address, content=cube(start), headers=headers).status_code == 200
    return str(opened["case"]["id"])


def test_three_people_read_blind_disagree_and_a_reviewer_decides_what_trains_the_next_model(town: Town) -> None:
    ada, ann, bob, rita = (
        town.browser(town.add(name, role))
        for name, role in (("Lena", "lead"), ("Ann", "annotator"), ("Bob", "annotator"), ("Rita", "reviewer"))
    )
    url = f"/projects/{town.first.project.id}"
    assert ada.send("PATCH", f"{url}/settings", {"changes": RULES}).status_code == 200
    agreed, disputed = read_next(ann, url, 2), read_next(ann, url, 2)
    with town.first.store.read() as tx:
        hers = tx.find(Annotation, where={"case_id": disputed})[0].id
    for address in (f"{url}/annotations/{hers}/mask", f"{url}/cases/{disputed}/readings", f"{url}/cases/{disputed}/history"):
        assert bob.get(address).status_code == 403, "Bob has not read it"
        assert rita.get(address).status_code == 200
    assert bob.get(f"{url}/cases/{disputed}/look").json()["previous"] is None
    assert [read_next(bob, url, 2), read_next(bob, url, 7)] == [agreed, disputed]
    assert bob.get(f"{url}/annotations/{hers}/mask").status_code == 200, "now he has"
    drain(town.first)

    assert ann.get(f"{url}/review").status_code == 403
    waiting = rita.get(f"{url}/review").json()
    assert [(w["case_id"], w["progress"]["state"], w["readers"]) for w in waiting] == [(disputed, "in review", ["Ann", "Bob"])]
    listed = rita.get(f"{url}/cases?reading=in%20review").json()
    assert (listed["total"], listed["rows"][0]["progress"]["words"]) == (1, "in review")
    shown = rita.get(f"{url}/cases/{disputed}/readings").json()
    assert [(r["annotator"], r["origin"], r["blind"], r["standing"]) for r in shown["readings"]] == [
        ("Ann", "human", True, False),
        ("Bob", "human", True, False),
        ("consensus", "consensus", False, True),
    ]
    assert shown["consensus"]["agreement_by_label"]["1"] == 0.0
    assert rita.get(f"{url}/consensuses/{shown['consensus']['id']}/uncertainty").status_code == 200
    refused = rita.post(f"{url}/cases/{disputed}/approve", {"annotation_id": hers})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    choice = {"choices": [{"annotation_id": hers, "label": 1}], "comment": "Ann follows the edge"}
    assert ann.post(f"{url}/cases/{disputed}/adjudicate", choice).status_code == 403
    decided = rita.post(f"{url}/cases/{disputed}/adjudicate", choice).json()
    assert decided["progress"]["state"] == "accepted"
    signed = rita.post(f"{url}/cases/{agreed}/approve", {"signed_as": "somebody else"}).json()
    assert rita.get(f"{url}/cases/{agreed}/readings").json()["reviews"][0]["signature"]["name"] == "Rita", signed

    drain(town.first)
    with town.first.store.read() as tx:
        learned = [tx.get(Annotation, i) for i in tx.find(Snapshot)[-1].annotation_ids]
        people = {a.id: a.name for a in tx.find(Annotator)}
        events = [(people.get(e.actor, e.actor), e.verb) for e in tx.events(limit=10_000)]
    assert {(people[a.annotator_id], a.origin) for a in learned} == {("consensus", "consensus"), ("Rita", "adjudicated")}
    assert {("Ann", "submit"), ("Bob", "submit"), ("consensus", "fuse"), ("Rita", "adjudicate"), ("Rita", "approve")} <= set(events)
    assert verify(town.first.store).ok
    rows = {r["annotator"]: r for r in ada.get(f"{url}/annotators").json()}
    assert rows["Ann"]["shared"] == 2
    assert rows["Ann"]["skill"] is not None
    assert rows["Ann"]["edges"] > 0
    assert 0 <= rows["Ann"]["skill_by_image"] <= 1
    assert ada.get(f"{url}/suspects").status_code == 200
    assert len(ada.get(f"{url}/agreement").json()) == 1


def test_a_returned_case_comes_with_its_comment_and_its_history_is_kept(town: Town) -> None:
    ann, rita = (town.browser(town.add(name, role)) for name, role in (("Ann", "annotator"), ("Rita", "reviewer")))
    url = f"/projects/{town.first.project.id}"
    case = read_next(ann, url, 2)
    back = rita.post(f"{url}/cases/{case}/return", {"comment": "<b>look</b> again"})
    assert back.json()["progress"]["state"] == "returned"
    assert rita.post(f"{url}/cases/{case}/return", {"comment": "x", "to": "Nobody"}).status_code == 404
    opened = ann.post(f"{url}/next").json()
    assert (opened["case"]["id"], opened["assignment"]["reason"]) == (case, "returned by Rita: <b>look</b> again")
    draft = opened["assignment"]
    assert ann.post(f"{url}/assignments/{draft['id']}/submit", {"revision": draft["revision"]}).status_code == 200
    lines = rita.get(f"{url}/cases/{case}/history").json()
    assert [(line["who"], line["what"]) for line in lines] == [("Ann", "annotated"), ("Rita", "returned to Ann"), ("Ann", "annotated")]
    first = lines[0]["annotation_id"]
    made = rita.post(f"{url}/annotations/{first}/restore", {"comment": "the first was right"}).json()
    assert made["progress"]["state"] == "accepted"
