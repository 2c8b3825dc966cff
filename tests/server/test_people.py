"""Who answers: any name in any script, one person per name, whatever its Unicode form."""

import asyncio
import unicodedata
from urllib.parse import quote

import httpx
import pytest

from medloop.core.records import Annotator, now
from medloop.loop.foundation.annotators import annotator_named

NAMES = ["Jörg Müller", "山田 太郎", "Ольга", "علی‌رضا", "प्रिया", "Nguyễn Thị Ánh", "O'Brien, A."]


def asked_by(site, name: str):
    return site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": quote(name, safe="")})


def people(site) -> list[str]:
    with site.workspace.store.read() as tx:
        return [one.name for one in tx.find(Annotator)]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_any_script_is_kept_letter_by_letter(site, name: str) -> None:
    answer = asked_by(site, name)
    assert answer.status_code == 200
    with site.workspace.store.read() as tx:
        assert unicodedata.normalize("NFC", name) in people(site)
        assert tx.count(Annotator) == 1


def test_names_in_two_scripts_are_two_people_and_two_forms_of_a_name_are_one(site) -> None:
    first, second = asked_by(site, "Ольга").json(), asked_by(site, "山田 太郎").json()
    assert first["assignment"]["id"] != second["assignment"]["id"]
    composed = asked_by(site, unicodedata.normalize("NFC", "Jörg")).json()
    decomposed = asked_by(site, unicodedata.normalize("NFD", "Jörg")).json()
    assert composed["assignment"]["id"] == decomposed["assignment"]["id"]
    assert len(people(site)) == 3


def test_letter_case_makes_nobody_another_person(site) -> None:
    first = asked_by(site, "Jörg Strauß").json()["assignment"]["id"]
    assert [asked_by(site, name).json()["assignment"]["id"] for name in ("JÖRG STRAUSS", "jörg strauß")] == [first, first]
    assert people(site) == ["Jörg Strauß"]


def test_two_people_of_an_older_project_who_differ_in_case_stay_two(site) -> None:
    with site.workspace.store.write("test") as tx:
        for n, name in enumerate(("local", "LOCAL")):
            tx.add(Annotator(id=f"annotator-{n}", name=name, kind="person", created_at=now()))
    assert annotator_named(site.workspace, "local").id == "annotator-0"
    assert annotator_named(site.workspace, "LOCAL").id == "annotator-1"
    assert annotator_named(site.workspace, "Local").id == "annotator-0"
    assert len(people(site)) == 2


@pytest.mark.parametrize("name", ["imported", "System", "WORKER", "a\u202eb", "\u200d", "", "x" * 81])
def test_reserved_empty_overlong_and_unprintable_names_are_refused_or_nobody(site, name: str) -> None:
    answer = asked_by(site, name)
    assert answer.status_code == (422 if name else 200)
    assert people(site) == ([] if name else ["local"])


def test_bytes_that_are_no_text_are_refused_instead_of_making_people_alike(site) -> None:
    answer = site.client.post(f"{site.url}/next", json={}, headers={"X-Annotator": "%ff%fe"})
    assert answer.status_code == 422
    assert people(site) == []


async def asked_raw(site, sent: bytes) -> httpx.Response:
    """The answer to a name whose bytes go out as they are, as curl sends them."""
    transport = httpx.ASGITransport(app=site.client.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(f"{site.url}/next", json={}, headers=[(b"x-annotator", sent)])


def test_a_name_sent_as_raw_utf8_is_the_same_person_as_the_encoded_one(site) -> None:
    encoded = asked_by(site, "Jörg").json()
    raw = asyncio.run(asked_raw(site, "Jörg".encode()))
    assert raw.json()["assignment"]["id"] == encoded["assignment"]["id"]
    assert asyncio.run(asked_raw(site, "Jörg".encode("latin-1"))).status_code == 422
    assert people(site) == ["Jörg"]


@pytest.mark.parametrize("letter", ["\u0645", "\u674e", "\U0001f600"])
def test_the_longest_name_may_be_sent_in_every_script(site, letter: str) -> None:
    assert asked_by(site, letter * 80).status_code == 200
    assert asked_by(site, letter * 81).status_code == 422
    assert people(site) == [letter * 80]
