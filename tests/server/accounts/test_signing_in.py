"""Probes of sign-in and sessions: flags, fixation, reuse, expiry, CSRF, throttling, links."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from medloop.core.accounts import Account, SignIn
from medloop.core.errors import SettingError, ThrottledError
from medloop.core.roles import ROLES
from medloop.loop.people import signing_in
from medloop.loop.people.accounts import add_account, give_role, set_disabled
from medloop.loop.people.handing_out import make_link
from medloop.loop.people.passwords import hash_password
from medloop.loop.people.places import opened_accounts
from medloop.loop.people.throttle import LONGEST_WAIT, Throttle
from medloop.server.web.settings import ServerSettings

from .conftest import PASSWORD, Browser, Town, serve_town

LIMITS = {"name": 1, "address": 3}


def signed_in(town: Town, name: str, password: str = PASSWORD, **headers: str):
    return town.nobody().post("/sign-in", {"name": name, "password": password}, **headers)


def browser_of(town: Town, answer) -> Browser:
    """What a browser sends after such an answer."""
    cookie = answer.headers["set-cookie"].split(";")[0]
    return Browser(town.client, {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf"]})


@pytest.fixture
def mia(town: Town) -> Account:
    return town.with_password(town.add("Mia", "annotator"))


def test_signing_in_tells_who_one_is_and_what_one_may_do(town: Town, mia: Account) -> None:
    answer = signed_in(town, "MIA")
    told = answer.json()
    assert answer.status_code == 200
    assert (told["accounts"], told["name"], told["roles"]) == (True, "Mia", {"": "annotator"})
    assert [one["verbs"] for one in told["projects"]] == [["look", "annotate"]] * 2
    assert browser_of(town, answer).get("/me").json() == told


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(town: Town, mia: Account) -> None:
    flags = signed_in(town, "Mia").headers["set-cookie"].lower()
    assert re.fullmatch(r"medloop=[\w-]{43}; httponly; path=/; samesite=lax", flags)


def test_by_https_the_cookie_has_a_prefix_and_is_secure(served: Path) -> None:
    with closing(opened_accounts(served, make=True)) as store:
        account = add_account(store, "Ada", role="administrator")
        settings = ServerSettings(behind_proxy=True, names="medloop.example", worker=False, assistant=False)
        for town in serve_town(served, store, settings):
            town.with_password(account)
            headers = {"Host": "medloop.example", "Origin": "https://medloop.example"}
            flags = signed_in(town, "Ada", **headers).headers["set-cookie"]
            assert re.fullmatch(r"__Host-medloop=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", flags)
            plain = {**headers, "Origin": "http://medloop.example"}
            assert signed_in(town, "Ada", **plain).status_code == 403


def test_a_session_that_was_planted_before_is_not_taken_on(town: Town, mia: Account) -> None:
    planted = Browser(town.client, {"Cookie": "medloop=planted-by-somebody"})
    answer = planted.post("/sign-in", {"name": "Mia", "password": PASSWORD})
    assert answer.status_code == 200
    assert planted.get("/me").status_code == 401
    assert "planted" not in answer.headers["set-cookie"]


def test_signing_in_again_gives_another_session_and_ends_the_one_before(town: Town, mia: Account) -> None:
    first = browser_of(town, signed_in(town, "Mia"))
    second = browser_of(town, first.post("/sign-in", {"name": "Mia", "password": PASSWORD}))
    assert first.headers["Cookie"] != second.headers["Cookie"]
    assert (first.get("/me").status_code, second.get("/me").status_code) == (401, 200)


@pytest.mark.parametrize("way", ["sign-out", "password", "role", "disable", "link"])
def test_a_session_is_worth_nothing_after(town: Town, mia: Account, ada: Account, way: str) -> None:
    browser, other = browser_of(town, signed_in(town, "Mia")), town.browser(mia)
    if way == "sign-out":
        assert browser.post("/sign-out").json() == {"signed_in": False, "address": None}
    elif way == "password":
        changed = browser.post("/me/password", {"old": PASSWORD, "new": "another long one"})
        assert browser_of(town, changed).get("/me").status_code == 200
        assert signed_in(town, "Mia").status_code == 401
    elif way == "role":
        give_role(town.store, mia.id, "viewer")
    elif way == "disable":
        set_disabled(town.store, mia.id, True)
    else:
        secret = make_link(town.store, mia.id, "reset").secret
        used = town.nobody().post("/links/reset", {"secret": secret, "password": "another long one"})
        assert browser_of(town, used).get("/me").status_code == 200
    assert browser.get("/me").status_code == 401
    assert browser.get(f"/projects/{town.first.project.id}").status_code == 401
    assert (other.get("/me").status_code == 200) == (way == "sign-out")


@pytest.mark.parametrize(("minutes", "alive"), [(119, True), (121, False)])
def test_a_session_ends_when_nobody_uses_it(town: Town, mia: Account, minutes: float, alive: bool) -> None:
    browser = town.browser(mia)
    _turn_back(town, minutes, "created_at")
    assert (browser.get("/me").status_code == 200) == alive


@pytest.mark.parametrize(("hours", "alive"), [(11.9, True), (12.1, False)])
def test_a_session_ends_however_much_it_is_used(town: Town, mia: Account, hours: float, alive: bool) -> None:
    browser = town.browser(mia)
    _turn_back(town, hours * 60, "created_at")
    _turn_back(town, 1, "seen_at")
    assert (browser.get("/me").status_code == 200) == alive


def test_use_keeps_a_session_alive(town: Town, mia: Account) -> None:
    browser = town.browser(mia)
    _turn_back(town, 100, "created_at")
    assert browser.get("/me").status_code == 200
    with town.store.database.reading() as connection:
        seen = connection.execute(text("SELECT seen_at FROM sign_ins")).scalar_one()
    assert seen > _ago(5)


def _turn_back(town: Town, minutes: float, column: str) -> None:
    with town.store.database.writing() as connection:
        connection.execute(text(f"UPDATE sign_ins SET {column} = :at"), {"at": _ago(minutes)})


def _ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_the_oldest_of_too_many_sessions_ends(town: Town, mia: Account) -> None:
    browsers = [town.browser(mia) for _ in range(signing_in.MAX_SIGN_INS + 1)]
    assert [one.get("/me").status_code for one in (browsers[0], browsers[1], browsers[-1])] == [401, 200, 200]


@pytest.mark.parametrize("sent", ["", "wrong", "0" * 64])
def test_a_change_without_the_right_csrf_token_is_refused(town: Town, mia: Account, sent: str) -> None:
    browser = town.browser(mia)
    browser.headers["X-CSRF-Token"] = sent
    url = f"/projects/{town.first.project.id}"
    assert browser.post(f"{url}/next").status_code == 403
    assert browser.get(url).status_code == 200
    assert town.program(mia).post(f"{url}/next").status_code == 200


def test_the_csrf_token_of_another_session_is_none(town: Town, mia: Account) -> None:
    one, other = town.browser(mia), town.browser(mia)
    one.headers["X-CSRF-Token"] = other.headers["X-CSRF-Token"]
    assert one.post(f"/projects/{town.first.project.id}/next").status_code == 403


@pytest.mark.parametrize("case", ["unknown", "disabled", "no password", "wrong", "empty"])
def test_every_failure_says_the_same_and_costs_one_hash(town: Town, mia: Account, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import argon2

    tried: list[str] = []
    whole = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, kept: str, password: str) -> bool:
        tried.append(kept.rpartition("$")[0].rpartition("$")[0])
        return whole(self, kept, password)

    signed_in(town, "Mia", "wrong")  # makes the hash of nobody
    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    name = {"unknown": "Nobody", "no password": "Ada"}.get(case, "Mia")
    if case == "disabled":
        set_disabled(town.store, mia.id, True)
    given = {"disabled": PASSWORD, "empty": ""}.get(case, "wrong password")
    answer = signed_in(town, name, given)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "The name or the password is wrong")
    assert tried == ["$argon2id$v=19$m=65536,t=3,p=4"]


def test_failures_of_a_name_make_it_wait_and_the_right_password_waits_too(town: Town, mia: Account) -> None:
    failed = [signed_in(town, name, "wrong") for name in ("Mia", "MIA", "mia", "Mia", "Mia")]
    waiting = signed_in(town, "Mia")
    assert [one.status_code for one in failed] == [401] * 5
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (429, "throttled")
    assert int(waiting.headers["Retry-After"]) >= 1
    unknown = [signed_in(town, "Nobody", "wrong").status_code for _ in range(6)]
    assert unknown == [401] * 5 + [429]
    town.with_password(town.add("Bea", "viewer"))
    assert signed_in(town, "Bea").status_code == 200


def test_a_flood_from_one_address_waits_whatever_names_it_tries(town: Town) -> None:
    codes = [signed_in(town, f"Name {n}", "wrong").status_code for n in range(22)]
    assert codes == [401] * 20 + [429] * 2


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def _failures(throttle: Throttle, times: int) -> None:
    for _ in range(times):
        throttle.begin(LIMITS)


def test_the_wait_doubles_up_to_a_bound_and_is_forgotten_after_an_hour() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(12):
        while True:
            try:
                throttle.begin({"name": 1})
                break
            except ThrottledError as error:
                waits.append(error.seconds)
                clock.at += error.seconds
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_WAIT, LONGEST_WAIT]
    clock.at += 3601
    throttle.begin({"name": 1})


def test_success_forgets_the_name_and_takes_back_its_own_try_of_the_address() -> None:
    throttle = Throttle(Clock())
    for n in range(3):
        throttle.begin({f"name {n}": 1, "address": 3})
        throttle.succeed(f"name {n}", "address")
    _failures(throttle, 1)
    with pytest.raises(ThrottledError):
        throttle.begin(LIMITS)
    throttle.begin({"other": 1, "address": 3})
    throttle.begin({"third": 1, "address": 3})
    with pytest.raises(ThrottledError):
        throttle.begin({"fourth": 1, "address": 3})


def test_tries_at_the_same_moment_count_one_another() -> None:
    throttle = Throttle(Clock())
    throttle.begin(LIMITS)
    with pytest.raises(ThrottledError):
        throttle.begin(LIMITS)


@pytest.mark.parametrize("password", ["short", "x" * 1001, "aaaaaaaaaaaaaa", "abcabcabcabc", "miamia mia"])
def test_a_password_that_is_none_is_refused_without_being_repeated(password: str) -> None:
    with pytest.raises(SettingError) as caught:
        hash_password(password, name="miamia mia")
    assert password not in str(caught.value)


def test_a_link_works_once_and_for_its_own_purpose(town: Town) -> None:
    account = town.add("Eve", "viewer")
    secret = make_link(town.store, account.id, "invitation").secret
    nobody = town.nobody()
    shown = nobody.post("/links/invitation", {"secret": secret}).json()
    assert (shown["name"], shown["use"]) == ("Eve", "invitation")
    assert nobody.post("/links/reset", {"secret": secret, "password": PASSWORD}).status_code == 401
    assert nobody.post("/links/invitation", {"secret": secret, "password": "short"}).status_code == 422
    used = nobody.post("/links/invitation", {"secret": secret, "password": PASSWORD})
    assert used.json()["name"] == "Eve"
    assert nobody.post("/links/invitation", {"secret": secret, "password": PASSWORD}).status_code == 401
    assert signed_in(town, "Eve").status_code == 200


def test_a_link_ends_with_its_time_a_newer_one_and_its_account(town: Town) -> None:
    account = town.add("Eve", "viewer")
    nobody = town.nobody()
    first, second = (make_link(town.store, account.id, "invitation").secret for _ in range(2))
    assert nobody.post("/links/invitation", {"secret": first}).status_code == 401
    assert nobody.post("/links/invitation", {"secret": second}).status_code == 200
    set_disabled(town.store, account.id, True)
    assert nobody.post("/links/invitation", {"secret": second}).status_code == 401
    set_disabled(town.store, account.id, False)
    with town.store.database.writing() as connection:
        connection.execute(text("UPDATE one_time_links SET expires_at = :at"), {"at": _ago(1)})
    assert nobody.post("/links/invitation", {"secret": second}).status_code == 401


def test_links_cannot_be_tried_without_end(town: Town) -> None:
    codes = [town.nobody().post("/links/reset", {"secret": f"try-{n}"}).status_code for n in range(22)]
    assert codes == [401] * 20 + [429] * 2


def test_no_secret_stands_in_the_store_in_an_event_or_in_an_address(town: Town, mia: Account, ada: Account) -> None:
    secrets = [PASSWORD]
    answer = signed_in(town, "Mia")
    browser = browser_of(town, answer)
    secrets.append(browser.headers["Cookie"].partition("=")[2])
    secrets.append(browser.post("/me/tokens", {"name": "script", "scope": "read", "days": 3}).json()["token"])
    invited = town.browser(ada).post("/people", {"name": "New", "role": "viewer"}).json()
    path, _, fragment = invited["path"].partition("#")
    assert path == "/links/invitation"
    secrets.append(fragment)
    with town.store.read() as tx:
        events = str(tx.events())
        tables = [connection_rows(town, name) for name in ("accounts", "sign_ins", "api_tokens", "one_time_links")]
        assert tx.count(SignIn) >= 2
    kept = "".join(path.read_bytes().decode("latin-1") for path in town.store.folder.glob("medloop.sqlite*"))
    for secret in secrets:
        assert len(secret) > 20
        assert secret not in events
        assert secret not in str(tables)
        assert secret not in kept
    assert "argon2" not in events


def connection_rows(town: Town, table: str) -> list[tuple]:
    with town.store.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]


@pytest.mark.parametrize("query", ["token=x", "access_token=x", "a=medloop_abc", "password=x", "SESSION=1"])
def test_a_secret_in_an_address_is_refused(town: Town, mia: Account, query: str) -> None:
    answer = town.browser(mia).get(f"/projects?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "secret_in_url")


def test_the_roles_are_those_of_the_table() -> None:
    assert ROLES == ("administrator", "lead", "reviewer", "annotator", "viewer")
