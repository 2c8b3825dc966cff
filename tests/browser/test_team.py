"""Several people with accounts, each in a browser: invited by links, held to their roles, losing nothing when a session ends."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from medloop.core.records import Annotation, Assignment, Case
from medloop.core.roles import RIGHTS, ROLES, Role
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from tests.server.conftest import SHAPE

from .axe import emulate, findings_in_every_scheme
from .conftest import DRAWN, wait_for
from .teams import PASSWORD, Team, sign_in

MARKUP = "<b>Eve</b> & <script>alert(1)</script>"
NAMES = ["Łukasz Żółć", "山田 太郎", "محمد علي", MARKUP]


def draw(page: Page, i: int) -> None:
    """One dot of the brush."""
    wait_for(page, "window.medloop?.seen")
    page.keyboard.press("b")
    point = page.evaluate(f"window.medloop.pointOf('axial', {i}, 4, 4)")
    page.mouse.click(point["x"], point["y"])


def saved(page: Page) -> None:
    wait_for(page, "window.medloop.saved === 'saved' && window.medloop.pending === 0 && window.medloop.revision > 0")


def row_of(page: Page, name: str) -> Locator:
    return page.locator("tr[data-name]").filter(has=page.locator("bdi", has_text=name))


def settling(page: Page) -> Callable[[], None]:
    """Waits until no request but the stream's is under way and what came is drawn; what is drawn may request more once."""
    under_way: set[Any] = set()
    page.on("request", lambda request: under_way.add(request) if not request.url.endswith("/stream") else None)
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: under_way.discard(request))  # the library takes no built-in

    def settle() -> None:
        for _ in range(2):
            page.evaluate(DRAWN)
            while under_way:
                page.evaluate(DRAWN)

    return settle


@pytest.mark.browser
def test_one_invites_the_invited_choose_a_password_annotate_and_show_at_once(team: Team) -> None:
    ada = team.enter("Ada", f"p/{team.project}/people")
    links = {}
    for name, role in (("Łukasz Żółć", "annotator"), ("山田 太郎", "viewer")):
        ada.get_by_test_id("invite-name").fill(name)
        ada.get_by_test_id("invite-role").select_option(role)
        ada.get_by_test_id("invite").click()
        links[name] = ada.get_by_test_id("secret").input_value()
        ada.get_by_test_id("shown-once-close").click()
        expect(row_of(ada, name)).to_contain_text("invited")
    ada.goto(f"{team.address}/#/p/{team.project}")
    expect(ada.get_by_test_id("worklist")).to_be_visible()

    lukasz = team.open_browser()
    lukasz.goto(links["Łukasz Żółć"])
    lukasz.get_by_test_id("new-password").fill("short")
    lukasz.get_by_test_id("new-password-again").fill("shore")
    lukasz.get_by_test_id("choose").click()
    expect(lukasz.get_by_test_id("choose-refused")).to_contain_text("differ")
    lukasz.get_by_test_id("new-password-again").fill("short")
    lukasz.get_by_test_id("choose").click()
    expect(lukasz.get_by_test_id("choose-refused")).to_contain_text("10 to 1000 characters")
    for field in ("new-password", "new-password-again"):
        lukasz.get_by_test_id(field).fill("zielony rower i deszcz")
    lukasz.get_by_test_id("choose").click()
    expect(lukasz.get_by_test_id("person")).to_have_text("Łukasz Żółć")
    assert "#" not in lukasz.url
    lukasz.get_by_test_id(f"annotate-{team.project}").click()
    draw(lukasz, 3)
    saved(lukasz)
    case = lukasz.evaluate("window.medloop.caseId")
    expect(ada.get_by_test_id(f"open-{case}")).to_have_text("open with Łukasz Żółć")
    lukasz.keyboard.press("Enter")
    wait_for(lukasz, f"window.medloop.caseId !== {case!r}")
    expect(ada.get_by_test_id(f"open-{case}")).to_be_hidden()
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        assert tx.find(Annotation)[-1].case_id == case

    used = team.open_browser()
    used.goto(links["Łukasz Żółć"])
    expect(used.get_by_test_id("link-refused")).to_contain_text("has been used")

    yamada = team.open_browser()
    yamada.goto(links["山田 太郎"])
    for field in ("new-password", "new-password-again"):
        yamada.get_by_test_id(field).fill("緑の自転車と雨の日です")
    yamada.get_by_test_id("choose").click()
    expect(yamada.get_by_test_id("person")).to_have_text("山田 太郎")
    expect(yamada.get_by_test_id(f"project-{team.project}")).to_be_visible()
    expect(yamada.get_by_test_id(f"annotate-{team.project}")).to_be_hidden()
    sent: list[str] = []
    yamada.on("request", lambda request: sent.append(request.url) if request.method != "GET" else None)
    yamada.goto(f"{team.address}/#/p/{team.project}/case/{case}")
    wait_for(yamada, "window.medloop?.seen")
    expect(yamada.get_by_test_id("read-only")).to_contain_text("your role here does not include")
    expect(yamada.get_by_test_id("submit")).to_be_disabled()
    for key in ("Enter", "b", "s", "1"):
        yamada.keyboard.press(key)
    assert sent == []


@pytest.mark.browser
def test_every_role_sees_what_the_servers_table_allows_and_is_never_refused(team: Team) -> None:
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        case = tx.find(Case)[0].id
    team.add("Ann", "annotator")
    with Workspace.open(team.folder) as workspace:
        opened = open_case(workspace, case, annotator_named(workspace, "Ann").id)
        submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SHAPE, np.uint8)))
    seen: dict[Role, set[str]] = {}
    for role in ROLES:
        team.add(f"the {role}", role)
        page = team.enter(f"the {role}", f"p/{team.project}")
        refused: list[str] = []
        page.on("response", lambda answer, found=refused: found.append(answer.url) if answer.status == 403 else None)
        settle = settling(page)
        seen[role] = set()
        for path, sign in VIEWS:
            page.goto(f"{team.address}/#/{path.format(team.project, case)}")
            expect(page.get_by_test_id(sign).first).to_be_visible()
            settle()
            seen[role] |= {mark.get_attribute("data-verb") or "" for mark in page.locator("[data-verb]").all()}
        assert refused == [], role
    shown = seen["administrator"]
    assert shown == {"annotate", "review", "sign", "decide", "train", "export", "manage", "administer"}
    assert seen == {role: shown & RIGHTS[role] for role in ROLES}


VIEWS = (
    ("", "person"),
    ("p/{0}", "worklist"),
    ("p/{0}/progress", "report"),
    ("p/{0}/settings", "project-name"),
    ("p/{0}/next", "submit"),
    ("people", "person"),
    ("account", "account"),
    ("p/{0}/review", "person"),
    ("p/{0}/team", "person"),
    ("p/{0}/review/{1}", "reviews"),
)


@pytest.mark.browser
def test_a_session_that_ends_in_a_stroke_loses_nothing(team: Team) -> None:
    mia = team.add("Mia", "annotator")
    team.add("Ben", "annotator")
    page = team.enter("Mia", f"p/{team.project}/next")
    draw(page, 3)
    saved(page)
    case, assignment = page.evaluate("[window.medloop.caseId, window.medloop.assignmentId]")
    start, stop = (page.evaluate(f"window.medloop.pointOf('axial', {i}, 7, 4)") for i in (2, 8))
    page.mouse.move(start["x"], start["y"])
    page.mouse.down()
    page.mouse.move(stop["x"], stop["y"], steps=5)
    team.end_sessions(mia)
    drawn = page.evaluate("window.medloop.labelCounts()")["1"]
    page.mouse.up()
    expect(page.get_by_test_id("session-ended")).to_contain_text("Mia")
    expect(page.get_by_test_id("sign-in-name")).to_have_value("Mia")
    assert page.evaluate("document.activeElement.dataset.testid") == "sign-in-password"
    assert page.evaluate("window.medloop.pending") == 1
    sign_in(page, "Mia", "the wrong password")
    expect(page.get_by_test_id("sign-in-refused")).to_contain_text("The name or the password is wrong")
    sign_in(page, "Mia")
    expect(page.get_by_test_id("sign-in-dialog")).to_be_hidden()
    saved(page)
    assert page.evaluate("window.medloop.caseId") == case
    with Workspace.open(team.folder) as workspace:
        assert int((read_draft(workspace, assignment).mask == 1).sum()) == drawn

    team.end_sessions(mia)
    draw(page, 9)
    expect(page.get_by_test_id("session-ended")).to_be_visible()
    more = page.evaluate("window.medloop.labelCounts()")["1"]
    assert more > drawn
    sign_in(page, "Ben")
    expect(page.get_by_test_id("person")).to_have_text("Ben")
    wait_for(page, "window.medloop?.ready")
    assert page.evaluate("window.medloop.labelCounts()").get("1", 0) != more
    page.goto(f"{team.address}/#/account")
    page.get_by_test_id("sign-out").click()
    sign_in(page, "Mia")
    expect(page.get_by_test_id("person")).to_have_text("Mia")
    page.goto(f"{team.address}/#/p/{team.project}/case/{case}")
    wait_for(page, f"window.medloop?.caseId === {case!r} && window.medloop.ready")
    saved(page)
    assert page.evaluate("window.medloop.labelCounts()")["1"] == more
    with Workspace.open(team.folder) as workspace:
        assert int((read_draft(workspace, assignment).mask == 1).sum()) == more
        with workspace.store.read() as tx:
            others = [one for one in tx.find(Assignment, where={"case_id": case}) if one.id != assignment and one.state == "open"]
        assert all((read_draft(workspace, one.id).mask == 1).sum() != more for one in others)


@pytest.mark.browser
def test_too_many_tries_say_how_long_to_wait_and_a_disabled_account_stays_out(team: Team) -> None:
    team.add("Zoe", "annotator")
    ada = team.enter("Ada", "people")
    row_of(ada, "Zoe").get_by_role("button", name="Disable Zoe").click()
    expect(row_of(ada, "Zoe")).to_contain_text("disabled")
    page = team.open_browser()
    page.goto(team.address)
    for _ in range(7):
        if page.get_by_text("Too many tries to sign in").count():
            break
        expect(page.get_by_test_id("sign-in")).to_be_enabled()
        sign_in(page, "Zoe")
        expect(page.get_by_test_id("sign-in-refused")).to_be_visible()
        expect(page.get_by_test_id("sign-in-password")).to_have_value("")
    expect(page.get_by_test_id("sign-in-refused")).to_contain_text("Too many tries to sign in: wait")
    expect(page.get_by_test_id("sign-in")).to_be_disabled()
    expect(page.get_by_test_id("sign-in")).to_have_text("Sign in")
    expect(page.get_by_test_id("sign-in")).to_be_enabled()


@pytest.mark.browser
def test_ones_own_password_and_tokens(team: Team) -> None:
    page = team.enter("Ada", "account")
    page.get_by_test_id("token-name").fill("nightly export")
    page.get_by_test_id("make-token").click()
    secret = page.get_by_test_id("secret").input_value()
    page.get_by_test_id("shown-once-close").click()
    expect(page.get_by_test_id("tokens")).to_contain_text("nightly export")
    assert secret not in page.content()
    answer = page.request.get(f"{team.address}/api/v1/me", headers={"Authorization": f"Bearer {secret}", "Cookie": ""})
    assert answer.json()["name"] == "Ada"
    page.get_by_role("button", name="Revoke nightly export").click()
    expect(page.get_by_test_id("tokens")).to_be_hidden()

    page.get_by_test_id("old-password").fill("not the old one")
    for field in ("new-password", "new-password-again"):
        page.get_by_test_id(field).fill("a quite different one")
    page.get_by_test_id("change-password").click()
    expect(page.get_by_test_id("change-password-refused")).to_contain_text("The present password is wrong")
    page.get_by_test_id("old-password").fill(PASSWORD)
    page.get_by_test_id("change-password").click()
    expect(page.get_by_test_id("notices")).to_contain_text("The password is changed")
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in-name")).to_have_value("")
    sign_in(page, "Ada", "a quite different one")
    expect(page.get_by_test_id("person")).to_have_text("Ada")


@pytest.mark.browser
def test_people_of_any_script_get_roles_costs_and_links_and_markup_stays_text(team: Team) -> None:
    for name in NAMES:
        team.add(name, "annotator")
    page = team.enter("Ada", f"p/{team.project}/people")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for name in NAMES:
        expect(row_of(page, name)).to_have_count(1)
        row_of(page, name).get_by_label(f"Cost per minute of {name}").fill("1,5")
        row_of(page, name).get_by_label(f"Cost per minute of {name}").press("Tab")
        expect(row_of(page, name).get_by_label(f"Expertise of {name}")).to_have_value("expert")
        row_of(page, name).get_by_label(f"Expertise of {name}").select_option("novice")
    page.reload()
    for name in NAMES:
        expect(row_of(page, name).get_by_label(f"Cost per minute of {name}")).to_have_value("1.5")
        expect(row_of(page, name).get_by_label(f"Expertise of {name}")).to_have_value("novice")
    row_of(page, MARKUP).get_by_role("button", name="New link for").click()
    assert "/links/reset#" in page.get_by_test_id("secret").input_value()
    page.get_by_test_id("shown-once-close").click()
    role = row_of(page, "محمد علي").get_by_label("Role of محمد علي")
    role.select_option("reviewer")
    page.reload()
    expect(role).to_have_value("reviewer")
    eve = team.enter(MARKUP)
    expect(eve.get_by_test_id("person")).to_have_text(MARKUP)
    assert dialogs == []


@pytest.mark.browser
def test_nothing_serious_in_the_views_of_accounts(team: Team) -> None:
    for name in NAMES:
        team.add(name, "annotator")
    page = team.open_browser()
    settle = settling(page)
    emulate(page, "light")
    page.goto(team.address)
    found = {}

    def look(view: str) -> None:
        found[view] = findings_in_every_scheme(page)

    expect(page.get_by_test_id("sign-in-dialog")).to_be_visible()
    sign_in(page, "Ada", "wrong")
    expect(page.get_by_test_id("sign-in-refused")).to_be_visible()
    look("sign-in")
    sign_in(page, "Ada")
    for path in ("account", "people", f"p/{team.project}/people", f"p/{team.project}/settings"):
        page.goto(f"{team.address}/#/{path}")
        expect(page.locator("main h1")).to_be_visible()
        settle()
        look(path.split("/")[-1] + str(len(path)))
    page.goto(f"{team.address}/#/people")
    page.get_by_test_id("invite-name").fill("Ola")
    page.get_by_test_id("invite").click()
    link = page.get_by_test_id("secret").input_value()
    look("shown-once")
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_test_id("choose")).to_be_visible()
    look("link")
    assert {view: lines for view, lines in found.items() if lines} == {}
