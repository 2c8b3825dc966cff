"""Verdicts with accounts: by nobody on their own reading, signed by no program, returned to who is there; their time counts."""

from typing import Any

import pytest

from medloop.core.accounts import Account
from medloop.core.records import Review
from medloop.loop.people.accounts import set_disabled
from medloop.loop.people.handing_out import set_password

from .conftest import Browser, Town, hashed
from .test_reading_together import read_next


@pytest.fixture
def url(town: Town) -> str:
    return f"/projects/{town.first.project.id}"


def joined(town: Town, name: str, role: Any) -> Account:
    return has_joined(town, town.add(name, role))


def has_joined(town: Town, account: Account) -> Account:
    return set_password(town.store, account.id, hashed())


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


OWN = (403, "Nobody decides on their own reading where others review, too")


def test_nobody_approves_adjudicates_or_restores_what_nobody_but_they_themselves_gave(town: Town, url: str) -> None:
    rita, lena = town.browser(joined(town, "Rita", "reviewer")), town.browser(joined(town, "Lena", "lead"))
    case = read_next(rita, url, 2)
    found = rita.get(f"{url}/cases/{case}/readings").json()["readings"][0]["annotation_id"]
    assert refusal(rita.post(f"{url}/cases/{case}/edit")) == OWN, "before anything is drawn"
    for path, body in (
        (f"cases/{case}/approve", {}),
        (f"cases/{case}/adjudicate", {"choices": [{"annotation_id": found}]}),
        (f"annotations/{found}/restore", {}),
    ):
        assert refusal(rita.post(f"{url}/{path}", body)) == OWN, path
    assert lena.post(f"{url}/cases/{case}/approve").status_code == 200


def test_who_read_a_case_beside_others_may_decide_between_them(town: Town, url: str) -> None:
    rita, ann = town.browser(joined(town, "Rita", "reviewer")), town.browser(joined(town, "Ann", "annotator"))
    lena = town.browser(joined(town, "Lena", "lead"))
    assert lena.send("PATCH", f"{url}/settings", {"changes": {"readings": 2, "blind": True}}).status_code == 200
    case = read_next(ann, url, 2)
    assert read_next(rita, url, 6) == case
    hers = next(one for one in rita.get(f"{url}/cases/{case}/readings").json()["readings"] if one["annotator"] == "Ann")
    assert refusal(rita.post(f"{url}/cases/{case}/approve")) == OWN, "her reading is the newest and stands"
    assert rita.post(f"{url}/cases/{case}/adjudicate", {"choices": [{"annotation_id": hers["annotation_id"]}]}).status_code == 200


@pytest.mark.parametrize("others", ["none", "disabled", "invited", "annotators"])
def test_who_is_the_only_one_to_review_decides_on_their_own_reading_too(town: Town, url: str, ada: Account, others: str) -> None:
    if others == "disabled":
        set_disabled(town.store, joined(town, "Rita", "reviewer").id, True)
    if others == "invited":
        town.add("Rita", "reviewer")
    if others == "annotators":
        joined(town, "Ann", "annotator")
    browser = town.browser(has_joined(town, ada))
    assert browser.post(f"{url}/cases/{read_next(browser, url, 2)}/approve").status_code == 200


def test_a_token_approves_and_signs_nothing(town: Town, url: str) -> None:
    rita = joined(town, "Rita", "reviewer")
    case, program = read_next(town.browser(joined(town, "Ann", "annotator")), url, 2), town.program(rita)
    signed = program.post(f"{url}/cases/{case}/approve", {"signed_as": "Rita"})
    assert refusal(signed) == (403, "A signature is given by a person: a token signs nothing")
    assert program.post(f"{url}/cases/{case}/approve").status_code == 200
    with town.first.store.read() as tx:
        assert [one.signature for one in tx.find(Review)] == [None]
    assert town.browser(rita).post(f"{url}/cases/{case}/approve", {"signed_as": "x"}).status_code == 200


def test_a_case_is_returned_to_nobody_who_is_gone_also_where_no_name_is_given(town: Town, url: str) -> None:
    ann, rita = joined(town, "Ann", "annotator"), town.browser(joined(town, "Rita", "reviewer"))
    joined(town, "Bob", "annotator")
    case = read_next(town.browser(ann), url, 2)
    set_disabled(town.store, ann.id, True)
    for body in ({"comment": "again"}, {"comment": "again", "to": "Ann"}):
        assert refusal(rita.post(f"{url}/cases/{case}/return", body)) == (404, "Nobody called 'Ann' annotates here")
    assert rita.post(f"{url}/cases/{case}/return", {"comment": "again", "to": "Bob"}).status_code == 200


def test_a_second_reviewer_decides_nothing_before_they_have_seen_the_first_ones_verdict(town: Town, url: str) -> None:
    rita, lena = town.browser(joined(town, "Rita", "reviewer")), town.browser(joined(town, "Lena", "lead"))
    case = read_next(town.browser(joined(town, "Ann", "annotator")), url, 2)
    shown = rita.get(f"{url}/cases/{case}/readings").json()
    reading = shown["readings"][0]["annotation_id"]
    looked = {"readings": [reading], "reviews": []}
    assert lena.post(f"{url}/cases/{case}/approve", {**looked, "annotation_id": reading, "signed_as": "Lena"}).status_code == 200
    for path, body in (
        (f"cases/{case}/return", {"annotation_id": reading, "comment": "once more"}),
        (f"cases/{case}/approve", {"annotation_id": reading}),
        (f"cases/{case}/adjudicate", {"annotation_id": reading, "choices": [{"annotation_id": reading}]}),
        (f"annotations/{reading}/restore", {"standing_id": reading}),
    ):
        status, message = refusal(rita.post(f"{url}/{path}", {**looked, **body}))
        assert (status, message.endswith("has another verdict by now")) == (409, True), path
    seen = [one["id"] for one in rita.get(f"{url}/cases/{case}/readings").json()["reviews"]]
    assert rita.post(f"{url}/cases/{case}/return", {"readings": [reading], "reviews": seen, "comment": "no"}).status_code == 200


def minutes(browser: Browser, url: str) -> dict[str, tuple[float, float]]:
    lines = browser.get(f"{url}/effort").json()
    return {one["annotator"]: (round(one["minutes"] or 0.0, 2), round(one["cost"], 2)) for one in lines}


def test_what_a_verdict_took_is_work_of_the_reviewer_and_costs_money(town: Town, url: str) -> None:
    rita, lena = town.browser(joined(town, "Rita", "reviewer")), town.browser(joined(town, "Lena", "lead"))
    first, second = (read_next(town.browser(joined(town, name, "annotator")), url, 2) for name in ("Ann", "Bob"))
    rita.get(f"{url}/review/people")
    effort = {"session": "tab-1", "active_seconds": 60.0, "idle_seconds": 30.0}
    assert rita.post(f"{url}/cases/{first}/approve", {"effort": effort}).status_code == 200
    assert lena.send("PATCH", f"{url}/annotators", {"annotator": "Rita", "cost_per_minute": 3.0}).status_code == 200
    assert minutes(lena, url)["Rita"] == (1.0, 3.0)
    again = rita.post(f"{url}/cases/{first}/approve", {"effort": effort})
    assert again.status_code == 409, "a verdict that is refused took nothing"
    late = {"session": "tab-1", "active_seconds": 30.0, "ago_seconds": 3600.0}
    assert rita.post(f"{url}/cases/{second}/return", {"comment": "again", "effort": late}).status_code == 200
    assert minutes(lena, url)["Rita"] == (1.5, 4.5)
    (line,) = [one for one in lena.get(f"{url}/effort?by=case").json() if one["minutes"] == 0.5]
    assert (line["annotations"], line["cost"]) == (1, 1.5)


def test_verdicts_given_at_once_took_no_longer_than_the_clock_went(town: Town, url: str) -> None:
    rita, lena = town.browser(joined(town, "Rita", "reviewer")), town.browser(joined(town, "Lena", "lead"))
    for name in ("Ann", "Bob"):
        case = read_next(town.browser(joined(town, name, "annotator")), url, 2)
        rita.post(f"{url}/cases/{case}/approve", {"effort": {"session": name, "active_seconds": 3600.0}})
    assert minutes(lena, url)["Rita"][0] == pytest.approx(60.0, abs=0.5)


@pytest.mark.parametrize("seconds", [-1, 1e9, "NaN"])
def test_a_verdict_that_took_what_cannot_be_is_refused(town: Town, url: str, seconds: Any) -> None:
    case = read_next(town.browser(joined(town, "Ann", "annotator")), url, 2)
    rita = town.browser(joined(town, "Rita", "reviewer"))
    for verdict in ("approve", "return"):
        body = {"effort": {"session": "s", "active_seconds": seconds}} | ({"comment": "x"} if verdict == "return" else {})
        assert rita.post(f"{url}/cases/{case}/{verdict}", body).status_code == 422
    with town.first.store.read() as tx:
        assert tx.find(Review) == []
