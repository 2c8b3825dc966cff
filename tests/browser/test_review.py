"""Several readings in the page: three people read blind and disagree, a reviewer compares, adjudicates and signs, the lead sees it."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from medloop.core.arrays import MaskArray
from medloop.core.records import Annotation, Annotator, Case, Effort, Review, Snapshot
from medloop.images.encode import decode_mask
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.review_verdicts import Signed, approve, return_case
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import case_readings
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.annotator_skill import skilled_annotators
from medloop.loop.worker import drain
from medloop.store.audit import verify
from tests.server.conftest import SHAPE

from .axe import emulate, findings_in_every_scheme
from .conftest import DRAWN, wait_for
from .dragging import drag
from .teams import Team, sign_in, type_and_keep
from .test_team import draw, saved, settling

RULES = {"readings": 2, "blind": True, "consensus": "majority", "review": "disagreement", "minimum_agreement": 0.9}


def cube(start: int, label: int = 1) -> MaskArray:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[start : start + 4, 2:8, 2:6] = label
    return mask


def read(workspace: Workspace, case: str, name: str, mask: MaskArray | int) -> Annotation:
    """Somebody's reading, given without a browser."""
    opened = open_case(workspace, case, annotator_named(workspace, name).id)
    said = Submitted(tag=mask) if isinstance(mask, int) else Submitted(mask=mask)
    return submit(workspace, opened.assignment.id, said)


def cases_of(workspace: Workspace) -> list[Case]:
    with workspace.store.read() as tx:
        return tx.find(Case)


def standing(workspace: Workspace, case: str) -> Annotation:
    with workspace.store.read() as tx:
        found = standing_annotation(tx, case)
    assert found is not None
    return found


def mask_of(workspace: Workspace, annotation: Annotation) -> MaskArray:
    return decode_mask(workspace.store.blobs.get(str(annotation.blob)), SHAPE)


def state(workspace: Workspace, case: str) -> str:
    with workspace.store.read() as tx:
        return case_readings(tx, [case])[case].words


def disputed(team: Team, *, people: Sequence[tuple[str, int]] = (("Ann", 2), ("Bob", 6)), **rules: object) -> str:
    """A case that people read differently, with its consensus, before anybody's browser is open."""
    with Workspace.open(team.folder) as workspace:
        configure(workspace, settings={**RULES, "readings": min(9, len(people)), **rules})
        case = cases_of(workspace)[0].id
        for name, start in people:
            read(workspace, case, name, cube(start))
        drain(workspace)
        assert state(workspace, case) == "in review"
    return case


def verdict_seconds(workspace: Workspace, name: str) -> list[float]:
    """Active seconds of each verdict of a reviewer."""
    with workspace.store.read() as tx:
        return [e.active_seconds or 0.0 for e in tx.find(Effort, where={"annotator_id": annotator_named(workspace, name).id})]


def compared(page: Page) -> None:
    """The readings are loaded and drawn."""
    expect(page.get_by_test_id("comparing")).to_have_attribute("data-ready", "true")
    page.evaluate(DRAWN)


def colour_count(page: Page, colour: str, pane: str = "pane-axial") -> int:
    """How many pixels of a pane's layer of labels have about this colour."""
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    script = f"""() => {{
      const layer = document.querySelector('[data-testid={json.dumps(pane)}] [data-layer=labels]');
      const {{ data }} = layer.getContext("2d").getImageData(0, 0, layer.width, layer.height);
      let count = 0;
      for (let n = 0; n < data.length; n += 4)
        if (data[n + 3] > 200 && Math.abs(data[n] - {red}) + Math.abs(data[n + 1] - {green}) + Math.abs(data[n + 2] - {blue}) < 24) count++;
      return count;
    }}"""
    return int(page.evaluate(script))


ANNS, BOBS, STANDS = "#56b4e9", "#e69f00", "#ffffff"


@pytest.mark.browser
def test_three_people_read_blind_and_disagree_a_reviewer_decides_and_the_next_model_learns_it(team: Team) -> None:
    for name, role in (("Ann", "annotator"), ("Bob", "annotator"), ("Rita", "reviewer"), ("Lena", "lead")):
        team.add(name, role)  # type: ignore[arg-type]
    with Workspace.open(team.folder) as workspace:
        configure(workspace, settings=RULES)
        first, second = (case.id for case in cases_of(workspace)[:2])
        read(workspace, second, "Ann", cube(2))
        read(workspace, second, "Bob", cube(6))
    home = f"p/{team.project}"
    rita = team.enter("Rita", f"{home}/review")
    expect(rita.get_by_test_id("review-queue")).to_contain_text("No case waits for a review")

    ann, bob = (team.enter(name, f"{home}/case/{first}") for name in ("Ann", "Bob"))
    for page, label, i in ((ann, "1", 2), (bob, "2", 9)):
        page.goto(f"{team.address}/#/{home}/case/{first}")
        wait_for(page, f"window.medloop?.caseId === {first!r} && window.medloop.seen")
        page.keyboard.press(label)
        draw(page, i)
        saved(page)
        assert page.evaluate("window.medloop.labelCounts()").keys() == {label}, "nobody's annotation but one's own"
        if page is ann:
            page.keyboard.press("Enter")
            wait_for(page, f"window.medloop?.caseId !== {first!r}")
            bob.goto(f"{team.address}/#/{home}/review/{first}")
            expect(bob.get_by_test_id("readings-refused")).to_contain_text("This case is read blind")
    bob.keyboard.press("Enter")
    wait_for(bob, f"window.medloop?.caseId !== {first!r}")
    with Workspace.open(team.folder) as workspace:
        drain(workspace)

    expect(rita.get_by_test_id("in-review").locator("tbody tr")).to_have_count(2)
    rita.get_by_test_id(f"waiting-{first}").click()
    compared(rita)
    expect(rita.get_by_test_id("readers")).to_contain_text("read blind")
    expect(rita.get_by_test_id("skill-Ann")).to_contain_text("skill")
    expect(rita.get_by_test_id("agreement-1")).to_contain_text("0.00")
    rita.get_by_test_id("rule-label-1").select_option(label="Ann")
    expect(rita.get_by_test_id("preview")).to_contain_text("large +")
    rita.get_by_test_id("draw-region").click()
    drag(rita, (7, 2, 4), (11, 7, 4))
    rita.get_by_test_id("region-all").click()
    rita.get_by_test_id("region-label").select_option(label="small")
    rita.get_by_test_id("region-by").select_option(label="Bob")
    expect(rita.get_by_test_id("region-0")).to_contain_text("Bob, small")
    expect(rita.get_by_test_id("preview")).to_contain_text("small +")
    preview = rita.get_by_test_id("preview").inner_text()
    rita.get_by_test_id("adjudicate-comment").fill("each found one of the two")
    rita.get_by_test_id("accept").click()
    expect(rita.get_by_test_id("outcome")).to_contain_text("Adjudicated: large +")
    expect(rita.get_by_test_id("outcome")).to_contain_text("The case is accepted")
    expect(rita.get_by_test_id("standing-reading")).to_contain_text("adjudicated by Rita")
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        decided = standing_annotation(tx, first)
        people = {a.id: a.name for a in tx.find(Annotator)}
        given = {people[a.annotator_id]: a for a in tx.current_annotations(case_ids=[first])}
        assert decided is not None
        masks = {name: mask_of(workspace, a) for name, a in given.items()}
    made = masks["Rita"]
    assert (decided.origin, people[decided.annotator_id]) == ("adjudicated", "Rita")
    np.testing.assert_array_equal(made == 1, masks["Ann"] == 1)
    bobs = (masks["Bob"] == 2) & (np.arange(SHAPE[0])[:, None, None] >= 7) & np.isin(np.arange(SHAPE[1]), range(2, 8))[None, :, None]
    np.testing.assert_array_equal(made == 2, bobs)
    assert f"small +{int(bobs.sum())}" in preview

    rita.goto(f"{team.address}/#/{home}/review/{second}")
    expect(rita.get_by_test_id("comparing")).to_have_attribute("data-case", second)
    compared(rita)
    rita.keyboard.press("a")
    rita.get_by_test_id("sign").check()
    expect(rita.get_by_test_id("signed-as")).to_have_value("Rita")
    rita.get_by_test_id("approve-confirm").dblclick()
    expect(rita.get_by_test_id("outcome")).to_contain_text("Approved and signed by Rita (approval)")
    expect(rita.get_by_test_id("reviews")).to_contain_text("signed by Rita (approval)")
    with Workspace.open(team.folder) as workspace:
        with workspace.store.read() as tx:
            assert len(tx.find(Review, where={"case_id": second})) == 1, "a double click approves once"
        start_training(workspace)
        drain(workspace)
        with workspace.store.read() as tx:
            learned = {tx.get(Annotation, i).origin for i in tx.find(Snapshot)[-1].annotation_ids}
            events = {(people.get(e.actor, e.actor), e.verb) for e in tx.events(limit=10_000)}
        assert learned == {"adjudicated", "consensus"}
        assert {("Ann", "submit"), ("Bob", "submit"), ("Rita", "adjudicate"), ("Rita", "approve"), ("consensus", "fuse")} <= events
        assert verify(workspace.store).ok

    lena = team.enter("Lena", f"{home}/people")
    type_and_keep(lena, "Cost per minute of Ann", "2.5")
    lena.goto(f"{team.address}/#/{home}/team")
    row = lena.get_by_test_id("team-people").locator("tr[data-name=Ann]")
    expect(row).to_contain_text("2.5")
    with Workspace.open(team.folder) as workspace:
        skills = {line.annotator: line.skill for line in skilled_annotators(workspace)}
    for name in ("Ann", "Bob"):
        expect(lena.get_by_test_id(f"team-skill-{name}")).to_contain_text(f"{skills[name]:.2f}")
    expect(lena.get_by_test_id("queue-length")).to_have_text("0")
    expect(lena.get_by_test_id("agreement-over-time")).to_contain_text("large")
    assert float(lena.get_by_test_id("minutes-total").inner_text()) > 0


@pytest.mark.browser
def test_readings_lie_over_each_other_beside_each_other_or_as_a_map_by_mouse_and_keyboard(team: Team) -> None:
    case = disputed(team)
    page = team.enter("Ada", f"p/{team.project}/review/{case}")
    compared(page)
    assert colour_count(page, ANNS) > 100
    assert colour_count(page, BOBS) > 100
    page.get_by_test_id("eye-Ann").click()
    page.evaluate(DRAWN)
    assert colour_count(page, ANNS) == 0
    page.keyboard.press("2")
    page.evaluate(DRAWN)
    assert colour_count(page, BOBS) == 0
    page.keyboard.press("2")
    page.keyboard.press("1")
    page.get_by_test_id("only-label").select_option(label="small only")
    page.evaluate(DRAWN)
    assert colour_count(page, ANNS) == 0, "nobody drew a small one"
    page.get_by_test_id("only-label").select_option(label="all labels")
    page.get_by_test_id("only-label").evaluate("element => element.blur()")
    page.keyboard.press("v")
    expect(page.get_by_test_id("side-by-side").locator("figure")).to_have_count(3)
    before = page.get_by_role("group", name="Ann: Axial slice 5 of 8")
    expect(before).to_be_visible()
    page.keyboard.press("ArrowDown")
    for name in ("Ann", "Bob", "What stands: consensus"):
        expect(page.get_by_role("group", name=f"{name}: Axial slice 4 of 8")).to_be_visible()
    page.keyboard.press("v")
    expect(page.get_by_test_id("map-kind")).to_have_value("entropy")
    page.get_by_test_id("map-kind").select_option("readers")
    page.get_by_test_id("map-kind").evaluate("element => element.blur()")
    page.keyboard.press("v")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("review-queue")).to_be_visible()


@pytest.mark.browser
def test_a_reading_that_arrives_while_the_reviewer_looks_is_said_and_nothing_is_decided_without_it(team: Team) -> None:
    case = disputed(team)
    page = team.enter("Ada", f"p/{team.project}/review/{case}")
    compared(page)
    page.get_by_test_id("rule-label-1").select_option(label="Bob")
    with Workspace.open(team.folder) as workspace:
        read(workspace, case, "Eva", cube(4))
    expect(page.get_by_test_id("readings-changed")).to_be_visible()
    page.get_by_test_id("accept").click()
    expect(page.get_by_test_id("notices")).to_contain_text("Nothing was decided")
    expect(page.get_by_test_id("readers")).to_contain_text("Eva")
    expect(page.get_by_test_id("readings-changed")).to_be_hidden()
    with Workspace.open(team.folder) as workspace:
        drain(workspace)
        assert standing(workspace, case).origin == "consensus"
    expect(page.get_by_test_id("readings-changed")).to_be_visible()
    page.get_by_role("button", name="Load it again").click()
    expect(page.get_by_test_id("case-reading")).to_have_text("in review")
    page.get_by_test_id("discard-rulings").click()
    page.get_by_test_id("approve").click()
    with Workspace.open(team.folder) as workspace:
        read(workspace, case, "Zoe", cube(3))
    page.get_by_test_id("approve-confirm").click()
    expect(page.get_by_test_id("approve-dialog")).to_be_hidden()
    expect(page.get_by_test_id("readers")).to_contain_text("Zoe")
    assert not page.get_by_test_id("outcome").is_visible()
    with Workspace.open(team.folder) as workspace, workspace.store.read() as tx:
        assert tx.find(Review) == []
    with Workspace.open(team.folder) as workspace:
        drain(workspace)
    page.get_by_role("button", name="Load it again").click()
    page.get_by_test_id("approve").click()
    page.get_by_test_id("approve-confirm").click()
    expect(page.get_by_test_id("outcome")).to_contain_text("Approved. The case is accepted")
    with Workspace.open(team.folder) as workspace:
        assert len(verdict_seconds(workspace, "Ada")) == 1, "one verdict was given, and what it took is kept"


@pytest.mark.browser
def test_a_session_that_ends_in_an_adjudication_loses_no_choice(team: Team) -> None:
    case = disputed(team)
    rita = team.add("Rita", "reviewer")
    page = team.enter("Rita", f"p/{team.project}/review/{case}")
    compared(page)
    page.get_by_test_id("rule-label-1").select_option(label="Bob")
    team.end_sessions(rita)
    page.get_by_test_id("accept").click()
    expect(page.get_by_test_id("session-ended")).to_be_visible()
    sign_in(page, "Rita")
    expect(page.get_by_test_id("outcome")).to_contain_text("Adjudicated")
    with Workspace.open(team.folder) as workspace:
        np.testing.assert_array_equal(mask_of(workspace, standing(workspace, case)), cube(6))
        assert all(seconds > 0 for seconds in verdict_seconds(workspace, "Rita"))


@pytest.mark.browser
def test_a_returned_case_shows_its_comment_also_to_whom_it_is_open_already(team: Team) -> None:
    case = disputed(team)
    for name in ("Ann", "Bob"):
        team.add(name, "annotator")
    rita = team.add("Rita", "reviewer").name
    bob = team.enter("Bob", f"p/{team.project}/case/{case}")
    wait_for(bob, "window.medloop?.seen")
    page = team.enter(rita, f"p/{team.project}/review/{case}")
    compared(page)
    page.keyboard.press("t")
    page.get_by_test_id("return-of").select_option(label="Bob")
    expect(page.get_by_test_id("return-to")).to_have_value("Bob")
    expect(page.get_by_test_id("return-to").locator("option", has_text="Ann")).to_have_count(1)
    page.get_by_test_id("return-comment").fill("<b>too far</b> right")
    page.get_by_test_id("return-confirm").click()
    expect(page.get_by_test_id("outcome")).to_contain_text("Returned to Bob: <b>too far</b> right")
    expect(page.get_by_test_id("case-reading")).to_have_text("returned")
    expect(bob.get_by_test_id("returned-note")).to_contain_text("<b>too far</b> right")
    draw(bob, 3)
    saved(bob)
    bob.keyboard.press("Enter")
    wait_for(bob, f"window.medloop?.caseId !== {case!r}")
    with Workspace.open(team.folder) as workspace:
        assert state(workspace, case) != "returned"
        return_case(workspace, case, annotator_named(workspace, rita).id, comment="once more", to=annotator_named(workspace, "Ann").id)
    ann = team.enter("Ann", f"p/{team.project}")
    expect(ann.get_by_test_id(f"reading-{case}")).to_have_text("returned to Ann")
    ann.get_by_test_id("filter-reading").select_option("returned")
    expect(ann.get_by_test_id("worklist").locator("tbody tr")).to_have_count(1)
    ann.get_by_test_id("start").click()
    expect(ann.get_by_test_id("returned-note")).to_contain_text("Rita returned this case to you")
    expect(ann.get_by_test_id("returned-note")).to_contain_text("once more")
    expect(ann.get_by_test_id("case-progress")).to_have_text("returned")


@pytest.mark.browser
def test_history_says_who_changed_what_and_restores_after_a_question(team: Team) -> None:
    case = disputed(team)
    with Workspace.open(team.folder) as workspace:
        lena = annotator_named(workspace, "Lena")
        approve(workspace, case, lena.id, comment="good enough", signed=Signed("Lena Low, MD", "responsibility"))
    page = team.enter("Ada", f"p/{team.project}/review/{case}")
    compared(page)
    page.keyboard.press("y")
    history = page.get_by_test_id("history").last
    expect(page.get_by_test_id("history-dialog")).to_contain_text("approved, signed by Lena Low, MD (responsibility)")
    expect(page.get_by_test_id("history-dialog")).to_contain_text("good enough")
    expect(history).to_be_visible()
    page.get_by_role("button", name="Restore: annotated by Ann").click()
    expect(page.get_by_text("Let it stand before everything else?")).to_be_visible()
    page.get_by_role("button", name="Keep what stands").click()
    page.get_by_role("button", name="Restore: annotated by Ann").click()
    page.get_by_test_id("restore-confirm").click()
    expect(page.get_by_test_id("history-dialog")).to_contain_text("restored")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("outcome")).to_contain_text("Restored the annotation of Ann")
    with Workspace.open(team.folder) as workspace:
        np.testing.assert_array_equal(mask_of(workspace, standing(workspace, case)), cube(2))
    page.goto(f"{team.address}/#/p/{team.project}")
    expect(page.get_by_test_id(f"case-{case}")).to_contain_text("restored")


@pytest.mark.browser
def test_a_reviewer_draws_the_decision_from_what_stands(team: Team) -> None:
    case = disputed(team, people=(("Ann", 2), ("Bob", 4)))
    page = team.enter("Ada", f"p/{team.project}/review/{case}")
    compared(page)
    page.get_by_test_id("edit").click()
    wait_for(page, "window.medloop?.seen && window.medloop.assignmentId")
    with Workspace.open(team.folder) as workspace:
        before = mask_of(workspace, standing(workspace, case))
    assert page.evaluate("window.medloop.labelCounts()") == {"1": int((before == 1).sum())}
    expect(page.get_by_test_id("deciding")).to_be_visible()
    draw(page, 10)
    saved(page)
    drawn = page.evaluate("window.medloop.labelCounts()")["1"]
    page.reload()
    wait_for(page, "window.medloop?.seen && window.medloop.saved === 'saved'")
    assert page.evaluate("window.medloop.labelCounts()")["1"] == drawn
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("standing-reading")).to_contain_text("adjudicated by Ada")
    with Workspace.open(team.folder) as workspace:
        made = standing(workspace, case)
        assert (made.origin, int((mask_of(workspace, made) == 1).sum())) == ("adjudicated", drawn)
        assert state(workspace, case) == "accepted"


@pytest.mark.browser
@pytest.mark.parametrize("team", ["classification"], indirect=True)
def test_classes_are_compared_and_decided_too(team: Team) -> None:
    with Workspace.open(team.folder) as workspace:
        configure(workspace, settings={**RULES, "readings": 3, "consensus": "dawid_skene"})
        first, second = (case.id for case in cases_of(workspace)[:2])
        for case in (first, second):
            for name, tag in (("Ann", 0), ("Bob", 0), ("Eva", 1)):
                read(workspace, case, name, tag)
        drain(workspace)
    page = team.enter("Ada", f"p/{team.project}/review/{first}")
    compared(page)
    expect(page.get_by_test_id("readers")).to_contain_text("Eva small")
    expect(page.get_by_test_id("agreement")).to_contain_text("0.67")
    page.get_by_test_id("rule-class").select_option(label="Eva: small")
    page.get_by_test_id("accept").click()
    expect(page.get_by_test_id("outcome")).to_contain_text("the class of Eva counts")
    page.goto(f"{team.address}/#/p/{team.project}/review/{second}/edit")
    wait_for(page, f"window.medloop?.caseId === {second!r} && window.medloop.seen")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("standing-reading")).to_contain_text("adjudicated by Ada small")
    with Workspace.open(team.folder) as workspace:
        assert [(standing(workspace, case).origin, standing(workspace, case).tag) for case in (first, second)] == [("adjudicated", 1)] * 2


@pytest.mark.browser
def test_many_readers_fit_and_a_label_added_later_is_taken_from_who_knew_it_only(team: Team) -> None:
    names = [f"Reader {n}" for n in range(1, 13)]
    case = disputed(team, people=[(name, 2 + n % 6) for n, name in enumerate(names)])
    with Workspace.open(team.folder) as workspace:
        configure(workspace, task=TaskChange(added=["third"]))
    with Workspace.open(team.folder) as workspace:
        read(workspace, case, "Late", cube(3, 3))
        drain(workspace)
    page = team.enter("Ada", f"p/{team.project}/review/{case}")
    compared(page)
    expect(page.get_by_test_id("readers").locator("li")).to_have_count(14)
    expect(page.get_by_test_id("rule-label-1").locator("option")).to_have_count(14)
    expect(page.get_by_test_id("rule-label-3").locator("option")).to_have_text(["as it stands", "Late"])
    expect(page.get_by_test_id("adjudication")).to_contain_text("Added after Reader 1, Reader 2")
    page.keyboard.press("v")
    expect(page.get_by_test_id("side-by-side").locator("figure")).to_have_count(14)


@pytest.mark.browser
def test_nothing_serious_in_the_views_of_review(team: Team) -> None:
    case = disputed(team)
    with Workspace.open(team.folder) as workspace:
        other = cases_of(workspace)[1].id
        for name, start in (("Ann", 2), ("Bob", 6)):
            read(workspace, other, name, cube(start))
        drain(workspace)
        rita = annotator_named(workspace, "Rita")
        return_case(workspace, other, rita.id, comment="the lower edge is missing", to=annotator_named(workspace, "Bob").id)
    page = team.open_browser()
    settle = settling(page)
    emulate(page, "light")
    page.goto(team.address)
    sign_in(page, "Ada")
    expect(page.get_by_test_id("sign-in-dialog")).to_be_hidden()
    found = {}

    def look(view: str) -> None:
        settle()
        found[view] = findings_in_every_scheme(page)

    for view, path, sign in (
        ("queue", "review", "in-review"),
        ("team", "team", "agreement-over-time"),
        ("worklist", "", "worklist"),
        ("overlay", f"review/{case}", "comparing"),
    ):
        page.goto(f"{team.address}/#/p/{team.project}/{path}")
        expect(page.get_by_test_id(sign)).to_be_visible()
        look(view)
    compared(page)
    page.get_by_test_id("rule-label-1").select_option(label="Bob")
    page.get_by_test_id("draw-region").click()
    drag(page, (2, 2, 4), (6, 6, 4))
    look("adjudication")
    page.get_by_test_id("discard-rulings").click()
    for manner in ("side", "map"):
        page.get_by_test_id(f"compare-{manner}").click()
        look(manner)
    for key, dialog in (("a", "approve-dialog"), ("t", "return-dialog"), ("y", "history-dialog")):
        page.keyboard.press(key)
        expect(page.get_by_test_id(dialog)).to_be_visible()
        look(dialog)
        page.keyboard.press("Escape")
    page.goto(f"{team.address}/#/p/{team.project}/review/{other}")
    expect(page.get_by_test_id("case-reading")).to_have_text("returned")
    look("returned")
    assert {view: lines for view, lines in found.items() if lines} == {}
