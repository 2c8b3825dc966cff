"""Ways around accounts, roles and blind reading that somebody who means harm would try."""

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from sqlalchemy import text
from starlette.datastructures import Headers

from medloop.core.accounts import Account
from medloop.core.errors import ConflictError, InputError, MedloopError, SignInError, UnavailableError
from medloop.core.names import appearance, checked_name
from medloop.core.records import Annotation, Evaluation, Source, new_id, now
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.overview import explanations
from medloop.loop.people.accounts import add_account, give_role
from medloop.loop.people.handing_out import make_link, use_link
from medloop.loop.people.passwords import hash_password
from medloop.loop.people.places import opened_accounts
from medloop.server.routes.work import get_stream
from medloop.server.web.feed import MAX_OWN
from medloop.server.web.people import network_of
from medloop.server.web.settings import ServerSettings

from ..conftest import SHAPE, add_model
from .conftest import PASSWORD, Browser, Town, serve_town
from .test_every_route import ROUTES, filled
from .test_reading_together import RULES, cube, read_next

PROXIED = ServerSettings(behind_proxy=True, names="m.example", worker=False, assistant=False)


@pytest.fixture
def url(town: Town) -> str:
    return f"/projects/{town.first.project.id}"


# --- passwords and throttling


@pytest.mark.parametrize("around", ["{} ", " {}", "\t{}", "{}\u2003", "\u00a0{}\u3000", "{}\n"])
def test_blanks_around_a_name_give_no_further_tries(town: Town, around: str) -> None:
    town.with_password(town.add("Mia", "annotator"))
    for _ in range(5):
        assert town.nobody().post("/sign-in", {"name": "Mia", "password": "wrong"}).status_code == 401
    assert town.nobody().post("/sign-in", {"name": around.format("Mia"), "password": "wrong"}).status_code == 429


def test_a_decomposed_name_gives_no_further_tries_and_signs_in(town: Town) -> None:
    town.with_password(town.add("Jörg", "annotator"))
    other = unicodedata.normalize("NFD", "JÖRG")
    assert town.nobody().post("/sign-in", {"name": other, "password": PASSWORD}).status_code == 200
    for n in range(6):
        name = other if n % 2 else "jörg"
        status = town.nobody().post("/sign-in", {"name": name, "password": "wrong"}).status_code
    assert status == 429


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1:2:3:4", "2001:db8::5:6:7:8", True),
        ("2001:db8:0:1::1", "2001:db8::1", False),
        ("2001:db8:0:0:a:b:c:d", "2001:db8::1", True),
        ("2001:db8::a:b:c:d", "2001:db8::1", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("[2001:db8::1]", "2001:DB8:0::2", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("unknown", "unknown", True),
    ],
)
def test_addresses_of_one_client_count_as_one_however_they_are_written(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) == same


def test_who_is_tried_from_elsewhere_still_signs_in_from_where_they_work(served: Path) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        add_account(store, "Ada", role="administrator")
        for town in serve_town(served, store, PROXIED):
            town.with_password(town.add("Mia", "annotator"))

            def tried(password: str, address: str, town: Town = town) -> int:
                headers = {"Host": "m.example", "Origin": "https://m.example", "X-Forwarded-For": address}
                return town.nobody().post("/sign-in", {"name": "Mia", "password": password}, **headers).status_code

            assert tried(PASSWORD, "10.0.0.1") == 200
            assert [tried("wrong", f"10.6.6.{n}") for n in range(7)] == [401] * 5 + [429] * 2
            assert tried(PASSWORD, "10.6.6.99") == 429, "from where they have never been they wait"
            assert tried(PASSWORD, "10.0.0.1") == 200
            assert [tried("wrong", "10.0.0.1") for _ in range(6)] == [401] * 5 + [429], "a known address has a count of its own"


def test_who_is_tried_by_others_can_still_use_their_link(town: Town) -> None:
    account = town.add("Mia", "annotator")
    for _ in range(6):
        town.nobody().post("/sign-in", {"name": "Mia", "password": "wrong"})
    secret = make_link(town.store, account.id, "invitation").secret
    assert town.nobody().post("/links/invitation", {"secret": secret, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize("password", ["x" * 1001, "a\x00bcdefghijk", "\ud800" * 12])
def test_a_password_that_is_too_long_or_no_text_is_refused_without_a_hash(town: Town, password: str) -> None:
    body = '{"name": "Ada", "password": "' + password.encode("unicode_escape").decode().replace("\\x00", "\\u0000") + '"}'
    answer = town.client.post("/api/v1/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (401, 422)
    assert "internal" not in answer.text


def test_a_key_given_twice_counts_once(town: Town) -> None:
    town.with_password(town.add("Mia", "annotator"))
    body = f'{{"name": "Ada", "password": "{PASSWORD}", "name": "Mia"}}'
    answer = town.client.post("/api/v1/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["name"] == "Mia"


# --- names


@pytest.mark.parametrize(
    "name",
    ["АDА", "Ａｄａ", "аdа", "Ada\u3000 ".strip() + "", "ADA", "𝐀𝐝𝐚", "Αda", "Ada\ufe0f", "ᴬda"],
)
def test_no_second_account_looks_like_one(town: Town, name: str) -> None:
    with pytest.raises(ConflictError, match="There is an account 'Ada' already"):
        town.add(name, "viewer")


@pytest.mark.parametrize(
    "name", ["\u3164", "A\u034fda", "\u2800\u2800", "Ada\u115f", "\uffa0", "A\u200bda", "A\u202eda", "A\u2066da", "\ufeffAda"]
)
def test_no_name_holds_what_nobody_sees(name: str) -> None:
    with pytest.raises(InputError):
        checked_name(name)


@pytest.mark.parametrize("name", ["葛\U000e0100城", "می‌خواهم", "Łukasz Żółć", "Ольга", "علي", "שרה", "क्‍ष", "O'Neil", "Ng̃"])
def test_names_in_any_script_stay_names(name: str) -> None:
    assert checked_name(name) == unicodedata.normalize("NFC", name)


def test_two_people_with_different_names_of_other_scripts_are_not_taken_for_one() -> None:
    names = ["Ольга", "Олена", "Анна", "山田 太郎", "山田 太一", "علي", "عليا", "Zoë", "Zoe", "Müller", "Muller"]
    assert len({appearance(name) for name in names}) == len(names)


# --- sessions, links, first use


@pytest.mark.parametrize(("minutes", "alive"), [(4, True), (6, False), (60 * 24, False)])
def test_a_session_of_the_future_is_none(town: Town, minutes: float, alive: bool) -> None:
    browser = town.browser(town.add("Mia", "annotator"))
    with town.store.database.writing() as connection:
        connection.execute(text("UPDATE sign_ins SET created_at = :at"), {"at": now(timedelta(minutes=minutes))})
    assert (browser.get("/me").status_code == 200) == alive


def test_a_link_that_several_use_at_once_works_for_one(town: Town) -> None:
    account = town.add("Mia", "annotator")
    secret = make_link(town.store, account.id, "invitation").secret
    hashed = [hash_password(f"{PASSWORD} {n}", name="Mia") for n in range(6)]
    begin = threading.Barrier(6)

    def use(one: str) -> bool:
        begin.wait()
        try:
            use_link(town.store, secret, "invitation", one)
        except SignInError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(use, hashed)) == [False] * 5 + [True]


def test_first_accounts_that_are_made_at_once_are_one_store_and_one_of_each_name(served: Path) -> None:
    begin = threading.Barrier(4)

    def add(name: str) -> str:
        begin.wait()
        try:
            with closing(opened_accounts(served, make=True)) as store:
                add_account(store, name, role="administrator")
        except MedloopError as error:
            return type(error).__name__
        return "made"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(add, ["Ada", "ada", "Bea", "Cyd"]))
    with closing(opened_accounts(served)) as store, store.read() as tx:
        names = [one.name for one in tx.find(Account)]
    assert set(found) <= {"made", "ConflictError"}
    assert len(names) == found.count("made")
    assert len({name.lower() for name in names}) == len(names)
    assert {"Bea", "Cyd"} <= set(names)


def test_a_role_that_is_taken_counts_for_the_next_request_of_a_token(town: Town, url: str) -> None:
    account = town.add("Mia", "annotator")
    program = town.program(account)
    assert program.post(f"{url}/next").status_code == 200
    give_role(town.store, account.id, "viewer")
    assert program.post(f"{url}/next").status_code == 403
    give_role(town.store, account.id, None)
    assert program.get(url).status_code == 404


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1#.evil.example",
        "127.0.0.1?evil",
        "127.0.0.1:80#x",
        "127.0.0.1:x",
        "127.0.0.1\\evil",
        "127.0.0.1:",
        " ",
        "[::1",
        "127.0.0.1 x",
    ],
)
def test_a_host_is_a_name_and_a_port_and_nothing_else(town: Town, host: str) -> None:
    answer = town.nobody().send("GET", "/health", Host=host)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_host")


@pytest.mark.parametrize("host", ["LOCALHOST", "localhost:8000", "[::1]:80", "127.0.0.1:65535"])
def test_this_machine_has_several_names(town: Town, host: str) -> None:
    assert town.nobody().send("GET", "/health", Host=host).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_tell_nothing_without_an_account(town: Town, url: str, method: str) -> None:
    for path in (url, f"{url}/export?format=nifti", f"{url}/cases", "/me"):
        answer = town.client.request(method, f"/api/v1{path}")
        assert answer.status_code in (401, 404, 405)
        assert answer.headers.get("access-control-allow-origin") is None


@pytest.mark.parametrize("role", ["viewer", "annotator", "reviewer"])
def test_whoever_may_not_take_data_out_gets_no_export_by_any_token(town: Town, url: str, role: Any) -> None:
    account = town.add("Eve", role)
    assert town.browser(account).get(f"{url}/export?format=nifti").status_code == 403
    assert town.program(account, "all").get(f"{url}/export?format=nifti").status_code == 403
    lead = town.add("Lea", "lead")
    assert town.program(lead, "read").get(f"{url}/export?format=nifti").status_code == 403
    assert town.program(lead, "annotate").get(f"{url}/export?format=nifti").status_code == 403


class _Listener:
    """What the route of the stream reads of a request."""

    def __init__(self, browser: Browser) -> None:
        self.headers = Headers(browser.headers)


def _listening(town: Town, browser: Browser, times: int = 1) -> list[Any]:
    """The streams of a page that listens so many times, each with its first event; or why there is none."""

    async def listen() -> list[Any]:
        site, found = town.client.app.state.site, []
        caller = site.people.caller(Headers(browser.headers), used=False)
        for _ in range(times):
            try:
                answer = await get_stream(site, site.projects.get(town.first.project.id), caller, _Listener(browser))
            except UnavailableError as error:
                found.append(error.message)
                continue
            await anext(answer.body_iterator)
            found.append(answer.body_iterator)
        for one in found:
            if not isinstance(one, str):
                await one.aclose()
        return found

    with anyio.from_thread.start_blocking_portal() as portal:
        return portal.call(listen)


def test_a_page_that_is_left_open_does_not_keep_its_session_alive(town: Town, url: str) -> None:
    browser = town.browser(town.add("Mia", "annotator"))
    with town.store.database.writing() as connection:
        connection.execute(text("UPDATE sign_ins SET created_at = :at"), {"at": now(timedelta(minutes=-100))})
    assert len(_listening(town, browser)) == 1
    assert browser.send("GET", url, **{"X-Idle": "1"}).status_code == 200
    with town.store.database.reading() as connection:
        assert connection.execute(text("SELECT seen_at FROM sign_ins")).scalar_one() is None
    assert browser.get(url).status_code == 200
    with town.store.database.reading() as connection:
        assert connection.execute(text("SELECT seen_at FROM sign_ins")).scalar_one() is not None


def test_one_account_does_not_take_all_places_of_those_who_listen(town: Town) -> None:
    eve, mia = (town.browser(town.add(name, "viewer")) for name in ("Eve", "Mia"))
    found = _listening(town, eve, MAX_OWN + 2)
    assert [isinstance(one, str) for one in found] == [False] * MAX_OWN + [True] * 2
    assert not isinstance(_listening(town, mia)[0], str)
    assert not isinstance(_listening(town, eve)[0], str), "places of streams that ended are free again"


# --- reading blind


@pytest.fixture
def blind(town: Town, url: str) -> tuple[Browser, Browser, str]:
    """Ann has read a case that Bob is to read blind; both browsers, and the case's id."""
    town.browser(town.add("Lena", "lead")).send("PATCH", f"{url}/settings", {"changes": RULES})
    ann, bob = (town.browser(town.add(name, "annotator")) for name in ("Ann", "Bob"))
    return ann, bob, read_next(ann, url, 2)


def test_the_report_shows_nobody_a_case_that_they_are_to_read_blind(town: Town, url: str, blind: tuple[Browser, Browser, str]) -> None:
    ann, bob, _ = blind
    phantom = phantom_3d(77, 3, shape=SHAPE)
    source = Source(format="phantom", names=(phantom.name,), sha256="7" * 64)
    judged = add_case(town.first, phantom.image, NewCase(name="Judged case", patient="p77", split="audit", source=source))
    _put(ann, url, ann.post(f"{url}/cases/{judged.id}/open").json()["assignment"]["id"], 2)
    model = add_model(town.first, judged.id).model_id
    made = Evaluation(
        id=new_id("evaluation"), model_id=model, split="audit", metric="dice", mean=0.5, low=None, high=None, labelled_cases=1,
        effort_minutes=1.0, per_case={judged.id: {"large": 0.5}}, created_at=now(),
    )  # fmt: skip
    with town.first.store.write("test") as tx:
        tx.add(made)
    hers, his = ann.get(f"{url}/report").text, bob.get(f"{url}/report").text
    assert "Judged case" in hers
    assert "Judged case" not in his
    assert "to read blind are not shown" in his
    assert "Judged case" in town.browser(town.add("Rita", "reviewer")).get(f"{url}/report").text
    _put(bob, url, bob.post(f"{url}/cases/{judged.id}/open").json()["assignment"]["id"], 3)
    assert "to read blind are not shown" in bob.get(f"{url}/report").text, "there is another one"


def test_a_case_to_be_read_blind_is_not_among_those_that_look_alike(
    town: Town, url: str, blind: tuple[Browser, Browser, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, read = blind
    with town.first.store.read() as tx:
        cases = [row.case_id for row in tx.worklist(limit=9)]
    other = next(case for case in cases if case != read)
    vectors = {case: np.arange(4.0) + n for n, case in enumerate(cases)}
    monkeypatch.setattr(explanations, "kept_vectors", lambda _w, _m, _k, found: {case.id: vectors[case.id] for case in found})
    assert [one["labels"] for one in ann.get(f"{url}/cases/{other}/similar").json()["cases"]] == [["large"]]
    assert bob.get(f"{url}/cases/{other}/similar").status_code == 404
    read_next(bob, url, 3)
    assert [one["case_id"] for one in bob.get(f"{url}/cases/{other}/similar").json()["cases"]] == [read]


def test_objections_of_others_are_not_seen_before_one_has_read_the_case(town: Town, url: str, blind: tuple[Browser, Browser, str]) -> None:
    ann, bob, read = blind
    address = f"{url}/cases/{read}/objections"
    body = {"label": 1, "method": "grad-cam", "regions": [{"start": [2, 2, 2], "stop": [6, 8, 6]}], "reason": "the organ is here"}
    assert ann.post(address, body).status_code == 200
    assert len(ann.get(address).json()) == 1
    assert bob.get(address).json() == []
    assert bob.post(address, {**body, "reason": "mine"}).status_code == 200
    assert [one["reason"] for one in bob.get(address).json()] == ["mine"]
    read_next(bob, url, 3)
    assert len(bob.get(address).json()) == 2


def test_what_was_annotated_again_after_looking_was_not_read_blind(town: Town, url: str, blind: tuple[Browser, Browser, str]) -> None:
    _, bob, read = blind
    rita = town.browser(town.add("Rita", "reviewer"))
    read_next(bob, url, 3)
    assert [(one["annotator"], one["blind"]) for one in _readings(rita, url, read)] == [("Ann", True), ("Bob", True)]
    again = bob.post(f"{url}/cases/{read}/open").json()["assignment"]["id"]
    _put(bob, url, again, 2)
    assert [(one["annotator"], one["blind"]) for one in _readings(rita, url, read)] == [("Ann", True), ("Bob", False)]


def _readings(browser: Browser, url: str, case: str) -> list[dict[str, Any]]:
    return [one for one in browser.get(f"{url}/cases/{case}/readings").json()["readings"] if one["origin"] == "human"]


def _put(browser: Browser, url: str, assignment: str, start: int) -> None:
    headers = {**browser.headers, "Content-Type": "application/octet-stream", "X-Shape": ",".join(map(str, SHAPE))}
    browser.client.cookies.clear()
    answer = browser.client.put(f"/api/v1{url}/assignments/{assignment}/mask", content=cube(start), headers=headers)
    assert answer.status_code == 200, answer.text


def test_a_case_is_not_decided_by_a_draft_of_another_one(town: Town, url: str, blind: tuple[Browser, Browser, str]) -> None:
    read = blind[2]
    rita = town.add("Rita", "reviewer")
    browser = town.browser(rita)
    draft = browser.post(f"{url}/next").json()
    while draft["case"]["id"] == read:
        _put(browser, url, draft["assignment"]["id"], 3)
        draft = browser.post(f"{url}/next").json()
    answer = browser.post(
        f"{url}/cases/{read}/adjudicate", {"assignment_id": draft["assignment"]["id"], "comment": "", "effort_seconds": 1}
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, "This draft is of another case")


def test_no_address_that_somebody_who_reads_blind_may_use_gives_what_another_drew(
    town: Town, url: str, blind: tuple[Browser, Browser, str]
) -> None:
    """Every address that only looks, with the ids of the case, of the annotation and of Ann's assignment."""
    ann, bob, read = blind
    with town.first.store.read() as tx:
        given = tx.find(Annotation, where={"case_id": read})[0]
    ids = {"project": town.first.project.id, "case": read, "annotation": given.id, "assignment": given.assignment_id}
    looked = [route.split(" ")[1] for route in ROUTES if route.startswith("GET ") and not route.endswith("/stream")]
    contents = {path: bob.get(filled(path, **ids)).content for path in looked}
    hers = ann.get(filled("/projects/{project}/annotations/{annotation}/mask", **ids)).content
    assert hers == cube(2)
    for path, content in contents.items():
        assert hers not in content, path
        assert given.id.encode() not in content, path
        assert str(given.blob).encode() not in content, path
