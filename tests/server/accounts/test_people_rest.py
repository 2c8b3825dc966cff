"""The people of a server over REST: inviting, roles and escalation, locking out, assignments of others, tokens, live news."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from medloop.core.accounts import Account, Membership
from medloop.core.records import Annotation, Annotator, Assignment
from medloop.core.roles import ROLES
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.people.accounts import give_role, roles_of, set_disabled
from medloop.server.routes.work import get_stream
from medloop.server.web.guard import Guard
from medloop.store import audit

from ..conftest import ADDRESS, TestClient
from .conftest import Browser, Town


@pytest.fixture
def url(town: Town) -> str:
    return f"/projects/{town.first.project.id}"


@pytest.fixture
def mia(town: Town) -> Account:
    return town.add("Mia", "annotator")


def held(town: Town, account: Account) -> dict[str, str]:
    with town.store.read() as tx:
        return dict(roles_of(tx, account.id))


def test_an_administrator_invites_lists_gives_roles_and_locks_out(town: Town, ada: Account) -> None:
    browser = town.browser(ada)
    project = town.first.project.id
    made = browser.post("/people", {"name": "Ольга", "role": "annotator", "project_id": project}).json()
    assert made["path"].startswith("/links/invitation#")
    (olga,) = [one for one in browser.get("/people").json() if one["name"] == "Ольга"]
    assert (olga["id"], olga["invited"], olga["roles"]) == (made["person_id"], True, {project: "annotator"})
    assert browser.post(f"/people/{olga['id']}/role", {"role": "lead"}).json()["roles"] == {project: "annotator", "": "lead"}
    assert browser.post(f"/people/{olga['id']}/role", {"role": None}).json()["roles"] == {project: "annotator"}
    assert browser.post(f"/people/{olga['id']}/disable").json()["disabled"] is True
    assert browser.post(f"/people/{olga['id']}/enable").json()["disabled"] is False
    assert browser.post(f"/people/{olga['id']}/link").json()["use"] == "invitation"
    assert browser.post("/people", {"name": "ольга", "role": "viewer"}).status_code == 409


@pytest.mark.parametrize("name", ["worker", "System", "аnnotator-1"[1:] + "", "", "a\u202eb", "x" * 81])
def test_names_that_cannot_be_are_refused(town: Town, ada: Account, name: str) -> None:
    answer = town.browser(ada).post("/people", {"name": name, "role": "viewer"})
    assert answer.status_code == (200 if name == "nnotator-1" else 422)


@pytest.mark.parametrize("role", ROLES)
def test_a_lead_gives_roles_up_to_their_own_and_only_in_their_project(town: Town, role: str) -> None:
    browser = town.browser(town.add("Lea", "lead", town.first.project.id))
    here = browser.post("/people", {"name": "One", "role": role, "project_id": town.first.project.id}).status_code
    assert here == (403 if role == "administrator" else 200)
    assert browser.post("/people", {"name": "Two", "role": role, "project_id": town.second.project.id}).status_code == 404
    assert browser.post("/people", {"name": "Three", "role": role}).status_code == 403


def test_a_lead_neither_demotes_an_administrator_nor_locks_anybody_out(town: Town, ada: Account, mia: Account) -> None:
    browser = town.browser(town.add("Lea", "lead"))
    assert browser.post(f"/people/{ada.id}/role", {"role": "viewer"}).status_code == 403
    assert browser.post(f"/people/{mia.id}/disable").status_code == 403
    assert browser.post(f"/people/{ada.id}/link").status_code == 403
    assert held(town, ada) == {"": "administrator"}


def test_who_manages_one_project_gives_no_roles_where_they_only_review(town: Town, mia: Account) -> None:
    lea = town.add("Lea", "lead", town.first.project.id)
    give_role(town.store, lea.id, "reviewer", project_id=town.second.project.id)
    browser = town.browser(lea)
    given = [browser.post(f"/people/{mia.id}/role", {"role": "viewer", "project_id": one.project.id}) for one in (town.first, town.second)]
    assert [one.status_code for one in given] == [200, 403]


@pytest.mark.parametrize("also", [None, "lead"])
def test_who_administers_one_project_does_not_administer_accounts(town: Town, mia: Account, also: Any) -> None:
    pia = town.add("Pia", "administrator", town.first.project.id)
    if also:
        give_role(town.store, pia.id, also)
    browser = town.browser(pia)
    for verb in ("disable", "enable", "link"):
        assert browser.post(f"/people/{mia.id}/{verb}").status_code == 403


@pytest.mark.parametrize("role", [role for role in ROLES if role != "administrator"])
def test_nobody_promotes_themselves(town: Town, role: Any) -> None:
    account = town.add("Climber", role)
    browser = town.browser(account)
    project = town.first.project.id
    for body in ({"role": "administrator"}, {"role": "administrator", "project_id": project}, {"role": "lead", "project_id": project}):
        assert browser.post(f"/people/{account.id}/role", body).status_code == 403
    smuggled = {"role": "administrator", "roles": {"": "administrator"}, "disabled": False}
    assert browser.post("/me/tokens", {"name": "x", **smuggled}).status_code == 422
    assert browser.post("/sign-out", smuggled).status_code == 422
    assert held(town, account) == {"": role}


def test_nobody_changes_their_own_role_or_locks_themselves_out(town: Town, ada: Account) -> None:
    browser = town.browser(ada)
    assert browser.post(f"/people/{ada.id}/role", {"role": "viewer"}).status_code == 403
    assert browser.post(f"/people/{ada.id}/disable").status_code == 403
    assert browser.get("/people").status_code == 200


def test_who_annotates_is_the_account_in_any_script(town: Town, url: str) -> None:
    name = "Jörg 山田"
    browser = town.browser(town.add(unicodedata.normalize("NFD", name), "annotator"))
    own = quote(unicodedata.normalize("NFC", name).upper(), safe="")
    assert browser.post(f"{url}/next").status_code == 200
    assert browser.post(f"{url}/next", **{"X-Annotator": own}).status_code == 200
    assert browser.post(f"{url}/next", **{"X-Annotator": "local"}).status_code == 403
    with town.first.store.read() as tx:
        assert [one.name for one in tx.find(Annotator)] == [unicodedata.normalize("NFC", name)]


def test_the_audit_names_who_did_it(town: Town, url: str, mia: Account, ada: Account) -> None:
    browser = town.browser(mia)
    opened = browser.post(f"{url}/next").json()
    browser.send("PATCH", f"{url}/assignments/{opened['assignment']['id']}/draft", {"base_revision": 0, "runs": [[3, 2, 1]]})
    submitted = browser.post(f"{url}/assignments/{opened['assignment']['id']}/submit", {"revision": 1, "effort_seconds": 2})
    town.browser(ada).send("PATCH", f"{url}/settings", {"changes": {"batch_size": 3}})
    with town.first.store.read() as tx:
        names = {one.id: one.name for one in tx.find(Annotator)}
        given = tx.get(Annotation, submitted.json()["annotation_id"])
        events = tx.events()
    assert names[given.annotator_id] == "Mia"
    (submit,) = [one for one in events if one.verb == "submit" and one.noun == "annotation"]
    assert names[submit.actor] == "Mia"
    assert names[[one.actor for one in events if one.noun == "project"][-1]] == "Ada"
    assert audit.verify(town.first.store).ok
    assert audit.verify(town.store).ok


CHANGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PATCH", "draft", {"base_revision": 0, "runs": [[0, 3, 1]]}),
    ("POST", "fill", {"base_revision": 0, "axis": 2}),
    ("POST", "submit", {"revision": 0}),
    ("POST", "undo", {}),
    ("POST", "skip", {"reason": "why"}),
    ("POST", "flag", {"reason": "why"}),
    ("POST", "places/0/visited", {}),
    ("POST", "prompts/ready", {}),
)


@pytest.mark.parametrize(("method", "verb", "body"), CHANGES)
def test_an_assignment_of_somebody_else_is_out_of_reach_of_annotators(
    town: Town, url: str, mia: Account, method: str, verb: str, body: dict[str, Any]
) -> None:
    theirs = town.browser(mia).post(f"{url}/next").json()["assignment"]["id"]
    other = town.browser(town.add("Tom", "annotator"))
    assert other.send(method, f"{url}/assignments/{theirs}/{verb}", body).status_code == 403
    for what in ("draft", "places", "prompts"):
        assert other.get(f"{url}/assignments/{theirs}/{what}").status_code == 403
    with town.first.store.read() as tx:
        assert (tx.get(Assignment, theirs).state, tx.get(Assignment, theirs).revision) == ("open", 0)


@pytest.mark.parametrize("verb", ["skip", "flag"])
@pytest.mark.parametrize("role", ["reviewer", "lead", "administrator"])
def test_a_reviewer_looks_at_a_draft_and_closes_the_case_in_their_own_name(
    town: Town, url: str, mia: Account, verb: str, role: Any
) -> None:
    theirs = town.browser(mia).post(f"{url}/next").json()["assignment"]["id"]
    reviewer = town.browser(town.add("Rea", role))
    assert reviewer.get(f"{url}/assignments/{theirs}/draft").status_code == 200
    drawn = reviewer.send("PATCH", f"{url}/assignments/{theirs}/draft", {"base_revision": 0, "runs": [[0, 3, 1]]})
    assert drawn.status_code == 403
    closed = reviewer.post(f"{url}/assignments/{theirs}/{verb}", {"reason": "wrong patient"}).json()
    with town.first.store.read() as tx:
        made, left = tx.get(Assignment, closed["assignment_id"]), tx.get(Assignment, theirs)
        assert tx.get(Annotator, made.annotator_id).name == "Rea"
    assert (made.state, left.state) == ({"skip": "skipped", "flag": "flagged"}[verb], "released")


@pytest.mark.parametrize("how", ["disable", "role"])
def test_who_leaves_keeps_the_draft_and_their_case_is_offered_to_others(town: Town, url: str, mia: Account, ada: Account, how: str) -> None:
    browser, chief = town.browser(mia), town.browser(ada)
    opened = browser.post(f"{url}/next").json()
    address = f"{url}/assignments/{opened['assignment']['id']}"
    assert browser.send("PATCH", f"{address}/draft", {"base_revision": 0, "runs": [[0, 3, 1]]}).status_code == 200
    token = town.program(mia)
    if how == "disable":
        chief.post(f"/people/{mia.id}/disable")
    else:
        chief.post(f"/people/{mia.id}/role", {"role": None})
    assert browser.get(url).status_code == 401
    assert token.get(url).status_code == (401 if how == "disable" else 404)
    with town.first.store.read() as tx:
        kept = tx.get(Assignment, opened["assignment"]["id"])
        assert (kept.state, kept.revision) == ("released", 1)
    others = {town.browser(town.add(f"Tom {n}", "annotator")).post(f"{url}/next").json()["case"]["id"] for n in range(5)}
    assert opened["case"]["id"] in others


@pytest.mark.parametrize(
    ("scope", "look", "annotate", "decide"), [("read", 200, 403, 403), ("annotate", 200, 200, 403), ("all", 200, 200, 200)]
)
def test_a_token_does_what_its_scope_and_its_owner_may(
    town: Town, url: str, ada: Account, scope: str, look: int, annotate: int, decide: int
) -> None:
    program = town.program(ada, scope)
    assert program.get(url).status_code == look
    assert program.post(f"{url}/next").status_code == annotate
    assert program.send("PATCH", f"{url}/settings", {"changes": {"batch_size": 3}}).status_code == decide
    assert program.post("/me/tokens", {"name": "another"}).status_code == 403
    assert program.post("/me/password", {"old": "x", "new": "y"}).status_code == 403


def test_a_token_with_all_rights_has_no_more_than_its_owner(town: Town, url: str, mia: Account) -> None:
    program = town.program(mia)
    assert program.post(f"{url}/next").status_code == 200
    assert program.post(f"{url}/train").status_code == 403


def test_a_token_is_listed_without_its_secret_and_ends_when_it_is_revoked(town: Town, url: str, mia: Account) -> None:
    browser = town.browser(mia)
    made = browser.post("/me/tokens", {"name": "nightly", "scope": "read", "days": 3}).json()
    program = Browser(town.client, {"Authorization": f"Bearer {made['token']}"})
    (listed,) = browser.get("/me/tokens").json()
    assert set(listed) == {"id", "name", "scope", "created_at", "expires_at"}
    assert program.get(url).status_code == 200
    assert browser.post(f"/me/tokens/{made['id']}/revoke").json() == []
    assert program.get(url).status_code == 401


def test_who_is_let_in_again_begins_anew(town: Town, url: str, mia: Account, ada: Account) -> None:
    browser, program, chief = town.browser(mia), town.program(mia), town.browser(ada)
    chief.post(f"/people/{mia.id}/disable")
    chief.post(f"/people/{mia.id}/enable")
    assert (browser.get(url).status_code, program.get(url).status_code) == (401, 401)
    assert town.browser(mia).get(url).status_code == 200


def test_a_route_that_no_guard_has_seen_is_not_open(town: Town) -> None:
    for inner in town.client.app.user_middleware:
        if inner.cls is Guard:
            inner.kwargs["routes"] = ()
    town.client.app.middleware_stack = None
    bare = TestClient(town.client.app, base_url=ADDRESS, raise_server_exceptions=False)
    assert bare.get(f"/api/v1/projects/{town.first.project.id}").status_code == 500


def test_a_token_of_somebody_else_cannot_be_revoked(town: Town, mia: Account, ada: Account) -> None:
    made = town.browser(ada).post("/me/tokens", {"name": "hers"}).json()
    assert town.browser(mia).post(f"/me/tokens/{made['id']}/revoke").status_code == 404
    assert Browser(town.client, {"Authorization": f"Bearer {made['token']}"}).get("/me").status_code == 200


def test_a_token_counts_before_a_cookie_and_a_wrong_one_does_not_fall_back(town: Town, mia: Account) -> None:
    browser = town.browser(mia)
    assert browser.send("GET", "/me", Authorization="Bearer medloop_wrong").status_code == 401


def test_the_people_of_a_project_have_cost_and_expertise(town: Town, url: str, ada: Account, mia: Account) -> None:
    browser = town.browser(ada)
    before = {one["name"]: (one["cost_per_minute"], one["expertise"]) for one in browser.get(f"{url}/people").json()}
    assert before == {"Ada": (None, None), "Mia": (None, None)}
    told = browser.send("PATCH", f"{url}/people/{mia.id}", {"cost_per_minute": 2.5, "expertise": "consultant"}).json()
    assert (told["cost_per_minute"], told["expertise"], told["verbs"]) == (2.5, "consultant", ["look", "annotate"])
    with town.first.store.read() as tx:
        kept = tx.get(Annotator, annotator_named(town.first, "Mia").id)
        assert (kept.cost_per_minute, kept.expertise) == (2.5, "consultant")
    assert browser.send("PATCH", f"{url}/people/{mia.id}", {"roles": ["lead"]}).status_code == 422
    outsider = town.add("Out", "viewer", town.second.project.id)
    assert browser.send("PATCH", f"{url}/people/{outsider.id}", {"expertise": "novice"}).status_code == 404


def test_only_projects_with_a_role_are_listed(town: Town, ada: Account) -> None:
    browser = town.browser(town.add("One", "viewer", town.second.project.id))
    assert [one["id"] for one in browser.get("/projects").json()] == [town.second.project.id]
    assert [one["project_id"] for one in browser.get("/me").json()["projects"]] == [town.second.project.id]
    assert len(town.browser(ada).get("/projects").json()) == 2


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "_", '"; DROP TABLE accounts; --', "{}", "$ne", "\\", "*"])
def test_what_looks_like_a_query_is_a_text(town: Town, url: str, ada: Account, text: str) -> None:
    browser = town.browser(ada)
    found = browser.get(f"{url}/cases?search={quote(text, safe='')}").json()
    assert found["total"] == 0
    assert town.nobody().post("/sign-in", {"name": text, "password": text}).status_code == 401
    assert browser.post(f"/people/{quote(text, safe='')}/disable").status_code in (404, 422)
    with town.store.read() as tx:
        assert (tx.count(Account), tx.count(Membership)) == (1, 1)


@pytest.mark.parametrize("name", [{"$ne": ""}, ["Ada"], None, 1, True])
def test_a_name_that_is_no_text_signs_nobody_in(town: Town, name: Any) -> None:
    assert town.nobody().post("/sign-in", {"name": name, "password": name}).status_code == 422


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "X-Forwarded-User", "Remote-User"])
def test_headers_of_proxies_open_nothing(town: Town, url: str, header: str) -> None:
    assert town.nobody().send("GET", url, **{header: "Ada"}).status_code == 401
    assert town.nobody().send("GET", url, **{header: "/api/v1/health"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "served@evil.example"])
def test_a_foreign_host_is_refused_before_anything_else(town: Town, ada: Account, host: str) -> None:
    answer = town.browser(ada).send("GET", "/me", Host=host)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_host")


@pytest.mark.parametrize("query", ["next=//evil.example", "return_to=https://evil.example", "redirect=%2F%2Fevil.example"])
def test_no_answer_redirects_anywhere(town: Town, query: str) -> None:
    for path in ("sign-in", "me", "//evil.example", "links/reset"):
        answer = town.client.get(f"/{path}?{query}", follow_redirects=False)
        assert answer.status_code < 300 or answer.status_code >= 400
        assert "location" not in answer.headers


def test_an_address_that_is_written_otherwise_is_guarded_as_well(town: Town) -> None:
    project = town.first.project.id
    for path in ("/api/v1/projects/", "/api/v1//projects", "/api/v1/./projects", "/api/v1/PROJECTS", f"/api/v1/%70rojects/{project}"):
        assert town.client.get(path).status_code in (401, 404)


def test_live_news_end_with_the_session(town: Town, mia: Account) -> None:
    async def listen() -> list[str]:
        site = town.client.app.state.site
        browser = town.browser(mia)
        request = _Request(browser.headers)
        caller = site.people.caller(request.headers)
        answer = await get_stream(site, site.projects.get(town.first.project.id), caller, request)
        events: list[str] = []
        async for event in answer.body_iterator:
            events.append(str(event))
            if len(events) == 1:
                set_disabled(town.store, mia.id, True)
                next_assignment(town.first, annotator_named(town.first, "Somebody").id)
                town.first.store.jobs.enqueue("train", {}, key="news")
        return events

    with anyio.from_thread.start_blocking_portal() as portal:
        events = portal.call(listen)
    assert len(events) == 1
    assert "event: change" in events[0]


class _Request:
    """What a route of the stream reads of a request."""

    def __init__(self, headers: dict[str, str]) -> None:
        from starlette.datastructures import Headers

        self.headers = Headers(headers)


def test_a_folder_without_accounts_asks_for_none_and_says_so(served: Path, serve_folder: Callable[[Path], Any]) -> None:
    with serve_folder(served) as client:
        browser = Browser(client)
        me = browser.get("/me").json()
        assert (me["accounts"], me["name"], me["csrf"], len(me["projects"])) == (False, "local", "", 2)
        assert me["projects"][0]["verbs"][-1] == "administer"
        refused = browser.post("/people", {"name": "Eve", "role": "viewer"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "wrong_state")
        assert browser.post("/sign-in", {"name": "Eve", "password": "x"}).status_code == 401
        url = f"/projects/{me['projects'][0]['project_id']}"
        assert browser.post(f"{url}/next", **{"X-Annotator": "Anybody"}).status_code == 200


def test_what_the_page_keeps_for_an_account_is_there_in_every_browser_and_in_the_audit(town: Town, mia: Account) -> None:
    browser = town.browser(mia)
    assert browser.get("/me").json()["preferences"] == {"keys": {}, "introduced": False}
    wanted = {"keys": {"brush": ["Shift+B"], "label": ["1…9"]}, "introduced": True}
    assert browser.send("PUT", "/me/preferences", wanted).json() == wanted
    assert town.browser(mia).get("/me").json()["preferences"] == wanted
    assert audit.verify(town.store).ok


@pytest.mark.parametrize("keys", [{"brush": ["B"] * 5}, {"Brush!": ["B"]}, {"brush": ["\u202eB"]}, {str(n): ["B"] for n in range(201)}])
def test_preferences_are_bounded(town: Town, mia: Account, keys: dict[str, list[str]]) -> None:
    assert town.browser(mia).send("PUT", "/me/preferences", {"keys": keys, "introduced": True}).status_code == 422
