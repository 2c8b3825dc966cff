"""Before it is submitted a gold case looks like every other case to whom it may come: in the worklist, in every view of it, and open."""

from typing import Any

import pytest

from medloop.core.records import Annotation
from medloop.core.roles import Role
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE, add_model

from .conftest import Browser, Town
from .test_every_route import ROUTES, filled
from .test_reading_together import cube, read_next

OFTEN = 0.5
UNKNOWN = ("id", "case_id", "case", "name", "patient", "opened_at", "reason")
"""What differs from one case to another anyway."""


@pytest.fixture
def url(town: Town) -> str:
    return f"/projects/{town.first.project.id}"


@pytest.fixture
def golden(town: Town, url: str) -> tuple[Browser, str]:
    """Lena, who leads, and a gold case whose truth she gave; every second case that comes is a check."""
    lena = town.browser(town.add("Lena", "lead"))
    case = read_next(lena, url, 2)
    assert lena.post(f"{url}/cases/{case}/gold").status_code == 200
    configure(lena, url, gold_rate=OFTEN, review="all")
    return lena, case


def configure(lead: Browser, url: str, **changes: object) -> None:
    answer = lead.send("PATCH", f"{url}/settings", {"changes": changes})
    assert answer.status_code == 200, answer.text


def put(browser: Browser, url: str, assignment: str, start: int) -> dict[str, Any]:
    headers = {**browser.headers, "Content-Type": "application/octet-stream", "X-Shape": ",".join(map(str, SHAPE))}
    browser.client.cookies.clear()
    answer = browser.client.put(f"/api/v1{url}/assignments/{assignment}/mask", content=cube(start), headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def due(town: Town, role: Role) -> tuple[str, Browser]:
    """Somebody whose first case is a check, by the hash that draws it."""
    for n in range(99):
        who = annotator_named(town.first, f"Reader {n}")
        if drawn_share(town.first.settings.seed, "gold", who.id, 0) < OFTEN:
            return who.name, town.browser(town.add(who.name, role))
    raise AssertionError("nobody is due")


def worklist(browser: Browser, url: str, query: str = "") -> dict[str, dict[str, Any]]:
    found = browser.get(f"{url}/cases{query}").json()
    assert found["total"] == len(found["rows"])
    return {row["id"]: row for row in found["rows"]}


def plain(found: Any) -> Any:
    """An answer without what differs from case to case."""
    if isinstance(found, dict):
        return {key: plain(value) for key, value in found.items() if key not in UNKNOWN}
    return found


def test_the_worklist_does_not_tell_a_gold_case_from_an_unlabelled_one(town: Town, url: str, golden: tuple[Browser, str]) -> None:
    lena, gold = golden
    name, ann = due(town, "annotator")
    for browser in (ann, town.browser(town.add("Vic", "viewer"))):
        rows = worklist(browser, url)
        unqueried = {case: str(plain(row)) for case, row in rows.items() if row["round"] is None}
        assert gold in unqueried
        assert len(unqueried) > 2
        assert len({*unqueried.values()}) == 1, "all look alike"
        assert gold in worklist(browser, url, "?state=unlabelled")
        assert gold in worklist(browser, url, f"?state=unlabelled&search={rows[gold]['name']}")
        assert worklist(browser, url, "?state=annotated") == {}
        assert worklist(browser, url, "?reading=accepted") == worklist(browser, url, "?reading=in%20review") == {}
    assert worklist(lena, url, "?state=annotated").keys() == {gold}, "who reviews sees it as it is"
    opened = ann.post(f"{url}/next").json()
    assert opened["case"]["id"] == gold
    rows = worklist(ann, url)
    assert (rows[gold]["state"], rows[gold]["progress"]["words"], rows[gold]["open_with"]) == ("unlabelled", "in progress", [name])
    assert put(ann, url, opened["assignment"]["id"], 3)["gold"] is True
    assert worklist(ann, url, "?state=annotated").keys() == {gold}, "its truth was shown"


def test_no_view_of_a_gold_case_tells_it_from_an_unlabelled_one(town: Town, url: str, golden: tuple[Browser, str]) -> None:
    gold, ann = golden[1], town.browser(town.add("Ann", "annotator"))
    move_to(town.first, gold, "test")
    other = next(case for case in worklist(ann, url) if case != gold)
    with town.first.store.read() as tx:
        truth = tx.find(Annotation, where={"case_id": gold})[0]
    looked = [route.split(" ")[1] for route in ROUTES if route.startswith("GET ") and "{case}" in route]
    for _ in ("before it comes", "while it is open"):
        for path in looked:
            answers = [ann.get(filled(path, project=town.first.project.id, case=case)) for case in (gold, other)]
            assert answers[0].status_code == answers[1].status_code, path
            assert truth.id not in answers[0].text, path
            assert str(truth.blob) not in answers[0].text, path
        for view in ("look", "readings", "history"):
            found = [plain(ann.get(f"{url}/cases/{case}/{view}").json()) for case in (gold, other)]
            assert found[0] == found[1], view
        assert [ann.get(f"{url}/cases/{case}").json()["split"] for case in (gold, other)] == ["train", "train"]
        for case in (gold, other):
            assert ann.post(f"{url}/cases/{case}/open").status_code == 200


def opened_pair(town: Town, url: str, lena: Browser, gold: str) -> list[dict[str, Any]]:
    """What Ann is handed as a check, and what Bob is handed as real work."""
    check = due(town, "annotator")[1].post(f"{url}/next").json()
    assert check["case"]["id"] == gold
    configure(lena, url, gold_rate=0.0)
    real = town.browser(town.add("Bob", "annotator")).post(f"{url}/next").json()
    assert real["case"]["id"] != gold
    return [check, real]


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_handed_out_as_a_check_looks_like_real_work(town: Town, url: str, golden: tuple[Browser, str], split: str) -> None:
    lena, gold = golden
    move_to(town.first, gold, split)
    check, real = opened_pair(town, url, lena, gold)
    assert plain(check["assignment"]) == plain(real["assignment"])
    assert check["assignment"]["reason"] == real["assignment"]["reason"]
    assert (check["case"]["split"], real["case"]["split"]) == ("train", "train")
    assert (check["prediction"], check["previous"]) == (real["prediction"], real["previous"]) == (None, None)


def move_to(workspace: Workspace, case_id: str, split: str) -> None:
    """As if the case had been in that split from the beginning."""
    with workspace.store.database.writing() as connection:
        for table in ("cases", "case_states"):
            name = "id" if table == "cases" else "case_id"
            connection.exec_driver_sql(f"UPDATE {table} SET split = ? WHERE {name} = ?", (split, case_id))


def test_a_gold_case_that_is_chosen_from_the_worklist_is_a_check_as_well(town: Town, url: str, golden: tuple[Browser, str]) -> None:
    lena, gold = golden
    add_model(town.first, gold)
    ann = town.browser(town.add("Ann", "annotator"))
    opened = ann.post(f"{url}/cases/{gold}/open").json()
    assert (opened["previous"], opened["assignment"]["standing"], opened["assignment"]["reason"]) == (
        None,
        None,
        "chosen from the worklist",
    )
    assert put(ann, url, opened["assignment"]["id"], 4)["gold"] is True
    again = ann.post(f"{url}/cases/{gold}/open").json()
    assert again["assignment"]["standing"]["annotator"] == "Lena", "read once, it is a case like every other one"
    mine = lena.post(f"{url}/cases/{gold}/open").json()
    assert mine["previous"] is not None


def test_who_may_review_sees_no_truth_while_the_case_is_their_own_check(town: Town, url: str, golden: tuple[Browser, str]) -> None:
    gold, rita = golden[1], due(town, "reviewer")[1]
    assert len(rita.get(f"{url}/cases/{gold}/readings").json()["readings"]) == 1
    opened = rita.post(f"{url}/next").json()
    assert opened["case"]["id"] == gold
    assert rita.get(f"{url}/cases/{gold}/readings").json()["readings"] == []
    assert rita.get(f"{url}/cases/{gold}/look").json()["previous"] is None
    put(rita, url, opened["assignment"]["id"], 2)
    assert len(rita.get(f"{url}/cases/{gold}/readings").json()["readings"]) == 1
