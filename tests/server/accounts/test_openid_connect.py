"""Signing in through a provider of OpenID Connect: a real process on loopback, good and hostile."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from medloop.core.accounts import Account, Identity, SignIn
from medloop.core.errors import ConflictError, InputError, SettingError
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.people.accounts import add_account, roles_of, set_disabled
from medloop.loop.people.handing_out import make_link
from medloop.loop.people.places import opened_accounts
from medloop.loop.people.throttle import Throttle
from medloop.server.web import provider as client
from medloop.server.web.settings import ServerSettings
from medloop.store import audit

from ..conftest import ADDRESS, API, QUICK
from .conftest import PASSWORD, Browser, Provider, Town, running_provider, serve_town
from .provider import CLIENT, SECRET


@pytest.fixture(scope="module")
def process() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def provider(process: Provider) -> Provider:
    process.behave()
    return process


@pytest.fixture(scope="module")
def settings(process: Provider, tmp_path_factory: pytest.TempPathFactory) -> ServerSettings:
    secret = tmp_path_factory.mktemp("secret") / "secret"
    secret.write_text(f"{SECRET}\n")
    return replace(QUICK, oidc_issuer=process.issuer, oidc_client_id=CLIENT, oidc_secret_file=str(secret))


@pytest.fixture(scope="module")
def lasting(templates: Path, tmp_path_factory: pytest.TempPathFactory, process: Provider, settings: ServerSettings) -> Iterator[Town]:
    """One server for all replies that must sign nobody in; it would take newcomers as leads."""
    served = Path(shutil.copytree(templates, tmp_path_factory.mktemp("lasting") / "served"))
    with closing(opened_accounts(served, make=True)) as store:
        add_account(store, "Ada", role="administrator")
        add_account(store, "Mia", role="annotator", identity=Identity(process.issuer, "sub-Mia"))
        yield from serve_town(served, store, replace(settings, oidc_new_people="lead"))


@pytest.fixture
def wary(lasting: Town) -> Town:
    """The same, with nothing kept of replies before."""
    people = lasting.client.app.state.site.people
    people._throttle, people.provider._announced = Throttle(lambda: 1000.0), None
    return lasting


Serve = Callable[..., Town]


@pytest.fixture
def serve(served: Path, settings: ServerSettings) -> Iterator[Serve]:
    """Serve the two projects with further settings; Ada is their administrator."""
    store = opened_accounts(served, make=True)
    running: list[Iterator[Town]] = []

    def begin(**more: Any) -> Town:
        running.append(serve_town(served, store, replace(settings, **more)))
        return next(running[-1])

    with closing(store):
        add_account(store, "Ada", role="administrator")
        yield begin
        for one in running:
            with suppress(StopIteration):
                next(one)


@dataclass
class Visitor:
    """A browser that signs in through the provider."""

    town: Town
    provider: Provider
    cookie: str = ""
    address: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def leave(self, link: dict[str, str] | None = None) -> Any:
        answer = self.town.nobody().post("/oidc/leave", {"link": link} if link else {})
        if answer.status_code == 200:
            self.cookie, self.address = answer.headers["set-cookie"].split(";")[0], answer.json()["address"]
        return answer

    def come_back(self, back: dict[str, str]) -> Any:
        body = {name: value for name, value in back.items() if name in ("code", "state", "iss")}
        return self.town.nobody().post("/oidc/return", body, Cookie=self.cookie)

    def sign_in(self, user: str, link: dict[str, str] | None = None) -> Any:
        self.leave(link)
        return self.come_back(self.provider.sign_in(self.address, user))


def session_of(town: Town, answer: Any) -> Browser:
    cookies = [value.split(";")[0] for value in answer.headers.get_list("set-cookie")]
    return Browser(town.client, {"Cookie": cookies[-1], "X-CSRF-Token": answer.json()["csrf"]})


def known(town: Town, provider: Provider, name: str, subject: str = "") -> Account:
    return add_account(town.store, name, role="annotator", identity=Identity(provider.issuer, subject or f"sub-{name}"))


def refused(answer: Any) -> str:
    """Why nobody was signed in."""
    cookies = [value for value in answer.headers.get_list("set-cookie") if not value.startswith("medloop-sign-in=")]
    assert cookies == []
    return f"{answer.status_code}: {answer.json()['error']['message']}"


def test_whom_the_provider_knows_by_subject_is_signed_in_with_their_role(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Mia", "sub-m.smith")
    answer = Visitor(town, provider).sign_in("m.smith")
    assert (answer.status_code, answer.json()["name"], answer.json()["roles"]) == (200, "Mia", {"": "annotator"})
    browser = session_of(town, answer)
    assert browser.get("/me").json() == answer.json()
    assert browser.post(f"/projects/{town.first.project.id}/next").status_code == 200
    assert audit.verify(town.store).ok


def test_the_way_to_the_provider_is_a_code_with_pkce_a_state_and_a_nonce_and_no_secret(serve: Serve, provider: Provider) -> None:
    town = serve()
    visitor = Visitor(town, provider)
    answer = visitor.leave()
    query = dict(parse_qsl(urlsplit(visitor.address).query))
    assert visitor.address.startswith(f"{provider.issuer}/authorize?")
    assert (query["response_type"], query["client_id"], query["scope"]) == ("code", CLIENT, "openid profile")
    assert (query["redirect_uri"], query["code_challenge_method"]) == (f"{ADDRESS}/oidc", "S256")
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    assert visitor.cookie.partition("=")[2] not in visitor.address
    flags = answer.headers["set-cookie"].lower()
    assert re.fullmatch(r"medloop-sign-in=[\w-]{43}; httponly; max-age=600; path=/; samesite=lax", flags)


def test_the_secret_is_in_no_address_no_reply_no_log_and_no_setting(serve: Serve, provider: Provider, caplog: Any) -> None:
    town = serve()
    known(town, provider, "Mia")
    answer = Visitor(town, provider).sign_in("Mia")
    assert answer.status_code == 200
    everything = "".join((*provider.seen(), answer.text, caplog.text, repr(town.client.app.state.site.settings)))
    assert SECRET not in everything
    assert "eyJ" not in everything
    kept = "".join(path.read_bytes().decode("latin-1") for path in town.store.folder.glob("medloop.sqlite*"))
    assert SECRET not in kept
    assert "eyJ" not in kept


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_the_server_shows_itself_to_the_provider_as_it_asks(serve: Serve, provider: Provider, method: str) -> None:
    provider.behave(client_auth=method)
    town = serve(**({"oidc_secret_file": ""} if method == "none" else {}))
    known(town, provider, "Mia")
    assert Visitor(town, provider).sign_in("Mia").status_code == 200


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "wrong nonce": ({"claims": {"nonce": "another"}}, "nonce"),
    "no nonce": ({"claims": {"nonce": None}}, "nonce"),
    "wrong audience": ({"claims": {"aud": "another client"}}, "aud"),
    "no audience": ({"claims": {"aud": None}}, "aud"),
    "two audiences, no party": ({"claims": {"aud": [CLIENT, "another"]}}, "azp"),
    "another party": ({"claims": {"aud": [CLIENT, "another"], "azp": "another"}}, "azp"),
    "another party, one audience": ({"claims": {"azp": "another"}}, "azp"),
    "wrong issuer": ({"claims": {"iss": "https://evil.example"}}, "iss"),
    "issuer with a slash": ({"claims": {"iss": "ISSUER/"}}, "iss"),
    "expired": ({"claims": {"exp": {"now": -90}}}, "exp"),
    "no expiry": ({"claims": {"exp": None}}, "exp"),
    "expiry as text": ({"claims": {"exp": "never"}}, "exp"),
    "expiry as a list": ({"claims": {"exp": [9999999999]}}, "exp"),
    "made in the future": ({"claims": {"iat": {"now": 3600}}}, "iat"),
    "not yet valid": ({"claims": {"nbf": {"now": 3600}}}, "nbf"),
    "another token's hash": ({"claims": {"at_hash": "AAAA"}}, "at_hash"),
    "no subject": ({"claims": {"sub": None}}, "sub"),
    "empty subject": ({"claims": {"sub": ""}}, "sub"),
    "subject that is no text": ({"claims": {"sub": ["sub-Mia"]}}, "sub"),
    "long subject": ({"claims": {"sub": "x" * 256}}, "sub"),
    "subject with a line": ({"claims": {"sub": "sub-Mia\n"}}, "sub"),
    "algorithm none": ({"sign": "none"}, ""),
    "public key as a secret": ({"sign": "public key as secret"}, "unsupported_algorithm"),
    "client secret as key": ({"sign": "client secret"}, "unsupported_algorithm"),
    "another key": ({"sign": "another key"}, "bad_signature"),
    "key in its head": ({"sign": "key in its head"}, "invalid_key_id"),
    "damaged": ({"sign": "damaged"}, "bad_signature"),
    "no token": ({"token reply": {"body": {"access_token": "x"}}}, "status 200"),
    "token that is none": ({"token reply": {"body": {"id_token": "a.b.c"}}}, "decode_error"),
    "token of another kind": ({"token reply": {"body": {"id_token": 7}}}, ""),
    "list": ({"token reply": {"body": [1]}}, "status 200"),
    "markup as error": ({"token reply": {"body": {"error": "<b>x"}, "status": 400}}, "status 400"),
    "error": ({"token reply": {"body": {"error": "invalid_grant"}, "status": 400}}, "invalid_grant"),
    "another provider's reply": ({"back": {"iss": "https://evil.example"}}, "from another provider"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_reply_of_the_provider_that_does_not_hold_signs_nobody_in(wary: Town, provider: Provider, hostile: str) -> None:
    how, reason = HOSTILE[hostile]
    how = {key: ({"iss": f"{provider.issuer}/"} if value == {"iss": "ISSUER/"} else value) for key, value in how.items()}
    provider.behave(**how)
    line = refused(Visitor(wary, provider).sign_in("Mia"))
    assert line.startswith("401: ")
    assert reason in line
    with wary.store.read() as tx:
        assert (tx.count(SignIn), tx.count(Account)) == (0, 2)


UNREACHABLE: dict[str, dict[str, Any]] = {
    "no keys": {"keys": {"keys": []}},
    "keys that are a text": {"keys": {"keys": "x"}},
    "only a shared key": {"keys": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "first"}]}},
    "keys for something else": {"keys": {"keys": [{"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]}},
    "keys that redirect": {"keys reply": "elsewhere"},
    "endless keys": {"keys reply": "endless"},
    "late keys": {"keys reply": "late"},
    "no JSON": {"token reply": {"body": "<html>"}},
    "deep JSON": {"token reply": {"body": "[" * 100_000}},
    "endless tokens": {"token reply": "endless"},
    "late tokens": {"token reply": "late"},
    "tokens that redirect": {"token reply": "elsewhere"},
}


@pytest.mark.parametrize("hostile", UNREACHABLE)
def test_a_provider_that_cannot_be_used_is_said_and_costs_nobody_a_wait(
    wary: Town, provider: Provider, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor(wary, provider)
    visitor.leave()
    back = provider.sign_in(visitor.address, "Mia")
    provider.behave(**UNREACHABLE[hostile])
    monkeypatch.setattr(client, "MOST_SECONDS", 0.4)
    line = refused(visitor.come_back(back))
    assert line.startswith("503: The provider 127.0.0.1 ")
    provider.behave()


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "late": {"configuration reply": "late"},
    "endless": {"configuration reply": "endless"},
    "elsewhere": {"configuration reply": "elsewhere"},
    "no JSON": {"configuration reply": {"body": "<html>"}},
    "another issuer": {"configuration": {"issuer": "https://evil.example"}},
    "plain http to others": {"configuration": {"authorization_endpoint": "http://provider.example/authorize"}},
    "a script": {"configuration": {"authorization_endpoint": "javascript:alert(1)"}},
    "a name and password": {"configuration": {"authorization_endpoint": "https://a:b@provider.example/"}},
    "none": {"configuration": {"authorization_endpoint": None}},
}


@pytest.mark.parametrize("hostile", CONFIGURATIONS)
def test_what_a_provider_announces_is_checked_before_anybody_is_sent_there(
    wary: Town, provider: Provider, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.behave(**CONFIGURATIONS[hostile])
    monkeypatch.setattr(client, "MOST_SECONDS", 0.4)
    answers = [Visitor(wary, provider).leave() for _ in range(3)]
    assert [one.status_code for one in answers] == [503] * 3
    monkeypatch.undo()
    provider.behave()
    assert Visitor(wary, provider).leave().status_code == 200


def test_an_https_provider_sends_nobody_to_an_address_without(provider: Provider) -> None:
    one = client.Provider("https://provider.example", CLIENT, "")
    one._announced = (float("inf"), {"token_endpoint": f"{provider.issuer}/token"})
    with pytest.raises(client.UnavailableError, match="no token_endpoint that can be used"):
        one._address("token_endpoint")


def test_a_provider_that_is_down_is_said(serve: Serve, provider: Provider) -> None:
    town = serve(oidc_issuer="http://127.0.0.1:1")
    answer = Visitor(town, provider).leave()
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "The provider 127.0.0.1 cannot be reached")


@pytest.mark.parametrize("how", [{"new_key": True}, {"no_kid": True}])
def test_the_provider_may_change_its_keys_at_any_time(serve: Serve, provider: Provider, how: dict[str, Any]) -> None:
    town = serve()
    known(town, provider, "Mia")
    assert Visitor(town, provider).sign_in("Mia").status_code == 200
    provider.behave(**how)
    assert Visitor(town, provider).sign_in("Mia").status_code == 200


def test_keys_that_are_not_understood_stand_in_nobodys_way(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Mia")
    good = httpx.get(f"{provider.issuer}/jwks", timeout=20).json()["keys"]
    provider.behave(keys={"keys": [{"kty": "AKP", "alg": "ML-DSA-44"}, {"kty": "RSA"}, 7, *good]})
    assert Visitor(town, provider).sign_in("Mia").status_code == 200


def test_a_code_and_a_state_work_once(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Mia")
    visitor = Visitor(town, provider)
    visitor.leave()
    back = provider.sign_in(visitor.address, "Mia")
    assert visitor.come_back(back).status_code == 200
    assert "is over already" in refused(visitor.come_back(back))
    assert "is over already" in refused(visitor.come_back(back | {"code": provider.sign_in(visitor.address, "Mia")["code"]}))
    visitor.leave()
    fresh = provider.sign_in(visitor.address, "Mia")
    assert "invalid_grant" in refused(visitor.come_back(fresh | {"code": back["code"]}))


def test_a_reply_is_worth_nothing_in_another_browser(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Eve")
    attacker, victim = Visitor(town, provider), Visitor(town, provider)
    attacker.leave()
    victim.leave()
    back = provider.sign_in(attacker.address, "Eve")
    for cookie in (victim.cookie, "", "medloop-sign-in=", "medloop-sign-in=."):
        assert "another browser" in refused(Visitor(town, provider, cookie).come_back(back))
    mine = dict(parse_qsl(urlsplit(victim.address).query))["state"]
    assert "invalid_grant" in refused(victim.come_back(back | {"state": mine}))


def test_a_reply_that_does_not_say_whose_it_is_is_refused_where_the_provider_always_says(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Mia")
    visitor = Visitor(town, provider)
    visitor.leave()
    back = provider.sign_in(visitor.address, "Mia")
    assert "from another provider" in refused(visitor.come_back({"code": back["code"], "state": back["state"]}))
    provider.behave(configuration={"authorization_response_iss_parameter_supported": None})
    town.client.app.state.site.people.provider._announced = None
    visitor.leave()
    back = provider.sign_in(visitor.address, "Mia")
    assert visitor.come_back({"code": back["code"], "state": back["state"]}).status_code == 200


def test_who_says_no_at_the_provider_is_told_so(serve: Serve, provider: Provider) -> None:
    visitor = Visitor(serve(), provider)
    assert "did not sign you in" in refused(visitor.sign_in("nobody"))


def test_a_name_is_no_proof_of_who_one_is(serve: Serve, provider: Provider) -> None:
    town = serve()
    provider.behave(claims={"name": "Ada", "preferred_username": "Ada", "email": "ada@medloop.example", "email_verified": True})
    line = refused(Visitor(town, provider).sign_in("Ada"))
    assert line == "401: Nobody is known here whom the provider calls sub-Ada"


def test_the_same_subject_of_another_provider_is_somebody_else(serve: Serve, provider: Provider) -> None:
    town = serve()
    add_account(town.store, "Mia", role="lead", identity=Identity("https://other.example", "sub-Mia"))
    assert "Nobody is known here" in refused(Visitor(town, provider).sign_in("Mia"))


@pytest.mark.parametrize("newcomers", ["none", "viewer", "annotator", "reviewer", "lead"])
def test_a_newcomer_gets_the_role_that_was_set_and_no_name_that_is_taken(serve: Serve, provider: Provider, newcomers: Any) -> None:
    town = serve(oidc_new_people=newcomers)
    annotator_named(town.second, "Bea")
    provider.behave(claims={"name": "ada", "preferred_username": "ada2"})
    first = Visitor(town, provider).sign_in("one").json()
    provider.behave(claims={"name": "Bea"})
    second = Visitor(town, provider).sign_in("two").json()
    again = Visitor(town, provider).sign_in("two").json()
    assert (first["name"], second["name"], again["name"]) == ("ada (2)", "Bea (2)", "Bea (2)")
    assert first["roles"] == ({} if newcomers == "none" else {"": newcomers})
    assert len(first["projects"]) == (0 if newcomers == "none" else 2)


@pytest.mark.parametrize("name", ["", "worker", "Ａda\u200b", "x" * 300, "a\x00b", 7, None, "<b>Z</b>", "山田 太郎"])
def test_a_newcomer_with_a_name_that_cannot_be_gets_one_that_can(serve: Serve, provider: Provider, name: Any) -> None:
    town = serve(oidc_new_people="viewer")
    provider.behave(claims={"name": name})
    got = Visitor(town, provider).sign_in("one")
    assert got.status_code == 200
    with town.store.read() as tx:
        account = tx.find(Account, where={"subject": "sub-one"})[0]
        assert roles_of(tx, account.id) == {"": "viewer"}
    usable = name if isinstance(name, str) and name in ("<b>Z</b>", "山田 太郎") else None
    assert account.name == usable or re.fullmatch(r"Person [0-9a-f]{8}|x{75}", account.name)


def test_who_is_disabled_does_not_get_in(serve: Serve, provider: Provider) -> None:
    town = serve(oidc_new_people="viewer")
    account = known(town, provider, "Mia")
    set_disabled(town.store, account.id, True)
    assert refused(Visitor(town, provider).sign_in("Mia")) == "401: The account Mia is disabled"


@pytest.mark.parametrize("use", ["invitation", "reset"])
def test_an_invitation_is_taken_up_through_the_provider_once(serve: Serve, provider: Provider, use: Any) -> None:
    town = serve()
    account = town.add("Mia", "reviewer")
    old = town.browser(account)
    link = {"use": use, "secret": make_link(town.store, account.id, use).secret}
    visitor = Visitor(town, provider)
    taken = visitor.sign_in("m.smith", link)
    assert (taken.json()["name"], taken.json()["roles"]) == ("Mia", {"": "reviewer"})
    assert link["secret"] not in visitor.address
    assert old.get("/me").status_code == 401
    assert Visitor(town, provider).sign_in("m.smith").json()["name"] == "Mia"
    assert "has been used" in refused(Visitor(town, provider).leave(link))
    assert audit.verify(town.store).ok


def test_a_link_used_meanwhile_or_by_somebody_with_an_account_changes_nothing(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Tom")
    account = town.add("Mia", "reviewer")
    made = make_link(town.store, account.id, "invitation")
    link = {"use": "invitation", "secret": made.secret}
    assert refused(Visitor(town, provider).sign_in("Tom", link)).startswith("409: Whom the provider calls 'sub-Tom'")
    late = Visitor(town, provider)
    late.leave(link)
    back = provider.sign_in(late.address, "Eve")
    assert town.nobody().post("/links/invitation", {"secret": made.secret, "password": PASSWORD}).status_code == 200
    assert "has been used" in refused(late.come_back(back))
    with town.store.read() as tx:
        assert tx.get(Account, account.id).subject == ""


def test_nobody_at_a_provider_has_two_accounts(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Mia")
    with pytest.raises(ConflictError, match="has the account 'Mia' already"):
        known(town, provider, "Tom", "sub-Mia")
    with pytest.raises(InputError):
        Identity(provider.issuer, "")


def test_without_passwords_the_provider_is_the_only_way(serve: Serve, provider: Provider, served: Path) -> None:
    town = serve(password_sign_in=False, oidc_name="Keycloak of the clinic")
    account = town.with_password(known(town, provider, "Mia"))
    assert town.nobody().get("/sign-in").json() == {"accounts": True, "passwords": False, "provider": "Keycloak of the clinic"}
    secret = make_link(town.store, account.id, "reset").secret
    for path, body in (("/sign-in", {"name": "Mia", "password": PASSWORD}), ("/links/reset", {"secret": secret, "password": PASSWORD})):
        answer = town.nobody().post(path, body)
        assert (answer.status_code, answer.json()["error"]["message"]) == (403, "Passwords are switched off here")
    browser = session_of(town, Visitor(town, provider).sign_in("Mia"))
    assert browser.post("/me/password", {"old": PASSWORD, "new": "another long one"}).status_code == 403
    assert town.program(account).get("/projects").status_code == 200


def test_signing_out_ends_the_session_and_names_where_to_end_the_providers(serve: Serve, provider: Provider) -> None:
    town = serve()
    known(town, provider, "Mia")
    browser = session_of(town, Visitor(town, provider).sign_in("Mia"))
    address = browser.post("/sign-out").json()["address"]
    assert browser.get("/me").status_code == 401
    query = dict(parse_qsl(urlsplit(address).query))
    assert address.startswith(f"{provider.issuer}/logout?")
    assert query == {"client_id": CLIENT, "post_logout_redirect_uri": f"{ADDRESS}/oidc"}


@pytest.mark.parametrize("announced", [None, "http://evil.example/logout", "javascript:alert(1)"])
def test_signing_out_never_leads_to_an_address_that_cannot_be_trusted(serve: Serve, provider: Provider, announced: Any) -> None:
    provider.behave(configuration={"end_session_endpoint": announced})
    town = serve()
    known(town, provider, "Mia")
    browser = session_of(town, Visitor(town, provider).sign_in("Mia"))
    assert browser.post("/sign-out").json() == {"signed_in": False, "address": None}
    assert town.browser(town.add("Tom", "viewer")).post("/sign-out").json()["address"] is None


def test_codes_cannot_be_tried_without_end(serve: Serve, provider: Provider) -> None:
    town = serve()
    codes = []
    for n in range(22):
        visitor = Visitor(town, provider)
        if visitor.leave().status_code == 429:
            codes.append(429)
            continue
        state = dict(parse_qsl(urlsplit(visitor.address).query))["state"]
        codes.append(visitor.come_back({"code": f"try-{n}", "state": state, "iss": provider.issuer}).status_code)
    assert codes == [401] * 20 + [429] * 2


def test_without_a_provider_the_way_there_is_refused(town: Town) -> None:
    assert town.nobody().get("/sign-in").json() == {"accounts": True, "passwords": True, "provider": None}
    assert town.nobody().post("/oidc/leave").status_code == 403
    assert town.nobody().post("/oidc/return", {"code": "x", "state": "a" * 64}).status_code == 403


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"oidc_issuer": "https://a.example"}, "belong together"),
        ({"oidc_client_id": "x"}, "belong together"),
        ({"oidc_issuer": "http://a.example", "oidc_client_id": "x"}, "begins with https"),
        ({"oidc_issuer": "ftp://127.0.0.1", "oidc_client_id": "x"}, "begins with https"),
        ({"oidc_issuer": "https://", "oidc_client_id": "x"}, "begins with https"),
        ({"oidc_issuer": "https://[", "oidc_client_id": "x"}, "begins with https"),
        ({"oidc_issuer": "https://a.example/#x", "oidc_client_id": "x"}, "begins with https"),
        ({"oidc_issuer": "https://u:p@a.example", "oidc_client_id": "x"}, "begins with https"),
        ({"password_sign_in": False}, "there is none"),
        ({"oidc_new_people": "administrator"}, "must be one of"),
    ],
)
def test_settings_that_make_no_provider_are_refused(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(SettingError, match=rule):
        ServerSettings(**given)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"two\nlines", b"x" * 1001])
def test_a_file_that_holds_no_secret_is_refused_without_being_repeated(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingError, match="oidc_secret_file") as caught:
        ServerSettings(oidc_secret_file=str(file)).oidc_secret  # noqa: B018  # reading it refuses
    assert "lines" not in str(caught.value)


def test_without_authlib_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "find_spec", lambda _name: None)
    with pytest.raises(SettingError, match="pip install 'medloop"):
        client.Provider("https://a.example", "x", "")


def test_importing_the_server_imports_nothing_of_openid_connect() -> None:
    code = "import sys, medloop.server.app; sys.exit(any(name.split('.')[0] in ('authlib', 'joserfc') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert API == "/api/v1"
